use serde_json::json;

use super::super::plan::Piece;
use super::super::{anthropic, openai};
use super::*;
use crate::fake::script::At;

fn asking(dialect: Dialect) -> Asking<'static> {
    let stamp = Stamp { number: 1, created: 2 };
    Asking { provider: "p", dialect, stamp, path: "/", credential: "k", model: "m" }
}

fn openai_stream(answer: &Answer) -> Vec<Piece> {
    let body = json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let question = openai::read::chat(&body, "m").expect("must be a good request");
    asking(Dialect::OpenAI).answer(&question, answer).pieces
}

fn text(pieces: &[Piece]) -> String {
    let bytes = pieces.iter().filter_map(|piece| match piece {
        Piece::Bytes { bytes, .. } => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    });
    bytes.collect()
}

#[test]
fn a_stream_that_breaks_before_content_has_sent_its_role_only() {
    let pieces = openai_stream(&Answer::broken(At::Content(0), How::Close));
    assert_eq!(pieces.len(), 2);
    assert!(text(&pieces).contains("\"role\":\"assistant\""));
    assert_eq!(pieces[1], Piece::Cut { reset: false });
}

#[test]
fn usage_comes_only_when_asked_for_and_then_before_the_end_marker() {
    assert!(!text(&openai_stream(&Answer::default())).contains("usage"));
    let body = json!({"model": "m", "stream": true, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "hi"}]});
    let question = openai::read::chat(&body, "m").expect("must be a good request");
    let all = text(&asking(Dialect::OpenAI).answer(&question, &Answer::default()).pieces);
    let events: Vec<&str> = all.split_terminator("\n\n").collect();
    assert_eq!(events.last(), Some(&"data: [DONE]"));
    assert!(events[events.len() - 2].contains("\"choices\":[]"));
}

#[test]
fn bytes_split_anywhere_are_the_same_bytes() {
    let whole = openai_stream(&Answer::default());
    let split = openai_stream(&Answer { split_bytes: Some(3), ..Answer::default() });
    assert_eq!(text(&whole), text(&split));
    assert!(split.len() > whole.len() * 10);
}

#[test]
fn anthropic_events_come_in_the_documented_order() {
    let body = json!({"model": "claude-sonnet-4-5", "max_tokens": 9, "stream": true,
        "messages": [{"role": "user", "content": "hi"}]});
    let question = anthropic::read(&body, false).expect("must be a good request");
    let all = text(&asking(Dialect::Anthropic).answer(&question, &Answer::default()).pieces);
    let mut names: Vec<&str> = all.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    names.dedup();
    let order = [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(names, order);
}
