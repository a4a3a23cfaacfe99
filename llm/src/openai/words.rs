//! How much a member says, without decoding it.

use crate::json::{Fault, Kind, Reader};
use crate::seen::Seen;

/// What is found in a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// It holds something: it is not null, and no empty string, list or object.
    pub(crate) any: bool,
    /// Bytes of text that the model wrote, as UTF-8.
    pub(crate) bytes: usize,
}

impl Words {
    /// Passes over a value.
    pub(crate) fn of(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let mut words = Self { any: true, bytes: 0 };
        match reader.peek()? {
            Kind::Null => words.any = !reader.null()?,
            Kind::String => {
                words.bytes = reader.literal()?.decoded_len;
                words.any = words.bytes > 0;
            }
            Kind::Array => {
                words.any = false;
                reader.array(|reader| words.hold(Self::of(reader)?))?;
            }
            Kind::Object => {
                words.any = false;
                reader.object(|reader, key| match &*key.decode() {
                    // Of parts, of calls, and what is inside both.
                    "text" | "refusal" | "thinking" | "function" | "custom" | "name" | "arguments" | "input" => {
                        words.hold(Self::of(reader)?)
                    }
                    _ => {
                        words.any = true;
                        reader.skip()
                    }
                })?;
            }
            Kind::Number | Kind::Bool => reader.skip()?,
        }
        Ok(words)
    }

    fn hold(&mut self, inner: Self) -> Result<(), Fault> {
        self.any = true;
        self.bytes += inner.bytes;
        Ok(())
    }
}

/// Reads a delta or a message, adds what it says to `seen`, and hands the name of each member to `each`, with whether it
/// holds something.
pub(super) fn members(reader: &mut Reader<'_>, seen: &mut Seen, mut each: impl FnMut(&str, bool)) -> Result<(), Fault> {
    // Some servers say the same in two members.
    let (mut thought, mut called) = (0, 0);
    reader.object(|reader, key| {
        let key = key.decode();
        let Words { any, bytes } = Words::of(reader)?;
        match &*key {
            "content" | "refusal" => seen.say(bytes),
            "tool_calls" | "function_call" => called = bytes.max(called),
            "reasoning_content" | "reasoning" | "thinking_blocks" => thought = bytes.max(thought),
            _ => {}
        }
        each(&key, any);
        Ok::<(), Fault>(())
    })?;
    seen.say(called);
    seen.think(thought);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(delta: &str) -> Seen {
        let mut seen = Seen::default();
        members(&mut Reader::of(delta), &mut seen, |_, _| {}).expect("must parse");
        seen
    }

    fn expected(said: u64, thought: u64) -> Seen {
        Seen { said, thought, ..Seen::default() }
    }

    #[test]
    fn text_refusals_thinking_and_calls_are_counted_by_their_decoded_bytes() {
        assert_eq!(seen(r#"{"role":"assistant","content":"a \"\u00e9\" \ud83d\ude00"}"#), expected(11, 0));
        assert_eq!(seen(r#"{"refusal":"no","content":null}"#), expected(2, 0));
        assert_eq!(seen(r#"{"reasoning_content":"hm"}"#), expected(0, 2));
        let call = r#"{"tool_calls":[{"index":0,"id":"call_123","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]}"#;
        assert_eq!(seen(call), expected(8, 0));
        let custom =
            r#"{"tool_calls":[{"index":0,"id":"call_123","type":"custom","custom":{"name":"f","input":"abc"}}]}"#;
        assert_eq!(seen(custom), expected(4, 0));
        let parts = r#"{"content":[{"type":"text","text":"abc"},{"type":"thinking","thinking":[{"type":"text","text":"de"}]}]}"#;
        assert_eq!(seen(parts), expected(5, 0));
    }

    #[test]
    fn what_is_said_twice_counts_once_and_sound_not_at_all() {
        assert_eq!(
            seen(r#"{"reasoning":"hm hm","reasoning_content":"hm hm","reasoning_details":[{"text":"hm hm"}]}"#),
            expected(0, 5)
        );
        let older = r#"{"function_call":{"name":"f","arguments":"{}"},"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}"#;
        assert_eq!(seen(older), expected(3, 0));
        assert_eq!(seen(r#"{"audio":{"id":"a","data":"AAAAAAAA"}}"#), Seen::default());
    }
}
