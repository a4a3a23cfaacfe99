use serde_json::json;

use super::*;

fn refused(body: Value) -> String {
    match chat(&body) {
        Ok(()) => String::new(),
        Err(Refusal::Unprocessable { message, param }) => format!("422 {}: {message}", param.unwrap_or_default()),
        Err(Refusal::Invalid { message, .. }) => format!("400 {message}"),
        Err(other) => format!("{other:?}"),
    }
}

fn asked(messages: Value) -> Value {
    json!({"model": "mistral-small-latest", "messages": messages})
}

#[test]
fn unknown_fields_are_named_with_their_place_at_any_depth() {
    let mut body = asked(json!([{"role": "user", "content": "hi"}]));
    assert_eq!(refused(body.clone()), "");
    body["stream_options"] = json!({});
    assert_eq!(refused(body), "422 stream_options: Extra inputs are not permitted");
    let named = asked(json!([{"role": "user", "content": "hi", "name": "ann"}]));
    assert_eq!(refused(named), "422 messages.0.user.name: Extra inputs are not permitted");
    let cached = json!([{"type": "text", "text": "hi", "cache_control": {}}]);
    let cached = asked(json!([{"role": "user", "content": cached}]));
    assert_eq!(refused(cached), "422 messages.0.user.content.0.text.cache_control: Extra inputs are not permitted");
}

#[test]
fn ids_of_calls_have_nine_characters_and_every_call_has_a_result() {
    let turn = |id: &str, more: Value| {
        let call = json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let mut messages =
            vec![json!({"role": "user", "content": "hi"}), json!({"role": "assistant", "tool_calls": [call]})];
        messages.extend(more.as_array().cloned().unwrap_or_default());
        refused(asked(json!(messages)))
    };
    let result = json!({"role": "tool", "tool_call_id": "abcdefghi", "content": "ok"});
    assert_eq!(turn("abcdefghi", json!([result])), "");
    assert!(turn("call_1", json!([])).starts_with("400 Tool call id was call_1"));
    assert!(turn("abcdefghi", json!([])).contains("Not the same number"));
    assert!(turn("abcdefghi", json!([{"role": "user", "content": "so?"}])).contains("Not the same number"));
    assert!(
        turn("abcdefghi", json!([result, {"role": "user", "content": "so?"}])).contains("'user' after role 'tool'")
    );
}

#[test]
fn an_assistant_that_says_nothing_and_one_that_ends_without_prefix_are_refused() {
    let user = json!({"role": "user", "content": "hi"});
    assert!(
        refused(asked(json!([user, {"role": "assistant", "content": ""}, user])))
            .contains("either content or tool_calls")
    );
    let ends = json!({"role": "assistant", "content": "I"});
    assert!(refused(asked(json!([user, ends]))).contains("prefix True"));
    let prefix = json!({"role": "assistant", "content": "I", "prefix": true});
    assert_eq!(refused(asked(json!([user, prefix]))), "");
}
