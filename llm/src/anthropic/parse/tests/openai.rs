//! Requests of Anthropic's clients for OpenAI's models.

use serde_json::{Value, json};

use super::{body, parsed};
use crate::facts::{Facts, Provider};
use crate::openai;
use crate::relay::{self, Client, Relay};
use crate::sse::Splitter;
use crate::translate::{Emitted, Target};
use crate::{Dialect, Error};

const PLAIN: &str = "gpt-4o";
const REASONS: &str = "o3";

fn emit(model: &str, members: &Value) -> Result<Emitted, Error> {
    let target =
        Target { dialect: Dialect::OpenAI, model, facts: Facts::of(Provider::OpenAI, model), ask_for_usage: true };
    openai::emit_request(&parsed(&body(members)), &target)
}

fn sent_with_drops(model: &str, members: &Value) -> (Value, Vec<String>) {
    let emitted = emit(model, members).unwrap_or_else(|error| panic!("{members}: {error}"));
    let body = serde_json::from_slice(&emitted.body).expect("must be JSON");
    (body, emitted.dropped.iter().map(ToString::to_string).collect())
}

fn sent(model: &str, members: &Value) -> Value {
    sent_with_drops(model, members).0
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

#[test]
fn a_tool_conversation_of_two_turns_is_openai_s_messages_in_order() {
    let mark = json!({"type": "ephemeral"});
    let members = json!({
        "system": [{"type": "text", "text": "Be brief.", "cache_control": mark}],
        "tools": [{"name": "get", "description": "gets", "input_schema": {"type": "object"}, "cache_control": mark}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "stop_sequences": ["END"], "stream": true, "metadata": {"user_id": "u"},
        "messages": [
            {"role": "user", "content": "Weather in Paris and Rome?"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "sig"},
                {"type": "text", "text": "Looking.", "citations": []},
                {"type": "tool_use", "id": "t1", "name": "get", "input": {"city": "Paris"}},
                {"type": "tool_use", "id": "t2", "name": "get", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "rain"},
                {"type": "tool_result", "tool_use_id": "t2", "content": [text("sun")]},
                text("And?")]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t3", "name": "get", "input": {"n": 1.50}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t3"}]},
        ]
    });
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "get", "arguments": arguments}});
    let result = |id: &str, content: &str| json!({"role": "tool", "tool_call_id": id, "content": content});
    let expected = json!({
        "model": PLAIN, "max_tokens": 9, "stop": ["END"], "stream": true, "user": "u",
        "stream_options": {"include_usage": true},
        "tools": [{"type": "function", "function": {"name": "get", "description": "gets", "parameters": {"type": "object"}}}],
        "tool_choice": "required", "parallel_tool_calls": false,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Weather in Paris and Rome?"},
            {"role": "assistant", "content": "Looking.", "tool_calls": [call("t1", r#"{"city":"Paris"}"#), call("t2", "{}")]},
            result("t1", "rain"),
            result("t2", "sun"),
            {"role": "user", "content": "And?"},
            {"role": "assistant", "content": null, "tool_calls": [call("t3", r#"{"n":1.5}"#)]},
            result("t3", ""),
        ]
    });
    let (body, dropped) = sent_with_drops(PLAIN, &members);
    assert_eq!(body, expected);
    assert_eq!(dropped, ["cache_control"]);
}

#[test]
fn pictures_of_results_follow_all_results_of_the_turn_as_the_person_s() {
    let png = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}});
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    let result = |id: &str, content: Value| json!({"type": "tool_result", "tool_use_id": id, "content": content});
    let messages = json!([
        {"role": "user", "content": [text("look"), png]},
        {"role": "assistant", "content": [call("a"), call("b")]},
        {"role": "user", "content": [result("a", json!([png])), result("b", json!([text("b"), png])), text("so?")]},
        {"role": "assistant", "content": [call("c")]},
        {"role": "user", "content": [result("c", json!([png]))]},
    ]);
    let seen = &sent(PLAIN, &json!({"messages": messages}))["messages"];
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}});
    let tool = |id: &str, content: &str| json!({"role": "tool", "tool_call_id": id, "content": content});
    let hint = "The result is the picture that follows.";
    assert_eq!(seen[0]["content"], json!([text("look"), picture]));
    assert_eq!((&seen[2], &seen[3]), (&tool("a", hint), &tool("b", "b")));
    assert_eq!(seen[4], json!({"role": "user", "content": [picture, picture, text("so?")]}));
    assert_eq!((&seen[6], &seen[7]), (&tool("c", hint), &json!({"role": "user", "content": [picture]})));
}

#[test]
fn documents_are_files_or_text() {
    let document = |source: Value| json!({"type": "document", "title": "t", "source": source});
    let rows = [
        (
            json!({"type": "base64", "media_type": "application/pdf", "data": "JVBE"}),
            json!([{"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE", "filename": "t"}}]),
        ),
        (json!({"type": "text", "media_type": "text/plain", "data": "d"}), json!([text("t"), text("d")])),
        (json!({"type": "content", "content": [text("p"), text("q")]}), json!([text("t"), text("p"), text("q")])),
    ];
    for (source, expected) in rows {
        let messages = json!([{"role": "user", "content": [document(source)]}]);
        assert_eq!(sent(PLAIN, &json!({"messages": messages}))["messages"][0]["content"], expected);
    }
}

#[test]
fn what_openai_has_no_place_for_is_a_422_that_names_it() {
    let content = |block: Value| json!({"messages": [{"role": "user", "content": [block]}]});
    let rows = [
        (json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}), "tools[0]"),
        (content(json!({"type": "search_result"})), "messages"),
        (content(json!({"type": "image", "source": {"type": "file", "file_id": "f"}})), "messages"),
        (content(json!({"type": "document", "source": {"type": "url", "url": "u"}})), "messages"),
    ];
    for (members, field) in rows {
        let error = emit(PLAIN, &members).expect_err("must be refused");
        assert_eq!((error.status(), error.param()), (422, Some(field)), "{members}");
    }
}

#[test]
fn hints_that_openai_does_not_know_are_dropped_by_name() {
    let members = json!({"top_k": 4, "temperature": 0.5, "service_tier": "auto", "context_management": {},
        "stop_sequences": ["a", "b", "c", "d", "e"], "metadata": {"user_id": "u".repeat(65)},
        "thinking": {"type": "enabled", "budget_tokens": 1024}});
    let (body, dropped) = sent_with_drops(PLAIN, &members);
    assert_eq!(dropped, ["top_k", "stop_sequences", "thinking", "user", "context_management"]);
    assert_eq!((&body["temperature"], &body["stop"]), (&json!(0.5), &json!(["a", "b", "c", "d"])));
    let (body, dropped) = sent_with_drops(REASONS, &members);
    assert_eq!(dropped, ["temperature", "top_k", "stop_sequences", "user", "context_management"]);
    assert_eq!((&body["reasoning_effort"], &body["max_completion_tokens"]), (&json!("low"), &json!(9)));
}

#[test]
fn a_bound_above_what_the_model_writes_is_the_model_s_own() {
    assert_eq!(sent(PLAIN, &json!({"max_tokens": 64_000}))["max_tokens"], json!(16_384));
}

#[test]
fn a_tool_s_name_that_is_too_long_for_openai_is_renamed_there_and_back() {
    let long = "a".repeat(100);
    let tool = |name: &str| json!({"name": name, "input_schema": {"type": "object"}});
    let emitted = emit(
        PLAIN,
        &json!({
            "tools": [tool(&long), tool("short")],
            "tool_choice": {"type": "tool", "name": long},
            "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": long, "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]},
            ],
        }),
    );
    let emitted = emitted.expect("must be sent");
    let sent: Value = serde_json::from_slice(&emitted.body).expect("must be JSON");
    let name = sent["tools"][0]["function"]["name"].as_str().expect("must have a name");
    assert!(name.len() <= 64 && name.starts_with("aaa"), "{name}");
    assert_eq!(sent["tools"][1]["function"]["name"], "short");
    assert_eq!(sent["tool_choice"]["function"]["name"], name);
    assert_eq!(sent["messages"][1]["tool_calls"][0]["function"]["name"], name);

    let call = json!([{"index": 0, "id": "c", "type": "function", "function": {"name": name, "arguments": "{}"}}]);
    let whole = json!({"id": "x", "model": "m", "choices": [
        {"index": 0, "message": {"role": "assistant", "tool_calls": call}, "finish_reason": "tool_calls"},
    ]});
    let client = Client { dialect: Dialect::Anthropic, include_usage: true, choices: 1, now: 0 };
    let told = relay::answer(Dialect::OpenAI, &client, &emitted.names, whole.to_string().as_bytes());
    let told: Value =
        serde_json::from_slice(&told.expect("must be read").body.expect("must be written")).expect("must be JSON");
    assert_eq!(told["content"][0]["name"], long.as_str());

    let mut stream = Relay::new(Dialect::OpenAI, &client, emitted.names);
    let chunk = json!({"id": "x", "model": "m", "choices": [{"index": 0, "delta": {"tool_calls": call}}]});
    let mut out = Vec::new();
    let mut splitter = Splitter::default();
    splitter.push(format!("data: {chunk}\n\n").into());
    let event = splitter.next_event().expect("must be small enough").expect("must be whole");
    stream.push(&event, &mut out);
    assert!(String::from_utf8_lossy(&out).contains(&long));
}
