//! The conversation.

use super::*;

fn call(arguments: &str) -> Value {
    json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "weather.get", "arguments": arguments}}]})
}

#[test]
fn images_are_bare_base64_beside_the_text() {
    let content = json!([
        {"type": "text", "text": "what"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "text", "text": "is it?"},
        {"type": "file", "file": {"file_data": "data:image/jpeg;base64,/9j/", "filename": "a.jpg"}},
    ]);
    let expected = json!([{"role": "user", "content": "what\nis it?", "images": ["iVBORw0KGgo=", "/9j/"]}]);
    assert_eq!(messages(&json!([{"role": "user", "content": content}])), expected);
}

#[test]
fn a_url_is_never_fetched_and_refused_by_its_message() {
    let user =
        |part: Value| json!({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": [part]}]});
    let rows = [
        json!({"type": "image_url", "image_url": {"url": "http://169.254.169.254/x.png"}}),
        json!({"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}}),
        json!({"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}),
    ];
    for part in rows {
        assert_eq!(refused(&user(part)), "messages[1]");
    }
}

#[test]
fn tool_arguments_are_objects_and_a_result_names_its_tool() {
    let rows = [("{\"city\": \"Paris\", \"days\": 1.50}", json!({"city": "Paris", "days": 1.50})), ("", json!({}))];
    for (arguments, object) in rows {
        let sent = messages(&json!([
            {"role": "user", "content": "hi"},
            call(arguments),
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        ]));
        let function = json!({"name": "weather.get", "arguments": object});
        let expected =
            json!({"role": "assistant", "content": "", "tool_calls": [{"id": "call_1", "function": function}]});
        assert_eq!(sent[1], expected);
        let result = json!({"role": "tool", "tool_name": "weather.get", "tool_call_id": "call_1", "content": "sunny"});
        assert_eq!(sent[2], result);
    }
}

#[test]
fn a_result_without_its_call_is_a_400_that_names_the_place() {
    let request = question(&json!({"messages": [
        {"role": "user", "content": "hi"}, {"role": "tool", "tool_call_id": "nowhere", "content": "x"}]}));
    let error = emit(Dialect::OpenAI, LLAMA, &request).expect_err("must be refused");
    assert_eq!((error.status(), error.param()), (400, Some("messages[1].tool_call_id")));
}

#[test]
fn a_conversation_that_says_nothing_is_a_400_since_it_would_only_load_the_model() {
    for nothing in [json!([]), json!([{"role": "user", "content": ""}])] {
        let error =
            emit(Dialect::OpenAI, LLAMA, &question(&json!({"messages": nothing}))).expect_err("must be refused");
        assert_eq!((error.status(), error.param()), (400, Some("messages")));
    }
}

#[test]
fn system_messages_keep_their_place_and_thinking_comes_back_in_its_member() {
    let sent = messages(&json!([
        {"role": "developer", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "c", "reasoning_content": "hm"},
        {"role": "system", "content": "d"},
        {"role": "user", "content": "e"},
    ]));
    let expected = json!([
        {"role": "system", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "c", "thinking": "hm"},
        {"role": "system", "content": "d"},
        {"role": "user", "content": "e"},
    ]);
    assert_eq!(sent, expected);
}

#[test]
fn a_turn_of_anthropic_s_is_told_as_results_and_then_its_words() {
    let image =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}});
    let request = json!({"model": "m", "max_tokens": 9, "system": "be kind", "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"a": 1}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "seen"}, image]},
            {"type": "document", "title": "notes", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
            {"type": "text", "text": "so?"}]},
    ]});
    let emitted = emit(Dialect::Anthropic, LLAMA, &request).expect("must be translated");
    let body: Value = serde_json::from_slice(&emitted.body).expect("must be JSON");
    let expected = json!([
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "", "thinking": "hm",
            "tool_calls": [{"id": "toolu_1", "function": {"name": "look", "arguments": {"a": 1}}}]},
        {"role": "tool", "tool_name": "look", "tool_call_id": "toolu_1", "content": "seen", "images": ["iVBORw0KGgo="]},
        {"role": "user", "content": "notes\nwords\nso?"},
    ]);
    assert_eq!(body["messages"], expected);
}
