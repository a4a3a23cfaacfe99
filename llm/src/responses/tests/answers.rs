use super::*;
use crate::relay;
use crate::translate::Names;

fn answer(upstream: Dialect, names: &Names, body: &Value) -> Value {
    let answer = relay::answer(upstream, &CLIENT, names, body.to_string().as_bytes()).expect("must be whole");
    serde_json::from_slice(&answer.body.expect("must be translated")).expect("must be JSON")
}

fn claude(content: Value, stop_reason: &str) -> Value {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": content,
        "stop_reason": stop_reason, "usage": {"input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 5}})
}

#[test]
fn a_whole_answer_is_items_with_ids_that_stay() {
    let message = claude(
        json!([
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": "xyz"},
            {"type": "text", "text": "Looking."},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1.50}},
        ]),
        "tool_use",
    );
    let body = answer(Dialect::Anthropic, &Names::default(), &message);
    assert_eq!(
        (&body["id"], &body["object"], &body["model"]),
        (&json!("msg_1"), &json!("response"), &json!("claude-x"))
    );
    assert_eq!(
        (&body["status"], &body["error"], &body["incomplete_details"]),
        (&json!("completed"), &Value::Null, &Value::Null)
    );
    let text = json!({"type": "output_text", "text": "Looking.", "annotations": [], "logprobs": []});
    assert_eq!(
        body["output"],
        json!([
            {"id": "rs_msg1_0", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}],
                "encrypted_content": "penstock:signature:sig"},
            {"id": "rs_msg1_1", "type": "reasoning", "summary": [], "encrypted_content": "penstock:redacted:xyz"},
            {"id": "msg_msg1_2", "type": "message", "status": "completed", "role": "assistant", "content": [text]},
            {"id": "fc_msg1_3", "type": "function_call", "status": "completed", "call_id": "toolu_1", "name": "f", "arguments": "{\"a\":1.5}"},
        ])
    );
    assert_eq!(
        body["usage"],
        json!({"input_tokens": 7, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
            "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 12})
    );
}

#[test]
fn an_answer_says_again_what_was_asked() {
    let tools = json!([{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": false}]);
    let asks = request(json!({"instructions": "a\nb", "tools": tools, "temperature": 0.5, "metadata": {"k": "v"},
        "tool_choice": "required", "parallel_tool_calls": false, "text": {"verbosity": "low"}, "max_output_tokens": 9}));
    let names = asked(CLAUDE, &asks).expect("must be translated").names;
    let body = answer(Dialect::Anthropic, &names, &claude(json!([]), "end_turn"));
    for key in [
        "instructions",
        "tools",
        "temperature",
        "metadata",
        "tool_choice",
        "parallel_tool_calls",
        "text",
        "max_output_tokens",
    ] {
        assert_eq!(body[key], asks[key], "{key}");
    }
    let silent = answer(Dialect::Anthropic, &Names::default(), &claude(json!([]), "end_turn"));
    for (key, value) in [
        ("tools", json!([])),
        ("tool_choice", json!("auto")),
        ("parallel_tool_calls", json!(true)),
        ("store", json!(false)),
    ] {
        assert_eq!(silent[key], value, "{key}");
    }
}

#[test]
fn an_answer_that_ends_early_is_incomplete_and_says_why() {
    for (reason, why) in [("max_tokens", "max_output_tokens"), ("refusal", "content_filter")] {
        let message = claude(json!([{"type": "text", "text": "half"}]), reason);
        let body = answer(Dialect::Anthropic, &Names::default(), &message);
        assert_eq!((&body["status"], &body["incomplete_details"]["reason"]), (&json!("incomplete"), &json!(why)));
        assert_eq!(body["output"][0]["status"], "incomplete");
    }
    // A reason that is not known is a stop, and never an error.
    let body = answer(Dialect::Anthropic, &Names::default(), &claude(json!([{"type": "text", "text": "a"}]), "bored"));
    assert_eq!(body["status"], "completed");
}

#[test]
fn a_refusal_is_a_part_of_its_own() {
    let message = json!({"role": "assistant", "content": null, "refusal": "no"});
    let chat = json!({"id": "c", "model": "m", "created": 5, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
    let body = answer(Dialect::OpenAI, &Names::default(), &chat);
    assert_eq!(body["output"][0]["content"], json!([{"type": "refusal", "refusal": "no"}]));
    assert_eq!((&body["created_at"], &body["usage"]), (&json!(5), &Value::Null));
}

#[test]
fn what_one_answer_says_is_what_the_next_request_says_again() {
    let content = json!([
        {"type": "thinking", "thinking": "two cities", "signature": "sig=="},
        {"type": "text", "text": "Looking."},
        {"type": "tool_use", "id": "toolu_1", "name": "weather_get", "input": {"city": "Paris \"é\""}},
    ]);
    let tools = json!([{"type": "function", "name": "weather.get", "parameters": {"type": "object"}}]);
    let names = asked(CLAUDE, &request(json!({"tools": tools}))).expect("must be translated").names;
    let body = answer(Dialect::Anthropic, &names, &claude(content.clone(), "tool_use"));
    assert_eq!(body["output"][2]["name"], "weather.get");
    let mut input = vec![user("hi")];
    input.extend(body["output"].as_array().expect("must be a list").clone());
    input.push(json!({"type": "function_call_output", "call_id": body["output"][2]["call_id"], "output": "18"}));
    let (second, _) = sent(CLAUDE, &request(json!({"input": input, "tools": tools})));
    assert_eq!(second["messages"][1]["content"], content);
}
