//! The conversation: order, ids of calls, what may be empty.

use super::*;

fn messages(model: &str, messages: &Value) -> Value {
    sent(model, &json!({"messages": messages}))["messages"].clone()
}

fn message(role: &str, content: &str) -> Value {
    json!({"role": role, "content": content})
}

fn call(id: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{\"a\":1.50}"}})
}

fn result(id: &str, content: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": content})
}

#[test]
fn instructions_stay_at_the_start_and_behind_a_person_and_are_said_by_the_person_elsewhere() {
    let given = json!([
        message("developer", "d"),
        message("system", "s"),
        message("user", "a"),
        message("system", "t"),
        message("user", "b"),
        message("assistant", "c"),
        message("system", "u"),
        message("user", "d"),
    ]);
    let expected = json!([
        message("system", "d"),
        message("system", "s"),
        message("user", "a"),
        message("system", "t"),
        message("user", "b"),
        message("assistant", "c"),
        message("user", "<system>\nu\n</system>"),
        message("user", "d"),
    ]);
    assert_eq!(messages(LARGE, &given), expected);
}

#[test]
fn an_assistant_message_that_says_nothing_is_left_out() {
    for empty in [json!(""), json!(null), json!([]), json!([{"type": "text", "text": ""}])] {
        let given = json!([message("user", "a"), {"role": "assistant", "content": empty}, message("user", "b")]);
        assert_eq!(messages(LARGE, &given), json!([message("user", "a"), message("user", "b")]));
    }
}

#[test]
fn a_final_assistant_message_is_a_prefix() {
    let prefix = json!({"role": "assistant", "content": "b", "prefix": true});
    let given = json!([message("user", "a"), message("assistant", "b")]);
    assert_eq!(messages(LARGE, &given), json!([message("user", "a"), prefix]));
    let alone = json!([message("assistant", "b")]);
    assert_eq!(messages(LARGE, &alone), json!([message("user", "Go on."), prefix]));
}

#[test]
fn tool_call_ids_of_nine_alphanumerics_stay_and_others_become_such_in_call_and_result_alike() {
    let given = json!([
        message("user", "a"),
        {"role": "assistant", "content": null, "tool_calls": [call("call_1"), call("Abc123xyz"), call("call_2")]},
        result("Abc123xyz", "r"),
        result("call_2", "s"),
        result("call_1", ""),
    ]);
    let sent = messages(LARGE, &given);
    let calls: Vec<_> =
        (0..3).map(|index| sent[1]["tool_calls"][index]["id"].as_str().expect("must be text")).collect();
    assert_eq!(calls[1], "Abc123xyz");
    assert!(calls.iter().all(|id| id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())), "{calls:?}");
    assert_ne!(calls[0], calls[2]);
    let told = |id: &str, content: &str| json!({"role": "tool", "tool_call_id": id, "name": "f", "content": content});
    assert_eq!(sent[2], told(calls[1], "r"));
    assert_eq!(sent[3], told(calls[2], "s"));
    assert_eq!(sent[4], told(calls[0], ""));
    assert_eq!(sent[1]["tool_calls"][0]["function"], call("")["function"]);
    assert_eq!(sent[1].get("content"), None);
    assert_eq!(messages(LARGE, &given), sent, "the map is the same each time");
}

#[test]
fn an_id_that_is_taken_gives_way() {
    let conversation = |ids: &[&str]| {
        let calls: Vec<_> = ids.iter().map(|id| call(id)).collect();
        let given = json!([message("user", "a"), {"role": "assistant", "content": null, "tool_calls": calls}]);
        let sent = messages(LARGE, &given);
        let sent = sent[1]["tool_calls"].as_array().expect("must be calls").clone();
        sent.iter().map(|call| call["id"].as_str().expect("must be text").to_owned()).collect::<Vec<_>>()
    };
    let first = conversation(&["call_1"]).remove(0);
    let both = conversation(&["call_1", &first]);
    assert_eq!(both[1], first, "an id of Mistral's own stays");
    assert!(both[0] != first && both[0].len() == 9, "{both:?}");
}

#[test]
fn a_tool_result_without_its_call_is_refused_by_its_place() {
    let error =
        emit(LARGE, &json!({"messages": [message("user", "a"), result("c", "r")]})).expect_err("must be refused");
    assert_eq!((error.status(), error.param()), (400, Some("messages[1].tool_call_id")), "{error}");
}

#[test]
fn thinking_goes_back_as_a_chunk_to_models_that_think_and_to_no_others() {
    let thought = json!({"role": "assistant", "content": "so", "reasoning_content": "hm"});
    let given = json!([message("user", "a"), thought, message("user", "b")]);
    let chunk = json!({"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "closed": true});
    for model in [SMALL, MAGISTRAL] {
        let expected = json!([chunk, {"type": "text", "text": "so"}]);
        assert_eq!(messages(model, &given)[1], json!({"role": "assistant", "content": expected}));
    }
    assert_eq!(messages(LARGE, &given)[1], message("assistant", "so"));
}

#[test]
fn pictures_and_documents_are_chunks_and_urls_are_passed_on() {
    let parts = json!([
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
        {"type": "file", "file": {"file_data": "JVBERi0="}},
    ]);
    let expected = json!([
        parts[0], parts[1], parts[2],
        {"type": "document_url", "document_url": "data:application/pdf;base64,JVBERi0=", "document_name": "a.pdf"},
        {"type": "document_url", "document_url": "data:application/pdf;base64,JVBERi0="},
    ]);
    assert_eq!(messages(LARGE, &json!([{"role": "user", "content": parts}]))[0]["content"], expected);
}

#[test]
fn members_of_messages_that_mistral_does_not_know_are_dropped_and_named() {
    let cached = json!([{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]);
    let given = json!({"messages": [{"role": "user", "name": "ann", "content": cached}]});
    let (body, dropped) = sent_with_drops(LARGE, &given);
    assert_eq!(dropped, ["name", "cache_control"]);
    assert_eq!(body["messages"], json!([{"role": "user", "content": [{"type": "text", "text": "a"}]}]));
}

#[test]
fn a_request_of_anthropic_s_dialect_reaches_mistral_too() {
    let request = json!({"model": "alias", "max_tokens": 5, "system": "s", "thinking": {"type": "enabled", "budget_tokens": 1024},
    "tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "any"},
    "messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "r"}, {"type": "text", "text": "b"}]},
    ]});
    let (body, _) = bed::sent(bed::emit(Dialect::Anthropic, &request, (Dialect::Mistral, Provider::Mistral), SMALL));
    let id = &body["messages"][2]["tool_calls"][0]["id"];
    let said: Vec<_> = body["messages"].as_array().expect("must be messages").iter().map(|it| &it["role"]).collect();
    assert_eq!(said, ["system", "user", "assistant", "tool", "user"]);
    assert_eq!(body["messages"][3], json!({"role": "tool", "tool_call_id": id, "name": "f", "content": "r"}));
    assert_eq!(body["messages"][2]["tool_calls"][0]["function"]["name"], "f");
    assert_eq!(
        (&body["tool_choice"], &body["max_tokens"], &body["reasoning_effort"]),
        (&json!("required"), &json!(5), &json!("low"))
    );
}

#[test]
fn sound_is_bare_data() {
    let sound = json!({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}});
    let said = json!({"type": "text", "text": "What is said?"});
    let sent = messages("voxtral-small-latest", &json!([{"role": "user", "content": [said, sound]}]));
    assert_eq!(sent[0]["content"], json!([said, {"type": "input_audio", "input_audio": "UklGRg=="}]));
}
