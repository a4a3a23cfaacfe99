//! How Ollama words an answer: a line for every piece, the last of which says `done`.

use serde_json::{Value, json};

use super::super::plan::{Event, Stamp};
use super::super::question::Question;
use super::super::reply::{Call, Finish, Reply, deltas};

fn reason(reply: &Reply) -> &str {
    match &reply.finish {
        // It has no word for calls, nor for a filter.
        Finish::Stop
        | Finish::StopSequence(_)
        | Finish::ToolCalls
        | Finish::Refused(_)
        | Finish::Filtered
        | Finish::Blocked => "stop",
        Finish::Length => "length",
        Finish::Verbatim(word) => word,
    }
}

/// Seconds of the stamp as the time of 2026's first day; what a client does with it is parse it.
fn created_at(stamp: &Stamp) -> String {
    format!(
        "2026-01-01T{:02}:{:02}:{:02}.000001Z",
        stamp.created / 3600 % 24,
        stamp.created / 60 % 60,
        stamp.created % 60
    )
}

fn line(stamp: &Stamp, question: &Question, message: Value) -> Value {
    json!({"model": question.model, "created_at": created_at(stamp), "message": message, "done": false})
}

fn call(stamp: &Stamp, index: usize, call: &Call) -> Value {
    let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
    json!({
        "id": format!("call_{:06}{index}", stamp.number),
        "function": {"index": index, "name": call.name, "arguments": arguments},
    })
}

/// Marks a line as the last one.
fn end(line: &mut Value, question: &Question, reply: &Reply, with_usage: bool) {
    line["done"] = json!(true);
    line["done_reason"] = json!(reason(reply));
    let nanoseconds = [("total_duration", 4_883_583_458_u64), ("load_duration", 1_334_875)];
    for (name, time) in nanoseconds {
        line[name] = json!(time);
    }
    if with_usage {
        line["prompt_eval_count"] = json!(question.prompt_tokens);
        line["prompt_eval_duration"] = json!(342_546_000);
        line["eval_count"] = json!(reply.output_tokens());
        line["eval_duration"] = json!(4_535_599_000_u64);
    }
}

/// A model was loaded and nothing asked.
pub(super) fn loaded(stamp: &Stamp, model: &str) -> Value {
    let message = json!({"role": "assistant", "content": ""});
    json!({"model": model, "created_at": created_at(stamp), "message": message, "done": true, "done_reason": "load"})
}

/// The whole answer as one object.
pub(crate) fn unary(stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Value {
    let reply = &reply.refusal_as_text();
    let mut message = json!({"role": "assistant", "content": reply.text});
    if let Some(thinking) = &reply.thinking {
        message["thinking"] = json!(thinking);
    }
    if !reply.calls.is_empty() {
        message["tool_calls"] = reply.calls.iter().enumerate().map(|(index, c)| call(stamp, index, c)).collect();
    }
    let mut whole = line(stamp, question, message);
    end(&mut whole, question, reply, with_usage);
    whole
}

/// The answer as a stream; calls come whole, one a line.
pub(crate) fn events(stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Vec<Event> {
    let reply = &reply.refusal_as_text();
    let said = |message: Value| Event::data(line(stamp, question, message)).content();
    let thoughts = deltas(reply.thinking.as_deref().unwrap_or_default())
        .map(|word| said(json!({"role": "assistant", "content": "", "thinking": word})));
    let texts = deltas(&reply.text).map(|word| said(json!({"role": "assistant", "content": word})));
    let calls = reply
        .calls
        .iter()
        .enumerate()
        .map(|(index, c)| said(json!({"role": "assistant", "content": "", "tool_calls": [call(stamp, index, c)]})));
    let mut last = line(stamp, question, json!({"role": "assistant", "content": ""}));
    end(&mut last, question, reply, with_usage);
    thoughts.chain(texts).chain(calls).chain([Event::data(last)]).collect()
}
