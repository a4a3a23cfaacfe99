//! What an OpenAI request becomes for Mistral, and what of its answers an OpenAI client gets.

mod answers;
mod messages;

use serde_json::{Value, json};

use crate::classify::{ErrorKind, classify};
use crate::facts::Provider;
use crate::translate::{Emitted, bed};
use crate::{Dialect, Error};

/// Does not think.
const LARGE: &str = "mistral-large-2512";
/// Thinks when it is asked to.
const SMALL: &str = "mistral-small-latest";
/// Always thinks.
const MAGISTRAL: &str = "magistral-medium-latest";

fn emit(model: &str, members: &Value) -> Result<Emitted, Error> {
    bed::emit(Dialect::OpenAI, &bed::question(members), (Dialect::Mistral, Provider::Mistral), model)
}

/// The body that is sent for these members, and the names of the hints that were left out.
fn sent_with_drops(model: &str, members: &Value) -> (Value, Vec<String>) {
    bed::sent(emit(model, members))
}

fn sent(model: &str, members: &Value) -> Value {
    let (mut body, dropped) = sent_with_drops(model, members);
    assert_eq!(dropped, [""; 0], "{members}");
    let object = body.as_object_mut().expect("must be an object");
    assert_eq!(object.remove("model"), Some(json!(model)));
    body
}

/// The members that are sent beside model and messages.
fn others(model: &str, members: &Value) -> Value {
    let mut body = sent(model, members);
    body.as_object_mut().expect("must be an object").remove("messages");
    body
}

#[test]
fn seed_is_random_seed_and_max_completion_tokens_is_max_tokens() {
    let rows = [
        (json!({"seed": 7}), json!({"random_seed": 7})),
        (json!({"max_completion_tokens": 5}), json!({"max_tokens": 5})),
        (json!({"max_tokens": 9, "max_completion_tokens": 5}), json!({"max_tokens": 5})),
        (
            json!({"temperature": 0.70, "top_p": 0.9, "top_k": 3}),
            json!({"temperature": 0.70, "top_p": 0.9, "top_k": 3}),
        ),
        (json!({"temperature": 2}), json!({"temperature": 1.5})),
        (json!({"stop": "a"}), json!({"stop": "a"})),
        (json!({"stop": ["a", "b"]}), json!({"stop": ["a", "b"]})),
        (json!({"n": 1}), json!({})),
        (json!({"n": 2}), json!({"n": 2})),
        (
            json!({"presence_penalty": 0.5, "frequency_penalty": 1}),
            json!({"presence_penalty": 0.5, "frequency_penalty": 1}),
        ),
        (json!({"metadata": {"a": "b"}, "safe_prompt": true}), json!({"metadata": {"a": "b"}, "safe_prompt": true})),
        (
            json!({"prediction": {"type": "content", "content": "x"}}),
            json!({"prediction": {"type": "content", "content": "x"}}),
        ),
    ];
    for (members, expected) in rows {
        assert_eq!(others(LARGE, &members), expected, "{members}");
    }
}

#[test]
fn stream_options_are_never_sent() {
    let members = json!({"stream": true, "stream_options": {"include_usage": true}});
    assert_eq!(others(LARGE, &members), json!({"stream": true}));
}

#[test]
fn hints_that_mistral_does_not_know_are_dropped_and_named() {
    let rows = [
        ("user", json!("ann")),
        ("logit_bias", json!({"1": 2})),
        ("logprobs", json!(true)),
        ("verbosity", json!("low")),
        ("service_tier", json!("flex")),
        ("prediction", json!({"type": "content", "content": [{"type": "text", "text": "x"}]})),
        ("x_unknown", json!([1])),
    ];
    for (name, value) in rows {
        let (body, dropped) = sent_with_drops(LARGE, &json!({name: value}));
        assert_eq!(dropped, [name]);
        assert_eq!(body, json!({"model": LARGE, "messages": [{"role": "user", "content": "hi"}]}));
    }
}

#[test]
fn meaning_that_mistral_has_no_words_for_is_refused_by_its_field() {
    let rows = [
        ("modalities", json!({"modalities": ["text", "audio"]})),
        ("n", json!({"n": 2, "stream": true})),
        ("tools[0]", json!({"tools": [{"type": "custom", "custom": {"name": "sql"}}]})),
        ("web_search_options", json!({"web_search_options": {"a": 1}})),
        ("functions", json!({"functions": [{"name": "f"}]})),
        (
            "messages[0]",
            json!({"messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "https://a/b.mp4"}}]}]}),
        ),
    ];
    for (expected, members) in rows {
        match emit(LARGE, &members) {
            Err(Error::Unsupported { field, .. }) => assert_eq!(field, expected),
            other => panic!("{members}: {other:?}"),
        }
    }
}

#[test]
fn tool_choice_required_and_named_and_parallel_tool_calls_are_native() {
    let function = json!({"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true});
    let tools = json!([{"type": "function", "function": function}, {"type": "function", "function": {"name": "g"}}]);
    let mut declared = tools.clone();
    declared[1]["function"]["parameters"] = json!({"type": "object", "properties": {}});
    let named = json!({"type": "function", "function": {"name": "f"}});
    for choice in [json!("auto"), json!("required"), json!("none"), named] {
        let members = json!({"tools": tools, "tool_choice": choice, "parallel_tool_calls": false});
        let expected = json!({"tools": declared, "tool_choice": choice, "parallel_tool_calls": false});
        assert_eq!(others(LARGE, &members), expected);
    }
    assert_eq!(others(LARGE, &json!({"tool_choice": "none", "parallel_tool_calls": true})), json!({}));
}

#[test]
fn tool_choice_any_of_mistral_s_clients_is_required() {
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]);
    let expected = json!({"tools": tools, "tool_choice": "required"});
    assert_eq!(others(LARGE, &json!({"tools": tools, "tool_choice": "any"})), expected);
}

#[test]
fn a_tool_s_name_that_mistral_does_not_take_is_replaced() {
    let long = "n".repeat(70);
    let tools = json!([{"type": "function", "function": {"name": "weather.get"}},
        {"type": "function", "function": {"name": long}}]);
    let body = sent(LARGE, &json!({"tools": tools}));
    assert_eq!(body["tools"][0]["function"]["name"], "weather_get");
    assert_eq!(body["tools"][1]["function"]["name"], "n".repeat(60));
}

#[test]
fn reasoning_effort_goes_to_models_that_take_it() {
    let effort = |word: &str| json!({"reasoning_effort": word});
    assert_eq!(others(SMALL, &effort("high")), effort("high"));
    assert_eq!(others(SMALL, &effort("none")), effort("none"));
    assert_eq!(others(LARGE, &effort("none")), json!({}), "it does not think anyway");
    for (model, word) in [(LARGE, "high"), (MAGISTRAL, "high"), (MAGISTRAL, "none")] {
        assert_eq!(sent_with_drops(model, &effort(word)).1, ["reasoning_effort"], "{model} {word}");
    }
}

#[test]
fn a_response_format_is_native() {
    let schema = json!({"type": "json_schema",
        "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": true}});
    let bare = json!({"type": "json_schema", "json_schema": {"name": "n"}});
    let object = json!({"type": "json_object"});
    for (format, expected) in [(&schema, &schema), (&object, &object), (&bare, &object)] {
        assert_eq!(others(LARGE, &json!({"response_format": format})), json!({"response_format": expected}));
    }
}

#[test]
fn errors_are_told_apart_whatever_their_shape() {
    let rows = [
        (
            400,
            r#"{"object":"error","message":"Invalid model: x","type":"invalid_model","code":"1500"}"#,
            ErrorKind::NotFound,
        ),
        (
            400,
            r#"{"object":"error","message":"Prompt contains 40000 tokens, too large for model with 32768 maximum context length","type":"invalid_request_prompt","code":"3051"}"#,
            ErrorKind::ContextLength,
        ),
        (
            422,
            r#"{"detail":[{"type":"extra_forbidden","loc":["body","x"],"msg":"Extra inputs"}]}"#,
            ErrorKind::Rejected,
        ),
        (401, r#"{"detail":"Unauthorized"}"#, ErrorKind::Auth),
        (
            429,
            r#"{"object":"error","message":"Rate limit exceeded","type":"rate_limited","code":"1300"}"#,
            ErrorKind::RateLimit,
        ),
        (
            500,
            r#"{"object":"error","message":"Service unavailable.","type":"internal_server_error","code":"3000"}"#,
            ErrorKind::ServerError,
        ),
    ];
    for (status, body, kind) in rows {
        let error = classify(Dialect::Mistral, status, None, body.as_bytes());
        assert_eq!(error.kind, kind, "{body}");
        assert!(!error.message.starts_with("the provider answered"), "{body}");
    }
}
