//! Whole answers.

mod any;
mod streams;
mod tools;

use serde_json::{Value, json};

use crate::neutral::{Finish, Part, Response, ToolCall, Usage};
use crate::openai::{emit_response, observe_answer, parse_response};

fn message(message: &Value, finish: &str) -> String {
    json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 5, "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}]})
    .to_string()
}

fn read(body: &str) -> Response<'_> {
    parse_response(body.as_bytes()).unwrap_or_else(|fault| panic!("{body}: {fault:?}"))
}

/// The parts and the finish of the only choice of an answer.
fn parts(said: &Value, finish: &str) -> (Vec<Part<'static>>, Finish) {
    let body: &'static str = String::leak(message(said, finish));
    let choice = read(body).choices.remove(0);
    (choice.parts, choice.finish)
}

fn thought(text: &'static str, signature: Option<&'static str>) -> Part<'static> {
    Part::Reasoning { text: text.into(), signature: signature.map(Into::into) }
}

fn call(id: &'static str, name: &'static str, arguments: &'static str) -> Part<'static> {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        cache: None,
        extra: Vec::new(),
    })
}

fn fixtures() -> Vec<Value> {
    let answer = |members: Value, finish: &str| {
        let mut message = json!({"role": "assistant", "content": null, "refusal": null});
        message
            .as_object_mut()
            .expect("must be an object")
            .extend(members.as_object().expect("must be members").clone());
        json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "gpt-4o-2024-08-06",
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16,
                "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 0}}})
    };
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let mut signed = call("c1", "f", "{\"a\": 1.50, \"b\": \"\\u00e9\\n\"}");
    signed["extra_content"] = json!({"google": {"thought_signature": "s"}});
    signed["cache_control"] = json!({"type": "ephemeral"});
    let mut two = answer(json!({"content": "one"}), "stop");
    two["choices"]
        .as_array_mut()
        .expect("must be a list")
        .push(json!({"index": 1, "logprobs": null, "finish_reason": "length",
        "message": {"role": "assistant", "content": "two", "refusal": null}}));
    let mut no_usage = answer(json!({"content": "é\n\"😀"}), "stop");
    no_usage.as_object_mut().expect("must be an object").remove("usage");
    vec![
        two,
        no_usage,
        answer(json!({"content": "ok", "tool_calls": [signed, call("c2", "g", "{}")]}), "tool_calls"),
        answer(json!({"refusal": "I may not."}), "stop"),
        answer(json!({"content": "par"}), "content_filter"),
        answer(
            json!({"content": "so", "reasoning_content": "hm, well", "thinking_blocks": [
                {"type": "thinking", "thinking": "hm, ", "signature": "s1"}, {"type": "redacted_thinking", "data": "zz"},
                {"type": "thinking", "thinking": "well"}]}),
            "length",
        ),
    ]
}

#[test]
fn an_answer_emitted_in_its_own_dialect_is_the_same_json() {
    for fixture in fixtures() {
        let body = fixture.to_string();
        let emitted = emit_response(&read(&body), 0);
        assert_eq!(serde_json::from_slice::<Value>(&emitted).expect("must be JSON"), fixture);
    }
}

#[test]
fn id_model_created_and_usage_are_the_real_ones() {
    let body = fixtures()[0].to_string();
    let response = read(&body);
    assert_eq!(
        (&*response.id, &*response.model, response.created),
        ("chatcmpl-1", "gpt-4o-2024-08-06", Some(1_700_000_000))
    );
    let usage = Usage {
        input: Some(9),
        output: Some(7),
        cached_input: Some(4),
        reasoning: Some(3),
        audio_input: Some(0),
        audio_output: Some(0),
        ..Usage::default()
    };
    assert_eq!(response.usage, usage);
    let odd =
        read(r#"{"created":1.5,"usage":null,"id":7,"choices":[{"message":{"content":"a"},"finish_reason":null}]}"#);
    assert_eq!((odd.created, odd.usage, &*odd.id), (None, Usage::default(), ""));
}

#[test]
fn finish_reasons_always_map_and_an_unknown_one_is_known_as_such() {
    for (word, finish) in [
        ("stop", Finish::Stop),
        ("eos", Finish::Stop),
        ("length", Finish::Length),
        ("model_length", Finish::Length),
        ("tool_calls", Finish::ToolCalls),
        ("content_filter", Finish::ContentFilter),
        ("bored", Finish::Unknown),
        ("", Finish::Unknown),
    ] {
        assert_eq!(parts(&json!({"content": "a"}), word).1, finish, "{word}");
    }
}

#[test]
fn tool_calls_with_the_finish_reason_stop_are_tool_calls() {
    let called =
        json!({"tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    assert_eq!(parts(&called, "stop"), (vec![call("c1", "f", "{}")], Finish::ToolCalls));
    assert_eq!(parts(&called, "length").1, Finish::Length);
}

#[test]
fn mistral_s_reasoning_models_answer_with_a_list_of_thinking_and_text_blocks() {
    let said = json!({"content": [
        {"type": "thinking", "thinking": [{"type": "text", "text": "two "}, {"type": "reference", "reference_ids": [1]}, {"type": "text", "text": "cities"}], "closed": true},
        {"type": "text", "text": "Rome"}, {"type": "text", "text": ""}, {"type": "refusal", "refusal": "no"}]});
    let expected = vec![thought("two cities", None), Part::text("Rome".into()), Part::Refusal("no".into())];
    assert_eq!(parts(&said, "stop"), (expected, Finish::Stop));
    let (parts, _) = parts(&json!({"content": [{"type": "reference", "reference_ids": [1]}]}), "stop");
    let Part::Unknown { kind, value, is_call: false, .. } = &parts[0] else { panic!("{parts:?}") };
    assert_eq!((&**kind, value.0), ("reference", r#"{"reference_ids":[1],"type":"reference"}"#));
}

#[test]
fn thinking_is_read_once_in_whichever_fields_it_comes() {
    let said = Part::text("a".into());
    for (members, expected) in [
        (json!({"reasoning_content": "hm"}), vec![thought("hm", None)]),
        (json!({"reasoning": "hm"}), vec![thought("hm", None)]),
        (json!({"reasoning": "hm", "reasoning_content": "hm"}), vec![thought("hm", None)]),
        (json!({"reasoning": null, "reasoning_content": ""}), vec![]),
        (
            json!({"reasoning_content": "hm", "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}]}),
            vec![thought("hm", Some("s"))],
        ),
        (
            json!({"reasoning_content": "hm", "thinking_blocks": [{"type": "redacted_thinking", "data": "z"}]}),
            vec![thought("hm", None), Part::RedactedReasoning("z".into())],
        ),
    ] {
        let mut message = members.clone();
        message["content"] = json!("a");
        let expected: Vec<_> = expected.into_iter().chain([said.clone()]).collect();
        assert_eq!(parts(&message, "stop").0, expected, "{members}");
    }
}

#[test]
fn arguments_may_be_missing_empty_or_an_object() {
    for (arguments, expected) in [
        (Value::Null, "{}"),
        (json!(""), "{}"),
        (json!(" \n"), "{}"),
        (json!({"a": 1}), r#"{"a":1}"#),
        (json!("{\"a\":1}"), r#"{"a":1}"#),
        (json!("{oops"), "{oops"),
    ] {
        let said =
            json!({"tool_calls": [{"id": "c1", "type": null, "function": {"name": "f", "arguments": arguments}}]});
        assert_eq!(parts(&said, "tool_calls").0, [call("c1", "f", expected)], "{said}");
    }
}

#[test]
fn a_call_without_an_id_gets_one_that_is_stable_and_its_own() {
    let calls = json!({"tool_calls": [{"function": {"name": "f"}}, {"id": "", "function": {"name": "f"}}]});
    let (first, _) = parts(&calls, "tool_calls");
    assert_eq!(first, [call("call_chatcmpl1_0", "f", "{}"), call("call_chatcmpl1_1", "f", "{}")]);
    assert_eq!(parts(&calls, "tool_calls").0, first);
    let late = r#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"f"}}]}}],"id":"gen-1234567890-abcdefghijklmnopqr"}"#;
    let id = |body| match read(body).choices.remove(0).parts.remove(0) {
        Part::ToolCall(call) => call.id.into_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(id(late), "call_567890abcdefghijklmnopqr_0");
    assert_eq!(id(r#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"f"}}]}}]}"#), "call_0");
}

#[test]
fn a_legacy_function_call_is_a_tool_call() {
    let legacy = json!({"name": "f", "arguments": "{\"a\":1}"});
    let (read, finish) = parts(&json!({"content": null, "function_call": legacy}), "function_call");
    assert_eq!((read, finish), (vec![call("call_chatcmpl1_0", "f", r#"{"a":1}"#)], Finish::ToolCalls));
    let both = json!({"function_call": legacy, "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{\"a\":1}"}}]});
    assert_eq!(parts(&both, "tool_calls").0, [call("c1", "f", r#"{"a":1}"#)]);
}

#[test]
fn a_call_of_a_tool_that_is_no_function_is_kept_as_it_is() {
    let custom = json!({"custom": {"input": "select", "name": "sql"}, "id": "c2", "type": "custom"});
    let (parts, _) = parts(&json!({"tool_calls": [custom]}), "tool_calls");
    let Part::Unknown { kind, value, is_call: true, .. } = &parts[0] else { panic!("{parts:?}") };
    assert_eq!((&**kind, value.0), ("custom", &*custom.to_string()));
}

#[test]
fn what_is_no_answer_is_refused() {
    let nameless = message(&json!({"tool_calls": [{"id": "c1", "function": {"arguments": "{}"}}]}), "tool_calls");
    let cut = message(&json!({"content": "a"}), "stop");
    for body in ["", "[]", "{}", "<html>", r#"{"choices":[]}"#, r#"{"choices":[1]}"#, &nameless, &cut[..cut.len() - 1]]
    {
        assert!(parse_response(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn a_whole_answer_with_an_error_is_found_by_looking_at_it_first() {
    assert!(observe_answer(br#"{"error":{"message":"busy","code":503},"choices":[{"message":{}}]}"#).is_err());
    assert!(observe_answer(message(&json!({"content": "a"}), "error").as_bytes()).is_err());
}
