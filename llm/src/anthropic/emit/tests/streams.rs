//! Streams, checked as the official SDKs gather them.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::anthropic::{StreamEmitter, StreamParser};
use crate::neutral::{Event, Finish, Usage};
use crate::openai;
use crate::sse::Splitter;
use crate::translate::Names;

fn emitted(events: &[Event<'_>]) -> Vec<u8> {
    let (mut emitter, mut out) = (StreamEmitter::new(), Vec::new());
    events.iter().for_each(|event| emitter.push(event, &mut out));
    out
}

/// The data of each event, whose `event:` line must name its type.
fn data(stream: &[u8]) -> Vec<Value> {
    let (mut splitter, mut all) = (Splitter::default(), Vec::new());
    splitter.push(Bytes::copy_from_slice(stream));
    while let Some(event) = splitter.next_event().expect("must be small enough") {
        let data: Value = serde_json::from_slice(&event.data().expect("must have data")).expect("must be JSON");
        assert_eq!(event.name(), data["type"].as_str().map(str::as_bytes));
        all.push(data);
    }
    assert_eq!(splitter.finish(), None);
    all
}

/// The message that the SDKs' stream helper makes of it; panics where that raises.
fn gathered(stream: &[u8]) -> Value {
    let mut message = Value::Null;
    let (mut open, mut json) = (None, String::new());
    for event in data(stream) {
        let index = event["index"].as_u64().and_then(|index| usize::try_from(index).ok());
        assert_ne!(event["type"] == "message_start", message.is_object(), "one start, before all else");
        match event["type"].as_str().expect("must have a type") {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                let content = message["content"].as_array_mut().expect("must be a list");
                assert_eq!((open, index), (None, Some(content.len())), "one block at a time, counted from 0");
                content.push(event["content_block"].clone());
                (open, json) = (index, String::new());
            }
            "content_block_delta" => {
                assert_eq!(open, index);
                let block = &mut message["content"][index.expect("must be there")];
                let delta = &event["delta"];
                let (of, key) = match delta["type"].as_str().expect("must have a type") {
                    "text_delta" => ("text", "text"),
                    "thinking_delta" => ("thinking", "thinking"),
                    "signature_delta" => ("thinking", "signature"),
                    "input_json_delta" => ("tool_use", "partial_json"),
                    other => panic!("{other}"),
                };
                assert_eq!(block["type"], of);
                let more = delta[key].as_str().expect("must be a string");
                if of == "tool_use" {
                    json.push_str(more);
                    continue;
                }
                block[key] = json!(block[key].as_str().expect("must be a string").to_owned() + more);
            }
            "content_block_stop" => {
                assert_eq!(open.take(), index);
                if !json.is_empty() {
                    message["content"][index.expect("must be there")]["input"] =
                        serde_json::from_str(&json).expect("must be JSON");
                    json.clear();
                }
            }
            "message_delta" => {
                assert_eq!(open, None);
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
                for (key, count) in event["usage"].as_object().expect("must be an object") {
                    message["usage"][key] = count.clone();
                }
            }
            "message_stop" => message["stopped"] = json!(true),
            other => panic!("{other}"),
        }
    }
    message
}

fn start() -> Event<'static> {
    Event::Start { id: "chatcmpl-1".into(), model: "gpt-x".into() }
}

fn usage(input: Option<u64>, output: Option<u64>) -> Event<'static> {
    Event::Usage(Usage { input, output, ..Usage::default() })
}

fn tool(index: u32, id: &'static str, name: &'static str) -> Event<'static> {
    Event::ToolStart { index, id: id.into(), name: name.into() }
}

fn json_of(index: u32, json: &'static str) -> Event<'static> {
    Event::ToolArguments { index, json: json.into() }
}

#[test]
fn a_stream_of_text_has_start_block_deltas_and_usage_that_came_after_the_finish() {
    let events = [
        start(),
        Event::Text("".into()),
        Event::Text("Hé\n".into()),
        Event::Text("llo".into()),
        Event::Finish(Finish::Stop),
        usage(Some(9), Some(4)),
        Event::End,
    ];
    let expected = r#"event: message_start
data: {"type":"message_start","message":{"id":"chatcmpl-1","type":"message","role":"assistant","model":"gpt-x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hé\n"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"llo"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":9,"output_tokens":4}}

event: message_stop
data: {"type":"message_stop"}

"#;
    assert_eq!(String::from_utf8_lossy(&emitted(&events)), expected);
}

#[test]
fn usage_that_is_known_before_the_first_content_stands_in_the_start() {
    let stream = emitted(&[start(), usage(Some(9), Some(1)), Event::Text("a".into())]);
    assert_eq!(data(&stream)[0]["message"]["usage"], json!({"input_tokens": 9, "output_tokens": 1}));
}

#[test]
fn nothing_is_written_before_the_first_content_and_an_empty_answer_is_a_whole_message() {
    assert_eq!(emitted(&[start(), usage(Some(1), None), Event::Text("".into())]), b"");
    let message = gathered(&emitted(&[start(), Event::Finish(Finish::Length), Event::End]));
    assert_eq!((&message["content"], &message["stop_reason"]), (&json!([]), &json!("max_tokens")));
    assert!(gathered(&emitted(&[Event::End]))["id"].as_str().is_some_and(|id| id.starts_with("msg_")));
}

#[test]
fn thinking_its_signature_text_and_calls_are_blocks_one_after_the_other() {
    let events = [
        start(),
        Event::Reasoning("two ".into()),
        Event::Reasoning("cities".into()),
        Event::Signature("sig".into()),
        Event::RedactedReasoning("zz".into()),
        Event::Text("Looking.".into()),
        tool(0, "c1", "f"),
        json_of(0, "{\"a\":"),
        json_of(0, "1}"),
        tool(1, "c2", "g"),
        Event::Finish(Finish::ToolCalls),
        Event::End,
    ];
    let expected = json!([
        {"type": "thinking", "thinking": "two cities", "signature": "sig"},
        {"type": "redacted_thinking", "data": "zz"},
        {"type": "text", "text": "Looking."},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "c2", "name": "g", "input": {}},
    ]);
    let message = gathered(&emitted(&events));
    assert_eq!((&message["content"], &message["stop_reason"]), (&expected, &json!("tool_use")));
}

#[test]
fn arguments_that_come_interleaved_wait_for_the_call_that_is_open() {
    let events = [
        start(),
        tool(0, "c1", "f"),
        tool(1, "c2", "g"),
        json_of(1, "{\"b\":"),
        json_of(0, "{\"a\":"),
        Event::Text("meanwhile".into()),
        json_of(1, "2}"),
        json_of(0, "1}"),
        json_of(1, " "),
        tool(2, "c3", "h"),
        json_of(2, "{}"),
        Event::Finish(Finish::ToolCalls),
        Event::End,
    ];
    let expected = json!([
        {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "c2", "name": "g", "input": {"b": 2}},
        {"type": "text", "text": "meanwhile"},
        {"type": "tool_use", "id": "c3", "name": "h", "input": {}},
    ]);
    assert_eq!(gathered(&emitted(&events))["content"], expected);
}

#[test]
fn a_call_after_one_that_is_whole_does_not_wait() {
    let whole = emitted(&[start(), tool(0, "c1", "f"), json_of(0, "{}"), tool(1, "c2", "g")]);
    assert_eq!(data(&whole).last().expect("must be there")["content_block"]["id"], "c2");
    let open = emitted(&[start(), tool(0, "c1", "f"), json_of(0, "{"), tool(1, "c2", "g")]);
    assert_eq!(data(&open).last().expect("must be there")["delta"]["partial_json"], "{");
}

#[test]
fn a_refusal_is_a_text_block_and_its_reason_says_so() {
    for finish in [Finish::Stop, Finish::ContentFilter] {
        let events = [start(), Event::Refusal("no".into()), Event::Finish(finish), Event::End];
        let message = gathered(&emitted(&events));
        assert_eq!(message["content"], json!([{"type": "text", "text": "no"}]));
        assert_eq!(message["stop_reason"], "refusal");
    }
}

#[test]
fn more_than_may_wait_is_an_honest_error_and_no_end() {
    let (mut emitter, mut out) = (StreamEmitter::new(), Vec::new());
    emitter.push(&start(), &mut out);
    emitter.push(&tool(0, "c1", "f"), &mut out);
    emitter.push(&tool(1, "c2", "g"), &mut out);
    let piece = "x".repeat(1 << 20);
    for _ in 0..8 {
        emitter.push(&Event::ToolArguments { index: 1, json: (&*piece).into() }, &mut out);
    }
    emitter.push(&Event::Finish(Finish::ToolCalls), &mut out);
    emitter.push(&Event::End, &mut out);
    let last = data(&out).pop().expect("must be there");
    assert_eq!(last["type"], "error");
}

#[test]
fn a_stream_of_openai_s_with_parallel_calls_is_a_message_with_its_usage() {
    let chunk = |delta: Value| json!({"id": "chatcmpl-1", "model": "gpt-x", "choices": [{"index": 0, "delta": delta}]});
    let call = |index: usize, id: &str, name: &str| {
        chunk(
            json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}]}),
        )
    };
    let more =
        |index: usize, json: &str| chunk(json!({"tool_calls": [{"index": index, "function": {"arguments": json}}]}));
    let chunks = [
        chunk(json!({"role": "assistant", "content": ""})),
        chunk(json!({"content": "Looking."})),
        call(0, "call_1", "get"),
        more(0, "{\"city\":"),
        more(0, "\"Paris\"}"),
        call(1, "call_2", "get"),
        more(1, "{}"),
        json!({"id": "chatcmpl-1", "model": "gpt-x", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
        json!({"id": "chatcmpl-1", "model": "gpt-x", "choices": [],
            "usage": {"prompt_tokens": 20, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 4}}}),
    ];
    let (mut parser, mut emitter, mut out) = (openai::StreamParser::default(), StreamEmitter::new(), Vec::new());
    for data in chunks.iter().map(Value::to_string).chain(["[DONE]".to_owned()]) {
        parser.push(data.as_bytes(), &mut |event| emitter.push(&event, &mut out)).expect("must parse");
    }
    let expected = json!({
        "id": "chatcmpl-1", "type": "message", "role": "assistant", "model": "gpt-x",
        "content": [
            {"type": "text", "text": "Looking."},
            {"type": "tool_use", "id": "call_1", "name": "get", "input": {"city": "Paris"}},
            {"type": "tool_use", "id": "call_2", "name": "get", "input": {}}],
        "stop_reason": "tool_use", "stop_sequence": null, "stopped": true,
        "usage": {"input_tokens": 16, "cache_read_input_tokens": 4, "output_tokens": 7},
    });
    assert_eq!(gathered(&out), expected);
}

/// What the crate's own parser reads of a stream, with neighbouring pieces joined.
fn read_back(stream: &[u8]) -> Vec<Event<'static>> {
    let (mut parser, mut all) = (StreamParser::new(Names::default()), Vec::new());
    for event in data(stream) {
        let text = event.to_string();
        parser.push(text.as_bytes(), &mut |event| join(&mut all, &event)).expect("must parse");
    }
    all
}

fn join(all: &mut Vec<Event<'static>>, event: &Event<'_>) {
    let owned = |text: &str| text.to_owned().into();
    match (all.last_mut(), event) {
        (Some(Event::Text(text)), Event::Text(more)) | (Some(Event::Reasoning(text)), Event::Reasoning(more)) => {
            text.to_mut().push_str(more);
        }
        (Some(Event::ToolArguments { index, json }), Event::ToolArguments { index: same, json: more })
            if index == same =>
        {
            json.to_mut().push_str(more);
        }
        (_, Event::Start { id, model }) => all.push(Event::Start { id: owned(id), model: owned(model) }),
        (_, Event::Text(text)) => all.push(Event::Text(owned(text))),
        (_, Event::Reasoning(text)) => all.push(Event::Reasoning(owned(text))),
        (_, Event::Signature(text)) => all.push(Event::Signature(owned(text))),
        (_, Event::RedactedReasoning(text)) => all.push(Event::RedactedReasoning(owned(text))),
        (_, Event::ToolStart { index, id, name }) => {
            all.push(Event::ToolStart { index: *index, id: owned(id), name: owned(name) });
        }
        (_, Event::ToolArguments { index, json }) => {
            all.push(Event::ToolArguments { index: *index, json: owned(json) });
        }
        (_, Event::Finish(finish)) => all.push(Event::Finish(*finish)),
        (_, Event::Usage(usage)) => all.push(Event::Usage(*usage)),
        (_, Event::End) => all.push(Event::End),
        (_, other) => panic!("{other:?}"),
    }
}

/// The events of one block, each a piece.
fn block() -> impl Strategy<Value = Vec<Event<'static>>> {
    let texts = || prop::collection::vec("\\PC{1,6}", 1..4);
    prop_oneof![
        texts().prop_map(|texts| texts.into_iter().map(|text| Event::Text(text.into())).collect()),
        (texts(), "[a-z]{1,8}").prop_map(|(texts, signature)| {
            let thoughts = texts.into_iter().map(|text| Event::Reasoning(text.into()));
            thoughts.chain([Event::Signature(signature.into())]).collect()
        }),
        "[a-z]{1,8}".prop_map(|data| vec![Event::RedactedReasoning(data.into())]),
        ("[a-z_]{1,8}", any::<String>(), 0usize..9).prop_map(|(name, value, cut)| {
            let json = json!({"a": value}).to_string();
            let cut = (0..=cut.min(json.len())).rev().find(|at| json.is_char_boundary(*at)).unwrap_or(0);
            let piece = |json: &str| Event::ToolArguments { index: 0, json: json.to_owned().into() };
            let start = Event::ToolStart { index: 0, id: name.clone().into(), name: name.into() };
            vec![start, piece(&json[..cut]), piece(&json[cut..])]
        }),
    ]
}

fn answer() -> impl Strategy<Value = Vec<Event<'static>>> {
    prop::collection::vec(block(), 1..6).prop_map(|blocks| {
        let mut events = vec![start(), usage(Some(7), Some(1))];
        let mut calls = 0;
        for mut block in blocks {
            let is_call = matches!(block[0], Event::ToolStart { .. });
            for event in &mut block {
                if let Event::ToolStart { index, .. } | Event::ToolArguments { index, .. } = event {
                    *index = calls;
                }
            }
            calls += u32::from(is_call);
            events.append(&mut block);
        }
        let finish = if calls > 0 { Finish::ToolCalls } else { Finish::Length };
        events.extend([usage(Some(7), Some(9)), Event::Finish(finish), Event::End]);
        events
    })
}

proptest! {
    #[test]
    fn a_stream_written_and_read_back_is_the_same_events(events in answer()) {
        let stream = emitted(&events);
        gathered(&stream);
        let mut expected = Vec::new();
        events.iter().filter(|event| !matches!(event, Event::ToolArguments { json, .. } if json.is_empty()))
            .for_each(|event| join(&mut expected, event));
        prop_assert_eq!(read_back(&stream), expected);
    }

    /// However the calls of an answer are mixed, each has its own arguments, whole.
    #[test]
    fn calls_mixed_in_any_order_come_out_whole(order in prop::collection::vec(0u32..4, 0..40)) {
        let arguments: Vec<String> = (0..4).map(|n| json!({"n": n, "text": "}\"{"}).to_string()).collect();
        let mut at = [0usize; 4];
        let mut events = vec![start()];
        events.extend((0..4).map(|index| Event::ToolStart { index, id: format!("c{index}").into(), name: "f".into() }));
        let rest = (0..4u32).flat_map(|index| std::iter::repeat_n(index, 40));
        for index in order.into_iter().chain(rest) {
            let (json, from) = (&arguments[index as usize], &mut at[index as usize]);
            let to = (*from + 3).min(json.len());
            events.push(Event::ToolArguments { index, json: json[*from..to].to_owned().into() });
            *from = to;
        }
        events.extend([Event::Finish(Finish::ToolCalls), Event::End]);
        let message = gathered(&emitted(&events));
        for index in 0..4 {
            prop_assert_eq!(message["content"][index]["input"].to_string(), serde_json::from_str::<Value>(&arguments[index]).expect("must be JSON").to_string());
        }
    }
}
