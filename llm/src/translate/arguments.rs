use std::borrow::Cow;

use crate::json::{Reader, write_string};

/// A call's arguments as the object that some dialects have for them. What the model wrote badly is a string in one, so that
/// the answer stays JSON and the tool can say what is wrong.
pub(crate) fn object(arguments: &str) -> Cow<'_, str> {
    let arguments = arguments.trim_ascii();
    if arguments.is_empty() {
        return Cow::Borrowed("{}");
    }
    let mut reader = Reader::of(arguments);
    let read = reader.object(|reader, _| reader.skip()).and_then(|()| reader.end());
    if read.is_ok() {
        return Cow::Borrowed(arguments);
    }
    let mut wrapped = br#"{"arguments":"#.to_vec();
    write_string(&mut wrapped, arguments);
    wrapped.push(b'}');
    String::from_utf8(wrapped).map_or(Cow::Borrowed("{}"), Cow::Owned)
}

/// Tells where an object ends whose text comes in pieces.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Progress {
    depth: u32,
    in_string: bool,
    escaped: bool,
    whole: bool,
}

impl Progress {
    pub(crate) fn push(&mut self, piece: &str) {
        for byte in piece.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.whole |= self.depth == 0;
                }
                _ => {}
            }
        }
    }

    /// The object is closed: nothing more can belong to it.
    pub(crate) fn is_whole(self) -> bool {
        self.whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_arguments_are_an_empty_object_and_what_is_no_object_is_wrapped() {
        let rows = [
            ("", "{}"),
            (" \n", "{}"),
            (r#" {"a": 1.50} "#, r#"{"a": 1.50}"#),
            (r#"{"a":"#, r#"{"arguments":"{\"a\":"}"#),
            ("[1]", r#"{"arguments":"[1]"}"#),
            ("{} {}", r#"{"arguments":"{} {}"}"#),
        ];
        for (said, expected) in rows {
            assert_eq!(object(said), expected, "{said:?}");
        }
    }

    #[test]
    fn an_object_in_pieces_is_whole_at_its_last_brace_and_not_before() {
        let json = r#"{"a":"}\"}","b":[{"c":"\\"}],"d":{}}"#;
        let mut progress = Progress::default();
        for (index, _) in json.char_indices() {
            assert!(!progress.is_whole(), "at {index}");
            progress.push(&json[index..=index]);
        }
        assert!(progress.is_whole());
    }
}
