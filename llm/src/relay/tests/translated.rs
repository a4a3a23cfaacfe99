//! Anthropic's answers for a client of OpenAI's.

use super::*;

#[test]
fn a_translated_stream_has_role_text_finish_usage_and_done_in_this_order() {
    let told = anthropic(&message(&text_block(), "end_turn"));
    assert_eq!(
        deltas(&told.text),
        [
            r#"{"content":"","role":"assistant"}"#,
            r#"{"content":"Hé\n"}"#,
            r#"{"content":"llo"}"#,
            "finish \"stop\"",
            r#"usage {"completion_tokens":15,"prompt_tokens":30,"prompt_tokens_details":{"cached_tokens":5},"total_tokens":45}"#,
        ]
    );
    assert!(told.text.ends_with("\n\ndata: [DONE]\n\n"));
    assert_eq!(told.end, End::Complete);
}

#[test]
fn usage_comes_only_to_a_client_that_asked() {
    let told = run(Dialect::Anthropic, &client(false), &[message(&text_block(), "end_turn").as_bytes()]);
    assert!(!told.text.contains("usage"));
    assert_eq!(told.usage.output, Some(15));
}

#[test]
fn id_model_and_created_are_the_real_ones_and_the_same_in_every_chunk() {
    let told = anthropic(&message(&text_block(), "end_turn"));
    let head =
        r#"data: {"id":"msg_1","object":"chat.completion.chunk","created":1700000000,"model":"claude-x","choices":["#;
    let chunks: Vec<&str> = told.text.split_inclusive("\n\n").filter(|chunk| !chunk.contains("[DONE]")).collect();
    assert_eq!(chunks.len(), 5);
    assert!(chunks.iter().all(|chunk| chunk.starts_with(head)), "{}", told.text);
}

#[test]
fn message_start_ping_and_the_start_of_an_empty_block_do_not_commit() {
    let told = anthropic(&message(&text_block(), "end_turn"));
    let commits: Vec<bool> = told.steps.iter().map(|step| step.commits).collect();
    assert_eq!(commits, [false, false, false, true, true, false, true, false]);
}

#[test]
fn the_tool_index_counts_tools_and_not_blocks() {
    let told = anthropic(&message(
        &[
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ok"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"1}"}}"#,
            r#"{"type":"content_block_stop","index":1}"#,
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_2","name":"g","input":{}}}"#,
            r#"{"type":"content_block_stop","index":2}"#,
        ],
        "tool_use",
    ));
    assert_eq!(
        deltas(&told.text)[2..7],
        [
            r#"{"tool_calls":[{"function":{"arguments":"","name":"f"},"id":"toolu_1","index":0,"type":"function"}]}"#,
            r#"{"tool_calls":[{"function":{"arguments":"{\"a\":"},"index":0}]}"#,
            r#"{"tool_calls":[{"function":{"arguments":"1}"},"index":0}]}"#,
            r#"{"tool_calls":[{"function":{"arguments":"","name":"g"},"id":"toolu_2","index":1,"type":"function"}]}"#,
            r#"{"tool_calls":[{"function":{"arguments":"{}"},"index":1}]}"#,
        ]
    );
    assert_eq!(deltas(&told.text)[7], "finish \"tool_calls\"");
}

#[test]
fn server_tools_are_not_client_tools() {
    let told = anthropic(&message(
        &[
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"query\":\"x\"}"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}}"#,
            r#"{"type":"content_block_stop","index":1}"#,
        ],
        "end_turn",
    ));
    assert_eq!(deltas(&told.text)[1], "finish \"stop\"");
}

#[test]
fn thinking_and_redacted_thinking_go_to_reasoning_fields_with_their_signature() {
    let told = anthropic(&message(
        &[
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"zzz"}}"#,
            r#"{"type":"content_block_stop","index":1}"#,
        ],
        "end_turn",
    ));
    assert_eq!(
        deltas(&told.text)[1..4],
        [
            r#"{"reasoning_content":"hm","thinking_blocks":[{"index":0,"thinking":"hm","type":"thinking"}]}"#,
            r#"{"thinking_blocks":[{"index":0,"signature":"sig","type":"thinking"}]}"#,
            r#"{"thinking_blocks":[{"data":"zzz","index":1,"type":"redacted_thinking"}]}"#,
        ]
    );
    assert!(!told.steps[2].commits && told.steps[3].commits);
}

#[test]
fn every_stop_reason_maps_to_a_finish_reason() {
    let cases = [
        ("end_turn", "stop", Finish::Stop),
        ("stop_sequence", "stop", Finish::Stop),
        ("max_tokens", "length", Finish::Length),
        ("model_context_window_exceeded", "length", Finish::Length),
        ("tool_use", "tool_calls", Finish::ToolCalls),
        ("refusal", "content_filter", Finish::ContentFilter),
        ("pause_turn", "stop", Finish::Pause),
        ("something_new", "stop", Finish::Unknown),
    ];
    for (theirs, ours, finish) in cases {
        let told = anthropic(&message(&text_block(), theirs));
        assert_eq!(deltas(&told.text)[3], format!("finish \"{ours}\""), "{theirs}");
        assert!(told.steps.iter().any(|step| step.finish == Some(finish)), "{theirs}");
    }
}

#[test]
fn an_error_event_before_content_is_told_and_ping_and_unknown_events_never_fail() {
    let told = anthropic(&format!(
        "{}{}",
        event(r#"{"type":"brand_new_event","x":[1]}"#),
        event(r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#)
    ));
    assert_eq!(told.text, "");
    assert!(!told.steps[0].malformed && told.steps[0].error.is_none());
    assert_eq!(told.steps[1].error.as_ref().map(|e| (e.kind, e.status)), Some((ErrorKind::ServerError, 529)));
}

#[test]
fn a_renamed_tool_comes_back_under_the_client_s_name() {
    let names = Names::renamed(&[("get_a", "get.a")]);
    let mut relay = Relay::new(Dialect::Anthropic, &client(false), names);
    let stream = message(
        &[
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"get_a","input":{"b":2}}}"#,
        ],
        "tool_use",
    );
    let (mut splitter, mut out) = (Splitter::default(), Vec::new());
    splitter.push(Bytes::from(stream));
    while let Some(event) = splitter.next_event().expect("must be small enough") {
        relay.push(&event, &mut out);
    }
    let seen = deltas(&String::from_utf8_lossy(&out));
    assert!(seen[1].contains(r#""name":"get.a""#) && seen[1].contains(r#"{\"b\":2}"#), "{seen:?}");
}

#[test]
fn a_whole_message_becomes_a_chat_completion() {
    let body = br#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[
        {"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"zz"},
        {"type":"text","text":"a\n"},{"type":"server_tool_use","id":"x","name":"web_search","input":{}},{"type":"text","text":"b"},
        {"type":"tool_use","id":"toolu_1","name":"f","input":{"a": 1}}],
        "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":4,"output_tokens":5}}"#;
    let answer = answer(Dialect::Anthropic, &client(false), &Names::default(), body).expect("must be whole");
    let seen: serde_json::Value =
        serde_json::from_slice(&answer.body.expect("must be translated")).expect("must be JSON");
    let expected = serde_json::json!({
        "id": "msg_1", "object": "chat.completion", "created": 1_700_000_000, "model": "claude-x",
        "choices": [{"index": 0, "logprobs": null, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": "a\nb", "refusal": null, "reasoning_content": "hm",
            "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking", "data": "zz"}],
            "tool_calls": [{"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}]}}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12, "prompt_tokens_details": {"cache_write_tokens": 4}},
    });
    assert_eq!(seen, expected);
    assert_eq!(answer.finish, Some(Finish::ToolCalls));
}

fn some_event() -> impl Strategy<Value = String> {
    let of = |json: &'static str| Just(event(json));
    prop_oneof![
        of(r#"{"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":1}}}"#),
        of(r#"{"type":"ping"}"#),
        of(r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"t"}}"#),
        of(
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#
        ),
        of(
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#
        ),
        of(
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"t","name":"f","input":{}}}"#
        ),
        of(r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\u00e9\n"}}"#),
        of(r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}"#),
        of(r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}"#),
        of(r#"{"type":"content_block_stop","index":0}"#),
        of(r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":2}}"#),
        of(r#"{"type":"message_stop"}"#),
        of(r#"{"type":"error","error":{"type":"api_error","message":"x"}}"#),
        Just("data: {oops\n\n".to_owned()),
    ]
}

proptest! {
    #[test]
    fn events_in_any_order_give_chunks_that_parse_and_done_once_and_only_after_a_whole_answer(
        events in proptest::collection::vec(some_event(), 0..12)
    ) {
        let told = anthropic(&events.concat());
        for data in told.text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).filter(|data| *data != "[DONE]") {
            let chunk: serde_json::Value = serde_json::from_str(data).expect("must be JSON");
            prop_assert_eq!(&chunk["object"], "chat.completion.chunk");
        }
        let whole = told.end != End::Truncated && told.steps.iter().all(|step| step.error.is_none());
        prop_assert_eq!(told.text.matches("[DONE]").count(), usize::from(whole), "{}", told.text);
        prop_assert_eq!(told.text.ends_with("data: [DONE]\n\n"), whole);
        prop_assert!(!whole || told.steps.iter().any(|step| step.finish.is_some()));
    }
}
