//! Gemini's own answers for Gemini's clients.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::classify::ErrorKind;
use crate::relay::{End, Forward, Relay, Step};
use crate::sse::Splitter;

fn event(json: &str) -> String {
    format!("data: {json}\r\n\r\n")
}

fn says(text: &str, rest: &str) -> String {
    event(&format!(
        r#"{{"candidates": [{{"content": {{"parts": [{{"text": "{text}"}}],"role": "model"}}{rest}}}],"x": 1.50,"usageMetadata": {{"promptTokenCount": 5}}}}"#
    ))
}

/// What a client gets of a stream, what each event meant, and how it ended.
fn run(choices: u64, pieces: &[&[u8]]) -> (String, Vec<Step>, End) {
    let mut relay = Relay::new(Dialect::Gemini, &Client { choices, ..CLIENT }, Names::default());
    let (mut splitter, mut out, mut steps, mut written) = (Splitter::default(), Vec::new(), Vec::new(), Vec::new());
    let mut take = |event: crate::sse::Event, relay: &mut Relay, out: &mut Vec<u8>| {
        let step = relay.push(&event, &mut written);
        assert!(written.is_empty(), "nothing is written");
        if step.forward == Forward::AsItCame {
            out.extend_from_slice(&event.raw);
        }
        steps.push(step);
    };
    for piece in pieces {
        splitter.push(Bytes::copy_from_slice(piece));
        while let Some(event) = splitter.next_event().expect("must be small enough") {
            take(event, &mut relay, &mut out);
        }
    }
    if let Some(event) = splitter.finish() {
        take(event, &mut relay, &mut out);
    }
    let end = steps.iter().find_map(|step| step.end).unwrap_or_else(|| relay.finish(&mut out));
    (String::from_utf8(out).expect("must be UTF-8"), steps, end)
}

#[test]
fn same_dialect_in_and_out_forwards_the_bytes_of_a_stream() {
    let stream = says("a", "") + &says("b\\u00e9", r#","finishReason": "STOP""#);
    let (out, steps, end) = run(1, &[stream.as_bytes()]);
    assert_eq!((out, end), (stream, End::Complete));
    assert_eq!((steps[0].commits, steps[1].finish), (true, Some(Finish::Stop)));
}

#[test]
fn a_stream_that_ends_before_its_reason_is_truncated_and_one_without_usage_is_whole() {
    assert_eq!(run(1, &[says("a", "").as_bytes()]).2, End::Truncated);
    let bare = event(r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}"#);
    let (out, _, end) = run(1, &[bare.as_bytes()]);
    assert_eq!((out, end), (bare, End::NoMarker), "Gemini has no marker that could be added");
}

#[test]
fn several_candidates_are_whole_when_all_of_them_are_finished() {
    let one = says("a", r#","finishReason": "STOP","index": 0"#);
    let two = says("b", r#","finishReason": "STOP","index": 1"#);
    let stream = says("b", r#","index": 1"#) + &one + &two;
    let (out, steps, end) = run(2, &[stream.as_bytes()]);
    assert_eq!((out, end), (stream, End::Complete));
    assert_eq!(steps.iter().map(|step| step.finish.is_some()).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(run(2, &[one.as_bytes()]).2, End::Truncated);
}

#[test]
fn an_error_in_a_200_stream_is_a_failure_and_is_not_forwarded() {
    let error = event(r#"{"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}"#);
    let (out, steps, _) = run(1, &[(says("a", "") + &error).as_bytes()]);
    assert_eq!(out, says("a", ""));
    assert_eq!(steps[1].error.as_ref().map(|error| error.kind), Some(ErrorKind::ServerError));
}

#[test]
fn a_whole_answer_goes_as_it_came_and_is_read() {
    let body = r#"{"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "MAX_TOKENS"}], "modelVersion": "gemini-real", "usageMetadata": {"promptTokenCount": 5}}"#;
    let answer =
        relay::answer(Dialect::Gemini, &CLIENT, &Names::default(), body.as_bytes()).expect("must be an answer");
    assert_eq!((answer.body, answer.finish, answer.has_content), (None, Some(Finish::Length), true));
    assert_eq!((answer.usage.input, answer.model.as_deref()), (Some(5), Some("gemini-real")));
}

proptest! {
    #[test]
    fn any_split_of_a_stream_gives_the_same(cuts in prop::collection::vec(0..500_usize, 0..6)) {
        let text = says("a", "") + ": comment\r\n\r\n" + &says("é\\n", "") + &says("b", r#","finishReason": "STOP""#);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.sort_unstable();
        let (mut pieces, mut from) = (Vec::new(), 0);
        for cut in cuts {
            pieces.push(&text.as_bytes()[from..cut]);
            from = cut;
        }
        pieces.push(&text.as_bytes()[from..]);
        prop_assert_eq!(run(1, &pieces), run(1, &[text.as_bytes()]));
        prop_assert_eq!(run(1, &pieces).0, text);
    }
}
