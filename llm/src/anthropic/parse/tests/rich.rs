//! A request with all that the dialect has, through the neutral form and back.

use serde_json::{Value, json};

use crate::facts::{Facts, Provider};
use crate::translate::Target;
use crate::{Dialect, anthropic};

/// Takes system messages in between, adaptive thinking and native schemas.
const MODEL: &str = "claude-opus-4-8";

pub(super) fn request() -> Value {
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    json!({
        "model": MODEL, "max_tokens": 4096, "stream": true, "stop_sequences": ["END"],
        "system": [{"type": "text", "text": "Be \"brief\".\n", "cache_control": mark}, {"type": "text", "text": "é"}],
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "high", "task_budget": {"type": "tokens", "total": 9},
            "format": {"type": "json_schema", "schema": {"type": "object", "properties": {"a": {"minimum": 1}}}}},
        "metadata": {"user_id": "u-1", "team": "x"}, "service_tier": "auto", "context_management": {"edits": []},
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
        "tools": tools(),
        "messages": messages(),
    })
}

fn tools() -> Value {
    json!([
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
        {"name": "get", "description": "", "input_schema": {"properties": {}}, "strict": true, "input_examples": [{}]},
        {"type": "custom", "name": "put", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}},
    ])
}

fn messages() -> Value {
    let mark = json!({"type": "ephemeral"});
    let png = json!({"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="});
    let pdf = json!({"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="});
    let document = |source: Value| {
        json!({"type": "document", "source": source, "title": "t", "context": "c",
        "citations": {"enabled": true}})
    };
    let citation = json!([{"type": "char_location", "cited_text": "x", "document_index": 0}]);
    json!([
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": "At what?"},
        {"role": "user", "content": [
            {"type": "image", "source": png, "cache_control": mark},
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
            {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
            document(pdf),
            document(json!({"type": "text", "media_type": "text/plain", "data": "plain"})),
            document(json!({"type": "content", "content": "piece"})),
            document(json!({"type": "content", "content": [{"type": "text", "text": "piece"}]})),
            {"type": "search_result", "source": "s", "title": "t", "content": []},
            {"type": "text", "text": "These.", "novel": {"a": [1.50]}}]},
        {"role": "system", "content": "Hurry."},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "sig=="},
            {"type": "redacted_thinking", "data": "zz"},
            {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "q"}},
            {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []},
            {"type": "text", "text": "So:", "citations": citation},
            {"type": "tool_use", "id": "t1", "name": "get", "input": {"n": 1e2, "s": "\u{1F600}"}, "caller": {"type": "direct"}},
            {"type": "tool_use", "id": "t2", "name": "put", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "one"},
            {"type": "tool_result", "tool_use_id": "t2", "is_error": true, "cache_control": mark, "novel": 1,
                "content": [{"type": "text", "text": "two"}, {"type": "image", "source": png}]},
            {"type": "text", "text": "Go on."}]},
    ])
}

fn back(request: &Value, model: &str) -> Value {
    let body = request.to_string();
    let parsed = anthropic::parse_request(body.as_bytes()).expect("must parse");
    let target = Target {
        dialect: Dialect::Anthropic,
        model,
        facts: Facts::of(Provider::Anthropic, model),
        ask_for_usage: false,
    };
    let emitted = anthropic::emit_request(&parsed, &target).expect("must be sayable");
    assert!(emitted.dropped.is_empty(), "{:?}", emitted.dropped);
    serde_json::from_slice(&emitted.body).expect("must be JSON")
}

#[test]
fn a_rich_request_comes_back_as_it_was() {
    let request = request();
    let back = back(&request, MODEL);
    for (key, value) in request.as_object().expect("must be an object") {
        assert_eq!(&back[key], value, "{key}");
    }
    assert_eq!(back, request);
}

#[test]
fn other_settings_come_back_as_they_were() {
    let rows = [
        ("claude-sonnet-4-5", json!({"thinking": {"type": "enabled", "budget_tokens": 2048}})),
        (
            "claude-opus-4-5",
            json!({"thinking": {"type": "enabled", "budget_tokens": 2048}, "output_config": {"effort": "low"}}),
        ),
        (MODEL, json!({"thinking": {"type": "adaptive"}})),
        ("claude-opus-5", json!({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}})),
        ("claude-haiku-4-5", json!({"temperature": 0.5, "top_k": 4, "system": "plain"})),
        ("claude-haiku-4-5", json!({"tools": tools(), "tool_choice": {"type": "tool", "name": "put"}})),
        ("claude-haiku-4-5", json!({"tools": tools(), "tool_choice": {"type": "any"}})),
        ("claude-haiku-4-5", json!({"tools": tools(), "tool_choice": {"type": "none"}})),
    ];
    for (model, members) in rows {
        let mut request: Value = serde_json::from_str(&super::body(&members)).expect("must be JSON");
        request["model"] = json!(model);
        request["max_tokens"] = json!(4096);
        assert_eq!(back(&request, model), request, "{members}");
    }
}

/// The differences that are known: what Anthropic refuses, and what means the same when it is not said.
#[test]
fn what_does_not_come_back_is_only_what_says_nothing() {
    let choice = json!({"type": "auto", "disable_parallel_tool_use": false});
    let mut request: Value = serde_json::from_str(&super::body(&json!({"tools": tools(), "tool_choice": choice,
        "output_config": {"effort": "low"}, "thinking": null, "system": [],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": " "}]},
            {"role": "user", "content": "b"}]})))
    .expect("must be JSON");
    let back = back(&request, MODEL);
    let object = request.as_object_mut().expect("must be an object");
    object.remove("system");
    object["model"] = json!(MODEL);
    object["tool_choice"] = json!({"type": "auto"});
    // An effort alone asks to think too.
    object["thinking"] = json!({"type": "adaptive"});
    // Empty text is left out, and neighbours of one role are one turn.
    let texts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    object["messages"] = json!([{"role": "user", "content": texts}]);
    assert_eq!(back, request);
}
