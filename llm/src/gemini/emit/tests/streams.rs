//! Streams of other providers for Gemini's clients.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::gemini::StreamParser;
use crate::relay::{End, Relay};
use crate::sse::Splitter;

fn emitted(events: &[Event<'_>]) -> Vec<u8> {
    let (mut emitter, mut out) = (StreamEmitter::new(), Vec::new());
    events.iter().for_each(|event| emitter.push(event, &mut out));
    out
}

fn data(stream: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stream).expect("must be UTF-8");
    assert!(text.is_empty() || text.ends_with("\n\n"), "{text}");
    let events = text.split("\n\n").filter(|event| !event.is_empty());
    events
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").expect("must be data")).expect("must be JSON"))
        .collect()
}

fn start() -> Event<'static> {
    Event::Start { id: "c1".into(), model: "gpt-x".into() }
}

fn usage(input: u64, output: u64) -> Event<'static> {
    Event::Usage(Usage { input: Some(input), output: Some(output), ..Usage::default() })
}

fn tool(index: u32, id: &str) -> Event<'static> {
    Event::ToolStart { index, id: id.to_owned().into(), name: "f".into() }
}

fn json_of(index: u32, json: &str) -> Event<'static> {
    Event::ToolArguments { index, json: json.to_owned().into() }
}

/// The parts of all events, one after the other.
fn parts(stream: &[u8]) -> Vec<Value> {
    let parts =
        data(stream).into_iter().flat_map(|event| event["candidates"][0]["content"]["parts"].as_array().cloned());
    parts.flatten().filter(|part| part["text"] != "" || part["thought"] == true).collect()
}

#[test]
fn each_event_has_the_new_words_and_the_last_one_reason_and_usage() {
    let events = [
        start(),
        usage(9, 1),
        Event::Text("".into()),
        Event::Text("Hé\n".into()),
        Event::Text("llo".into()),
        Event::Finish(Finish::Stop),
        usage(9, 4),
        Event::End,
        Event::Text("late".into()),
    ];
    let expected = r#"data: {"candidates":[{"content":{"parts":[{"text":"Hé\n"}],"role":"model"},"index":0}],"modelVersion":"gpt-x","responseId":"c1"}

data: {"candidates":[{"content":{"parts":[{"text":"llo"}],"role":"model"},"index":0}],"modelVersion":"gpt-x","responseId":"c1"}

data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":4,"totalTokenCount":13},"modelVersion":"gpt-x","responseId":"c1"}

"#;
    assert_eq!(String::from_utf8_lossy(&emitted(&events)), expected);
}

#[test]
fn a_call_comes_whole_at_once_and_in_the_order_in_which_it_began() {
    let events = [
        start(),
        tool(0, "a"),
        tool(1, "b"),
        json_of(1, "{\"n\":"),
        json_of(1, "2}"),
        json_of(0, "{\"n\":"),
        Event::Text("meanwhile".into()),
    ];
    assert_eq!(parts(&emitted(&events)), [json!({"text": "meanwhile"})]);
    let events =
        [&events[..], &[json_of(0, "1}"), tool(2, "c"), Event::Finish(Finish::ToolCalls), Event::End]].concat();
    let called =
        parts(&emitted(&events)).into_iter().skip(1).map(|part| part["functionCall"].clone()).collect::<Vec<_>>();
    let call = |id: &str, args: Value| json!({"id": id, "name": "f", "args": args});
    assert_eq!(called, [call("a", json!({"n": 1})), call("b", json!({"n": 2})), call("c", json!({}))]);
    assert_eq!(data(&emitted(&events)).pop().expect("must be there")["candidates"][0]["finishReason"], "STOP");
}

#[test]
fn thoughts_and_what_proves_them_are_parts_that_say_so() {
    let events = [
        start(),
        Event::Reasoning("two ".into()),
        Event::Reasoning("".into()),
        Event::Reasoning("cities".into()),
        Event::Signature("sig".into()),
        Event::RedactedReasoning("zz".into()),
        Event::Finish(Finish::Stop),
        Event::End,
    ];
    let parts = parts(&emitted(&events));
    assert_eq!(parts[..2], [json!({"text": "two ", "thought": true}), json!({"text": "cities", "thought": true})]);
    let signed = |part: &Value| carry::read(part["thoughtSignature"].as_str().unwrap_or_default());
    assert_eq!(signed(&parts[2]), Some(carry::Carried::Signature("sig".into())));
    assert_eq!(signed(&parts[3]), Some(carry::Carried::Redacted("zz".into())));
}

#[test]
fn a_refusal_is_a_blocked_prompt_without_words_and_a_reason_with_them() {
    let silent = data(&emitted(&[start(), usage(9, 0), Event::Finish(Finish::ContentFilter), Event::End]));
    assert_eq!(silent.len(), 1);
    assert_eq!((&silent[0]["promptFeedback"], silent[0].get("candidates")), (&json!({"blockReason": "SAFETY"}), None));
    for (said, finish) in
        [(Event::Refusal("no".into()), Finish::Stop), (Event::Text("no".into()), Finish::ContentFilter)]
    {
        let told = data(&emitted(&[start(), said, Event::Finish(finish), Event::End]));
        assert_eq!(told[0]["candidates"][0]["content"]["parts"][0]["text"], "no");
        assert_eq!(told[1]["candidates"][0]["finishReason"], "SAFETY");
    }
}

#[test]
fn arguments_without_end_are_an_honest_error_and_no_end() {
    let (mut emitter, mut out) = (StreamEmitter::new(), Vec::new());
    emitter.push(&tool(0, "a"), &mut out);
    let piece = "x".repeat(1 << 20);
    (0..8).for_each(|_| emitter.push(&json_of(0, &piece), &mut out));
    emitter.push(&Event::Finish(Finish::ToolCalls), &mut out);
    emitter.push(&Event::End, &mut out);
    let events = data(&out);
    assert_eq!((events.len(), &events[0]["error"]["code"]), (1, &json!(502)));
}

#[test]
fn a_stream_that_is_cut_has_no_last_event() {
    let mut relay = Relay::new(Dialect::OpenAI, &CLIENT, Names::default());
    let (mut splitter, mut out) = (Splitter::default(), Vec::new());
    splitter.push(Bytes::from_static(
        b"data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n",
    ));
    while let Some(event) = splitter.next_event().expect("must be small enough") {
        relay.push(&event, &mut out);
    }
    assert_eq!(relay.finish(&mut out), End::Truncated);
    assert_eq!(parts(&out), [json!({"text": "a"})]);
    assert!(data(&out).iter().all(|event| event["candidates"][0].get("finishReason").is_none()));
}

/// What the crate's own parser reads of a stream, with neighbouring pieces joined.
fn read_back(stream: &[u8]) -> Vec<String> {
    let (mut parser, mut told) = (StreamParser::new(Names::default(), 1), Vec::<(char, String)>::new());
    for event in data(stream) {
        let text = event.to_string();
        let read = parser.push(text.as_bytes(), &mut |event| {
            let (kind, words) = match event {
                Event::Text(text) => ('t', text.into_owned()),
                Event::Reasoning(text) => ('r', text.into_owned()),
                Event::ToolStart { id, name, .. } => ('c', format!("{id} {name}")),
                Event::ToolArguments { json, .. } => ('a', json.into_owned()),
                Event::Finish(finish) => ('f', finish.name().to_owned()),
                other => ('o', format!("{other:?}")),
            };
            match told.last_mut().filter(|(last, _)| *last == kind && "tr".contains(kind)) {
                Some((_, so_far)) => so_far.push_str(&words),
                None => told.push((kind, words)),
            }
        });
        read.expect("must parse");
    }
    told.into_iter().filter(|(kind, _)| *kind != 'o').map(|(kind, words)| format!("{kind} {words}")).collect()
}

proptest! {
    #[test]
    fn a_stream_written_and_read_back_says_the_same(
        texts in prop::collection::vec("\\PC{1,6}", 1..4), thoughts in prop::collection::vec("\\PC{1,6}", 0..3),
        value in any::<String>(), cut in 0usize..12,
    ) {
        let json = json!({"a": value}).to_string();
        let cut = (0..=cut.min(json.len())).rev().find(|at| json.is_char_boundary(*at)).unwrap_or(0);
        let mut events = vec![start()];
        events.extend(thoughts.iter().map(|text| Event::Reasoning(text.as_str().into())));
        events.extend(texts.iter().map(|text| Event::Text(text.as_str().into())));
        events.extend([tool(0, "a"), json_of(0, &json[..cut]), json_of(0, &json[cut..])]);
        events.extend([Event::Finish(Finish::ToolCalls), usage(1, 2), Event::End]);
        let mut expected = Vec::new();
        if !thoughts.is_empty() {
            expected.push(format!("r {}", thoughts.concat()));
        }
        expected.extend([format!("t {}", texts.concat()), "c a f".to_owned(), format!("a {json}"), "f tool_calls".to_owned()]);
        prop_assert_eq!(read_back(&emitted(&events)), expected);
    }

    /// However the calls of an answer are mixed, each has its own arguments, whole, and they come in order.
    #[test]
    fn calls_mixed_in_any_order_come_out_whole(order in prop::collection::vec(0u32..4, 0..40)) {
        let arguments: Vec<String> = (0..4).map(|n| json!({"n": n, "text": "}\"{"}).to_string()).collect();
        let mut at = [0usize; 4];
        let mut events = vec![start()];
        events.extend((0..4).map(|index| tool(index, &format!("c{index}"))));
        let rest = (0..4u32).flat_map(|index| std::iter::repeat_n(index, 40));
        for index in order.into_iter().chain(rest) {
            let (json, from) = (&arguments[index as usize], &mut at[index as usize]);
            let to = (*from + 3).min(json.len());
            events.push(json_of(index, &json[*from..to]));
            *from = to;
        }
        events.extend([Event::Finish(Finish::ToolCalls), Event::End]);
        let told: Vec<String> = parts(&emitted(&events)).iter().map(|part| part["functionCall"]["args"].to_string()).collect();
        prop_assert_eq!(told, arguments);
    }
}
