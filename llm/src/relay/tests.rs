mod priced;
mod seen;
mod translated;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::classify::ErrorKind;
use crate::sse::Splitter;
use crate::sse::tests::cut;

fn client(include_usage: bool) -> Client {
    Client { dialect: Dialect::OpenAI, include_usage, choices: 1, now: 1_700_000_000 }
}

/// What a client saw of a stream, and how it went.
#[derive(Debug, PartialEq)]
struct Told {
    text: String,
    steps: Vec<Step>,
    end: End,
    usage: Usage,
}

fn run(upstream: Dialect, client: &Client, chunks: &[&[u8]]) -> Told {
    run_with(Relay::new(upstream, client, Names::default()), chunks)
}

fn run_with(mut relay: Relay, chunks: &[&[u8]]) -> Told {
    let mut splitter = Splitter::default();
    let (mut out, mut steps) = (Vec::new(), Vec::new());
    let mut each = |relay: &mut Relay, event: Event| {
        let step = relay.push(&event, &mut out);
        if step.forward == Forward::AsItCame {
            out.extend_from_slice(&event.raw);
        }
        steps.push(step);
    };
    for chunk in chunks {
        splitter.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = splitter.next_event().expect("must be small enough") {
            each(&mut relay, event);
        }
    }
    if let Some(event) = splitter.finish() {
        each(&mut relay, event);
    }
    let end = steps.iter().find_map(|step| step.end).unwrap_or_else(|| relay.finish(&mut out));
    Told { text: String::from_utf8(out).expect("must be UTF-8"), steps, end, usage: *relay.usage() }
}

fn openai(stream: &str) -> Told {
    run(Dialect::OpenAI, &client(true), &[stream.as_bytes()])
}

fn anthropic(stream: &str) -> Told {
    run(Dialect::Anthropic, &client(true), &[stream.as_bytes()])
}

fn chunk(delta: &str, finish: &str) -> String {
    format!("data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n")
}

/// The deltas and finish reasons of the chunks that a client saw.
fn deltas(text: &str) -> Vec<String> {
    let json = text.split("\n\n").filter_map(|event| event.strip_prefix("data: {"));
    json.map(|rest| {
        let value: serde_json::Value = serde_json::from_str(&format!("{{{rest}")).expect("must be JSON");
        match value["choices"].get(0) {
            Some(choice) if choice["finish_reason"].is_string() => format!("finish {}", choice["finish_reason"]),
            Some(choice) => choice["delta"].to_string(),
            None => format!("usage {}", value["usage"]),
        }
    })
    .collect()
}

fn event(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).expect("must be JSON");
    format!("event: {}\ndata: {json}\n\n", value["type"].as_str().expect("must have a type"))
}

fn message(blocks: &[&str], stop_reason: &str) -> String {
    let start = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"usage":{"input_tokens":25,"cache_read_input_tokens":5,"output_tokens":1}}}"#;
    let delta = format!(
        r#"{{"type":"message_delta","delta":{{"stop_reason":"{stop_reason}","stop_sequence":null}},"usage":{{"output_tokens":15}}}}"#
    );
    let stop = r#"{"type":"message_stop"}"#;
    let mut all = vec![start, r#"{"type":"ping"}"#];
    all.extend(blocks);
    all.extend([delta.as_str(), stop]);
    all.into_iter().map(event).collect()
}

fn text_block() -> [&'static str; 4] {
    [
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hé\n"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"llo"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
    ]
}

#[test]
fn same_dialect_streams_pass_byte_for_byte() {
    let stream = format!(
        ": hello\r\n\r\n{}{}{}data:[DONE]\n\n",
        chunk(r#"{"role":"assistant","content":""}"#, "null"),
        chunk(r#"{"content":"é\u00e9","x":1.50}"#, "null"),
        chunk("{}", "\"stop\"")
    );
    let told = openai(&stream);
    assert_eq!(told.text, stream);
    assert_eq!(told.end, End::Complete);
    assert_eq!(told.steps.iter().map(|step| step.commits).collect::<Vec<_>>(), [false, false, true, true, false]);
}

#[test]
fn only_the_usage_chunk_is_hidden_from_a_client_that_did_not_ask() {
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n";
    let filter = "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n";
    let content = chunk(r#"{"content":"a"}"#, "\"stop\"");
    let stream = format!("{filter}{content}{usage}data: [DONE]\n\n");
    let hidden = run(Dialect::OpenAI, &client(false), &[stream.as_bytes()]);
    assert_eq!(hidden.text, format!("{filter}{content}data: [DONE]\n\n"));
    assert_eq!(hidden.usage.total(), Some(7));
    assert_eq!(openai(&stream).text, stream);
}

#[test]
fn usage_on_every_chunk_is_cumulative_and_a_chunk_with_choices_is_never_hidden() {
    let with_usage = |delta: &str, finish: &str, output: u64| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}],\"usage\":{{\"prompt_tokens\":3,\"completion_tokens\":{output}}}}}\n\n"
        )
    };
    let stream =
        format!("{}{}data: [DONE]\n\n", with_usage(r#"{"content":"a"}"#, "null", 1), with_usage("{}", "\"stop\"", 2));
    let told = run(Dialect::OpenAI, &client(false), &[stream.as_bytes()]);
    assert_eq!(told.text, stream);
    assert_eq!((told.usage.input, told.usage.output), (Some(3), Some(2)));
}

#[test]
fn an_error_object_in_the_stream_is_a_failure_and_nothing_of_it_is_forwarded() {
    let stream =
        format!("{}data: {{\"error\":{{\"message\":\"busy\",\"code\":503}}}}\n\ndata: [DONE]\n\n", chunk("{}", "null"));
    let told = openai(&stream);
    assert_eq!(told.text, chunk("{}", "null"));
    assert_eq!(told.steps[1].error.as_ref().map(|e| (e.kind, e.status)), Some((ErrorKind::ServerError, 503)));
    assert_eq!(told.end, End::Truncated);
    let named = openai("event: error\ndata: {\"message\":\"x\"}\n\n");
    assert!(named.steps[0].error.is_some());
}

#[test]
fn eof_before_every_choice_has_a_finish_reason_is_a_truncation() {
    assert_eq!(openai("").end, End::Truncated);
    assert_eq!(openai(&chunk(r#"{"content":"a"}"#, "null")).end, End::Truncated);
    let two = Client { choices: 2, ..client(true) };
    let one_of_two = chunk(r#"{"content":"a"}"#, "\"stop\"");
    assert_eq!(run(Dialect::OpenAI, &two, &[one_of_two.as_bytes()]).end, End::Truncated);
    assert_eq!(anthropic(&event(text_block()[1])).end, End::Truncated);
}

#[test]
fn an_end_marker_after_an_unfinished_answer_is_withheld() {
    let content = chunk(r#"{"content":"a"}"#, "null");
    for stream in [format!("{content}data: [DONE]\n\n"), "data: [DONE]\n\n".to_owned()] {
        let told = openai(&stream);
        assert_eq!(told.end, End::Truncated);
        assert!(!told.text.contains("[DONE]"));
    }
    let cut = format!(
        "{}{}",
        message(&text_block(), "end_turn").split("event: message_delta").next().unwrap_or_default(),
        event(r#"{"type":"message_stop"}"#)
    );
    let told = anthropic(&cut);
    assert_eq!(told.end, End::Truncated);
    assert!(!told.text.contains("[DONE]"));
}

#[test]
fn finished_without_an_end_marker_is_complete_and_the_client_gets_one() {
    let finished = chunk(r#"{"content":"a"}"#, "\"stop\"");
    let told = openai(&finished);
    assert_eq!(told.end, End::NoMarker);
    assert_eq!(told.text, format!("{finished}data: [DONE]\n\n"));
    let whole = message(&text_block(), "end_turn");
    let told = anthropic(whole.split("event: message_stop").next().unwrap_or_default());
    assert_eq!(told.end, End::NoMarker);
    assert!(told.text.ends_with("data: [DONE]\n\n"));
    assert_eq!(told.text.matches("[DONE]").count(), 1);
}

#[test]
fn done_comes_exactly_once_and_what_follows_it_is_ignored() {
    let finished = chunk(r#"{"content":"a"}"#, "\"stop\"");
    let told = openai(&format!("{finished}data: [DONE]\n\ndata: [DONE]\n\n{finished}"));
    assert_eq!(told.text, format!("{finished}data: [DONE]\n\n"));
    let whole = message(&text_block(), "end_turn");
    let told = anthropic(&format!("{whole}{}", event(r#"{"type":"message_stop"}"#)));
    assert_eq!(told.text.matches("[DONE]").count(), 1);
}

#[test]
fn an_event_that_does_not_parse_is_withheld_and_three_in_a_row_are_an_error() {
    let good = chunk(r#"{"content":"a"}"#, "null");
    let told = openai(&format!("{good}data: {{oops\n\ndata: {{oops\n\n{good}"));
    assert_eq!(told.text, format!("{good}{good}"));
    assert_eq!(told.steps.iter().filter(|step| step.malformed).count(), 2);
    assert!(told.steps.iter().all(|step| step.error.is_none()));
    let told = openai(&format!("{good}data: {{\n\ndata: {{\n\ndata: {{\n\n{good}"));
    assert_eq!(told.text, good);
    assert_eq!(told.steps[3].error.as_ref().map(|e| e.kind), Some(ErrorKind::ServerError));
}

#[test]
fn a_finish_reason_that_means_failure_is_an_error() {
    let told = openai(&chunk("{}", "\"insufficient_system_resource\""));
    assert!(told.steps[0].error.is_some());
    assert_eq!(told.text, "");
}

#[test]
fn an_unknown_finish_reason_passes_as_it_came_and_is_told() {
    let stream = chunk("{}", "\"bored\"");
    let told = openai(&stream);
    assert_eq!(told.steps[0].finish, Some(Finish::Unknown));
    assert!(told.text.starts_with(&stream));
}

#[test]
fn an_anthropic_client_gets_anthropic_s_stream_as_it_came() {
    let stream = message(&text_block(), "end_turn");
    let own = Client { dialect: Dialect::Anthropic, ..client(false) };
    let told = run(Dialect::Anthropic, &own, &[stream.as_bytes()]);
    assert_eq!(told.text, stream);
    assert_eq!(told.usage.input, Some(30));
    assert_eq!(told.end, End::Complete);
    let told =
        run(Dialect::Anthropic, &own, &[stream.split("event: message_stop").next().unwrap_or_default().as_bytes()]);
    assert_eq!(told.text, stream);
}

#[test]
fn a_200_that_does_not_parse_is_cut_or_holds_an_error_is_a_failure() {
    let fail =
        |body: &[u8]| answer(Dialect::Anthropic, &client(false), &Names::default(), body).expect_err("must fail");
    for body in [b"".as_slice(), b"<html>", b"{\"content\":[", b"{}", b"[]"] {
        assert_eq!(fail(body).kind, ErrorKind::ServerError);
    }
    let inner = br#"{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}"#;
    assert_eq!(fail(inner).kind, ErrorKind::RateLimit);
}

proptest! {
    #[test]
    fn a_stream_split_at_any_byte_is_told_the_same_way(cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let translated = message(&text_block(), "end_turn");
        prop_assert_eq!(run(Dialect::Anthropic, &client(true), &cut(translated.as_bytes(), &cuts)), anthropic(&translated));
        let passed = format!("{}{}data: [DONE]\r\n\r\n", chunk(r#"{"content":"é"}"#, "null"), chunk("{}", "\"stop\""));
        prop_assert_eq!(run(Dialect::OpenAI, &client(true), &cut(passed.as_bytes(), &cuts)), openai(&passed));
    }

    #[test]
    fn any_bytes_at_all_are_survived(
        pieces in proptest::collection::vec(prop_oneof![
            Just(b"data: ".to_vec()), Just(b"\n\n".to_vec()), Just(b"{\"type\":\"message_delta\",\"delta\":".to_vec()),
            Just(b"{\"choices\":[{\"delta\":".to_vec()), Just(b"}]}".to_vec()), Just(b"[DONE]".to_vec()), Just(b"{\"type\":\"content_block_start\",\"content_block\":7}".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..12)], 0..12)
    ) {
        let stream = pieces.concat();
        for dialect in [Dialect::OpenAI, Dialect::Anthropic] {
            let mut relay = Relay::new(dialect, &client(true), Names::default());
            let (mut splitter, mut out) = (Splitter::default(), Vec::new());
            splitter.push(Bytes::from(stream.clone()));
            while let Ok(Some(event)) = splitter.next_event() {
                relay.push(&event, &mut out);
            }
            let _: End = relay.finish(&mut out);
            let _: bool = answer(dialect, &client(true), &Names::default(), &stream).is_ok();
        }
    }
}
