use serde_json::json;

use super::super::known;
use super::*;

fn refused(body: &Value, model: &str) -> String {
    match known::parsed(body, &known::GENERATE).and_then(|body| all(&body, model)) {
        Ok(()) => String::new(),
        Err(Refusal::Invalid { message, .. }) => message,
        Err(other) => format!("{other:?}"),
    }
}

fn hello() -> Value {
    json!({"role": "user", "parts": [{"text": "hi"}]})
}

#[test]
fn an_unknown_name_is_refused_with_its_place_in_snake_case() {
    let top = json!({"contents": [hello()], "messages": []});
    let expected = "Invalid JSON payload received. Unknown name \"messages\": Cannot find field.";
    assert_eq!(refused(&top, "gemini-2.5-flash"), expected);
    let deep =
        json!({"contents": [hello()], "generationConfig": {"responseSchema": {"properties": {"a": {"$ref": "#"}}}}});
    assert!(
        refused(&deep, "gemini-2.5-flash").contains("\"$ref\" at 'generation_config.response_schema.properties.a'")
    );
}

#[test]
fn either_spelling_is_read_and_what_is_free_keeps_its_keys() {
    let body = json!({"contents": [hello()], "system_instruction": {"parts": [{"text": "be brief"}]},
        "generation_config": {"response_json_schema": {"additionalProperties": false, "my_key": 1}}});
    let parsed = known::parsed(&body, &known::GENERATE).unwrap_or_default();
    assert_eq!(parsed["systemInstruction"]["parts"][0]["text"], "be brief");
    assert_eq!(parsed["generationConfig"]["responseJsonSchema"]["my_key"], 1);
}

#[test]
fn calls_and_their_responses_come_in_pairs() {
    let call = json!({"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]});
    let response =
        json!({"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "ok"}}}]});
    let body = |contents: Value| json!({"contents": contents});
    assert_eq!(refused(&body(json!([hello(), call, response])), "gemini-2.5-flash"), "");
    assert!(
        refused(&body(json!([hello(), call, hello()])), "gemini-2.5-flash")
            .contains("number of function response parts")
    );
    assert!(refused(&body(json!([hello(), call])), "gemini-2.5-flash").contains("number of function response parts"));
    assert!(refused(&body(json!([call, response])), "gemini-2.5-flash").contains("immediately after a user turn"));
    let text = json!({"role": "user", "parts": [{"functionResponse": {"name": "f", "response": "ok"}}]});
    assert!(refused(&body(json!([hello(), call, text])), "gemini-2.5-flash").contains("protobuf.Struct"));
}

#[test]
fn the_third_generation_wants_its_signature_back() {
    let body = |signature: Value| {
        let mut part = json!({"functionCall": {"name": "f", "args": {}}});
        part["thoughtSignature"] = signature;
        let response = json!({"functionResponse": {"name": "f", "response": {"output": "ok"}}});
        json!({"contents": [hello(), {"role": "model", "parts": [part]}, {"role": "user", "parts": [response]}]})
    };
    assert!(refused(&body(Value::Null), "gemini-3.5-flash").contains("missing a thought_signature"));
    assert!(refused(&body(json!("changed")), "gemini-3.5-flash").contains("Corrupted"));
    for good in [SIGNATURE, DUMMIES[0], DUMMIES[1]] {
        assert_eq!(refused(&body(json!(good)), "gemini-3.5-flash"), "");
    }
    assert_eq!(refused(&body(Value::Null), "gemini-2.5-flash"), "");
}
