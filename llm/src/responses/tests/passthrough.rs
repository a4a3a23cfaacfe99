use bytes::Bytes;

use super::*;
use crate::call::Call;
use crate::classify::ErrorKind;
use crate::neutral::{Finish, Terms, Usage};
use crate::relay::{self, End, Forward, Relay, Step};
use crate::scan::scan;
use crate::sse::Splitter;
use crate::translate::Names;

fn event(value: &Value) -> String {
    format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap_or_default())
}

/// What is forwarded of a stream, each event's step, and the relay.
fn passed(stream: &str) -> (String, Vec<Step>, Relay) {
    let mut relay = Relay::new(Dialect::Responses, &CLIENT, Names::default());
    let mut splitter = Splitter::default();
    splitter.push(Bytes::copy_from_slice(stream.as_bytes()));
    let (mut out, mut steps) = (Vec::new(), Vec::new());
    while let Some(event) = splitter.next_event().expect("must be small enough") {
        let step = relay.push(&event, &mut Vec::new());
        if step.forward == Forward::AsItCame {
            out.extend_from_slice(&event.raw);
        }
        steps.push(step);
    }
    (String::from_utf8(out).expect("must be UTF-8"), steps, relay)
}

fn completed(usage: Value) -> Value {
    json!({"type": "response.completed", "sequence_number": 9, "response": {"id": "resp_1", "status": "completed", "error": null,
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "hi"}]}], "usage": usage}})
}

#[test]
fn responses_pass_byte_for_byte_with_items_and_events_that_nobody_knows() {
    let usage = json!({"input_tokens": 5, "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1}, "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 9});
    let stream = [
        event(&json!({"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "usage": null}})),
        ": comment\r\n\r\n".to_owned(),
        event(
            &json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "never_heard_of", "x": 1.50}}),
        ),
        event(&json!({"type": "response.never_heard_of.delta", "sequence_number": 7, "x": null})),
        event(&completed(usage)),
    ];
    let (out, steps, relay) = passed(&stream.concat());
    assert_eq!(out, stream.concat());
    assert_eq!(steps.iter().map(|step| step.commits).collect::<Vec<_>>(), [false, false, true, true, true]);
    assert_eq!((steps[4].finish, steps[4].end), (Some(Finish::Stop), Some(End::Complete)));
    let usage = Usage {
        input: Some(5),
        output: Some(4),
        cached_input: Some(2),
        cache_write: Some(1),
        reasoning: Some(3),
        ..Usage::default()
    };
    assert_eq!((*relay.usage(), relay.sequence()), (usage, 10));
}

#[test]
fn what_does_not_commit_is_a_closed_list() {
    let delta = |kind: &str, delta: &str| json!({"type": format!("response.{kind}.delta"), "delta": delta});
    let item = |item: Value| json!({"type": "response.output_item.added", "item": item});
    let part = |part: Value| json!({"type": "response.content_part.added", "part": part});
    let rows = [
        (json!({"type": "response.created", "response": {}}), false),
        (json!({"type": "response.in_progress", "response": {}}), false),
        (json!({"type": "response.queued", "response": {}}), false),
        (json!({"type": "keepalive"}), false),
        (item(json!({"type": "message", "content": []})), false),
        (item(json!({"type": "reasoning", "summary": [], "encrypted_content": "g"})), false),
        (item(json!({"type": "function_call", "arguments": ""})), true),
        (item(json!({"type": "web_search_call"})), true),
        (part(json!({"type": "output_text", "text": "", "annotations": []})), false),
        (part(json!({"type": "output_text", "text": "a"})), true),
        (json!({"type": "response.reasoning_summary_part.added", "part": {"type": "summary_text", "text": ""}}), false),
        (delta("output_text", ""), false),
        (delta("output_text", " "), true),
        (delta("refusal", "no"), true),
        (delta("reasoning_text", "hm"), true),
        (delta("function_call_arguments", "{"), true),
    ];
    for (value, commits) in rows {
        assert_eq!(passed(&event(&value)).1[0].commits, commits, "{value}");
    }
}

#[test]
fn completed_incomplete_and_failed_end_a_response_and_usage_may_be_null() {
    let (_, steps, relay) = passed(&event(&completed(Value::Null)));
    assert_eq!((steps[0].end, *relay.usage()), (Some(End::Complete), Usage::default()));
    for (reason, finish) in
        [("max_output_tokens", Finish::Length), ("content_filter", Finish::ContentFilter), ("steered", Finish::Unknown)]
    {
        let value = json!({"type": "response.incomplete", "response": {"status": "incomplete", "incomplete_details": {"reason": reason}, "usage": null}});
        let (_, steps, _) = passed(&event(&value));
        assert_eq!((steps[0].finish, steps[0].end), (Some(finish), Some(End::Complete)), "{reason}");
    }
    let failed = json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}}});
    let (out, steps, _) = passed(&event(&failed));
    assert_eq!((out.as_str(), steps[0].error.as_ref().map(|error| error.kind)), ("", Some(ErrorKind::RateLimit)));
    let error = json!({"type": "error", "code": "server_error", "message": "oh", "param": null, "sequence_number": 3});
    let (_, steps, _) = passed(&event(&error));
    assert_eq!(
        steps[0].error.as_ref().map(|error| (error.kind, &*error.message)),
        Some((ErrorKind::ServerError, "oh"))
    );
}

#[test]
fn a_stream_without_its_last_event_is_cut_and_what_follows_it_is_ignored() {
    let text = event(&json!({"type": "response.output_text.delta", "delta": "a"}));
    let (_, _, mut relay) = passed(&text);
    assert_eq!(relay.finish(&mut Vec::new()), End::Truncated);
    let (_, steps, _) = passed(&format!("{text}data: [DONE]\n\n"));
    assert_eq!(steps[1].end, Some(End::Truncated));
    let end = event(&completed(Value::Null));
    assert_eq!(passed(&format!("{end}data: [DONE]\n\n")).0, end);
}

#[test]
fn a_whole_response_goes_as_it_came_and_a_failed_one_is_an_error() {
    let look =
        |body: &Value| relay::answer(Dialect::Responses, &CLIENT, &Names::default(), body.to_string().as_bytes());
    let call = json!({"model": "gpt-x", "status": "completed", "error": null, "output": [{"type": "reasoning"}, {"type": "function_call"}],
        "usage": {"input_tokens": 1, "output_tokens": 2}});
    let answer = look(&call).expect("must be whole");
    assert_eq!((answer.body, answer.finish, answer.has_content), (None, Some(Finish::ToolCalls), true));
    assert_eq!((answer.model.as_deref(), answer.usage.total()), (Some("gpt-x"), Some(3)));
    let refusal = json!({"status": "completed", "output": [{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}]});
    assert!(!look(&refusal).expect("must be whole").has_content);
    let failed = json!({"status": "failed", "output": [], "error": {"code": "server_error", "message": "oh"}});
    assert_eq!(look(&failed).expect_err("must fail").kind, ErrorKind::ServerError);
    assert!(look(&json!({"id": "x"})).is_err());
}

#[test]
fn the_scan_reads_a_response_s_members_by_their_names() {
    let seen = |members: Value| {
        scan(&Call::chat(Dialect::Responses), request(members).to_string().as_bytes()).expect("must be a request")
    };
    let all = seen(
        json!({"instructions": "four", "input": "five!", "max_output_tokens": 7, "tools": [{}], "stream": true,
        "text": {"format": {"type": "json_schema"}}, "reasoning": {"effort": "low"}, "user": "u", "service_tier": "flex"}),
    );
    assert_eq!((all.max_tokens, all.tools, all.stream, all.structured, all.reasons), (Some(7), true, true, true, true));
    assert_eq!((all.user.as_deref(), all.service_tier.as_deref()), (Some("u"), Some("flex")));
    let plain = seen(json!({"reasoning": {"effort": "none"}, "text": {"format": {"type": "text"}}}));
    assert_eq!(
        (plain.reasons, plain.structured, plain.text_bytes),
        (false, false, "hi".len() + "none".len() + "text".len())
    );
    let media = json!([{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}, {"type": "input_file", "file_url": "x"}]}]);
    assert_eq!(seen(json!({"input": media})).media, 2);
}

#[test]
fn references_to_state_are_found_at_any_depth() {
    let state = |members: Value| {
        scan(&Call::chat(Dialect::Responses), request(members).to_string().as_bytes()).expect("must be a request").state
    };
    let rows = [
        (json!({"previous_response_id": "r"}), Some("previous_response_id")),
        (json!({"previous_response_id": null, "conversation": null}), None),
        (json!({"conversation": {"id": "c"}}), Some("conversation")),
        (json!({"background": true}), Some("background")),
        (json!({"prompt": {"id": "p"}}), Some("prompt")),
        (json!({"input": [user("x"), {"type": "item_reference", "id": "msg_1"}]}), Some("input[1].id")),
        (json!({"input": [{"id": "msg_1"}]}), Some("input[0].id")),
        (json!({"input": [{"id": "msg_1", "type": null}]}), Some("input[0].id")),
        (json!({"input": [{"id": "msg_1", "role": "user", "content": "x"}]}), None),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}),
            Some("input[0].content[0].file_id"),
        ),
        (json!({"tools": [{"type": "file_search", "vector_store_ids": ["v"]}]}), Some("tools[0].vector_store_ids")),
        (json!({"tools": [{"type": "code_interpreter", "container": "c"}]}), Some("tools[0].container")),
        (json!({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}), None),
        (json!({"tools": [{"type": "function", "parameters": {"properties": {"file_id": {"type": "string"}}}}]}), None),
    ];
    for (members, expected) in rows {
        assert_eq!(state(members.clone()).as_deref(), expected, "{members}");
    }
    let escaped = br#"{"model":"m","input":[{"id":"msg_1","t\u0079pe":"item\u005freference"}]}"#;
    let seen = scan(&Call::chat(Dialect::Responses), escaped).expect("must be a request");
    assert_eq!(seen.state.as_deref(), Some("input[0].id"));
}

#[test]
fn the_service_tier_of_a_response_is_what_its_tokens_are_priced_by() {
    let mut done = completed(json!({"input_tokens": 5, "output_tokens": 4}));
    done["response"]["service_tier"] = json!("flex");
    let (_, _, relay) = passed(&event(&done));
    assert_eq!(relay.usage().terms, Some(Terms::Flex));
    let whole = relay::answer(Dialect::Responses, &CLIENT, &Names::default(), done["response"].to_string().as_bytes());
    assert_eq!(whole.expect("must be whole").usage.terms, Some(Terms::Flex));
}
