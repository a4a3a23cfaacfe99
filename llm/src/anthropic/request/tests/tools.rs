use serde_json::{Value, json};

use super::{ADAPTIVE, HAIKU, NEWEST, OLD, SONNET, emit, refused, sent, sent_with_drops, text};
use crate::Dialect;
use crate::relay::{self, Client};

fn function(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}})
}

fn call(id: &str, name: &str, arguments: &Value) -> Value {
    json!({"role": "assistant", "content": null,
        "tool_calls": [{"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}]})
}

fn result(id: &str, content: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": content})
}

#[test]
fn a_tool_is_declared_with_its_schema_and_missing_parameters_is_an_empty_object_schema() {
    let tools = json!([
        {"type": "function", "function": {"name": "a", "description": "does", "parameters": {"properties": {"x": {}}}}},
        {"type": "function", "function": {"name": "b"}},
        {"type": "function", "function": {"name": "c", "parameters": {}}},
        {"type": "function", "function": {"name": "d", "parameters": null, "description": ""}},
    ]);
    let empty = json!({"type": "object", "properties": {}});
    let expected = json!([
        {"name": "a", "description": "does", "input_schema": {"type": "object", "properties": {"x": {}}}},
        {"name": "b", "input_schema": empty},
        {"name": "c", "input_schema": empty},
        {"name": "d", "input_schema": empty},
    ]);
    assert_eq!(sent(HAIKU, &json!({"tools": tools}))["tools"], expected);
}

#[test]
fn all_tool_results_of_a_turn_go_into_one_user_message_before_its_text() {
    let two_calls = json!({"role": "assistant", "content": "let me see", "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}},
        {"id": "c2", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    let asked = json!({"role": "user", "content": "hurry"});
    let messages = json!([asked, two_calls, result("c1", "one"), asked, result("c2", "two")]);
    let body = sent(SONNET, &json!({"messages": messages, "tools": [function("f")]}));
    let expected = json!([
        {"role": "user", "content": [text("hurry")]},
        {"role": "assistant", "content": [text("let me see"),
            {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
            {"type": "tool_use", "id": "c2", "name": "f", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "c1", "content": "one"},
            {"type": "tool_result", "tool_use_id": "c2", "content": "two"},
            text("hurry")]},
    ]);
    assert_eq!(body["messages"], expected);
}

#[test]
fn a_system_message_between_tool_results_does_not_tear_them_apart() {
    let two_calls = json!({"role": "assistant", "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "c2", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    let messages = json!([{"role": "user", "content": "q"}, two_calls, {"role": "system", "content": "s"},
        result("c1", "one"), {"role": "system", "content": "t"}, result("c2", "two")]);
    for model in [HAIKU, super::INLINE] {
        let body = sent(model, &json!({"messages": messages, "tools": [function("f")]}));
        let turn = body["messages"][2]["content"].as_array().expect("must be blocks");
        let kinds: Vec<&Value> = turn.iter().map(|block| &block["type"]).collect();
        assert_eq!(kinds, ["tool_result", "tool_result", "text", "text"], "{model}");
    }
}

#[test]
fn tool_ids_and_names_are_sanitised_both_ways() {
    let odd = ["get.weather", "get weather", "größe", "get_weather"];
    let tools: Vec<Value> = odd.iter().map(|name| function(name)).collect();
    let messages = json!([{"role": "user", "content": "q"}, call("call:1/ü", "get.weather", &json!("{}")), result("call:1/ü", "r")]);
    let request = json!({"model": "m", "messages": messages, "tools": tools,
        "tool_choice": {"type": "function", "function": {"name": "größe"}}});
    let emitted = emit(SONNET, &request).expect("must be translated");
    let body: Value = serde_json::from_slice(&emitted.body).expect("must be JSON");
    let plain = |value: &Value| {
        let name = value.as_str().expect("must be text").to_owned();
        assert!(!name.is_empty() && name.len() <= 128, "{name}");
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')), "{name}");
        name
    };
    let mut names: Vec<String> = (0..4).map(|tool| plain(&body["tools"][tool]["name"])).collect();
    assert_eq!(body["tool_choice"], json!({"type": "tool", "name": names[2]}));
    let use_block = &body["messages"][1]["content"][0];
    assert_eq!(use_block["name"], json!(names[0]));
    assert_eq!(plain(&use_block["id"]), plain(&body["messages"][2]["content"][0]["tool_use_id"]));
    let back: Vec<String> =
        names.iter().map(|name| emitted.names.client_name(name.as_str().into()).into_owned()).collect();
    assert_eq!(back, odd);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), odd.len(), "no two tools share a name");
}

#[test]
fn an_id_that_is_given_again_is_sent_as_another_one() {
    let messages = json!([{"role": "user", "content": "q"}, call("call_0", "f", &json!("{}")), result("call_0", "one"),
        call("call_0", "f", &json!("{}")), result("call_0", "two")]);
    let body = sent(HAIKU, &json!({"messages": messages, "tools": [function("f")]}));
    let block = |turn: usize| &body["messages"][turn]["content"][0];
    assert_eq!((&block(1)["id"], &block(2)["tool_use_id"]), (&json!("call_0"), &json!("call_0")));
    assert_eq!((&block(3)["id"], &block(4)["tool_use_id"]), (&json!("call_0_2"), &json!("call_0_2")));
    assert_eq!(block(4)["content"], "two");
}

#[test]
fn results_of_parallel_calls_with_one_id_go_to_their_own_calls() {
    let mut both = call("call_0", "f", &json!("{}"));
    let again = both["tool_calls"][0].clone();
    both["tool_calls"].as_array_mut().expect("must be a list").push(again);
    let messages = json!([{"role": "user", "content": "q"}, both, result("call_0", "one"), result("call_0", "two")]);
    let body = sent(HAIKU, &json!({"messages": messages, "tools": [function("f")]}));
    let ids = |turn: usize, key: &str| [0, 1].map(|block| body["messages"][turn]["content"][block][key].clone());
    assert_eq!(ids(1, "id"), ["call_0", "call_0_2"]);
    assert_eq!(ids(2, "tool_use_id"), ["call_0", "call_0_2"]);
}

#[test]
fn long_tool_names_are_cut_and_stay_different() {
    let (one, two) = (format!("{}a", "x".repeat(140)), format!("{}b", "x".repeat(140)));
    let body = sent(HAIKU, &json!({"tools": [function(&one), function(&two)]}));
    let name = |tool: usize| body["tools"][tool]["name"].as_str().expect("must be text").to_owned();
    assert!(name(0).len() <= 128 && name(1).len() <= 128);
    assert_ne!(name(0), name(1));
}

#[test]
fn arguments_that_are_empty_or_missing_are_an_empty_object_and_invalid_json_is_a_400() {
    let messages = |arguments: &Value| json!({"messages": [{"role": "user", "content": "q"}, call("c", "f", arguments), result("c", "r")]});
    for nothing in [json!(""), json!("  "), json!(null), json!("{}")] {
        assert_eq!(sent(HAIKU, &messages(&nothing))["messages"][1]["content"][0]["input"], json!({}), "{nothing}");
    }
    let missing = json!({"messages": [{"role": "user", "content": "q"},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f"}}]}, result("c", "r")]});
    assert_eq!(sent(HAIKU, &missing)["messages"][1]["content"][0]["input"], json!({}));
    for broken in [json!("{"), json!("[1]"), json!("7"), json!("{} {}"), json!("{\"a\":}")] {
        let error = refused(HAIKU, &messages(&broken));
        let place = "messages[1].tool_calls[0].function.arguments";
        assert_eq!((error.status(), error.param()), (400, Some(place)), "{broken}");
    }
}

#[test]
fn a_result_without_its_call_is_a_400() {
    let error = refused(HAIKU, &json!({"messages": [{"role": "user", "content": "q"}, result("nobody", "r")]}));
    assert_eq!((error.status(), error.param()), (400, Some("messages[1].tool_call_id")));
}

#[test]
fn tool_choice_is_auto_required_none_or_named_and_parallel_calls_can_be_refused_without_one() {
    let named = json!({"type": "function", "function": {"name": "f"}});
    let rows = [
        (json!({}), json!(null)),
        (json!({"tool_choice": null, "parallel_tool_calls": true}), json!(null)),
        (json!({"tool_choice": "auto"}), json!({"type": "auto"})),
        (json!({"tool_choice": "required"}), json!({"type": "any"})),
        (json!({"tool_choice": "none"}), json!({"type": "none"})),
        (json!({"tool_choice": named}), json!({"type": "tool", "name": "f"})),
        (json!({"parallel_tool_calls": false}), json!({"type": "auto", "disable_parallel_tool_use": true})),
        (
            json!({"parallel_tool_calls": false, "tool_choice": named}),
            json!({"type": "tool", "name": "f", "disable_parallel_tool_use": true}),
        ),
        (json!({"parallel_tool_calls": false, "tool_choice": "none"}), json!({"type": "none"})),
    ];
    for (mut members, expected) in rows {
        members["tools"] = json!([function("f")]);
        assert_eq!(sent(HAIKU, &members)["tool_choice"], expected, "{members}");
    }
    let other = json!({"tools": [function("f")], "tool_choice": {"type": "allowed_tools", "allowed_tools": {}}});
    assert_eq!(refused(HAIKU, &other).param(), Some("tool_choice"));
    let forced = refused(NEWEST, &json!({"tools": [function("f")], "tool_choice": "required"}));
    assert_eq!((forced.status(), forced.param()), (422, Some("tool_choice")));
    assert_eq!(sent(HAIKU, &json!({"parallel_tool_calls": false}))["tool_choice"], Value::Null, "no tools, no choice");
}

#[test]
fn history_with_tool_blocks_but_no_tools_declares_the_tools_seen() {
    let messages = json!([{"role": "user", "content": "q"}, call("1", "f", &json!("{}")), result("1", "r"),
        call("2", "g.h", &json!("{}")), result("2", "r"), call("3", "f", &json!("{}")), result("3", "r")]);
    let body = sent(HAIKU, &json!({"messages": messages}));
    let any = json!({"type": "object"});
    assert_eq!(body["tools"], json!([{"name": "f", "input_schema": any}, {"name": "g_h", "input_schema": any}]));
    assert_eq!(body["tool_choice"], json!({"type": "none"}));
}

#[test]
fn strict_tools_are_strict_where_the_model_has_it_and_described_elsewhere() {
    let tools = json!([{"type": "function", "function": {"name": "f", "strict": true,
        "parameters": {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"]}}}]);
    let (body, dropped) = sent_with_drops(HAIKU, &json!({"tools": tools}));
    let closed = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false});
    assert_eq!(body["tools"], json!([{"name": "f", "input_schema": closed, "strict": true}]));
    assert_eq!(dropped, [""; 0]);
    let (body, dropped) = sent_with_drops(SONNET, &json!({"tools": tools}));
    assert_eq!(body["tools"][0]["input_schema"]["properties"]["a"]["minimum"], 1);
    assert_eq!((&body["tools"][0]["strict"], dropped), (&Value::Null, vec!["tools.strict".to_owned()]));
}

fn schema() -> Value {
    json!({"type": "json_schema", "json_schema": {"name": "place", "strict": true,
        "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false}}})
}

#[test]
fn json_schema_is_the_native_output_format_where_the_model_has_it() {
    for model in [HAIKU, ADAPTIVE, NEWEST] {
        let body = sent(model, &json!({"response_format": schema()}));
        let format = json!({"type": "json_schema", "schema": schema()["json_schema"]["schema"]});
        assert_eq!(body["output_config"], json!({"format": format}), "{model}");
        assert_eq!((&body["tools"], &body["tool_choice"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(sent(HAIKU, &json!({"response_format": {"type": "text"}})), sent(HAIKU, &json!({})));
}

#[test]
fn json_schema_is_else_a_forced_tool_whose_input_becomes_content() {
    let request = json!({"model": "m", "messages": [{"role": "user", "content": "q"}], "response_format": schema()});
    let emitted = emit(SONNET, &request).expect("must be translated");
    let body: Value = serde_json::from_slice(&emitted.body).expect("must be JSON");
    assert_eq!(body["tools"][0]["name"], "place");
    assert_eq!(body["tools"][0]["input_schema"], schema()["json_schema"]["schema"]);
    assert_eq!(body["tool_choice"], json!({"type": "tool", "name": "place"}));
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "c", "stop_reason": "tool_use",
        "content": [{"type": "tool_use", "id": "t", "name": "place", "input": {"city": "Paris"}}], "usage": {}});
    let client = Client { dialect: Dialect::OpenAI, include_usage: false, choices: 1, now: 1 };
    let answer = relay::answer(Dialect::Anthropic, &client, &emitted.names, message.to_string().as_bytes())
        .expect("must be whole");
    let seen: Value = serde_json::from_slice(&answer.body.expect("must be translated")).expect("must be JSON");
    let choice = &seen["choices"][0];
    assert_eq!(
        (&choice["message"]["content"], &choice["finish_reason"]),
        (&json!(r#"{"city":"Paris"}"#), &json!("stop"))
    );
    assert_eq!(choice["message"]["tool_calls"], Value::Null);
}

#[test]
fn beside_the_client_s_own_tools_some_tool_must_be_called_for_a_json_answer() {
    let with_tools = json!({"response_format": schema(), "tools": [function("f"), function("place")]});
    let body = sent(OLD, &with_tools);
    let names: Vec<&Value> = body["tools"].as_array().into_iter().flatten().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["f", "place", "place_2"], "the answer's tool does not take a name of the client's");
    assert_eq!(body["tool_choice"], json!({"type": "any"}));
}

#[test]
fn json_object_is_a_forced_tool_or_asked_for_where_none_can_be_forced() {
    let object = json!({"response_format": {"type": "json_object"}});
    let body = sent(HAIKU, &object);
    assert_eq!(body["tool_choice"], json!({"type": "tool", "name": "answer"}));
    let (body, dropped) = sent_with_drops(NEWEST, &object);
    assert_eq!((body["system"].as_array().map(Vec::len), dropped), (Some(1), vec!["response_format".to_owned()]));
}
