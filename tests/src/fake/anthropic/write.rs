//! How Anthropic words an answer.

use serde_json::{Value, json};

use super::super::plan::{Event, Stamp};
use super::super::question::Question;
use super::super::reply::{Call, Finish, Reply, argument_deltas, deltas};

fn stop_reason(reply: &Reply) -> &str {
    match &reply.finish {
        Finish::Stop => "end_turn",
        Finish::StopSequence(_) => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::Refused(_) | Finish::Filtered | Finish::Blocked => "refusal",
        Finish::Verbatim(word) => word,
    }
}

fn stop_sequence(reply: &Reply) -> Option<&str> {
    match &reply.finish {
        Finish::StopSequence(stop) => Some(stop),
        _ => None,
    }
}

/// What a refusal says of itself.
fn stop_details(reply: &Reply) -> Value {
    match &reply.finish {
        Finish::Refused(words) => json!({"type": "refusal", "category": null, "explanation": words}),
        Finish::Filtered | Finish::Blocked => json!({"type": "refusal", "category": "bio", "explanation": null}),
        Finish::Stop | Finish::StopSequence(_) | Finish::Length | Finish::ToolCalls | Finish::Verbatim(_) => {
            Value::Null
        }
    }
}

/// `input_tokens` are those that no cache had to do with.
fn usage(question: &Question, reply: &Reply, output: u64) -> Value {
    json!({
        "input_tokens": question.prompt_tokens.saturating_sub(reply.cached + reply.cache_written),
        "cache_creation_input_tokens": reply.cache_written,
        "cache_read_input_tokens": reply.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": reply.cache_written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
    })
}

fn call_id(stamp: &Stamp, index: usize) -> String {
    format!("toolu_{:012}{index}", stamp.number)
}

/// What a model would need to see its own reasoning again.
const SIGNATURE: &str = "RmFrZVNpZ25hdHVyZQ==";

fn arguments(call: &Call) -> Value {
    serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}))
}

/// The whole answer as one object.
pub(crate) fn unary(stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Value {
    let mut content = Vec::new();
    if let Some(thinking) = &reply.thinking {
        content.push(json!({"type": "thinking", "thinking": thinking, "signature": SIGNATURE}));
    }
    if !reply.text.is_empty() {
        content.push(json!({"type": "text", "text": reply.text}));
    }
    for (index, call) in reply.calls.iter().enumerate() {
        let id = call_id(stamp, index);
        content.push(json!({"type": "tool_use", "id": id, "name": call.name, "input": arguments(call)}));
    }
    let mut whole = json!({
        "id": format!("msg_{:012}", stamp.number),
        "type": "message",
        "role": "assistant",
        "model": question.model,
        "content": content,
        "stop_reason": stop_reason(reply),
        "stop_sequence": stop_sequence(reply),
        "stop_details": stop_details(reply),
    });
    if with_usage {
        whole["usage"] = usage(question, reply, reply.output_tokens());
    }
    whole
}

/// The answer as a stream, `message_stop` excluded.
pub(crate) fn events(stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Vec<Event> {
    let mut message = json!({
        "id": format!("msg_{:012}", stamp.number),
        "type": "message",
        "role": "assistant",
        "model": question.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
    });
    if with_usage {
        message["usage"] = usage(question, reply, 1);
    }
    let start = Event::named(json!({"type": "message_start", "message": message}));
    let mut stream = Blocks { events: vec![start], open: 0 };
    if let Some(thinking) = &reply.thinking {
        let mut pieces: Vec<Value> =
            deltas(thinking).map(|word| json!({"type": "thinking_delta", "thinking": word})).collect();
        pieces.push(json!({"type": "signature_delta", "signature": SIGNATURE}));
        stream.block(json!({"type": "thinking", "thinking": "", "signature": ""}), pieces, false);
    }
    if !reply.text.is_empty() {
        let pieces = deltas(&reply.text).map(|word| json!({"type": "text_delta", "text": word})).collect();
        stream.block(json!({"type": "text", "text": ""}), pieces, false);
    }
    for (index, call) in reply.calls.iter().enumerate() {
        let start = json!({"type": "tool_use", "id": call_id(stamp, index), "name": call.name, "input": {}});
        // The real API sends no input at all for a call without arguments but this one empty piece.
        let mut pieces = vec![json!({"type": "input_json_delta", "partial_json": ""})];
        if call.arguments != "{}" {
            let more = argument_deltas(&call.arguments);
            pieces.extend(more.into_iter().map(|p| json!({"type": "input_json_delta", "partial_json": p})));
        }
        stream.block(start, pieces, true);
    }
    let mut last = json!({
        "type": "message_delta",
        "delta": {
            "stop_reason": stop_reason(reply),
            "stop_sequence": stop_sequence(reply),
            "stop_details": stop_details(reply),
        },
    });
    if with_usage {
        last["usage"] = json!({"output_tokens": reply.output_tokens()});
    }
    stream.events.push(Event::named(last));
    stream.events
}

/// Content blocks, one after the other; a ping follows the start of the first one.
struct Blocks {
    events: Vec<Event>,
    open: usize,
}

impl Blocks {
    fn block(&mut self, start: Value, pieces: Vec<Value>, starts_with_content: bool) {
        let index = self.open;
        let start = Event::named(json!({"type": "content_block_start", "index": index, "content_block": start}));
        self.events.push(if starts_with_content { start.content() } else { start });
        if index == 0 {
            self.events.push(Event::named(json!({"type": "ping"})));
        }
        for delta in pieces {
            self.events
                .push(Event::named(json!({"type": "content_block_delta", "index": index, "delta": delta})).content());
        }
        self.events.push(Event::named(json!({"type": "content_block_stop", "index": index})));
        self.open += 1;
    }
}
