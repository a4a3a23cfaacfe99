//! A look at OpenAI's answers in place: the few fields that matter, and no tree.

use super::words::{Words, members};
use super::{finish, usage};
use crate::classify::{UpstreamError, in_band};
use crate::json::{Fault, Kind, Reader};
use crate::neutral::{Finish, Terms, Usage};
use crate::relay::Answer;
use crate::seen::Seen;

/// What one chunk of a stream holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) commits: bool,
    pub(crate) choices: usize,
    /// A bit for each choice that it speaks of.
    pub(crate) seen: u128,
    /// A bit for each choice that finishes in it.
    pub(crate) finished: u128,
    pub(crate) finish: Option<Finish>,
    pub(crate) usage: Option<Usage>,
    /// The offset of the brace that ends its usage; none where that says a cost of its own.
    pub(crate) usage_end: Option<usize>,
    pub(crate) terms: Option<Terms>,
    pub(crate) error: Option<UpstreamError>,
    pub(crate) words: Seen,
}

/// Looks at the data of one event.
///
/// What does not commit: a role, empty members of a delta, usage, and whatever stands outside of `choices` or beside
/// a delta. All else does, unknown members of a delta included.
pub(crate) fn chunk(data: &[u8]) -> Result<Chunk, Fault> {
    let mut reader = Reader::of_answer(data)?;
    let mut chunk = Chunk::default();
    let mut failed = false;
    reader.object(|reader, key| {
        match &*key.decode() {
            "choices" if reader.peek()? == Kind::Array => reader.array(|reader| choice(reader, &mut chunk))?,
            "usage" => {
                reader.peek()?;
                let from = reader.at();
                chunk.usage = usage::read(reader)?;
                let end = reader.at();
                let says_cost = || reader.slice(from, end).contains("\"cost\"");
                chunk.usage_end = chunk.usage.is_some().then(|| end - 1).filter(|_| !says_cost());
            }
            "service_tier" => chunk.terms = usage::terms(reader)?,
            "error" => failed |= !is_empty(reader)?,
            "object" => failed |= is_error(reader)?,
            _ => reader.skip()?,
        }
        Ok::<(), Fault>(())
    })?;
    reader.end()?;
    if failed {
        chunk.error = Some(in_band(data));
    }
    Ok(chunk)
}

fn choice(reader: &mut Reader<'_>, chunk: &mut Chunk) -> Result<(), Fault> {
    let (mut index, mut finished) = (0, None);
    chunk.choices += 1;
    reader.object(|reader, key| {
        match &*key.decode() {
            "index" => index = usage::count(reader)?.unwrap_or(0),
            "delta" if reader.peek()? == Kind::Object => {
                members(reader, &mut chunk.words, |key, any| chunk.commits |= any && key != "role")?;
            }
            // Legacy completions have no delta.
            "text" => {
                let words = Words::of(reader)?;
                chunk.commits |= words.any;
                chunk.words.say(words.bytes);
            }
            "finish_reason" => finished = reason(reader)?,
            _ => reader.skip()?,
        }
        Ok::<(), Fault>(())
    })?;
    let bit = 1_u128.checked_shl(u32::try_from(index).unwrap_or(u32::MAX)).unwrap_or(0);
    chunk.seen |= bit;
    if let Some(reason) = finished {
        chunk.finished |= bit;
        chunk.commits = true;
        chunk.finish = Some(reason);
    }
    Ok(())
}

/// Some servers send an empty string where others send null.
pub(super) fn reason(reader: &mut Reader<'_>) -> Result<Option<Finish>, Fault> {
    if reader.peek()? != Kind::String {
        reader.skip()?;
        return Ok(None);
    }
    let word = reader.string()?;
    Ok((!word.is_empty()).then(|| finish::read(&word)))
}

/// Passes over a value; true for null and for an empty string, list or object.
pub(crate) fn is_empty(reader: &mut Reader<'_>) -> Result<bool, Fault> {
    Words::of(reader).map(|words| !words.any)
}

/// Mistral and vLLM mark an error object by its `object`, and give it no `error`.
pub(super) fn is_error(reader: &mut Reader<'_>) -> Result<bool, Fault> {
    if reader.peek()? == Kind::String {
        return Ok(reader.literal()?.text == "error");
    }
    reader.skip().map(|()| false)
}

/// Looks at a whole answer: it must be an object with at least one finished or filled choice, and no `error`.
pub(crate) fn observe_answer(body: &[u8]) -> Result<Answer, UpstreamError> {
    let broken = |fault: Fault| UpstreamError::broken_answer(crate::Error::in_answer(body, &fault).to_string());
    let mut answer = Answer::default();
    let (mut failed, mut choices, mut terms) = (false, false, None);
    let mut read = || {
        let mut reader = Reader::of_answer(body)?;
        reader.object(|reader, key| {
            match &*key.decode() {
                "choices" if reader.peek()? == Kind::Array => reader.array(|reader| {
                    choices = true;
                    reader.object(|reader, key| {
                        match &*key.decode() {
                            "finish_reason" => answer.finish = answer.finish.or(reason(reader)?),
                            "message" if reader.peek()? == Kind::Object => {
                                members(reader, &mut answer.seen, |key, any| {
                                    answer.has_content |= any && !matches!(key, "role" | "refusal");
                                })?;
                            }
                            // Completions of a text have no message.
                            "text" => {
                                let words = Words::of(reader)?;
                                answer.has_content |= words.any;
                                answer.seen.say(words.bytes);
                            }
                            _ => reader.skip()?,
                        }
                        Ok::<(), Fault>(())
                    })
                })?,
                "usage" => answer.usage = usage::read(reader)?.unwrap_or_default(),
                "service_tier" => terms = usage::terms(reader)?,
                "model" if reader.peek()? == Kind::String => answer.model = Some(reader.string()?.into_owned()),
                "error" => failed |= !is_empty(reader)?,
                "object" => failed |= is_error(reader)?,
                _ => reader.skip()?,
            }
            Ok::<(), Fault>(())
        })?;
        reader.end()
    };
    read().map_err(broken)?;
    answer.usage.terms = terms;
    if failed {
        return Err(in_band(body).after(answer.usage));
    }
    if !choices {
        return Err(UpstreamError::broken_answer("the provider's answer has no choices"));
    }
    if answer.finish == Some(Finish::Failed) {
        let error = UpstreamError::broken_answer("the provider's finish reason says that it failed");
        return Err(error.after(answer.usage));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::ErrorKind;

    fn delta(delta: &str) -> bool {
        let data = format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#);
        chunk(data.as_bytes()).expect("must parse").commits
    }

    #[test]
    fn what_does_not_commit_is_a_closed_list_and_all_else_commits() {
        for held in [
            "{}",
            r#"{"role":"assistant"}"#,
            r#"{"role":"assistant","content":""}"#,
            r#"{"content":null,"refusal":null,"tool_calls":null}"#,
            r#"{"content":"","tool_calls":[],"reasoning_content":"","annotations":[]}"#,
        ] {
            assert!(!delta(held), "{held}");
        }
        for content in [
            r#"{"content":"a"}"#,
            r#"{"content":" "}"#,
            r#"{"refusal":"no"}"#,
            r#"{"reasoning_content":"hm"}"#,
            r#"{"tool_calls":[{"index":0}]}"#,
            r#"{"never_heard_of":1}"#,
            r#"{"c\u006fntent":"a"}"#,
        ] {
            assert!(delta(content), "{content}");
        }
    }

    #[test]
    fn first_chunks_with_empty_choices_are_not_content_and_no_crash() {
        let azure = br#"{"choices":[],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}"#;
        let seen = chunk(azure).expect("must parse");
        assert_eq!((seen.commits, seen.choices, seen.usage), (false, 0, None));
        let usage = br#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#;
        let seen = chunk(usage).expect("must parse");
        assert_eq!(seen.usage.and_then(|u| u.total()), Some(4));
        assert!(!seen.commits);
    }

    #[test]
    fn an_error_object_inside_a_200_is_a_failure_like_any_other() {
        let seen = chunk(br#"{"error":{"message":"busy","code":503}}"#).expect("must parse");
        assert_eq!(seen.error.map(|e| (e.kind, e.status)), Some((ErrorKind::ServerError, 503)));
        assert_eq!(chunk(br#"{"error":null,"choices":[]}"#).expect("must parse").error, None);
        let error =
            observe_answer(br#"{"error":{"message":"slow","type":"rate_limit_error"}}"#).expect_err("must fail");
        assert_eq!(error.kind, ErrorKind::RateLimit);
    }

    #[test]
    fn half_an_emoji_is_content_and_no_fault() {
        for half in [r#"{"content":"\ud83d"}"#, r#"{"content":"\ude00"}"#, r#"{"\ud83dx\ud83d\ud83d":"\ud83d\u0041"}"#]
        {
            assert!(delta(half), "{half}");
        }
        let whole = br#"{"choices":[{"message":{"content":"\ude00"},"finish_reason":"stop"}]}"#;
        assert!(observe_answer(whole).is_ok_and(|answer| answer.has_content));
    }

    #[test]
    fn the_text_of_a_completion_is_content() {
        let text = |text: &str| format!(r#"{{"choices":[{{"index":0,"text":{text},"finish_reason":null}}]}}"#);
        assert!(chunk(text("\"a\"").as_bytes()).expect("must parse").commits);
        assert!(!chunk(text("\"\"").as_bytes()).expect("must parse").commits);
        let whole = |text: &str| {
            let body = format!(r#"{{"choices":[{{"index":0,"text":{text},"finish_reason":"content_filter"}}]}}"#);
            observe_answer(body.as_bytes()).expect("must be whole").has_content
        };
        assert_eq!((whole("\"a\""), whole("\"\"")), (true, false));
    }

    #[test]
    fn each_choice_finishes_by_itself() {
        let data = br#"{"choices":[{"index":2,"delta":{},"finish_reason":"stop"},{"index":0,"delta":{},"finish_reason":"length"}]}"#;
        let seen = chunk(data).expect("must parse");
        assert_eq!((seen.finished, seen.finish), (0b101, Some(Finish::Length)));
        assert!(seen.commits);
        let none = chunk(br#"{"choices":[{"index":0,"delta":{},"finish_reason":""}]}"#).expect("must parse");
        assert_eq!((none.finished, none.commits), (0, false));
    }

    #[test]
    fn a_whole_answer_is_checked_to_its_end() {
        let good = br#"{"model":"m-1","choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":3}}"#;
        let answer = observe_answer(good).expect("must be whole");
        assert_eq!(
            (answer.model.as_deref(), answer.finish, answer.usage.total()),
            (Some("m-1"), Some(Finish::Stop), Some(5))
        );
        for bad in [
            &good[..good.len() - 1],
            b"",
            b"<html>",
            b"[]",
            b"{}",
            br#"{"choices":[]}"#,
            br#"{"object":"error","message":"m","type":"internal_server_error","code":"3000"}"#,
            br#"{"choices":[{"finish_reason":"error"}]}"#,
        ] {
            let error = observe_answer(bad).expect_err("must be refused");
            assert_eq!(error.kind, ErrorKind::ServerError, "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn service_tier_changes_the_price_so_it_is_read_from_answers_and_chunks() {
        for (word, terms) in [
            ("\"default\"", Some(Terms::Listed)),
            ("\"flex\"", Some(Terms::Flex)),
            ("\"priority\"", Some(Terms::Other)),
            ("null", None),
        ] {
            let whole = format!(
                r#"{{"service_tier":{word},"choices":[{{"finish_reason":"stop"}}],"usage":{{"prompt_tokens":2}}}}"#
            );
            let answer = observe_answer(whole.as_bytes()).expect("must be whole");
            assert_eq!((answer.usage.terms, answer.usage.input), (terms, Some(2)), "{word}");
            let read = crate::openai::parse_response(whole.as_bytes()).expect("must be whole");
            assert_eq!(read.usage.terms, terms, "{word}");
            assert_eq!(chunk(whole.as_bytes()).expect("must parse").terms, terms, "{word}");
            let mut told = None;
            let mut parser = crate::openai::StreamParser::default();
            let event = |event: crate::neutral::Event<'_>| {
                if let crate::neutral::Event::Usage(usage) = event {
                    told = usage.terms;
                }
            };
            parser.push(whole.as_bytes(), &mut { event }).expect("must parse");
            assert_eq!(told, terms, "{word}");
        }
    }
}
