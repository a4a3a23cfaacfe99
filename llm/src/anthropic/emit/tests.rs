mod streams;

use serde_json::{Value, json};

use crate::Dialect;
use crate::anthropic::{emit_response, parse_response};
use crate::neutral::{Choice, Finish, Part, Raw, Response, ToolCall, Usage};
use crate::translate::Names;

fn call<'a>(id: &'a str, name: &'a str, arguments: &'a str) -> Part<'a> {
    let (id, name, arguments) = (id.into(), name.into(), arguments.into());
    Part::ToolCall(ToolCall { id, name, arguments, cache: None, extra: Vec::new() })
}

fn response(parts: Vec<Part<'_>>, finish: Finish) -> Response<'_> {
    Response {
        id: "chatcmpl-1".into(),
        model: "gpt-x".into(),
        created: Some(7),
        choices: vec![Choice::new(parts, finish)],
        usage: Usage { input: Some(30), output: Some(5), cached_input: Some(20), ..Usage::default() },
        ..Response::new(Dialect::OpenAI)
    }
}

fn written(response: &Response<'_>) -> Value {
    serde_json::from_slice(&emit_response(response)).expect("must be JSON")
}

#[test]
fn an_answer_is_a_message_with_thinking_first_and_calls_with_objects() {
    let parts = vec![
        Part::text("Hi \"you\"".into()),
        call("c1", "f", r#"{"a": 1}"#),
        call("", "g", ""),
        call("c3", "h", "{broken"),
        Part::text("".into()),
        Part::Reasoning { text: "hm".into(), signature: None },
        Part::RedactedReasoning("zz".into()),
    ];
    let expected = json!({
        "id": "chatcmpl-1", "type": "message", "role": "assistant", "model": "gpt-x",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": ""},
            {"type": "redacted_thinking", "data": "zz"},
            {"type": "text", "text": "Hi \"you\""},
            {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
            {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}},
            {"type": "tool_use", "id": "c3", "name": "h", "input": {"arguments": "{broken"}}],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 20, "output_tokens": 5},
    });
    assert_eq!(written(&response(parts, Finish::ToolCalls)), expected);
}

#[test]
fn a_refusal_is_text_and_its_reason_says_so() {
    for finish in [Finish::Stop, Finish::ContentFilter] {
        let message = written(&response(vec![Part::Refusal("no".into())], finish));
        assert_eq!(message["content"], json!([{"type": "text", "text": "no"}]));
        assert_eq!(message["stop_reason"], "refusal");
    }
}

#[test]
fn an_id_that_the_provider_does_not_give_comes_of_the_answer() {
    let with = |text: &'static str| {
        let mut response = response(vec![Part::text(text.into())], Finish::Stop);
        response.id = "".into();
        written(&response)["id"].as_str().expect("must be a string").to_owned()
    };
    assert!(with("a").starts_with("msg_"));
    assert_eq!(with("a"), with("a"));
    assert_ne!(with("a"), with("b"));
}

#[test]
fn an_answer_without_words_has_an_empty_content() {
    let message = written(&response(Vec::new(), Finish::Stop));
    assert_eq!((&message["content"], &message["stop_reason"]), (&json!([]), &json!("end_turn")));
}

#[test]
fn a_message_read_and_written_means_the_same() {
    let mut answer = response(
        vec![
            Part::Reasoning { text: "hm".into(), signature: Some("sig".into()) },
            Part::text("so".into()),
            Part::Unknown {
                origin: Dialect::Anthropic,
                kind: "server_tool_use".into(),
                is_call: false,
                value: Raw(r#"{"type":"server_tool_use","id":"s"}"#),
            },
            call("c1", "f", r#"{"a":1.50}"#),
        ],
        Finish::ToolCalls,
    );
    answer.origin = Dialect::Anthropic;
    answer.created = None;
    let body = emit_response(&answer);
    let mut read = parse_response(&body, &Names::default()).expect("must parse");
    assert!(read.raw_usage.take().is_some());
    assert_eq!(read.choices[0].word.take().as_deref(), Some("tool_use"));
    assert_eq!(read, answer);
}
