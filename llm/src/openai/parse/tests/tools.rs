//! Tool calls in streams, as OpenAI sends them and as others do.

use serde_json::{Value, json};

use super::streams::{delta, finish, said};
use crate::neutral::{Event, Finish};
use crate::openai::StreamParser;

fn start(index: u32, id: &'static str, name: &'static str) -> Event<'static> {
    Event::ToolStart { index, id: id.into(), name: name.into() }
}

fn arguments(index: u32, json: &'static str) -> Event<'static> {
    Event::ToolArguments { index, json: json.into() }
}

/// Each piece in a chunk of its own; all but the finish, which must say that tools are to be called.
fn called(pieces: &[Value]) -> Vec<Event<'static>> {
    let deltas: Vec<Value> = pieces.iter().map(|piece| json!({"tool_calls": [piece]})).collect();
    let mut all = said(&deltas, "tool_calls");
    assert_eq!(all.pop(), Some(Event::Finish(Finish::ToolCalls)));
    all
}

fn whole(index: Option<u64>, id: Option<&str>, name: &str, arguments: &str) -> Value {
    let mut call = json!({"type": "function", "function": {"name": name, "arguments": arguments}});
    if let Some(index) = index {
        call["index"] = index.into();
    }
    if let Some(id) = id {
        call["id"] = id.into();
    }
    call
}

fn piece(index: u64, arguments: &str) -> Value {
    json!({"index": index, "function": {"arguments": arguments}})
}

#[test]
fn parallel_tools_with_streamed_arguments_start_once_each() {
    let seen = called(&[
        whole(Some(0), Some("c1"), "f", ""),
        piece(0, "{\"a\":"),
        piece(0, "1}"),
        whole(Some(1), Some("c2"), "g", ""),
        piece(1, "{}"),
    ]);
    let expected =
        [start(0, "c1", "f"), arguments(0, "{\"a\":"), arguments(0, "1}"), start(1, "c2", "g"), arguments(1, "{}")];
    assert_eq!(seen, expected);
    let interleaved = called(&[
        whole(Some(0), Some("c1"), "f", ""),
        whole(Some(1), Some("c2"), "g", ""),
        piece(1, "{\"b\":2}"),
        piece(0, "{\"a\":1}"),
    ]);
    let expected = [start(0, "c1", "f"), start(1, "c2", "g"), arguments(1, "{\"b\":2}"), arguments(0, "{\"a\":1}")];
    assert_eq!(interleaved, expected);
}

#[test]
fn id_and_name_may_come_later_than_the_index_or_again_in_each_chunk() {
    let expected = [start(0, "c1", "f"), arguments(0, "{\"a\":"), arguments(0, "1}")];
    let late_name = [json!({"index": 0, "id": "c1"}), whole(Some(0), None, "f", "{\"a\":"), piece(0, "1}")];
    let late_id = [
        json!({"index": 0, "function": {"name": "f", "arguments": ""}}),
        json!({"index": 0, "id": "c1"}),
        piece(0, "{\"a\":"),
        piece(0, "1}"),
    ];
    let repeated = [whole(Some(0), Some("c1"), "f", "{\"a\":"), whole(Some(0), Some("c1"), "f", "1}")];
    let own_ids = [
        whole(Some(0), Some("c1"), "f", "{\"a\":"),
        json!({"index": 0, "id": "other", "function": {"arguments": "1}"}}),
    ];
    for pieces in [&late_name[..], &late_id, &repeated, &own_ids] {
        assert_eq!(called(pieces), expected, "{pieces:?}");
    }
    let early = [piece(0, "{\"a\":"), whole(Some(0), Some("c1"), "f", "1}")];
    assert_eq!(called(&early), expected);
}

#[test]
fn a_missing_id_is_made_up_once_and_is_stable() {
    let pieces = [whole(Some(0), None, "f", "{}"), whole(Some(1), Some(""), "f", ""), piece(1, "{}")];
    let seen = called(&pieces);
    let expected = [start(0, "call_c1_0", "f"), arguments(0, "{}"), start(1, "call_c1_1", "f"), arguments(1, "{}")];
    assert_eq!(seen, expected);
    assert_eq!(called(&pieces), seen);
}

#[test]
fn the_tool_index_counts_calls_whatever_the_server_counts() {
    let seen = called(&[
        whole(Some(1), Some("c1"), "f", "{}"),
        whole(Some(7), Some("c2"), "g", "{}"),
        whole(Some(7), Some("c2"), "g", " "),
    ]);
    let expected =
        [start(0, "c1", "f"), arguments(0, "{}"), start(1, "c2", "g"), arguments(1, "{}"), arguments(1, " ")];
    assert_eq!(seen, expected);
}

#[test]
fn a_server_may_forget_the_index_or_give_all_calls_the_same() {
    let expected = [start(0, "c1", "f"), arguments(0, "{\"a\":1}"), start(1, "c2", "f"), arguments(1, "{}")];
    let pieces = |index| [whole(index, Some("c1"), "f", "{\"a\":1}"), whole(index, Some("c2"), "f", "{}")];
    assert_eq!(called(&pieces(None)), expected);
    assert_eq!(called(&pieces(Some(0))), expected);
    let in_pieces = [
        whole(None, Some("c1"), "f", ""),
        json!({"function": {"arguments": "{\"a\":1}"}}),
        json!({"id": "c2"}),
        json!({"function": {"name": "f"}}),
        json!({"id": "c2", "function": {"arguments": "{}"}}),
    ];
    assert_eq!(called(&in_pieces), expected);
    let neither = called(&[whole(None, None, "f", "{}"), whole(None, None, "g", "{}")]);
    let expected = [start(0, "call_c1_0", "f"), arguments(0, "{}"), start(1, "call_c1_1", "g"), arguments(1, "{}")];
    assert_eq!(neither, expected);
}

#[test]
fn a_call_without_arguments_has_an_empty_object_of_them_before_the_finish() {
    let seen = said(
        &[json!({"tool_calls": [whole(Some(0), Some("c1"), "f", ""), whole(Some(1), None, "g", "")]})],
        "tool_calls",
    );
    let expected = [
        start(0, "c1", "f"),
        arguments(0, "{}"),
        start(1, "call_c1_1", "g"),
        arguments(1, "{}"),
        Event::Finish(Finish::ToolCalls),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn tool_calls_with_the_finish_reason_stop_are_tool_calls() {
    let deltas = [json!({"tool_calls": [whole(Some(0), Some("c1"), "f", "{}")]})];
    assert_eq!(said(&deltas, "stop").last(), Some(&Event::Finish(Finish::ToolCalls)));
    assert_eq!(said(&deltas, "length").last(), Some(&Event::Finish(Finish::Length)));
}

#[test]
fn arguments_may_be_an_object() {
    let call = json!({"index": 0, "id": "c1", "function": {"name": "f", "arguments": {"a": 1}}});
    assert_eq!(called(&[call]), [start(0, "c1", "f"), arguments(0, "{\"a\":1}")]);
}

#[test]
fn a_legacy_function_call_is_a_tool_call() {
    let legacy = |call: Value| json!({"function_call": call});
    let pieces = [
        legacy(json!({"name": "f", "arguments": ""})),
        legacy(json!({"arguments": "{\"a\":"})),
        legacy(json!({"arguments": "1}"})),
    ];
    let expected =
        [start(0, "call_c1_0", "f"), arguments(0, "{\"a\":"), arguments(0, "1}"), Event::Finish(Finish::ToolCalls)];
    assert_eq!(said(&pieces, "function_call"), expected);
}

#[test]
fn calls_of_tools_that_are_no_functions_are_not_told_and_not_counted() {
    let pieces = [
        json!({"index": 0, "id": "c1", "type": "custom", "custom": {"name": "sql", "input": ""}}),
        json!({"index": 0, "custom": {"input": "select"}}),
        whole(Some(1), Some("c2"), "f", "{}"),
    ];
    assert_eq!(called(&pieces), [start(0, "c2", "f"), arguments(0, "{}")]);
}

/// Whether the last of some chunks is a fault, and only that.
fn last_fails(data: &[String]) -> bool {
    let mut parser = StreamParser::default();
    let (last, rest) = data.split_last().expect("must be some");
    rest.iter().all(|data| parser.push(data.as_bytes(), &mut |_| {}).is_ok())
        && parser.push(last.as_bytes(), &mut |event| assert!(!matches!(event, Event::Finish(_)))).is_err()
}

#[test]
fn a_call_that_never_gets_a_name_is_a_fault_and_no_finish() {
    let nameless = |piece: Value| [delta(&json!({"tool_calls": [piece]})), finish("tool_calls")];
    assert!(last_fails(&nameless(piece(0, "{}"))));
    assert!(last_fails(&nameless(json!({"index": 0, "id": "c1"}))));
}

#[test]
fn what_a_server_sends_is_kept_within_bounds() {
    let long = delta(&json!({"tool_calls": [piece(0, &"x".repeat(1 << 19))]}));
    assert!(last_fails(&[long.clone(), long, delta(&json!({"tool_calls": [piece(0, "x")]}))]));
    let many: Vec<Value> = (0..1024).map(|n| whole(Some(n), Some("c"), "f", "")).collect();
    let more = json!({"tool_calls": [whole(Some(1024), Some("c"), "f", "")]});
    assert!(last_fails(&[delta(&json!({"tool_calls": many})), delta(&more)]));
}
