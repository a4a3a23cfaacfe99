use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::relay::{End, Relay};
use crate::sse::Splitter;
use crate::translate::Names;

/// What a client sees of a stream that comes in these chunks, and how it ended.
fn seen(upstream: Dialect, chunks: &[&[u8]]) -> (Vec<u8>, End) {
    let mut relay = Relay::new(upstream, &CLIENT, Names::default());
    let mut splitter = Splitter::default();
    let (mut out, mut end) = (Vec::new(), None);
    for chunk in chunks {
        splitter.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = splitter.next_event().expect("must be small enough") {
            end = end.or(relay.push(&event, &mut out).end);
        }
    }
    let end = end.unwrap_or_else(|| relay.finish(&mut out));
    (out, end)
}

fn events(out: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(out).expect("must be UTF-8");
    let events = text.split_terminator("\n\n").map(|event| {
        let (name, data) = event.split_once('\n').expect("must have two lines");
        let value: Value =
            serde_json::from_str(data.strip_prefix("data: ").expect("must be data")).expect("must be JSON");
        assert_eq!(name.strip_prefix("event: "), value["type"].as_str(), "{event}");
        value
    });
    events.collect()
}

fn claude() -> String {
    let start =
        |index: usize, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let delta = |index: usize, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let stop = |index: usize| json!({"type": "content_block_stop", "index": index});
    let events = [
        json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-x", "usage": {"input_tokens": 3}}}),
        start(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "h"})),
        delta(0, json!({"type": "thinking_delta", "thinking": "m"})),
        delta(0, json!({"type": "signature_delta", "signature": "sig"})),
        stop(0),
        start(1, json!({"type": "text", "text": ""})),
        delta(1, json!({"type": "text_delta", "text": "Hé\n"})),
        delta(1, json!({"type": "text_delta", "text": "llo"})),
        stop(1),
        start(2, json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}})),
        delta(2, json!({"type": "input_json_delta", "partial_json": "{\"a\""})),
        delta(2, json!({"type": "input_json_delta", "partial_json": ":1}"})),
        stop(2),
        start(3, json!({"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}})),
        stop(3),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}}),
        json!({"type": "message_stop"}),
    ];
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

fn told(stream: &str) -> Vec<Value> {
    let (out, end) = seen(Dialect::Anthropic, &[stream.as_bytes()]);
    assert_eq!(end, End::Complete);
    events(&out)
}

#[test]
fn events_are_typed_in_order_and_numbered_from_zero() {
    let events = told(&claude());
    let names: Vec<_> = events.iter().filter_map(|event| event["type"].as_str()?.strip_prefix("response.")).collect();
    let call = |pieces: usize| {
        let deltas = vec!["function_call_arguments.delta"; pieces];
        [vec!["output_item.added"], deltas].concat()
    };
    let called = ["function_call_arguments.done", "output_item.done"];
    let expected = [
        vec!["created", "in_progress"],
        vec!["output_item.added", "reasoning_summary_part.added"],
        vec!["reasoning_summary_text.delta"; 2],
        vec!["reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"],
        vec!["output_item.added", "content_part.added", "output_text.delta", "output_text.delta"],
        vec!["output_text.done", "content_part.done", "output_item.done"],
        call(2),
        called.to_vec(),
        call(1),
        called.to_vec(),
        vec!["completed"],
    ];
    assert_eq!(names, expected.concat());
    let numbers: Vec<_> = events.iter().map(|event| event["sequence_number"].as_u64()).collect();
    assert_eq!(numbers, (0..events.len() as u64).map(Some).collect::<Vec<_>>());
}

#[test]
fn the_last_event_says_all_again_with_the_ids_and_places_of_before() {
    let events = told(&claude());
    let last = &events.last().expect("must be there")["response"];
    let output = last["output"].as_array().expect("must be a list");
    assert_eq!(last["usage"]["total_tokens"], 8);
    assert_eq!(events[0]["response"]["id"], last["id"]);
    assert_eq!(
        (&events[0]["response"]["status"], &events[0]["response"]["usage"]),
        (&json!("in_progress"), &Value::Null)
    );
    for event in &events {
        let Some(index) = event["output_index"].as_u64() else { continue };
        let item = &output[usize::try_from(index).expect("must be small")];
        let id = if event["item_id"].is_string() { &event["item_id"] } else { &event["item"]["id"] };
        assert_eq!(id, &item["id"], "{event}");
        if event["type"] == "response.output_item.done" {
            assert_eq!(event["item"], *item);
        }
    }
    let texts: String = events
        .iter()
        .filter(|event| event["type"] == "response.output_text.delta")
        .filter_map(|event| event["delta"].as_str())
        .collect();
    assert_eq!((&*texts, &output[1]["content"][0]["text"]), ("Hé\nllo", &json!("Hé\nllo")));
    assert_eq!(output[0]["encrypted_content"], "penstock:signature:sig");
    assert_eq!((&output[2]["arguments"], &output[3]["arguments"]), (&json!("{\"a\":1}"), &json!("{}")));
}

#[test]
fn logprobs_are_empty_where_the_sdk_s_type_demands_them() {
    for event in told(&claude()) {
        if matches!(event["type"].as_str(), Some("response.output_text.delta" | "response.output_text.done")) {
            assert_eq!(event["logprobs"], json!([]));
        }
    }
}

fn chat(deltas: &[Value], finish: &str) -> String {
    let chunk = |delta: &Value, finish: Value| json!({"id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    let mut chunks: Vec<_> = deltas.iter().map(|delta| chunk(delta, Value::Null).to_string()).collect();
    chunks.push(chunk(&json!({}), json!(finish)).to_string());
    chunks.push(json!({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}).to_string());
    chunks.push("[DONE]".to_owned());
    chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect()
}

#[test]
fn calls_that_come_interleaved_keep_their_places() {
    let start = |index: u32, name: &str| json!({"tool_calls": [{"index": index, "id": format!("call_{index}"), "function": {"name": name, "arguments": ""}}]});
    let more = |index: u32, json: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": json}}]});
    let deltas = [start(0, "f"), more(0, "{\"a\":"), start(1, "g"), more(1, "{}"), more(0, "1}")];
    let (out, end) = seen(Dialect::OpenAI, &[chat(&deltas, "tool_calls").as_bytes()]);
    assert_eq!(end, End::Complete);
    let events = events(&out);
    let output = &events.last().expect("must be there")["response"]["output"];
    let calls: Vec<_> = output
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| (item["name"].as_str(), item["arguments"].as_str()))
        .collect();
    assert_eq!(calls, [(Some("f"), Some("{\"a\":1}")), (Some("g"), Some("{}"))]);
}

#[test]
fn a_refusal_after_text_is_another_part_of_the_same_message() {
    let deltas = [json!({"content": "Well, "}), json!({"refusal": "no"}), json!({"refusal": "."})];
    let (out, _) = seen(Dialect::OpenAI, &[chat(&deltas, "stop").as_bytes()]);
    let events = events(&out);
    let refusals: Vec<_> = events.iter().filter(|event| event["type"] == "response.refusal.delta").collect();
    assert_eq!((refusals.len(), &refusals[0]["content_index"]), (2, &json!(1)));
    let output = &events.last().expect("must be there")["response"]["output"];
    assert_eq!(output[0]["content"][1], json!({"type": "refusal", "refusal": "no."}));
    assert_eq!(output.as_array().map(Vec::len), Some(1));
}

#[test]
fn a_stream_that_ends_early_is_incomplete_and_says_why() {
    let (out, _) = seen(Dialect::OpenAI, &[chat(&[json!({"content": "half"})], "length").as_bytes()]);
    let events = events(&out);
    let last = events.last().expect("must be there");
    assert_eq!(
        (&last["type"], &last["response"]["incomplete_details"]["reason"]),
        (&json!("response.incomplete"), &json!("max_output_tokens"))
    );
    assert_eq!(last["response"]["output"][0]["status"], "incomplete");
}

#[test]
fn a_stream_that_is_cut_has_no_last_event_and_the_error_takes_its_number() {
    let whole = chat(&[json!({"content": "half"})], "stop");
    let cut = &whole.as_bytes()[..whole.find("\n\n").expect("must have events") + 2];
    let mut relay = Relay::new(Dialect::OpenAI, &CLIENT, Names::default());
    let mut splitter = Splitter::default();
    splitter.push(Bytes::copy_from_slice(cut));
    let mut out = Vec::new();
    while let Some(event) = splitter.next_event().expect("must be small enough") {
        relay.push(&event, &mut out);
    }
    assert_eq!(relay.finish(&mut out), End::Truncated);
    let told = events(&out);
    let rejection = crate::reject::Rejection {
        status: 502,
        message: "cut",
        of_type: None,
        code: Some("upstream_error"),
        param: None,
        details: None,
    };
    let error = events(&rejection.event(Dialect::Responses, relay.sequence()));
    assert_eq!(
        error,
        [
            json!({"type": "error", "sequence_number": told.len(), "code": "upstream_error", "message": "cut", "param": null})
        ]
    );
    assert!(told.iter().all(|event| event["type"] != "response.completed"));
}

#[test]
fn done_is_never_said_on_responses() {
    for upstream in [(Dialect::OpenAI, chat(&[json!({"content": "a"})], "stop")), (Dialect::Anthropic, claude())] {
        let (out, _) = seen(upstream.0, &[upstream.1.as_bytes()]);
        assert!(!String::from_utf8_lossy(&out).contains("[DONE]"));
    }
}

proptest! {
    #[test]
    fn a_translated_stream_split_anywhere_gives_the_same_events(cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let stream = claude();
        let bytes = stream.as_bytes();
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        places.sort_unstable();
        let mut chunks = Vec::new();
        let mut from = 0;
        for place in places.into_iter().chain([bytes.len()]) {
            chunks.push(&bytes[from..place]);
            from = place;
        }
        prop_assert_eq!(seen(Dialect::Anthropic, &chunks), seen(Dialect::Anthropic, &[bytes]));
    }
}

#[test]
fn a_client_of_chat_gets_the_calls_of_a_responses_stream_with_arguments_that_come_only_at_its_end() {
    let item = json!({"type": "function_call", "call_id": "call_1", "name": "f", "arguments": ""});
    let mut done = item.clone();
    done["arguments"] = json!("{\"a\":1}");
    let events = [
        json!({"type": "response.created", "response": {"id": "resp_1", "model": "m"}}),
        json!({"type": "response.output_item.added", "output_index": 3, "item": item}),
        json!({"type": "response.output_item.done", "output_index": 3, "item": done}),
        json!({"type": "response.completed", "response": {"status": "completed", "output": [done]}}),
    ];
    let stream: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let client = Client { dialect: Dialect::OpenAI, ..CLIENT };
    let mut relay = Relay::new(Dialect::Responses, &client, Names::default());
    let mut splitter = Splitter::default();
    splitter.push(Bytes::copy_from_slice(stream.as_bytes()));
    let (mut out, mut end) = (Vec::new(), None);
    while let Some(event) = splitter.next_event().expect("must be small enough") {
        end = end.or(relay.push(&event, &mut out).end);
    }
    let out = String::from_utf8(out).expect("must be UTF-8");
    assert_eq!(end, Some(End::Complete));
    for piece in [r#""id":"call_1""#, r#""arguments":"{\"a\":1}""#, r#""finish_reason":"tool_calls""#] {
        assert_eq!(out.matches(piece).count(), 1, "{piece} in {out}");
    }
    assert!(out.ends_with("data: [DONE]\n\n"));
}
