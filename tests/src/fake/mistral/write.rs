//! How Mistral words an answer.

use serde_json::{Value, json};

use super::super::plan::{Event, Stamp};
use super::super::question::Question;
use super::super::reply::{Call, Finish, Reply, deltas};

fn finish(reply: &Reply) -> &str {
    match &reply.finish {
        // Guardrails look at prompts only, so there is no word for a filter.
        Finish::Stop | Finish::StopSequence(_) | Finish::Refused(_) | Finish::Filtered | Finish::Blocked => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Verbatim(word) => word,
    }
}

fn usage(question: &Question, reply: &Reply) -> Value {
    let output = reply.output_tokens() * question.choices as u64;
    json!({
        "prompt_tokens": question.prompt_tokens,
        "completion_tokens": output,
        "total_tokens": question.prompt_tokens + output,
        "prompt_tokens_details": {"cached_tokens": reply.cached},
    })
}

/// Nine characters, as its validator wants them.
fn call_id(stamp: &Stamp, choice: usize, index: usize) -> String {
    format!("c{:04}m{:01}i{:01}", stamp.number % 10_000, choice % 10, index % 10)
}

fn envelope(stamp: &Stamp, question: &Question, object: &str, choices: Value) -> Value {
    json!({
        "id": format!("{:032x}", stamp.number),
        "object": object,
        "created": stamp.created,
        "model": question.model,
        "choices": choices,
    })
}

fn calls(stamp: &Stamp, choice: usize, reply: &Reply) -> Value {
    let one = |(index, call): (usize, &Call)| {
        let function = json!({"name": call.name, "arguments": call.arguments});
        json!({"id": call_id(stamp, choice, index), "type": "function", "function": function, "index": index})
    };
    reply.calls.iter().enumerate().map(one).collect()
}

fn thinking(text: &str) -> Value {
    json!({"type": "thinking", "thinking": [{"type": "text", "text": text}]})
}

/// The whole answer as one object; with reasoning, its content is a list.
pub(crate) fn unary(stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Value {
    let reply = &reply.refusal_as_text();
    let choice = |choice: usize| {
        let content = match &reply.thinking {
            Some(thought) if reply.text.is_empty() => json!([thinking(thought)]),
            Some(thought) => json!([thinking(thought), {"type": "text", "text": reply.text}]),
            None => json!(reply.text),
        };
        let calls = if reply.calls.is_empty() { Value::Null } else { calls(stamp, choice, reply) };
        let message = json!({"role": "assistant", "tool_calls": calls, "content": content});
        json!({"index": choice, "finish_reason": finish(reply), "message": message})
    };
    let choices = (0..question.choices).map(choice).collect();
    let mut whole = envelope(stamp, question, "chat.completion", choices);
    if with_usage {
        whole["usage"] = usage(question, reply);
    }
    whole
}

/// The answer as a stream, `[DONE]` excluded. The chunk that ends a choice brings its calls, each whole; usage is in the last.
pub(crate) fn events(stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Vec<Event> {
    let reply = &reply.refusal_as_text();
    let chunk = |choice: usize, delta: Value, finish: Option<&str>| {
        let choices = json!([{"index": choice, "delta": delta, "finish_reason": finish}]);
        envelope(stamp, question, "chat.completion.chunk", choices)
    };
    let mut events = Vec::new();
    for choice in 0..question.choices {
        events.push(Event::data(chunk(choice, json!({"role": "assistant", "content": ""}), None)));
        let thoughts = deltas(reply.thinking.as_deref().unwrap_or_default()).map(|word| json!([thinking(word)]));
        let said = thoughts.chain(deltas(&reply.text).map(|word| json!(word)));
        events.extend(said.map(|content| Event::data(chunk(choice, json!({"content": content}), None)).content()));
        let mut delta = json!({"content": ""});
        if !reply.calls.is_empty() {
            delta["tool_calls"] = calls(stamp, choice, reply);
        }
        let mut last = chunk(choice, delta, Some(finish(reply)));
        if with_usage && choice + 1 == question.choices {
            last["usage"] = usage(question, reply);
        }
        let last = Event::data(last);
        events.push(if reply.calls.is_empty() { last } else { last.content() });
    }
    events
}
