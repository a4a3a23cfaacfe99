//! Functions, their calls and what they gave.

use super::*;

fn declared(names: &[&str]) -> Value {
    let schema = json!({"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]});
    let functions = names.iter().map(|name| json!({"name": name, "description": "d", "parameters": schema}));
    json!([{"functionDeclarations": functions.collect::<Vec<_>>()}])
}

fn named(tools: &Value) -> Vec<&str> {
    let tools = tools.as_array().into_iter().flatten();
    tools.filter_map(|tool| tool["function"]["name"].as_str()).collect()
}

#[test]
fn functions_are_declared_with_json_schemas() {
    let tools = &sent(&with(&json!({"tools": declared(&["f"])})))["tools"];
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    assert_eq!(
        *tools,
        json!([{"type": "function", "function": {"name": "f", "description": "d", "parameters": schema}}])
    );
    let newer =
        json!([{"function_declarations": [{"name": "g", "parameters_json_schema": {"type": "object", "$defs": {}}}]}]);
    let tools = &sent(&with(&json!({"tools": newer})))["tools"];
    assert_eq!(tools[0]["function"]["parameters"], json!({"type": "object", "$defs": {}}));
    let none = json!([{"functionDeclarations": [{"name": "h"}]}]);
    assert_eq!(anthropic(&with(&json!({"tools": none})))["tools"][0]["input_schema"]["type"], "object");
}

#[test]
fn the_mode_says_which_function_is_called_and_only_those_that_may_be_are_declared() {
    let chosen = |config: Value| {
        let request = json!({"tools": declared(&["f", "g", "h"]), "toolConfig": {"functionCallingConfig": config}});
        let body = sent(&with(&request));
        (body["tool_choice"].clone(), named(&body["tools"]).join(" "))
    };
    let named = |name: &str| json!({"type": "function", "function": {"name": name}});
    let rows = [
        (json!({}), Value::Null, "f g h"),
        (json!({"mode": "AUTO"}), json!("auto"), "f g h"),
        (json!({"mode": "VALIDATED", "allowedFunctionNames": ["g"]}), json!("auto"), "g"),
        (json!({"mode": "NONE"}), json!("none"), "f g h"),
        (json!({"mode": "ANY"}), json!("required"), "f g h"),
        (json!({"mode": "ANY", "allowedFunctionNames": ["h", "f"]}), json!("required"), "f h"),
        (json!({"mode": "ANY", "allowed_function_names": ["h"]}), named("h"), "h"),
    ];
    for (config, choice, tools) in rows {
        assert_eq!(chosen(config.clone()), (choice, tools.to_owned()), "{config}");
    }
}

fn turns(calls: Value, responses: Value) -> Value {
    json!({"tools": declared(&["f", "g"]), "contents": [{"role": "user", "parts": [{"text": "q"}]},
        {"role": "model", "parts": calls}, {"role": "user", "parts": responses}]})
}

#[test]
fn calls_and_responses_without_ids_are_paired_by_name_and_order() {
    let call = |name: &str, n: u32| json!({"functionCall": {"name": name, "args": {"n": n}}});
    let response = |name: &str, said: &str| json!({"functionResponse": {"name": name, "response": {"result": said}}});
    let request = turns(
        json!([call("f", 1), call("g", 2), call("f", 3)]),
        json!([response("f", "one"), {"text": "so?"}, response("f", "three"), response("g", "two")]),
    );
    let messages = &sent(&request)["messages"];
    let ids =
        ["0", "1", "2"].map(|n| messages[1]["tool_calls"][n.parse::<usize>().expect("must be a number")]["id"].clone());
    assert_eq!(messages[1]["tool_calls"][2]["function"], json!({"name": "f", "arguments": "{\"n\":3}"}));
    let tool = |id: &Value, said: &str| json!({"role": "tool", "content": said, "tool_call_id": id});
    let expected =
        [tool(&ids[0], "one"), tool(&ids[2], "three"), tool(&ids[1], "two"), json!({"role": "user", "content": "so?"})];
    assert_eq!(messages.as_array().expect("must be a list")[2..], expected);
}

#[test]
fn ids_that_are_given_are_kept_and_found_by_responses_that_have_none() {
    let call = json!({"functionCall": {"id": "call_x", "name": "f", "args": {}}, "thoughtSignature": "QUJD"});
    for id in [json!("call_x"), Value::Null] {
        let response = json!({"functionResponse": {"id": id, "name": "f", "response": {"output": "18 degrees"}}});
        let messages = &sent(&turns(json!([call]), json!([response])))["messages"];
        assert_eq!(messages[1]["tool_calls"][0]["id"], "call_x");
        assert_eq!(messages[2], json!({"role": "tool", "content": "18 degrees", "tool_call_id": "call_x"}));
    }
}

#[test]
fn a_response_of_one_known_member_is_its_words_and_any_other_is_told_whole() {
    let said = |response: Value| {
        let response = json!([{"functionResponse": {"name": "f", "response": response}}]);
        let blocks = &anthropic(&turns(json!([{"functionCall": {"name": "f"}}]), response))["messages"][2]["content"];
        (blocks[0]["content"].clone(), blocks[0]["is_error"] == true)
    };
    let rows = [
        (json!({"result": "a\n"}), json!("a\n"), false),
        (json!({"output": {"deg": 18}}), json!("{\"deg\":18}"), false),
        (json!({"error": "no city"}), json!("no city"), true),
        (json!({"deg": 18, "result": "x"}), json!("{\"deg\":18,\"result\":\"x\"}"), false),
        (json!({}), json!("{}"), false),
    ];
    for (response, expected, is_error) in rows {
        assert_eq!(said(response.clone()), (expected, is_error), "{response}");
    }
}

#[test]
fn pictures_of_a_response_are_part_of_the_result() {
    let response = json!([{"functionResponse": {"name": "f", "response": {"output": "see"}, "parts": [
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}]}}]);
    let content = &anthropic(&turns(json!([{"functionCall": {"name": "f"}}]), response))["messages"][2]["content"];
    assert_eq!(content[0]["content"][0], json!({"type": "text", "text": "see"}));
    assert_eq!(content[0]["content"][1]["source"]["media_type"], "image/png");
}

#[test]
fn more_responses_than_calls_are_a_400_that_names_the_place() {
    let response = json!({"functionResponse": {"name": "f", "response": {}}});
    let error = refused(&turns(json!([{"functionCall": {"name": "f"}}]), json!([response, response])));
    assert_eq!((error.status(), error.param()), (400, Some("contents[2].parts[1].functionResponse")));
}
