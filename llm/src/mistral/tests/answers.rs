//! Answers, whole and as streams, for a client of OpenAI's.

use bytes::Bytes;

use super::*;
use crate::classify::UpstreamError;
use crate::neutral::Finish;
use crate::relay::{self, Client, End, Relay};
use crate::sse::Splitter;
use crate::translate::Names;

const CLIENT: Client = Client { dialect: Dialect::OpenAI, include_usage: true, choices: 1, now: 1 };

fn whole(choice: &Value) -> Result<(Value, Finish), UpstreamError> {
    let body = json!({"id": "cmpl-1", "object": "chat.completion", "created": 7, "model": "real",
        "choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}});
    let answer = relay::answer(Dialect::Mistral, &CLIENT, &Names::default(), body.to_string().as_bytes())?;
    let body = serde_json::from_slice(&answer.body.expect("must be translated")).expect("must be JSON");
    Ok((body, answer.finish.expect("must have finished")))
}

fn choice(content: &Value, finish: &str) -> Value {
    json!({"index": 0, "message": {"role": "assistant", "content": content, "tool_calls": null}, "finish_reason": finish})
}

struct Told {
    deltas: Vec<Value>,
    text: String,
    commits: Vec<bool>,
    finish: Option<Finish>,
    failed: bool,
    end: Option<End>,
}

/// What a client is told for a stream of these chunks.
fn stream(chunks: &[Value], names: Names) -> Told {
    let mut body: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    body.push_str("data: [DONE]\n\n");
    let mut relay = Relay::new(Dialect::Mistral, &CLIENT, names);
    let (mut splitter, mut out) = (Splitter::default(), Vec::new());
    let mut told =
        Told { deltas: Vec::new(), text: String::new(), commits: Vec::new(), finish: None, failed: false, end: None };
    splitter.push(Bytes::from(body));
    while let Ok(Some(event)) = splitter.next_event() {
        let step = relay.push(&event, &mut out);
        told.commits.push(step.commits);
        told.failed |= step.error.is_some();
        told.end = step.end.or(told.end);
    }
    told.finish = relay.finish_reason();
    told.text = String::from_utf8(out).expect("must be UTF-8");
    let chunks = told.text.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    told.deltas = chunks.map(|chunk| chunk["choices"][0]["delta"].clone()).collect();
    told
}

fn delta(delta: &Value, finish: Option<&str>) -> Value {
    json!({"id": "cmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "real",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
}

#[test]
fn reasoning_models_answer_with_a_list_of_thinking_and_text_blocks() {
    let content = json!([
        {"type": "thinking", "thinking": [{"type": "text", "text": "h"}, {"type": "text", "text": "m"}], "closed": true},
        {"type": "text", "text": "so"},
        {"type": "reference", "reference_ids": [1]},
        {"type": "text", "text": "!"},
    ]);
    let (body, finish) = whole(&choice(&content, "stop")).expect("must be an answer");
    let message = &body["choices"][0]["message"];
    assert_eq!((&message["reasoning_content"], &message["content"]), (&json!("hm"), &json!("so!")));
    assert_eq!(
        (&body["id"], &body["created"], &body["usage"]["total_tokens"]),
        (&json!("cmpl-1"), &json!(7), &json!(5))
    );
    assert_eq!(finish, Finish::Stop);
}

#[test]
fn reasoning_models_stream_lists_of_thinking_and_text_blocks() {
    let think = |text: &str| json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]});
    let mut last = delta(&json!({"content": ""}), Some("stop"));
    last["usage"] = json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5});
    let chunks = [
        delta(&json!({"role": "assistant", "content": ""}), None),
        delta(&think("h"), None),
        delta(&think("m"), None),
        delta(&json!({"content": [{"type": "text", "text": "so"}]}), None),
        delta(&json!({"content": "!"}), None),
        last,
    ];
    let told = stream(&chunks, Names::default());
    let joined = |key: &str| told.deltas.iter().filter_map(|delta| delta[key].as_str()).collect::<String>();
    assert_eq!((joined("reasoning_content"), joined("content")), ("hm".into(), "so!".into()));
    assert_eq!(told.commits, [false, true, true, true, true, true, false]);
    assert_eq!((told.finish, told.end), (Some(Finish::Stop), Some(End::Complete)));
    assert!(told.text.contains(r#""usage":{"prompt_tokens":3"#) && told.text.ends_with("data: [DONE]\n\n"));
}

#[test]
fn model_length_is_length() {
    let (body, finish) = whole(&choice(&json!("a"), "model_length")).expect("must be an answer");
    assert_eq!((&body["choices"][0]["finish_reason"], finish), (&json!("length"), Finish::Length));
    let told = stream(&[delta(&json!({"content": "a"}), Some("model_length"))], Names::default());
    assert_eq!(told.finish, Some(Finish::Length));
    assert!(told.text.contains(r#""finish_reason":"length""#), "{}", told.text);
}

#[test]
fn a_finish_reason_of_error_is_a_failure() {
    let error = whole(&choice(&json!("a"), "error")).expect_err("must be a failure");
    assert_eq!(error.kind, ErrorKind::ServerError);
    let told = stream(&[delta(&json!({"content": "a"}), Some("error"))], Names::default());
    assert!(told.failed && !told.text.contains("[DONE]"), "{}", told.text);
}

#[test]
fn an_error_object_inside_a_200_is_a_failure() {
    let error =
        json!({"object": "error", "message": "m", "type": "internal_server_error", "param": null, "code": "3000"});
    let answer = relay::answer(Dialect::Mistral, &CLIENT, &Names::default(), error.to_string().as_bytes());
    assert_eq!(answer.expect_err("must be a failure").message, "m");
    assert!(stream(&[error], Names::default()).failed);
}

#[test]
fn names_and_ids_of_calls_are_the_client_s_again() {
    let tools = json!([{"type": "function", "function": {"name": "weather.get"}}]);
    let history = json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": null,
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "weather.get", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "r"},
    ]);
    let emitted = emit(LARGE, &json!({"tools": tools, "messages": history})).expect("must be translated");
    let sent: Value = serde_json::from_slice(&emitted.body).expect("must be JSON");
    let known = sent["messages"][1]["tool_calls"][0].clone();
    assert_eq!(known["function"], json!({"name": "weather_get", "arguments": "{}"}));
    let fresh = json!({"id": "Abc123xyz", "function": {"name": "weather_get", "arguments": "{}"}});
    for (call, id) in [(known, "call_1"), (fresh, "Abc123xyz")] {
        let told = stream(&[delta(&json!({"tool_calls": [call]}), Some("tool_calls"))], emitted.names.clone());
        let start = told.deltas.iter().find(|delta| delta["tool_calls"][0]["id"].is_string()).expect("must start");
        assert_eq!(start["tool_calls"][0]["id"], id);
        assert_eq!(start["tool_calls"][0]["function"]["name"], "weather.get");
        assert_eq!(told.finish, Some(Finish::ToolCalls));
    }
}

#[test]
fn a_call_that_comes_whole_is_told_whole() {
    let call = |index: u32, id: &str, arguments: &str| json!({"index": index, "id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
    let calls = json!([call(0, "Abc123xyz", r#"{"a":1}"#), call(1, "Abc123xyy", "{}")]);
    let told = stream(&[delta(&json!({"tool_calls": calls}), Some("tool_calls"))], Names::default());
    let seen: Vec<_> = told.deltas.iter().filter(|delta| delta["tool_calls"].is_array()).collect();
    assert_eq!(seen, [&json!({"tool_calls": [calls[0]]}), &json!({"tool_calls": [calls[1]]})]);
}

#[test]
fn the_start_of_a_call_does_not_wait_for_its_arguments() {
    let function = json!({"name": "f", "arguments": ""});
    let start = json!({"tool_calls": [{"index": 0, "id": "Abc123xyz", "type": "function", "function": function}]});
    let told = stream(&[delta(&start, None)], Names::default());
    assert_eq!(told.deltas.last(), Some(&start));
}
