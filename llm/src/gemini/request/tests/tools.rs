use super::*;

fn function(name: &str, parameters: &Value) -> Value {
    json!({"type": "function", "function": {"name": name, "description": "d", "parameters": parameters}})
}

fn calls(ids: &[(&str, &str)]) -> Value {
    let calls = ids.iter().map(
        |(id, name)| json!({"id": id, "type": "function", "function": {"name": name, "arguments": "{\"a\":1.50}"}}),
    );
    json!({"role": "assistant", "content": null, "tool_calls": calls.collect::<Vec<_>>()})
}

fn result(id: &str, content: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": content})
}

fn called(id: &str, name: &str) -> Value {
    json!({"functionCall": {"id": id, "name": name, "args": {"a": 1.50}}})
}

fn responded(id: &str, name: &str, response: &Value) -> Value {
    json!({"functionResponse": {"id": id, "name": name, "response": response}})
}

fn user() -> Value {
    json!({"role": "user", "content": "hi"})
}

#[test]
fn all_functions_are_in_one_tool() {
    let takes = json!({"type": "object", "properties": {"a": {"type": ["integer", "null"]}}});
    let tools = json!([function("f", &takes), function("g", &json!({"type": "object", "properties": {}})),
        {"type": "function", "function": {"name": "h"}}]);
    let native = json!([{"functionDeclarations": [{"name": "f", "description": "d", "parametersJsonSchema": takes},
        {"name": "g", "description": "d"}, {"name": "h"}]}]);
    assert_eq!(sent(FLASH, &json!({"tools": tools}))["tools"], native);
    let plain = json!({"type": "OBJECT", "properties": {"a": {"type": "INTEGER", "nullable": true}}});
    let old = &sent(OLD, &json!({"tools": tools}))["tools"][0]["functionDeclarations"][0];
    assert_eq!(*old, json!({"name": "f", "description": "d", "parameters": plain}));
}

#[test]
fn tool_choice_is_a_mode_and_a_named_one_is_any_with_its_name() {
    let named = json!({"type": "function", "function": {"name": "f"}});
    let rows = [
        (json!("auto"), json!({"mode": "AUTO"})),
        (json!("none"), json!({"mode": "NONE"})),
        (json!("required"), json!({"mode": "ANY"})),
        (named, json!({"mode": "ANY", "allowedFunctionNames": ["f"]})),
    ];
    for (choice, expected) in rows {
        let body = sent(FLASH, &json!({"tools": [function("f", &json!({}))], "tool_choice": choice}));
        assert_eq!(body["toolConfig"], json!({"functionCallingConfig": expected}));
    }
    assert_eq!(sent(FLASH, &json!({"tool_choice": "auto"})).get("toolConfig"), None);
    let (_, dropped) =
        sent_with_drops(FLASH, &json!({"tools": [function("f", &json!({}))], "parallel_tool_calls": false}));
    assert_eq!(dropped, ["parallel_tool_calls"]);
}

#[test]
fn function_response_comes_right_after_its_call_in_one_content_with_the_name_found_by_id() {
    let messages = json!([user(), calls(&[("a", "f"), ("b", "g")]), {"role": "user", "content": "wait"},
        result("b", "{\"x\": 1}"), result("a", "sunny"), {"role": "assistant", "content": "ok"}, user()]);
    let turns = contents(&messages);
    assert_eq!(turns[1], json!({"role": "model", "parts": [called("a", "f"), called("b", "g")]}));
    let answers = json!({"role": "user", "parts": [responded("b", "g", &json!({"x": 1})),
        responded("a", "f", &json!({"output": "sunny"})), {"text": "wait"}]});
    assert_eq!(turns[2], answers);
    assert_eq!(turns.as_array().map(Vec::len), Some(5));
}

#[test]
fn a_result_that_comes_late_still_stands_right_after_its_call() {
    let messages =
        json!([user(), calls(&[("a", "f")]), user(), {"role": "assistant", "content": "hm"}, result("a", "x")]);
    let turns = contents(&messages);
    assert_eq!(turns[2]["parts"][0], responded("a", "f", &json!({"output": "x"})));
}

#[test]
fn a_tool_result_without_its_call_is_a_400_that_names_the_place() {
    let error = emit(FLASH, &json!({"messages": [user(), result("x", "1")]})).expect_err("must be refused");
    assert_eq!((error.status(), error.param()), (400, Some("messages[1].tool_call_id")));
}

#[test]
fn a_response_that_is_no_object_is_wrapped_and_pictures_follow() {
    for text in ["", "[1]", "{\"a\":", "7"] {
        let turns = contents(&json!([user(), calls(&[("a", "f")]), result("a", text)]));
        assert_eq!(turns[2]["parts"], json!([responded("a", "f", &json!({"output": text}))]));
    }
    let parts = json!([{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}]);
    let turns =
        contents(&json!([user(), calls(&[("a", "f")]), {"role": "tool", "tool_call_id": "a", "content": parts}]));
    assert_eq!(turns[2]["parts"][1], json!({"inlineData": {"mimeType": "image/png", "data": "QUJD"}}));
}

#[test]
fn thought_signature_comes_back_on_its_part_from_the_id_or_an_extra_field() {
    let mut by_extra = calls(&[("a", "f"), ("b", "g")]);
    by_extra["tool_calls"][0]["extra_content"] = json!({"google": {"thought_signature": "QUI="}});
    let by_id = calls(&[("a--sig-QUI", "f"), ("b", "g")]);
    for (called, id) in [(by_extra, "a"), (by_id, "a--sig-QUI")] {
        let messages = json!([user(), called, result(id, "1"), result("b", "2")]);
        let turns = sent(NEWER, &json!({"messages": messages}))["contents"].clone();
        assert_eq!(turns[1]["parts"][0]["thoughtSignature"], "QUI=");
        assert_eq!(
            (&turns[1]["parts"][0]["functionCall"]["id"], turns[1]["parts"][1].get("thoughtSignature")),
            (&json!("a"), None)
        );
        assert_eq!(turns[2]["parts"][0], responded("a", "f", &json!({"output": "1"})));
    }
}

#[test]
fn a_lost_signature_is_replaced_by_the_documented_dummy_where_the_model_wants_one() {
    let messages = json!([user(), calls(&[("a", "f"), ("b", "g")]), result("a", "1"), result("b", "2")]);
    let parts = |model: &str| sent(model, &json!({"messages": messages}))["contents"][1]["parts"].clone();
    assert_eq!(parts(NEWER)[0]["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!(parts(NEWER)[1].get("thoughtSignature"), None, "the first of a turn is enough");
    assert_eq!(parts(FLASH)[0].get("thoughtSignature"), None);
}

#[test]
fn names_that_gemini_does_not_take_are_renamed_there_and_back() {
    let tools =
        json!([function("weather/get", &json!({})), function("weather_get", &json!({})), function("1st", &json!({}))]);
    let messages = json!([user(), calls(&[("a", "weather/get")]), result("a", "1")]);
    let emitted = emit(FLASH, &json!({"tools": tools, "messages": messages})).expect("must be translated");
    let body: Value = serde_json::from_slice(&emitted.body).expect("must be JSON");
    let declared = &body["tools"][0]["functionDeclarations"];
    assert_eq!((&declared[0]["name"], &declared[2]["name"]), (&json!("weather_get_2"), &json!("_1st")));
    assert_eq!(body["contents"][1]["parts"][0]["functionCall"]["name"], "weather_get_2");
    assert_eq!(body["contents"][2]["parts"][0]["functionResponse"]["name"], "weather_get_2");
    assert_eq!(emitted.names.client_name("weather_get_2".into()), "weather/get");
}
