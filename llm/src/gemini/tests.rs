//! What Gemini's answers mean. The names say the rules.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::Dialect;
use crate::classify::ErrorKind;
use crate::neutral::{Event, Finish, Part, Usage};
use crate::relay::{self, Client, End, Relay, Step};
use crate::sse::Splitter;
use crate::translate::Names;

const CLIENT: Client = Client { dialect: Dialect::OpenAI, include_usage: true, choices: 1, now: 1 };

fn with(parts: &Value, members: &Value) -> Value {
    let mut answer = json!({"responseId": "r1", "modelVersion": "gemini-x",
        "candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}]});
    let candidate = answer["candidates"][0].as_object_mut().expect("must be an object");
    if let Some(reason) = members.get("finishReason") {
        candidate.insert("finishReason".into(), reason.clone());
    }
    if let Some(usage) = members.get("usageMetadata") {
        answer["usageMetadata"] = usage.clone();
    }
    answer
}

fn ended(reason: &str) -> Value {
    json!({"finishReason": reason,
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}})
}

fn text(text: &str) -> Value {
    json!([{"text": text}])
}

fn call(name: &str, id: Option<&str>) -> Value {
    let mut call = json!({"name": name, "args": {"city": "Paris"}});
    if let Some(id) = id {
        call["id"] = json!(id);
    }
    json!({"functionCall": call})
}

/// What a client of OpenAI's gets for a whole answer.
fn answered(answer: &Value) -> Value {
    let answer = relay::answer(Dialect::Gemini, &CLIENT, &Names::default(), answer.to_string().as_bytes());
    let body = answer.expect("must be an answer").body.expect("must be translated");
    serde_json::from_slice(&body).expect("must be JSON")
}

fn failed(answer: &Value) -> ErrorKind {
    relay::answer(Dialect::Gemini, &CLIENT, &Names::default(), answer.to_string().as_bytes())
        .expect_err("must be a failure")
        .kind
}

/// What became of a stream.
#[derive(Debug, PartialEq)]
struct Told {
    chunks: Vec<Value>,
    done: usize,
    steps: Vec<Step>,
    end: End,
    usage: Usage,
}

fn stream_of(events: &[Value]) -> Told {
    let text: String = events.iter().map(|event| format!("data: {event}\r\n\r\n")).collect();
    run(&[text.as_bytes()])
}

fn run(pieces: &[&[u8]]) -> Told {
    let mut relay = Relay::new(Dialect::Gemini, &CLIENT, Names::default());
    let (mut splitter, mut out, mut steps) = (Splitter::default(), Vec::new(), Vec::new());
    for piece in pieces {
        splitter.push(Bytes::copy_from_slice(piece));
        while let Some(event) = splitter.next_event().expect("must be small enough") {
            steps.push(relay.push(&event, &mut out));
        }
    }
    if let Some(event) = splitter.finish() {
        steps.push(relay.push(&event, &mut out));
    }
    let end = steps.iter().find_map(|step| step.end).unwrap_or_else(|| relay.finish(&mut out));
    let out = String::from_utf8(out).expect("must be UTF-8");
    let data = out.lines().filter_map(|line| line.strip_prefix("data: "));
    let (done, chunks): (Vec<_>, Vec<_>) = data.partition(|data| *data == "[DONE]");
    let chunks = chunks.iter().map(|chunk| serde_json::from_str(chunk).expect("must be JSON")).collect();
    Told { chunks, done: done.len(), steps, end, usage: *relay.usage() }
}

impl Told {
    fn deltas(&self, key: &str) -> Vec<Value> {
        let deltas = self.chunks.iter().map(|chunk| chunk["choices"][0]["delta"][key].clone());
        deltas.filter(|delta| !delta.is_null() && *delta != "").collect()
    }

    fn reasons(&self) -> Vec<String> {
        let reasons = self.chunks.iter().filter_map(|chunk| chunk["choices"][0]["finish_reason"].as_str());
        reasons.map(str::to_owned).collect()
    }
}

#[test]
fn usage_metadata_on_every_chunk_is_emitted_once_at_the_end() {
    let usage = |written: u64| json!({"usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": written}});
    let last = json!({"finishReason": "STOP", "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 3,
        "thoughtsTokenCount": 4}});
    let told = stream_of(&[with(&text("a"), &usage(1)), with(&text("b"), &usage(2)), with(&text(""), &last)]);
    let usages: Vec<_> = told.chunks.iter().map(|chunk| &chunk["usage"]).filter(|usage| !usage.is_null()).collect();
    assert_eq!(usages.len(), 1);
    assert_eq!((&usages[0]["prompt_tokens"], &usages[0]["completion_tokens"]), (&json!(5), &json!(7)));
    assert_eq!(told.chunks.last().expect("must have chunks")["usage"], *usages[0]);
    assert_eq!((told.end, told.done, told.usage.reasoning), (End::Complete, 1, Some(4)));
    assert_eq!(told.deltas("content"), ["a", "b"]);
}

#[test]
fn a_stream_ends_with_its_reason_and_its_usage_and_needs_no_marker() {
    let whole = stream_of(&[with(&text("a"), &json!({})), with(&text("b"), &ended("STOP"))]);
    assert_eq!((whole.end, whole.reasons()), (End::Complete, vec!["stop".to_owned()]));
    let usage = json!({"responseId": "r1", "usageMetadata": {"promptTokenCount": 5}});
    let later = stream_of(&[with(&text("a"), &json!({"finishReason": "STOP"})), usage]);
    assert_eq!((later.end, later.done), (End::Complete, 1));
    let never = stream_of(&[with(&text("a"), &json!({"finishReason": "STOP"}))]);
    assert_eq!((never.end, never.done), (End::NoMarker, 1));
    let cut = stream_of(&[with(&text("a"), &json!({}))]);
    assert_eq!((cut.end, cut.done), (End::Truncated, 0));
}

#[test]
fn prompt_feedback_block_reason_without_candidates_is_a_content_filter() {
    let blocked = json!({"responseId": "r1", "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5}});
    let body = answered(&blocked);
    assert_eq!(body["choices"][0]["finish_reason"], "content_filter");
    assert_eq!(body["usage"]["completion_tokens"], 0);
    let told = stream_of(&[blocked]);
    assert_eq!((told.reasons(), told.end), (vec!["content_filter".to_owned()], End::Complete));
    assert_eq!(told.steps[0].finish, Some(Finish::ContentFilter));
}

#[test]
fn stop_with_a_function_call_anywhere_in_the_stream_is_tool_calls() {
    let parts = json!([call("f", Some("abc"))]);
    assert_eq!(answered(&with(&parts, &ended("STOP")))["choices"][0]["finish_reason"], "tool_calls");
    let told = stream_of(&[with(&parts, &json!({})), with(&text("so"), &json!({})), with(&text(""), &ended("STOP"))]);
    assert_eq!(told.reasons(), ["tool_calls"]);
}

#[test]
fn ids_are_synthesised_once_and_the_index_counts_across_chunks() {
    let told = stream_of(&[
        with(&json!([call("f", None), call("f", Some("abc"))]), &json!({})),
        with(&json!([call("g", None)]), &ended("STOP")),
    ]);
    let calls: Vec<Value> = told.deltas("tool_calls").into_iter().map(|calls| calls[0].clone()).collect();
    let ids: Vec<_> = calls.iter().map(|call| (&call["index"], &call["id"])).collect();
    let expected = [(json!(0), json!("call_r1_0")), (json!(1), json!("abc")), (json!(2), json!("call_r1_2"))];
    assert_eq!(ids, expected.iter().map(|(index, id)| (index, id)).collect::<Vec<_>>());
    assert_eq!(calls[0]["function"]["arguments"], r#"{"city":"Paris"}"#);
    let whole = answered(&with(&json!([call("f", None), call("g", None)]), &ended("STOP")));
    let calls = &whole["choices"][0]["message"]["tool_calls"];
    assert_eq!((&calls[0]["id"], &calls[1]["id"]), (&json!("call_r1_0"), &json!("call_r1_1")));
}

#[test]
fn thought_parts_go_to_reasoning() {
    let parts = json!([{"text": "hm", "thought": true}, {"text": "yes", "thoughtSignature": "QUJD"}]);
    let message = answered(&with(&parts, &ended("STOP")))["choices"][0]["message"].clone();
    assert_eq!((&message["reasoning_content"], &message["content"]), (&json!("hm"), &json!("yes")));
    let told = stream_of(&[with(&parts, &ended("STOP"))]);
    assert_eq!((told.deltas("reasoning_content"), told.deltas("content")), (vec![json!("hm")], vec![json!("yes")]));
}

#[test]
fn malformed_function_call_and_its_kin_and_an_empty_stop_are_retryable_failures() {
    let reasons =
        ["MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "STOP"];
    for reason in reasons {
        for parts in [json!([]), json!([{"text": ""}]), json!([{"text": "hm", "thought": true}])] {
            let answer = with(&parts, &ended(reason));
            assert_eq!(failed(&answer), ErrorKind::ServerError, "{reason}");
            let told = stream_of(&[answer]);
            let error = told.steps[0].error.as_ref().expect("must fail");
            assert_eq!((error.kind, told.done, told.chunks.len()), (ErrorKind::ServerError, 0, 0), "{reason}");
        }
    }
    let told = stream_of(&[with(&text("a"), &json!({})), with(&text(""), &ended("MALFORMED_FUNCTION_CALL"))]);
    assert!(told.steps[1].error.is_some() && told.reasons().is_empty());
}

#[test]
fn every_finish_reason_maps_into_openai_s_enum() {
    let rows = [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("SPII", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("OTHER", "stop"),
        ("CONTINUATION", "stop"),
        ("BORED", "stop"),
    ];
    for (theirs, ours) in rows {
        let answer = with(&text("a"), &ended(theirs));
        assert_eq!(answered(&answer)["choices"][0]["finish_reason"], ours, "{theirs}");
        assert_eq!(stream_of(&[answer]).reasons(), [ours], "{theirs}");
    }
    let silent = with(&json!([]), &ended("MAX_TOKENS"));
    assert_eq!(answered(&silent)["choices"][0]["finish_reason"], "length", "thoughts used up all tokens");
}

#[test]
fn errors_as_object_or_array_in_a_200_are_failures_like_any_other() {
    let error = json!({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}});
    for body in [error.clone(), json!([error])] {
        assert_eq!(failed(&body), ErrorKind::ServerError);
        let told = stream_of(&[with(&text("a"), &json!({})), body]);
        let error = told.steps[1].error.as_ref().expect("must fail");
        assert_eq!((error.status, told.done), (503, 0));
    }
    assert_eq!(failed(&json!({"usageMetadata": {}})), ErrorKind::ServerError, "no candidates and no reason");
}

#[test]
fn start_usage_and_empty_parts_do_not_commit() {
    let usage = json!({"usageMetadata": {"promptTokenCount": 5}});
    let told = stream_of(&[with(&text(""), &usage), with(&json!([]), &json!({})), with(&text("a"), &ended("STOP"))]);
    assert_eq!(told.steps.iter().map(|step| step.commits).collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn id_and_model_are_the_real_ones_in_every_chunk() {
    let told = stream_of(&[with(&text("a"), &json!({})), with(&text("b"), &ended("STOP"))]);
    assert!(told.chunks.iter().all(|chunk| chunk["id"] == "r1" && chunk["model"] == "gemini-x"));
}

#[test]
fn parts_that_have_no_word_elsewhere_are_kept_with_their_origin() {
    let body = with(&json!([{"executableCode": {"code": "1"}}, {"text": "one"}]), &ended("STOP")).to_string();
    let response = parse_response(body.as_bytes(), &Names::default()).expect("must parse");
    let Part::Unknown { origin, kind, value, .. } = &response.choices[0].parts[0] else { panic!("must be unknown") };
    assert_eq!((*origin, &**kind, value.0), (Dialect::Gemini, "executableCode", r#"{"executableCode":{"code":"1"}}"#));
}

fn fixture() -> String {
    let parts = json!([{"text": "hm é", "thought": true}, {"functionCall": {"name": "f", "args": {"a": [1.50, "\u{1f600}"]}},
        "thoughtSignature": "QUJD"}]);
    let events = [with(&text("é\n"), &json!({})), with(&parts, &json!({})), with(&text("b"), &ended("STOP"))];
    events.iter().map(|event| format!("data: {event}\r\n\r\n")).collect()
}

proptest! {
    #[test]
    fn any_split_of_a_stream_gives_the_same(cuts in proptest::collection::vec(0..1000_usize, 0..6)) {
        let text = fixture();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.sort_unstable();
        let (mut pieces, mut from) = (Vec::new(), 0);
        for cut in cuts {
            pieces.push(&text.as_bytes()[from..cut]);
            from = cut;
        }
        pieces.push(&text.as_bytes()[from..]);
        prop_assert_eq!(run(&pieces), run(&[text.as_bytes()]));
    }

    #[test]
    fn any_bytes_never_panic(bytes in any::<Vec<u8>>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut changed = fixture().into_bytes();
        let at = at.index(changed.len());
        changed[at] = byte;
        for body in [bytes, changed] {
            drop(parse_response(&body, &Names::default()));
            drop(StreamParser::new(Names::default(), 1).push(&body, &mut |_: Event<'_>| {}));
            run(&[&body]);
            drop(relay::answer(Dialect::Gemini, &CLIENT, &Names::default(), &body));
        }
    }
}
