//! Answers, whole and as streams of lines, for a client of OpenAI's.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::classify::{ErrorKind, UpstreamError, classify};
use crate::neutral::{Finish, Usage};
use crate::relay::{self, Client, End, Relay};
use crate::sse::tests::cut;
use crate::sse::{Framing, Splitter};
use crate::translate::Names;

const CLIENT: Client = Client { dialect: Dialect::OpenAI, include_usage: true, choices: 1, now: 1 };

/// What a client is told for a stream.
#[derive(Debug, PartialEq)]
struct Told {
    deltas: Vec<Value>,
    text: String,
    commits: Vec<bool>,
    usage: Usage,
    finish: Option<Finish>,
    error: Option<UpstreamError>,
    end: End,
}

impl Told {
    fn joined(&self, key: &str) -> String {
        self.deltas.iter().filter_map(|delta| delta[key].as_str()).collect()
    }
}

fn told(chunks: &[&[u8]]) -> Told {
    let mut relay = Relay::new(Dialect::Ollama, &CLIENT, Names::default());
    let (mut splitter, mut out) = (Splitter::new(Framing::of(Dialect::Ollama)), Vec::new());
    let mut steps = Vec::new();
    for chunk in chunks {
        splitter.push(Bytes::copy_from_slice(chunk));
        while let Ok(Some(line)) = splitter.next_event() {
            steps.push(relay.push(&line, &mut out));
        }
    }
    steps.extend(splitter.finish().map(|line| relay.push(&line, &mut out)));
    let end = steps.iter().find_map(|step| step.end).unwrap_or_else(|| relay.finish(&mut out));
    let text = String::from_utf8(out).expect("must be UTF-8");
    let data = text.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    Told {
        deltas: data.map(|chunk| chunk["choices"][0]["delta"].clone()).collect(),
        commits: steps.iter().map(|step| step.commits).collect(),
        usage: *relay.usage(),
        finish: relay.finish_reason(),
        error: steps.into_iter().find_map(|step| step.error),
        end,
        text,
    }
}

fn lines(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn stream(all: &[Value]) -> Told {
    told(&[lines(all).as_bytes()])
}

fn line(message: &Value) -> Value {
    json!({"model": "llama3.2", "created_at": "2026-11-07T20:22:19.184789Z", "message": message, "done": false})
}

fn text(content: &str) -> Value {
    line(&json!({"role": "assistant", "content": content}))
}

/// The last line; `created_at` of every line differs.
fn done(reason: &str) -> Value {
    json!({"model": "llama3.2", "created_at": "2026-11-07T20:22:20.5Z", "message": {"role": "assistant", "content": ""},
        "done": true, "done_reason": reason, "total_duration": 4_883_583_458_u64, "load_duration": 1_334_875,
        "prompt_eval_count": 26, "prompt_eval_duration": 342_546_000, "eval_count": 282, "eval_duration": 4_535_599_000_u64})
}

fn call(name: &str, arguments: &Value) -> Value {
    json!({"function": {"index": 0, "name": name, "arguments": arguments}})
}

fn calling(calls: &[Value]) -> Value {
    line(&json!({"role": "assistant", "content": "", "tool_calls": calls}))
}

fn whole(message: &Value, reason: &str) -> Result<(Value, relay::Answer), UpstreamError> {
    let mut body = done(reason);
    body["message"] = message.clone();
    let answer = relay::answer(Dialect::Ollama, &CLIENT, &Names::default(), body.to_string().as_bytes())?;
    let body = serde_json::from_slice(answer.body.as_deref().expect("must be translated")).expect("must be JSON");
    Ok((body, answer))
}

#[test]
fn a_whole_answer_has_thinking_text_usage_and_the_model_that_answered() {
    let message = json!({"role": "assistant", "content": "so", "thinking": "hm", "images": null});
    let (body, answer) = whole(&message, "stop").expect("must be an answer");
    let told = &body["choices"][0];
    assert_eq!((&told["message"]["content"], &told["message"]["reasoning_content"]), (&json!("so"), &json!("hm")));
    assert_eq!((&told["finish_reason"], &body["model"]), (&json!("stop"), &json!("llama3.2")));
    assert_eq!(body["usage"], json!({"prompt_tokens": 26, "completion_tokens": 282, "total_tokens": 308}));
    assert_eq!(body["id"], "ollama-20261107T2022205Z", "Ollama gives none: it comes of the time of the answer");
    assert!(answer.has_content);
}

#[test]
fn ndjson_is_a_stream_whose_done_line_is_its_end() {
    let told =
        stream(&[line(&json!({"role": "assistant", "content": "", "thinking": "hm"})), text("so"), done("stop")]);
    assert_eq!((told.joined("reasoning_content"), told.joined("content")), ("hm".into(), "so".into()));
    assert_eq!(told.commits, [true, true, true]);
    assert_eq!((told.finish, told.end), (Some(Finish::Stop), End::Complete));
    assert_eq!((told.usage.input, told.usage.output), (Some(26), Some(282)));
    assert!(told.text.contains(r#""usage":{"prompt_tokens":26"#) && told.text.ends_with("data: [DONE]\n\n"));
    assert_eq!(told.text.matches("[DONE]").count(), 1);
}

#[test]
fn a_line_without_words_is_no_content() {
    assert_eq!(stream(&[text(""), text("a")]).commits, [false, true]);
}

#[test]
fn eof_before_done_is_a_truncation() {
    for cut in [vec![], vec![text("a")], vec![calling(&[call("f", &json!({}))])]] {
        let told = stream(&cut);
        assert_eq!((told.end, told.text.contains("[DONE]")), (End::Truncated, false));
    }
    let mut last = lines(&[text("a"), done("stop")]);
    last.truncate(last.len() - 1);
    assert_eq!(told(&[last.as_bytes()]).end, End::Complete, "all of it came but the end of its line");
    last.truncate(last.len() - 1);
    assert_eq!(told(&[last.as_bytes()]).end, End::Truncated);
    let (mut unfinished, reason) = (done("stop"), "must be done");
    unfinished["done"] = json!(false);
    let answer = relay::answer(Dialect::Ollama, &CLIENT, &Names::default(), unfinished.to_string().as_bytes());
    assert_eq!(answer.expect_err(reason).kind, ErrorKind::ServerError);
}

#[test]
fn done_reason_stop_with_tool_calls_is_tool_calls() {
    let calls = [call("f", &json!({"a": 1}))];
    let (body, answer) =
        whole(&json!({"role": "assistant", "content": "", "tool_calls": calls}), "stop").expect("must be an answer");
    assert_eq!(body["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!((answer.finish, answer.has_content), (Some(Finish::ToolCalls), true));
    let told = stream(&[calling(&calls), text(""), done("stop")]);
    assert_eq!(told.finish, Some(Finish::ToolCalls));
    assert!(told.text.contains(r#""finish_reason":"tool_calls""#), "{}", told.text);
}

#[test]
fn done_reasons_map_into_the_client_s_enum_and_load_is_no_answer() {
    let rows = [("length", Finish::Length, "length"), ("bored", Finish::Unknown, "stop")];
    for (reason, finish, word) in rows {
        let (body, answer) = whole(&json!({"content": "a"}), reason).expect("must be an answer");
        assert_eq!((answer.finish, &body["choices"][0]["finish_reason"]), (Some(finish), &json!(word)));
        assert_eq!(stream(&[text("a"), done(reason)]).finish, Some(finish));
    }
    let mut older = done("stop");
    older.as_object_mut().expect("must be an object").remove("done_reason");
    assert_eq!(stream(&[text("a"), older]).finish, Some(Finish::Stop));
    for reason in ["load", "unload"] {
        let error = whole(&json!({"role": "assistant", "content": ""}), reason).expect_err("must be a failure");
        assert_eq!(error.kind, ErrorKind::ServerError);
        let told = stream(&[done(reason)]);
        assert!(told.error.is_some() && told.text.is_empty(), "{told:?}");
    }
}

#[test]
fn ids_of_calls_are_those_given_else_synthesised_once_and_stable_over_chunks() {
    let mut given = call("f", &json!({"a": 1}));
    given["id"] = json!("call_abc");
    let told =
        stream(&[text(""), calling(&[given, call("g", &json!({}))]), calling(&[call("g", &json!({}))]), done("stop")]);
    let calls = told.deltas.iter().map(|delta| &delta["tool_calls"][0]);
    let begun: Vec<_> = calls.filter(|call| call.is_object()).collect();
    let expected =
        [(0, "call_abc", "f"), (1, "call_20261107T202219184789Z_1", "g"), (2, "call_20261107T202219184789Z_2", "g")];
    for (call, (index, id, name)) in begun.iter().zip(expected) {
        assert_eq!((&call["index"], &call["id"]), (&json!(index), &json!(id)));
        assert_eq!(call["function"]["name"], name);
    }
    assert_eq!(begun[0]["function"]["arguments"], r#"{"a":1}"#, "an object there, text here");
    assert_eq!(begun.len(), 3);
}

#[test]
fn ids_that_are_synthesised_differ_between_answers() {
    let id = |at: &str| {
        let mut first = calling(&[call("f", &json!({}))]);
        first["created_at"] = json!(at);
        let told = stream(&[first, done("stop")]);
        told.deltas.iter().find_map(|delta| delta["tool_calls"][0]["id"].as_str().map(str::to_owned))
    };
    let other = id("2026-11-07T20:22:19.184790Z");
    assert!(other.is_some() && other != id("2026-11-07T20:22:19.184789Z"));
}

#[test]
fn usage_that_is_missing_stays_absent() {
    let mut last = done("stop");
    for key in ["prompt_eval_count", "eval_count"] {
        last.as_object_mut().expect("must be an object").remove(key);
    }
    assert!(!stream(&[text("a"), last.clone()]).usage.is_reported());
    last["eval_count"] = json!(3);
    let usage = stream(&[text("a"), last]).usage;
    assert_eq!((usage.input, usage.output), (None, Some(3)), "absent is not zero");
}

#[test]
fn an_error_line_in_a_200_stream_is_a_failure() {
    let rows = [
        ("an error was encountered while running the model", ErrorKind::ServerError, 500),
        (
            "the prompt is longer than the context length currently available to the model",
            ErrorKind::ContextLength,
            400,
        ),
        ("model 'x' not found", ErrorKind::NotFound, 404),
    ];
    for (message, kind, status) in rows {
        let told = stream(&[text("a"), json!({"error": message}), done("stop")]);
        let error = told.error.expect("must be a failure");
        assert_eq!((error.kind, error.status, error.message.as_str()), (kind, status, message));
        assert!(!told.text.contains("[DONE]") && !told.text.contains(message), "{}", told.text);
        let body = json!({"error": message}).to_string();
        let answer = relay::answer(Dialect::Ollama, &CLIENT, &Names::default(), body.as_bytes());
        assert_eq!(answer.expect_err("must be a failure").kind, kind);
    }
}

#[test]
fn a_line_that_does_not_parse_is_withheld_and_three_in_a_row_are_an_error() {
    let good = lines(&[text("a")]);
    let told_two = told(&[format!("{good}{{oops\n[]\n{good}{}", lines(&[done("stop")])).as_bytes()]);
    assert_eq!((told_two.joined("content").as_str(), told_two.end), ("aa", End::Complete));
    let nameless = lines(&[calling(&[json!({"function": {"arguments": {}}})])]);
    let told_three = told(&[format!("{good}{{\n<html>\n{nameless}{good}").as_bytes()]);
    assert_eq!(told_three.error.map(|error| error.kind), Some(ErrorKind::ServerError));
}

#[test]
fn errors_are_told_apart_by_status_and_text() {
    let rows = [
        (404, r#"{"error":"model 'llama3.2' not found"}"#, ErrorKind::NotFound),
        (404, r#"{"error":"model \"llama3.2\" not found, try pulling it first"}"#, ErrorKind::NotFound),
        (400, r#"{"error":"option \"seed\" must be of type integer"}"#, ErrorKind::Rejected),
        (400, r#"{"error":"registry.ollama.ai/library/llama3.2:latest does not support tools"}"#, ErrorKind::Rejected),
        (
            400,
            r#"{"error":"request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it"}"#,
            ErrorKind::ContextLength,
        ),
        (401, r#"{"error":"unauthorized","signin_url":"https://example.com/connect"}"#, ErrorKind::Auth),
        (403, r#"{"error":"ollama cloud is disabled: remote model is unavailable"}"#, ErrorKind::Auth),
        (429, r#"{"error":"too many concurrent requests"}"#, ErrorKind::RateLimit),
        (
            429,
            r#"{"error":"you (ann) have reached your weekly usage limit, upgrade for higher limits"}"#,
            ErrorKind::Quota,
        ),
        (500, r#"{"error":"model runner has unexpectedly stopped"}"#, ErrorKind::ServerError),
        (
            503,
            r#"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#,
            ErrorKind::ServerError,
        ),
    ];
    for (status, body, kind) in rows {
        let error = classify(Dialect::Ollama, status, None, body.as_bytes());
        assert_eq!(error.kind, kind, "{body}");
        assert!(!error.message.starts_with("the provider answered"), "{body}");
    }
}

proptest! {
    #[test]
    fn a_stream_split_at_any_byte_is_told_the_same_way(cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let all = lines(&[text("hé\n"), calling(&[call("f", &json!({"a": "é"}))]), text(""), done("stop")]);
        let stream = all.as_bytes();
        prop_assert_eq!(told(&cut(stream, &cuts)), told(&[stream]));
    }

    #[test]
    fn any_bytes_at_all_are_survived(
        pieces in proptest::collection::vec(prop_oneof![
            Just(b"{\"message\":{\"tool_calls\":[{\"function\":".to_vec()), Just(b"{\"name\":\"f\"}}]}".to_vec()), Just(b"\n".to_vec()),
            Just(b",\"done\":true}".to_vec()), Just(b"{\"error\":".to_vec()), Just(b"{\"message\":7".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..12)], 0..12)
    ) {
        let stream = pieces.concat();
        let told = told(&[&stream]);
        prop_assert!(told.end != End::Complete || told.finish.is_some());
        let _: bool = relay::answer(Dialect::Ollama, &CLIENT, &Names::default(), &stream).is_ok();
    }
}
