//! Whole conversations across dialects: what one answer says is what the next request says again.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::facts::Provider;
use crate::relay::{self, Client, Relay};
use crate::sse::Splitter;

const CLIENT: Client = Client { dialect: Dialect::OpenAI, include_usage: false, choices: 1, now: 1 };

fn for_claude(request: &Value) -> (Value, Names) {
    let model = "claude-haiku-4-5";
    let target = Target {
        dialect: Dialect::Anthropic,
        model,
        facts: Facts::of(Provider::Anthropic, model),
        ask_for_usage: false,
    };
    let emitted = super::request(Dialect::OpenAI, request.to_string().as_bytes(), &target).expect("must be translated");
    (serde_json::from_slice(&emitted.body).expect("must be JSON"), emitted.names)
}

fn first_request() -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": "Weather in Paris and Rome?"}],
        "tools": [{"type": "function", "function": {"name": "weather.get", "parameters": {"type": "object"}}}]})
}

/// The request of the second turn: the first, the answer as it came, and a result for each of its calls.
fn second_request(answer: &Value) -> Value {
    let mut request = first_request();
    let messages = request["messages"].as_array_mut().expect("must be a list");
    messages.push(answer.clone());
    for call in answer["tool_calls"].as_array().expect("must have calls") {
        messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": call["function"]["arguments"]}));
    }
    request
}

fn content() -> Value {
    json!([
        {"type": "thinking", "thinking": "two cities", "signature": "sig=="},
        {"type": "text", "text": "Looking."},
        {"type": "tool_use", "id": "toolu_1", "name": "weather_get", "input": {"city": "Paris \"é\"", "days": 1.50}},
        {"type": "tool_use", "id": "toolu_2", "name": "weather_get", "input": {}},
    ])
}

fn check_second_turn(answer: &Value) {
    let calls = &answer["tool_calls"];
    assert_eq!((&calls[0]["id"], &calls[0]["function"]["name"]), (&json!("toolu_1"), &json!("weather.get")));
    let (body, _) = for_claude(&second_request(answer));
    assert_eq!(body["messages"][1], json!({"role": "assistant", "content": content()}));
    let result = |id: &str, said: &Value| json!({"type": "tool_result", "tool_use_id": id, "content": said});
    let results = [result("toolu_1", &calls[0]["function"]["arguments"]), result("toolu_2", &json!("{}"))];
    assert_eq!(body["messages"][2], json!({"role": "user", "content": results}));
    assert_eq!(body["tools"][0]["name"], "weather_get");
}

#[test]
fn a_tool_conversation_of_two_turns_keeps_ids_names_arguments_and_thinking() {
    let (_, names) = for_claude(&first_request());
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5-20251001",
        "content": content(), "stop_reason": "tool_use", "usage": {"input_tokens": 3, "output_tokens": 5}});
    let answer =
        relay::answer(Dialect::Anthropic, &CLIENT, &names, message.to_string().as_bytes()).expect("must be whole");
    let seen: Value = serde_json::from_slice(&answer.body.expect("must be translated")).expect("must be JSON");
    assert_eq!(seen["choices"][0]["finish_reason"], "tool_calls");
    check_second_turn(&seen["choices"][0]["message"]);
}

/// Gathers a stream as the official SDKs do: strings of list items with the same index are joined.
fn gather(into: &mut Value, delta: &Value) {
    match (into, delta) {
        (Value::String(into), Value::String(more)) => into.push_str(more),
        (Value::Array(into), Value::Array(more)) => {
            for item in more {
                match into.iter_mut().find(|it| it["index"] == item["index"]) {
                    Some(known) => gather(known, item),
                    None => into.push(item.clone()),
                }
            }
        }
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                match into.get_mut(key) {
                    Some(_) if matches!(key.as_str(), "index" | "type" | "id") => {}
                    Some(known) => gather(known, value),
                    None => drop(into.insert(key.clone(), value.clone())),
                }
            }
        }
        (into, more) => *into = more.clone(),
    }
}

#[test]
fn a_streamed_tool_conversation_of_two_turns_keeps_the_same() {
    let (_, names) = for_claude(&first_request());
    let start =
        |index: usize, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let delta = |index: usize, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let stop = |index: usize| json!({"type": "content_block_stop", "index": index});
    let json_delta = |piece: &str| json!({"type": "input_json_delta", "partial_json": piece});
    let events = [
        json!({"type": "message_start", "message": {"id": "msg_1", "model": "c", "usage": {"input_tokens": 3}}}),
        start(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "two "})),
        delta(0, json!({"type": "thinking_delta", "thinking": "cities"})),
        delta(0, json!({"type": "signature_delta", "signature": "sig=="})),
        stop(0),
        start(1, json!({"type": "text", "text": ""})),
        delta(1, json!({"type": "text_delta", "text": "Looking."})),
        stop(1),
        start(2, json!({"type": "tool_use", "id": "toolu_1", "name": "weather_get", "input": {}})),
        delta(2, json_delta("")),
        delta(2, json_delta("{\"city\":\"Paris \\\"")),
        delta(2, json_delta("é\\\"\",\"days\":1.50}")),
        stop(2),
        start(3, json!({"type": "tool_use", "id": "toolu_2", "name": "weather_get", "input": {}})),
        stop(3),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}}),
        json!({"type": "message_stop"}),
    ];
    let mut relay = Relay::new(Dialect::Anthropic, &CLIENT, names);
    let mut out = Vec::new();
    let mut splitter = Splitter::default();
    for event in events {
        splitter.push(Bytes::from(format!("data: {event}\n\n")));
        while let Some(event) = splitter.next_event().expect("must be small enough") {
            relay.push(&event, &mut out);
        }
    }
    let mut message = json!({});
    for chunk in String::from_utf8(out).expect("must be UTF-8").lines().filter_map(|line| line.strip_prefix("data: {"))
    {
        let chunk: Value = serde_json::from_str(&format!("{{{chunk}")).expect("must be JSON");
        gather(&mut message, &chunk["choices"][0]["delta"]);
    }
    check_second_turn(&message);
}

#[test]
fn a_request_of_anthropic_s_asks_openai_for_usage_if_the_target_takes_that() {
    let body = br#"{"model":"m","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    for (ask_for_usage, options) in [(true, json!({"include_usage": true})), (false, Value::Null)] {
        let facts = Facts::of(Provider::OpenAI, "gpt-4o");
        let target = Target { dialect: Dialect::OpenAI, model: "gpt-4o", facts, ask_for_usage };
        let emitted = request(Dialect::Anthropic, body, &target).expect("must be translated");
        let sent: Value = serde_json::from_slice(&emitted.body).expect("must be JSON");
        assert_eq!((&sent["stream_options"], &sent["max_tokens"]), (&options, &json!(5)));
    }
}

#[test]
fn a_call_of_gemini_s_goes_to_others_without_its_signature() {
    let answer = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "abc--sig-QUJD", "type": "function",
        "function": {"name": "weather.get", "arguments": "{}"}}]});
    let (body, _) = for_claude(&second_request(&answer));
    assert_eq!(body["messages"][1]["content"][0]["id"], "abc");
    assert_eq!(body["messages"][2]["content"][0]["tool_use_id"], "abc");
}

#[test]
fn dropped_names_are_safe_in_a_header_and_few() {
    let mut dropped = Dropped::default();
    for name in ["a", "a", "", "x\r\ny", "é", "with space"] {
        dropped.add(name);
    }
    (0..40).for_each(|n| dropped.add(&format!("n{n}")));
    let names = dropped.names();
    assert_eq!((names.len(), &*names[0], &*names[1]), (MAX_DROPPED, "a", "n0"));
}
