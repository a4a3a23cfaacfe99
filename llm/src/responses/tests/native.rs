//! Requests of other dialects, as a provider that has the API is asked.

use super::*;

fn native(from: Dialect, request: &Value) -> Result<Emitted, Error> {
    let target = Target { dialect: Dialect::Responses, ..target(Provider::OpenAI, "gpt-4o") };
    translate::request(from, request.to_string().as_bytes(), &target)
}

#[test]
fn a_chat_request_with_calls_and_results_is_a_list_of_items() {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "1"});
    let request = json!({"model": "m", "max_tokens": 5, "reasoning_effort": "low", "verbosity": "low", "seed": 1,
        "messages": [{"role": "system", "content": "s"}, user("hi"),
            {"role": "assistant", "content": "So", "tool_calls": [call("c1"), call("c2")]}, result("c1"), result("c2")],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}}});
    let emitted = native(Dialect::OpenAI, &request).expect("must be translated");
    let item = |id: &str| json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"});
    let output = |id: &str| json!({"type": "function_call_output", "call_id": id, "output": "1"});
    let expected = json!({"model": "gpt-4o", "max_output_tokens": 5, "store": false,
        "reasoning": {"effort": "low"}, "text": {"verbosity": "low"},
        "input": [{"role": "system", "content": "s"}, user("hi"), {"role": "assistant", "content": "So"},
            item("c1"), item("c2"), output("c1"), output("c2")],
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": false}],
        "tool_choice": {"type": "function", "name": "f"}});
    assert_eq!(serde_json::from_slice::<Value>(&emitted.body).expect("must be JSON"), expected);
    assert_eq!(emitted.dropped, ["seed"]);
}

#[test]
fn what_the_api_has_no_place_for_is_refused_by_its_name() {
    let sound = json!({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}});
    let rows = [
        ("n", json!({"messages": [user("hi")], "n": 2})),
        ("messages", json!({"messages": [{"role": "user", "content": [sound]}]})),
        ("tools[0]", json!({"messages": [user("hi")], "tools": [{"type": "custom", "custom": {"name": "c"}}]})),
    ];
    for (field, request) in rows {
        match native(Dialect::OpenAI, &request) {
            Err(Error::Unsupported { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{request}: {other:?}"),
        }
    }
}
