//! Anything at all, and everything that our own emitter writes.

use std::collections::HashSet;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::fixtures;
use crate::neutral::{Event, Finish, Usage};
use crate::openai::{StreamEmitter, StreamParser, emit_response, parse_response};
use crate::sse::Splitter;

type Events = Vec<Event<'static>>;

/// A stretch of an answer: text, a refusal, a block of thinking, or a call with its arguments.
fn stretch() -> impl Strategy<Value = Events> {
    let words = || prop_oneof![Just("a"), Just("é\n\"\\"), Just("[DONE]"), Just(" ")];
    let pieces = || proptest::collection::vec(words(), 1..3);
    prop_oneof![
        words().prop_map(|text| vec![Event::Text(text.into())]),
        words().prop_map(|text| vec![Event::Refusal(text.into())]),
        words().prop_map(|data| vec![Event::RedactedReasoning(data.into())]),
        (pieces(), any::<bool>()).prop_map(|(texts, signed)| {
            let thought = texts.into_iter().map(|text| Event::Reasoning(text.into()));
            thought.chain(signed.then(|| Event::Signature("s==".into()))).collect()
        }),
        prop_oneof![Just(vec!["{}"]), Just(vec!["{\"a\":", "1}"]), Just(vec![])].prop_map(|arguments| {
            let start = Event::ToolStart { index: 0, id: "".into(), name: "f".into() };
            let arguments = arguments.into_iter().map(|json| Event::ToolArguments { index: 0, json: json.into() });
            [start].into_iter().chain(arguments).collect()
        }),
    ]
}

/// A whole answer as a parser tells it; calls are numbered and each has its arguments.
fn answer() -> impl Strategy<Value = Events> {
    let finish = prop_oneof![Just(Finish::Stop), Just(Finish::Length), Just(Finish::ContentFilter)];
    (proptest::collection::vec(stretch(), 0..8), finish).prop_map(|(stretches, finish)| {
        let mut events = vec![Event::Start { id: "msg_1".into(), model: "m-1".into() }];
        let mut calls = 0;
        for mut stretch in stretches {
            if let Some(Event::ToolStart { index, id, .. }) = stretch.first_mut() {
                (*index, *id) = (calls, format!("toolu_{calls}").into());
                if stretch.len() == 1 {
                    stretch.push(Event::ToolArguments { index: 0, json: "{}".into() });
                }
                for event in &mut stretch {
                    if let Event::ToolArguments { index, .. } = event {
                        *index = calls;
                    }
                }
                calls += 1;
            }
            events.extend(stretch);
        }
        let finish = if finish == Finish::Stop && calls > 0 { Finish::ToolCalls } else { finish };
        let usage = Usage { input: Some(7), output: Some(3), cached_input: Some(2), ..Usage::default() };
        events.extend([Event::Finish(finish), Event::Usage(usage), Event::End]);
        events
    })
}

/// Chunks as they come from servers of all kinds, some broken.
fn some_chunk() -> impl Strategy<Value = String> {
    let index = prop_oneof![Just(None), Just(Some(0)), Just(Some(1))];
    let word = || prop_oneof![Just(None), Just(Some("")), Just(Some("a")), Just(Some("b"))];
    let call = (index, word(), word(), word()).prop_map(|(index, id, name, arguments)| {
        json!({"tool_calls": [{"index": index, "id": id, "function": {"name": name, "arguments": arguments}}]})
    });
    let delta = prop_oneof![
        call,
        word().prop_map(|text| json!({"content": text, "refusal": text})),
        word().prop_map(|text| json!({"reasoning": text, "thinking_blocks": [{"type": "thinking", "thinking": text, "signature": text}]})),
        word().prop_map(|text| json!({"function_call": {"name": text, "arguments": text}})),
    ];
    let finish = prop_oneof![4 => Just(None), 1 => Just(Some("stop"))];
    prop_oneof![
        8 => (delta, finish).prop_map(|(delta, finish)| json!({"id": "c", "choices": [{"delta": delta, "finish_reason": finish}]}).to_string()),
        1 => Just(r#"{"choices":[],"usage":{"prompt_tokens":1}}"#.to_owned()),
        1 => Just("{oops".to_owned()),
        1 => Just("[DONE]".to_owned()),
    ]
}

/// What any consumer may rely on, whatever the server sends.
fn check_order(events: &[Event<'_>]) -> Result<(), TestCaseError> {
    let (mut begun, mut filled, mut finished, mut started) = (0, HashSet::new(), false, false);
    for event in events {
        if !matches!(event, Event::Usage(_) | Event::Error(_) | Event::End) {
            prop_assert!(!finished, "nothing is said after the finish");
            prop_assert_eq!(started, !matches!(event, Event::Start { .. }), "the start comes once and first");
            started = true;
        }
        match event {
            Event::ToolStart { index, id, name } => {
                prop_assert_eq!(*index, begun);
                prop_assert!(!id.is_empty() && !name.is_empty());
                begun += 1;
            }
            Event::ToolArguments { index, json } => {
                prop_assert!(*index < begun && !json.is_empty());
                filled.insert(*index);
            }
            Event::Finish(finish) => {
                prop_assert!(*finish != Finish::Stop || begun == 0);
                prop_assert_eq!(filled.len(), begun as usize, "each call has arguments");
                finished = true;
            }
            Event::Text(text) | Event::Refusal(text) | Event::Reasoning(text) | Event::Signature(text) => {
                prop_assert!(!text.is_empty());
            }
            _ => {}
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_our_own_emitter_writes_is_read_as_the_same_events(sent in answer()) {
        let mut emitter = StreamEmitter::new(true, 1);
        let mut out = Vec::new();
        sent.iter().for_each(|event| emitter.push(event, &mut out));
        emitter.flush(&mut out);
        let mut splitter = Splitter::default();
        splitter.push(Bytes::from(out));
        let mut data = Vec::new();
        while let Some(event) = splitter.next_event().expect("must be small enough") {
            data.push(event.data().expect("must have data").into_owned());
        }
        let mut parser = StreamParser::default();
        let mut seen = Vec::new();
        for data in &data {
            parser.push(data, &mut |event| seen.push(event)).expect("must parse");
        }
        prop_assert_eq!(seen, sent);
    }

    #[test]
    fn chunks_in_any_order_keep_the_order_of_events(data in proptest::collection::vec(some_chunk(), 0..12)) {
        let mut parser = StreamParser::default();
        let mut seen = Vec::new();
        for data in &data {
            let _: bool = parser.push(data.as_bytes(), &mut |event| seen.push(event)).is_ok();
        }
        check_order(&seen)?;
    }

    #[test]
    fn any_bytes_at_all_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _: bool = parse_response(&bytes).is_ok();
        let mut parser = StreamParser::default();
        let _: bool = parser.push(&bytes, &mut |_| {}).is_ok();
    }

    #[test]
    fn one_wrong_byte_never_panics_and_what_is_emitted_is_json(fixture in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let spoiled = |mut body: Vec<u8>| {
            let at = at.index(body.len());
            body[at] = byte;
            body
        };
        let body = fixture.get(&fixtures()).to_string();
        let whole = spoiled(body.clone().into_bytes());
        if let Ok(response) = parse_response(&whole) {
            let emitted = emit_response(&response, 1);
            prop_assert!(serde_json::from_slice::<Value>(&emitted).is_ok(), "{}", String::from_utf8_lossy(&emitted));
        }
        let chunk = spoiled(body.replace("\"message\"", "\"delta\"").into_bytes());
        let mut seen = Vec::new();
        let _: bool = StreamParser::default().push(&chunk, &mut |event| seen.push(event)).is_ok();
        check_order(&seen)?;
    }
}
