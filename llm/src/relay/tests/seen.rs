//! How much of an answer was seen, on every way that it takes.

use super::*;
use crate::Dialect::{Anthropic, Gemini, Ollama, OpenAI, Responses};

/// What is counted of a stream that breaks off.
fn seen(upstream: Dialect, dialect: Dialect, stream: &str) -> Seen {
    let client = Client { dialect, ..client(false) };
    let mut relay = Relay::new(upstream, &client, Names::default());
    let mut splitter = Splitter::new(crate::sse::Framing::of(upstream));
    splitter.push(Bytes::copy_from_slice(stream.as_bytes()));
    let mut out = Vec::new();
    while let Some(event) = splitter.next_event().expect("must be small enough") {
        relay.push(&event, &mut out);
    }
    relay.seen()
}

fn words(said: u64, thought: u64) -> Seen {
    Seen { said, thought, ..Seen::default() }
}

/// Thinking of 2 bytes, a text of 4 and a call of 1 and 7, and what announces them.
fn broken(upstream: Dialect) -> String {
    match upstream {
        OpenAI | Dialect::Mistral => [
            r#"{"role":"assistant","content":""}"#,
            r#"{"reasoning_content":"hm"}"#,
            r#"{"content":"é\n\""}"#,
            r#"{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1}"}}]}"#,
        ]
        .map(|delta| chunk(delta, "null"))
        .concat(),
        Anthropic => [
            r#"{"type":"message_start","message":{"id":"m","model":"x","content":[],"usage":{"input_tokens":25,"output_tokens":1}}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"AAAAAAAAAAAA"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"é\n\""}}"#,
            r#"{"type":"content_block_stop","index":1}"#,
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}"#,
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}"#,
        ]
        .map(event)
        .concat(),
        Gemini => [
            r#"{"text":"hm","thought":true}"#,
            r#"{"text":"é\n\""}"#,
            r#"{"functionCall":{"name":"f","args":{"a":1}}}"#,
        ]
        .map(|part| format!("data: {{\"candidates\":[{{\"content\":{{\"parts\":[{part}]}}}}]}}\n\n"))
        .concat(),
        Ollama => [
            r#""thinking":"hm""#,
            r#""content":"é\n\"""#,
            r#""content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]"#,
        ]
        .map(|message| format!("{{\"model\":\"x\",\"message\":{{\"role\":\"assistant\",{message}}},\"done\":false}}\n"))
        .concat(),
        Responses => [
            r#"{"type":"response.created","response":{"id":"r","model":"x","output":[]}}"#,
            r#"{"type":"response.reasoning_summary_text.delta","item_id":"i","delta":"hm"}"#,
            r#"{"type":"response.output_text.delta","item_id":"j","delta":"é\n\""}"#,
            r#"{"type":"response.output_item.added","item":{"type":"function_call","id":"k","call_id":"c","name":"f","arguments":""}}"#,
            r#"{"type":"response.function_call_arguments.delta","item_id":"k","delta":"{\"a\":1}"}"#,
            r#"{"type":"response.function_call_arguments.done","item_id":"k","arguments":"{\"a\":1}"}"#,
        ]
        .map(event)
        .concat(),
    }
}

#[test]
fn text_thinking_and_calls_are_counted_alike_in_place_and_translated() {
    for upstream in [OpenAI, Anthropic, Gemini, Ollama, Dialect::Mistral] {
        for client in [OpenAI, Anthropic, Gemini, Responses] {
            assert_eq!(seen(upstream, client, &broken(upstream)), words(12, 2), "{upstream:?} to {client:?}");
        }
    }
    assert_eq!(seen(Responses, Responses, &broken(Responses)), words(12, 2));
}

#[test]
fn every_choice_counts_and_an_event_that_is_withheld_does_not() {
    let two = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ab\"}},{\"index\":1,\"delta\":{\"content\":\"cd\"}}]}\n\n";
    assert_eq!(seen(OpenAI, OpenAI, two), words(4, 0));
    let legacy = "data: {\"choices\":[{\"index\":0,\"text\":\"abc\",\"finish_reason\":null}]}\n\n";
    assert_eq!(seen(OpenAI, OpenAI, legacy), words(3, 0));
    let cut = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ab\"}},{\"index\":1,\"del\n\n";
    assert_eq!(seen(OpenAI, OpenAI, cut), Seen::default());
}

#[test]
fn a_whole_answer_says_how_much_it_says_in_every_dialect() {
    let rows = [
        (
            OpenAI,
            r#"{"choices":[{"message":{"content":"é\n\"","reasoning_content":"hm","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},"finish_reason":"stop"}]}"#,
        ),
        (
            Anthropic,
            r#"{"type":"message","content":[{"type":"thinking","thinking":"hm","signature":"AAAA"},{"type":"text","text":"é\n\""},{"type":"tool_use","id":"t","name":"f","input":{"a":1}}],"stop_reason":"end_turn"}"#,
        ),
        (
            Gemini,
            r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"é\n\""},{"functionCall":{"name":"f","args":{"a":1}}}]},"finishReason":"STOP"}]}"#,
        ),
        (
            Responses,
            r#"{"status":"completed","output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},{"type":"message","content":[{"type":"output_text","text":"é\n\""}]},{"type":"function_call","name":"f","arguments":"{\"a\":1}"}]}"#,
        ),
    ];
    for (upstream, body) in rows {
        for dialect in [upstream, OpenAI, Anthropic] {
            let client = Client { dialect, ..client(false) };
            let answer = answer(upstream, &client, &Names::default(), body.as_bytes());
            assert_eq!(answer.map(|it| it.seen), Ok(words(12, 2)), "{upstream:?} to {dialect:?}");
        }
    }
}

#[test]
fn an_answer_that_failed_keeps_what_its_provider_says_it_took() {
    let rows = [
        (
            OpenAI,
            r#"{"choices":[{"message":{},"finish_reason":"error"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#,
        ),
        (
            Dialect::Mistral,
            r#"{"choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"error"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#,
        ),
        (
            Gemini,
            r#"{"candidates":[{"content":{"parts":[]},"finishReason":"MALFORMED_FUNCTION_CALL"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4}}"#,
        ),
        (
            Responses,
            r#"{"status":"failed","output":[],"error":{"code":"server_error","message":"m"},"usage":{"input_tokens":3,"output_tokens":4}}"#,
        ),
    ];
    for (upstream, body) in rows {
        let error = answer(upstream, &client(false), &Names::default(), body.as_bytes()).expect_err("must fail");
        assert_eq!(error.usage.and_then(|usage| usage.total()), Some(7), "{upstream:?}");
    }
}
