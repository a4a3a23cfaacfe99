use super::*;

fn refused(request: &Value) -> (u16, String) {
    let error = asked(CLAUDE, request).expect_err("must be refused");
    (error.status(), error.param().unwrap_or_default().to_owned())
}

#[test]
fn a_string_and_instructions_are_a_conversation() {
    let (body, dropped) = sent(CHAT, &request(json!({"instructions": "Be brief."})));
    let system = json!({"role": "system", "content": "Be brief."});
    assert_eq!(body, json!({"model": "m", "messages": [system, user("hi")]}));
    assert_eq!(dropped, [""; 0]);
}

#[test]
fn settings_are_chat_s_under_their_own_names() {
    let schema = json!({"type": "object"});
    let (body, dropped) = sent(
        CHAT,
        &request(json!({
            "max_output_tokens": 7, "temperature": 0.50, "top_p": 1, "parallel_tool_calls": false, "user": "u",
            "safety_identifier": "s", "prompt_cache_key": "k", "service_tier": "flex", "stream": true,
            "reasoning": {"effort": "low", "summary": "auto"}, "truncation": "disabled", "store": false,
            "metadata": {"a": "b"}, "include": ["reasoning.encrypted_content"], "background": false,
            "stream_options": {"include_obfuscation": false}, "previous_response_id": null,
            "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "strict": true, "schema": schema}},
        })),
    );
    assert_eq!(
        body,
        json!({
            "model": "m", "messages": [user("hi")], "max_tokens": 7, "temperature": 0.5, "top_p": 1,
            "parallel_tool_calls": false, "user": "u", "safety_identifier": "s", "prompt_cache_key": "k",
            "service_tier": "flex", "stream": true, "reasoning_effort": "low", "verbosity": "low",
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": schema}},
        })
    );
    assert_eq!(dropped, [""; 0]);
}

#[test]
fn hints_that_a_target_does_not_know_are_named_in_the_client_s_words() {
    let (_, dropped) = sent(
        CLAUDE,
        &request(json!({
            "truncation": "auto", "store": true, "top_logprobs": 3, "include": ["message.output_text.logprobs"],
            "text": {"verbosity": "low"}, "reasoning": {"mode": "pro"}, "stream_options": {"include_obfuscation": true},
            "prompt_cache_key": "k", "prompt_cache_retention": "24h", "never_heard_of": 1,
        })),
    );
    let mut dropped: Vec<_> = dropped.iter().map(String::as_str).collect();
    dropped.sort_unstable();
    let expected = [
        "include",
        "never_heard_of",
        "prompt_cache_key",
        "prompt_cache_retention",
        "reasoning.mode",
        "store",
        "stream_options.include_obfuscation",
        "text.verbosity",
        "top_logprobs",
        "truncation",
    ];
    assert_eq!(dropped, expected);
}

#[test]
fn functions_are_flat_and_a_choice_names_one_of_them() {
    let tool = |name: &str| json!({"type": "function", "name": name, "description": "d", "parameters": {"type": "object"}, "strict": true});
    let function = |name: &str| {
        let function = json!({"name": name, "description": "d", "parameters": {"type": "object"}, "strict": true});
        json!({"type": "function", "function": function})
    };
    let tools = json!([tool("a"), tool("b")]);
    let choices = [
        (json!("required"), json!([function("a"), function("b")]), json!("required")),
        (
            json!({"type": "function", "name": "b"}),
            json!([function("a"), function("b")]),
            json!({"type": "function", "function": {"name": "b"}}),
        ),
        (
            json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "b"}]}),
            json!([function("b")]),
            json!("auto"),
        ),
    ];
    for (choice, declared, chosen) in choices {
        let (body, _) = sent(CHAT, &request(json!({"tools": tools, "tool_choice": choice})));
        assert_eq!((&body["tools"], &body["tool_choice"]), (&declared, &chosen), "{choice}");
    }
}

fn turns() -> Value {
    json!([
        {"type": "message", "role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "weather?"}]},
        {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "two "}, {"type": "summary_text", "text": "cities"}],
            "encrypted_content": "penstock:signature:sig=="},
        {"id": "rs_2", "type": "reasoning", "summary": [], "encrypted_content": "penstock:redacted:abc"},
        {"id": "rs_3", "type": "reasoning", "summary": [{"type": "summary_text", "text": "theirs"}], "encrypted_content": "gAAAA"},
        {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "Looking.", "annotations": [], "logprobs": []}]},
        {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{\"city\": \"Paris\"}"},
        {"id": "fc_2", "type": "function_call", "call_id": "call_2", "name": "weather", "arguments": ""},
        {"type": "function_call_output", "call_id": "call_1", "output": "18 degrees"},
        {"type": "function_call_output", "call_id": "call_2", "output": [
            {"type": "input_text", "text": "a map"}, {"type": "input_image", "image_url": "data:image/png;base64,iVBORw=="}]},
    ])
}

#[test]
fn what_the_model_did_in_a_row_is_one_message_and_its_results_follow() {
    let (body, _) = sent(CHAT, &request(json!({"input": turns()})));
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "weather", "arguments": arguments}});
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}});
    assert_eq!(
        body["messages"],
        json!([
            {"role": "system", "content": "Be brief."},
            user("weather?"),
            {"role": "assistant", "content": "Looking.",
                "tool_calls": [call("call_1", "{\"city\": \"Paris\"}"), call("call_2", "")]},
            {"role": "tool", "content": "18 degrees", "tool_call_id": "call_1"},
            {"role": "tool", "content": "a map", "tool_call_id": "call_2"},
            {"role": "user", "content": [picture]},
        ])
    );
}

#[test]
fn reasoning_goes_back_to_whom_it_came_from_and_to_nobody_else() {
    let (body, _) = sent(CLAUDE, &request(json!({"input": turns()})));
    let content = &body["messages"][1]["content"];
    assert_eq!(content[0], json!({"type": "thinking", "thinking": "two cities", "signature": "sig=="}));
    assert_eq!(content[1], json!({"type": "redacted_thinking", "data": "abc"}));
    assert_eq!(content[2], json!({"type": "text", "text": "Looking."}));
    assert_eq!(content[3]["input"], json!({"city": "Paris"}));
    assert!(!body.to_string().contains("theirs"), "{body}");
}

#[test]
fn thinking_that_needs_no_proof_is_said_again_where_chat_has_a_place_for_it() {
    let thought =
        |text: &str| json!({"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": text}]});
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let input = json!([user("hi"), thought("one"), thought("two"), call]);
    let (body, _) = sent(CHAT, &request(json!({"input": input})));
    assert_eq!(body["messages"][1]["reasoning_content"], "one\ntwo");
}

#[test]
fn media_keep_their_types_and_no_address_is_fetched() {
    let parts = json!([
        {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "low"},
        {"type": "input_image", "image_url": "data:image/png;base64,iVBORw=="},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
        {"type": "input_file", "file_url": "https://example.com/b.pdf"},
    ]);
    let input = json!([{"role": "user", "content": parts}]);
    let (body, _) = sent(CLAUDE, &request(json!({"input": input})));
    let source = |source: Value, kind: &str| json!({"type": kind, "source": source});
    let blocks = body["messages"][0]["content"].as_array().expect("must be a list");
    assert_eq!(blocks[0], source(json!({"type": "url", "url": "https://example.com/a.png"}), "image"));
    let data = json!({"type": "base64", "media_type": "image/png", "data": "iVBORw=="});
    assert_eq!(blocks[1], source(data, "image"));
    assert_eq!(
        (&blocks[2]["type"], &blocks[2]["source"]["media_type"]),
        (&json!("document"), &json!("application/pdf"))
    );
    assert_eq!(blocks[3]["source"], json!({"type": "url", "url": "https://example.com/b.pdf"}));
    let error = asked(CHAT, &request(json!({"input": input}))).expect_err("chat takes documents as data only");
    assert_eq!((error.status(), error.param()), (422, Some("input")));
}

#[test]
fn what_chat_has_no_word_for_is_a_422_that_names_the_place() {
    let item = |item: Value| json!({"input": [user("hi"), item]});
    let part = |part: Value| json!({"input": [{"role": "user", "content": [part]}]});
    let rows = [
        (json!({"tools": [{"type": "function", "name": "f"}, {"type": "web_search"}]}), "tools[1]"),
        (json!({"tool_choice": {"type": "file_search"}}), "tool_choice.type"),
        (json!({"previous_response_id": "resp_1"}), "previous_response_id"),
        (json!({"conversation": {"id": "conv_1"}}), "conversation"),
        (json!({"prompt": {"id": "pmpt_1"}}), "prompt"),
        (json!({"background": true}), "background"),
        (json!({"moderation": {"model": "omni"}}), "moderation"),
        (json!({"text": {"format": {"type": "grammar"}}}), "text.format.type"),
        (item(json!({"type": "item_reference", "id": "msg_1"})), "input[1]"),
        (item(json!({"id": "msg_1"})), "input[1]"),
        (item(json!({"type": "web_search_call", "id": "ws_1", "status": "completed"})), "input[1]"),
        (part(json!({"type": "input_file", "file_id": "file_1"})), "input[0].content[0].file_id"),
        (part(json!({"type": "input_image", "file_id": "file_1"})), "input[0].content[0].file_id"),
        (part(json!({"type": "never_heard_of"})), "input[0].content[0]"),
    ];
    for (members, place) in rows {
        assert_eq!(refused(&request(members.clone())), (422, place.to_owned()), "{members}");
    }
}

#[test]
fn what_is_malformed_is_a_400_that_names_the_place() {
    let item = |item: Value| json!({"input": [user("hi"), item]});
    let rows = [
        (item(json!({"type": "function_call_output", "call_id": "c", "output": "x"})), "input[1].call_id"),
        (item(json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{"})), "input[1].arguments"),
        (item(json!({"type": "function_call", "name": "f", "arguments": "{}"})), "input[1]"),
        (item(json!({"role": "user"})), "input[1]"),
        (item(json!({})), "input[1]"),
        (json!({"input": 1}), "input"),
        (json!({"tools": [{"type": "function"}]}), "tools[0]"),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png,x"}]}]}),
            "input[0].content[0].image_url",
        ),
    ];
    for (members, place) in rows {
        assert_eq!(refused(&request(members.clone())), (400, place.to_owned()), "{members}");
    }
    let error = translate::request(Dialect::Responses, br#"{"model":"m"}"#, &target(CHAT.0, CHAT.1));
    assert_eq!(error.map_err(|error| error.status()).expect_err("input is missing"), 400);
}

#[test]
fn every_target_takes_a_conversation_with_tools_and_pictures() {
    let tools = json!([{"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}]);
    for to in [CHAT, CLAUDE, GEMINI, MISTRAL, OLLAMA] {
        let (body, dropped) = sent(to, &request(json!({"input": turns(), "tools": tools, "instructions": "Be kind."})));
        assert!(body.to_string().contains("18 degrees"), "{to:?}: {body}");
        assert_eq!(dropped, [""; 0], "{to:?}");
    }
}

#[test]
fn a_result_without_its_call_is_a_400_that_names_it() {
    let input = json!([
        {"role": "user", "content": "hi"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "x"},
        {"type": "function_call_output", "call_id": "c2", "output": "x"},
    ]);
    for to in [CHAT, CLAUDE, GEMINI, MISTRAL, OLLAMA] {
        let error = asked(to, &request(json!({"input": input}))).expect_err("must be refused");
        assert_eq!((error.status(), error.param()), (400, Some("input[3].call_id")), "{to:?}");
    }
}

#[test]
fn thoughts_that_are_only_named_are_left_out() {
    let input = json!([
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"role": "assistant", "content": "ho"},
        {"role": "user", "content": "hm"},
    ]);
    for to in [CHAT, CLAUDE] {
        let (body, dropped) = sent(to, &request(json!({"input": input})));
        assert_eq!((body["messages"].as_array().map(Vec::len), dropped), (Some(3), Vec::new()), "{to:?}");
        assert!(!body.to_string().contains("rs_1"));
    }
}
