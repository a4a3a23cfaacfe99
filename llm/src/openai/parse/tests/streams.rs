//! Streams: start, text, thinking, finish, usage, errors and the end.

use serde_json::{Value, json};

use crate::classify::ErrorKind;
use crate::neutral::{Event, Finish, Usage};
use crate::openai::StreamParser;

/// A chunk of the first choice.
pub(super) fn delta(delta: &Value) -> String {
    json!({"id": "c-1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]}).to_string()
}

pub(super) fn finish(word: &str) -> String {
    json!({"id": "c-1", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": word}]}).to_string()
}

/// What the data of some events mean; all must parse.
pub(super) fn events(data: &[String]) -> Vec<Event<'_>> {
    let mut parser = StreamParser::default();
    let mut events = Vec::new();
    for data in data {
        parser
            .push(data.as_bytes(), &mut |event| events.push(event))
            .unwrap_or_else(|fault| panic!("{data}: {fault:?}"));
    }
    events
}

/// What some deltas and a finish mean, after the start.
pub(super) fn said(deltas: &[Value], word: &str) -> Vec<Event<'static>> {
    let mut data: Vec<String> = deltas.iter().map(delta).collect();
    data.push(finish(word));
    let mut all = events(Vec::leak(data));
    assert_eq!(all.remove(0), Event::Start { id: "c-1".into(), model: "m".into() });
    all
}

pub(super) fn strings(data: &[&str]) -> Vec<String> {
    data.iter().map(|data| (*data).to_owned()).collect()
}

fn text(text: &'static str) -> Event<'static> {
    Event::Text(text.into())
}

fn reasoning(text: &'static str) -> Event<'static> {
    Event::Reasoning(text.into())
}

#[test]
fn a_stream_starts_once_with_the_real_id_and_model_says_its_text_and_ends() {
    let data = strings(&[
        &delta(&json!({"role": "assistant", "content": ""})),
        &delta(&json!({"content": "Hé\n"})),
        &delta(&json!({"content": "llo"})),
        &finish("stop"),
        r#"{"id":"c-1","model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#,
        " [DONE] ",
    ]);
    let usage = Usage { input: Some(3), output: Some(1), ..Usage::default() };
    let expected = [
        Event::Start { id: "c-1".into(), model: "m".into() },
        text("Hé\n"),
        text("llo"),
        Event::Finish(Finish::Stop),
        Event::Usage(usage),
        Event::End,
    ];
    assert_eq!(events(&data), expected);
}

#[test]
fn first_chunks_with_empty_choices_are_no_start_no_content_and_no_crash() {
    let azure = r#"{"choices":[],"created":0,"id":"","model":"","prompt_filter_results":[{"prompt_index":0}]}"#;
    let data = strings(&[azure, r#"{"choices":null}"#, "{}", &delta(&json!({"content": "a"}))]);
    assert_eq!(events(&data), [Event::Start { id: "c-1".into(), model: "m".into() }, text("a")]);
    let bare = strings(&[r#"{"choices":[{"delta":{"content":"a"}}]}"#]);
    assert_eq!(events(&bare), [Event::Start { id: "".into(), model: "".into() }, text("a")]);
}

#[test]
fn empty_pieces_and_members_of_other_kinds_say_nothing() {
    for held in [
        json!({}),
        json!({"role": "assistant", "content": "", "refusal": null, "tool_calls": null}),
        json!({"content": [], "tool_calls": [], "reasoning_content": "", "thinking_blocks": []}),
        json!({"content": {"a": 1}, "refusal": 7, "tool_calls": {}, "function_call": null, "x_new": [1]}),
        json!({"tool_calls": [{}], "thinking_blocks": [{"type": "thinking", "thinking": ""}, 1]}),
    ] {
        assert_eq!(said(std::slice::from_ref(&held), "stop"), [Event::Finish(Finish::Stop)], "{held}");
    }
}

#[test]
fn a_refusal_is_no_text() {
    let refused = said(&[json!({"refusal": "I may "}), json!({"refusal": "not."})], "stop");
    let expected = [Event::Refusal("I may ".into()), Event::Refusal("not.".into()), Event::Finish(Finish::Stop)];
    assert_eq!(refused, expected);
}

#[test]
fn thinking_is_told_once_in_whichever_fields_it_comes() {
    let block = |block: Value| json!({"thinking_blocks": [block]});
    let both = |text: &str| json!({"reasoning_content": text, "thinking_blocks": [{"index": 0, "type": "thinking", "thinking": text}]});
    let signature = block(json!({"index": 0, "type": "thinking", "signature": "s"}));
    let whole = block(json!({"type": "thinking", "thinking": "hm, well", "signature": "s"}));
    let signed = vec![reasoning("hm, "), reasoning("well"), Event::Signature("s".into())];
    for (deltas, expected) in [
        (vec![json!({"reasoning_content": "hm, "}), json!({"reasoning": "well"})], signed[..2].to_vec()),
        (vec![json!({"reasoning_content": "hm, ", "reasoning": "hm, "}), both("well"), signature], signed.clone()),
        (vec![json!({"reasoning_content": "hm, "}), json!({"reasoning_content": "well"}), whole.clone()], signed),
        (vec![whole], vec![reasoning("hm, well"), Event::Signature("s".into())]),
        (vec![block(json!({"type": "redacted_thinking", "data": "z"}))], vec![Event::RedactedReasoning("z".into())]),
    ] {
        let expected: Vec<_> = expected.into_iter().chain([Event::Finish(Finish::Stop)]).collect();
        assert_eq!(said(&deltas, "stop"), expected, "{deltas:?}");
    }
}

#[test]
fn mistral_s_lists_of_thinking_and_text_come_in_streams_too() {
    let thinking =
        |text: &str| json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]});
    let deltas = [
        thinking("two "),
        thinking("cities"),
        json!({"content": [{"type": "text", "text": "Rome"}]}),
        json!({"content": "."}),
    ];
    let expected = [reasoning("two "), reasoning("cities"), text("Rome"), text("."), Event::Finish(Finish::Length)];
    assert_eq!(said(&deltas, "model_length"), expected);
}

#[test]
fn half_an_emoji_is_text_and_no_fault() {
    let data = strings(&[r#"{"id":"c","choices":[{"delta":{"content":"\ud83d"}}]}"#]);
    assert_eq!(events(&data)[1], text("\u{fffd}"));
}

#[test]
fn the_first_choice_finishes_once_and_the_others_are_not_told() {
    let other = r#"{"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":"stop"}]}"#;
    let mixed = r#"{"choices":[{"index":1,"delta":{"content":"b"}},{"delta":{"content":"a"},"finish_reason":"length","index":0}]}"#;
    let late = delta(&json!({"content": "late"}));
    let data = strings(&[other, mixed, &late, &finish("stop"), &finish("")]);
    let start = Event::Start { id: "".into(), model: "".into() };
    assert_eq!(events(&data), [start, text("a"), Event::Finish(Finish::Length)]);
}

#[test]
fn an_unknown_finish_reason_is_known_as_such() {
    assert_eq!(said(&[], "bored"), [Event::Finish(Finish::Unknown)]);
    assert_eq!(said(&[], "eos"), [Event::Finish(Finish::Stop)]);
}

#[test]
fn usage_may_come_in_every_chunk_and_before_the_finish_of_its_own() {
    let last =
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3}}"#;
    let data = strings(&[r#"{"choices":[],"usage":null}"#, r#"{"choices":[],"usage":{"prompt_tokens":3}}"#, last]);
    let usage = || Event::Usage(Usage { input: Some(3), ..Usage::default() });
    let start = Event::Start { id: "".into(), model: "".into() };
    assert_eq!(events(&data), [usage(), start, text("a"), usage(), Event::Finish(Finish::Stop)]);
}

#[test]
fn an_error_object_inside_a_200_is_a_failure_like_any_other() {
    for (data, kind) in [
        (r#"{"error":{"message":"busy","code":503}}"#.to_owned(), ErrorKind::ServerError),
        (
            r#"{"id":"c","error":{"message":"slow","type":"rate_limit_error"},"choices":[{"delta":{"content":"a"}}]}"#
                .to_owned(),
            ErrorKind::RateLimit,
        ),
        (r#"{"error":"out of memory"}"#.to_owned(), ErrorKind::ServerError),
        (finish("error"), ErrorKind::ServerError),
    ] {
        let data = [data];
        let seen = events(&data);
        assert!(matches!(seen.last(), Some(Event::Error(error)) if error.kind == kind), "{data:?}: {seen:?}");
        assert!(!seen.iter().any(|event| matches!(event, Event::Text(_) | Event::Finish(_))), "{seen:?}");
    }
    assert_eq!(events(&strings(&[r#"{"error":null,"choices":[]}"#])), []);
}

#[test]
fn what_does_not_parse_is_a_fault_that_leaves_the_stream_as_it_was() {
    let mut parser = StreamParser::default();
    for bad in ["", "{oops", "[]", "<html>", r#"{"id":"x","choices":[1]}"#, r#"{"id":"x"} 1"#] {
        assert!(parser.push(bad.as_bytes(), &mut |event| panic!("{event:?}")).is_err(), "{bad}");
    }
    let good = delta(&json!({"content": "a"}));
    let mut seen = Vec::new();
    parser.push(good.as_bytes(), &mut |event| seen.push(event)).expect("must parse");
    assert_eq!(seen.len(), 2);
}
