//! Answers of other providers for Gemini's clients. The names say the rules.

use serde_json::{Value, json};

use crate::Dialect;
use crate::neutral::{Event, Finish, Usage};
use crate::relay::{self, Client};
use crate::translate::Names;

use super::*;

mod same;
mod streams;

const CLIENT: Client = Client { dialect: Dialect::Gemini, include_usage: false, choices: 1, now: 1 };

/// What a client gets for a whole answer of OpenAI's.
fn answered(message: Value, finish: &str) -> Value {
    let body = json!({"id": "c1", "model": "gpt-x", "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "completion_tokens_details": {"reasoning_tokens": 3}}});
    let answer = relay::answer(Dialect::OpenAI, &CLIENT, &Names::default(), body.to_string().as_bytes());
    let body = answer.expect("must be an answer").body.expect("must be translated");
    serde_json::from_slice(&body).expect("must be JSON")
}

#[test]
fn an_answer_has_a_candidate_its_usage_and_who_answered() {
    let answer = answered(json!({"role": "assistant", "content": "Hé\n"}), "stop");
    let expected = json!({
        "candidates": [{"content": {"parts": [{"text": "Hé\n"}], "role": "model"}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 1, "thoughtsTokenCount": 3, "totalTokenCount": 13},
        "modelVersion": "gpt-x", "responseId": "c1"});
    assert_eq!(answer, expected);
}

#[test]
fn calls_have_ids_and_objects_and_the_first_one_a_signature_that_gemini_takes_later() {
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
    let calls = json!([call("c1", "{\"a\": 1.50}"), call("c2", ""), call("c3", "[1")]);
    let answer = answered(json!({"content": null, "reasoning_content": "hm", "tool_calls": calls}), "tool_calls");
    let called = |id: &str, args: Value| json!({"functionCall": {"id": id, "name": "f", "args": args}});
    let mut first = called("c1", json!({"a": 1.5}));
    first["thoughtSignature"] = json!("skip_thought_signature_validator");
    let expected = json!([{"text": "hm", "thought": true}, first, called("c2", json!({})), called("c3", json!({"arguments": "[1"}))]);
    assert_eq!(answer["candidates"][0]["content"]["parts"], expected);
    assert_eq!(answer["candidates"][0]["finishReason"], "STOP");
}

#[test]
fn a_refusal_without_a_word_is_a_blocked_prompt_and_one_in_words_is_told() {
    let silent = answered(json!({"content": null}), "content_filter");
    assert_eq!((&silent["promptFeedback"], silent.get("candidates")), (&json!({"blockReason": "SAFETY"}), None));
    assert_eq!(silent["usageMetadata"]["promptTokenCount"], 9);
    let told = answered(json!({"content": null, "refusal": "No."}), "stop");
    let candidate = &told["candidates"][0];
    assert_eq!(
        (&candidate["content"]["parts"], &candidate["finishReason"]),
        (&json!([{"text": "No."}]), &json!("SAFETY"))
    );
    let cut = answered(json!({"content": "Well"}), "content_filter");
    assert_eq!(cut["candidates"][0]["finishReason"], "SAFETY");
}

#[test]
fn an_answer_of_no_words_has_its_reason_and_no_parts() {
    let answer = answered(json!({"content": ""}), "length");
    let expected = json!([{"content": {"role": "model"}, "finishReason": "MAX_TOKENS", "index": 0}]);
    assert_eq!(answer["candidates"], expected);
}

#[test]
fn thoughts_of_anthropic_s_carry_their_signature_to_the_client_and_back() {
    let body = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "stop_reason": "end_turn",
        "content": [{"type": "thinking", "thinking": "hm", "signature": "sig+/="}, {"type": "redacted_thinking", "data": "zz=="},
            {"type": "text", "text": "a"}], "usage": {"input_tokens": 1, "output_tokens": 2}});
    let answer = relay::answer(Dialect::Anthropic, &CLIENT, &Names::default(), body.to_string().as_bytes());
    let answer: Value =
        serde_json::from_slice(&answer.expect("must parse").body.expect("must be translated")).expect("must be JSON");
    let parts = answer["candidates"][0]["content"]["parts"].as_array().expect("must be a list").clone();
    assert_eq!(parts.iter().map(|part| part["thought"] == true).collect::<Vec<_>>(), [true, true, false]);
    let signed = |part: &Value| carry::read(part["thoughtSignature"].as_str().unwrap_or_default());
    assert_eq!(signed(&parts[0]), Some(carry::Carried::Signature("sig+/=".into())));
    assert_eq!(signed(&parts[1]), Some(carry::Carried::Redacted("zz==".into())));
}
