//! How `OpenAI` words an answer.

use serde_json::{Value, json};

use super::super::plan::{Event, Stamp};
use super::super::question::Question;
use super::super::reply::{Finish, Reply, argument_deltas, deltas};
use super::responses;

/// The name under which a model answers: dated, as the real ones do.
pub(crate) fn reported(model: &str) -> String {
    match model {
        "gpt-4o" => "gpt-4o-2024-08-06".to_owned(),
        "gpt-4o-mini" => "gpt-4o-mini-2024-07-18".to_owned(),
        "gpt-4.1" | "gpt-4.1-mini" => format!("{model}-2025-04-14"),
        _ => model.to_owned(),
    }
}

fn finish(reply: &Reply) -> &str {
    match &reply.finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::Refused(_) => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Filtered | Finish::Blocked => "content_filter",
        Finish::Verbatim(word) => word,
    }
}

pub(crate) fn usage(question: &Question, reply: &Reply) -> Value {
    let output = reply.output_tokens() * question.choices as u64;
    let mut usage = json!({
        "prompt_tokens": question.prompt_tokens,
        "completion_tokens": output,
        "total_tokens": question.prompt_tokens + output,
        "prompt_tokens_details": {"cached_tokens": reply.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reply.thinking_tokens(),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    });
    if reply.cache_written > 0 {
        usage["prompt_tokens_details"]["cache_write_tokens"] = json!(reply.cache_written);
    }
    usage
}

fn call_id(stamp: &Stamp, choice: usize, index: usize) -> String {
    format!("call_{:08}{choice}{index}", stamp.number)
}

/// The role and what is there of the answer at once: in a stream, only whether there will be text.
fn message(reply: &Reply, content: &str, refusal: Option<&str>) -> Value {
    let no_text = reply.text.is_empty() && !reply.calls.is_empty() || matches!(reply.finish, Finish::Refused(_));
    let content = if no_text { Value::Null } else { json!(content) };
    json!({"role": "assistant", "content": content, "refusal": refusal})
}

fn refusal(reply: &Reply) -> Option<&str> {
    match &reply.finish {
        Finish::Refused(words) => Some(words),
        _ => None,
    }
}

/// The fields around the choices.
fn envelope(stamp: &Stamp, question: &Question, object: &str, choices: Value) -> Value {
    let id = if question.completes { "cmpl" } else { "chatcmpl" };
    let mut whole = json!({
        "id": format!("{id}-{:012}", stamp.number),
        "object": object,
        "created": stamp.created,
        "model": reported(&question.model),
        "choices": choices,
    });
    if !question.completes {
        whole["service_tier"] = json!("default");
        whole["system_fingerprint"] = json!("fp_fake");
    }
    whole
}

/// The whole answer as one object.
pub(crate) fn unary(stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Value {
    if question.responds {
        return responses::unary(stamp, question, reply, with_usage);
    }
    let choice = |choice: usize| {
        if question.completes {
            return json!({"text": reply.text, "index": choice, "logprobs": null, "finish_reason": finish(reply)});
        }
        let mut message = message(reply, &reply.text, refusal(reply));
        message["annotations"] = json!([]);
        if !reply.calls.is_empty() {
            let calls = reply.calls.iter().enumerate().map(|(index, call)| {
                json!({
                    "id": call_id(stamp, choice, index),
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                })
            });
            message["tool_calls"] = calls.collect();
        }
        json!({"index": choice, "message": message, "logprobs": null, "finish_reason": finish(reply)})
    };
    let object = if question.completes { "text_completion" } else { "chat.completion" };
    let mut whole = envelope(stamp, question, object, (0..question.choices).map(choice).collect());
    if with_usage {
        whole["usage"] = usage(question, reply);
    }
    whole
}

/// The answer as a stream, `[DONE]` excluded.
pub(crate) fn events(stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Vec<Event> {
    if question.responds {
        return responses::events(stamp, question, reply, with_usage);
    }
    let asked = question.usage_in_stream && with_usage;
    let object = if question.completes { "text_completion" } else { "chat.completion.chunk" };
    let chunk = |choices: Value| {
        let mut chunk = envelope(stamp, question, object, choices);
        if asked {
            chunk["usage"] = Value::Null;
        }
        chunk
    };
    let mut events = Vec::new();
    for choice in 0..question.choices {
        let deltas = if question.completes { texts(reply) } else { chat_deltas(stamp, reply, choice) };
        for Delta { fields, content, finish } in deltas {
            let mut one = json!({"index": choice, "logprobs": null, "finish_reason": finish});
            if question.completes {
                one["text"] = fields;
            } else {
                one["delta"] = fields;
            }
            let event = Event::data(chunk(json!([one])));
            events.push(if content { event.content() } else { event });
        }
    }
    if asked {
        let mut last = chunk(json!([]));
        last["usage"] = usage(question, reply);
        events.push(Event::data(last));
    }
    events
}

/// What one chunk adds to a choice.
struct Delta<'a> {
    fields: Value,
    content: bool,
    finish: Option<&'a str>,
}

fn chat_deltas<'a>(stamp: &Stamp, reply: &'a Reply, choice: usize) -> Vec<Delta<'a>> {
    let of = |content: bool| move |fields: Value| Delta { fields, content, finish: None };
    let mut all = vec![of(false)(message(reply, "", None))];
    all.extend(deltas(&reply.text).map(|word| json!({"content": word})).map(of(true)));
    all.extend(deltas(refusal(reply).unwrap_or_default()).map(|word| json!({"refusal": word})).map(of(true)));
    for (index, call) in reply.calls.iter().enumerate() {
        let id = call_id(stamp, choice, index);
        let start =
            json!({"index": index, "id": id, "type": "function", "function": {"name": call.name, "arguments": ""}});
        all.push(of(true)(json!({"tool_calls": [start]})));
        let pieces = argument_deltas(&call.arguments).into_iter();
        let more = pieces.map(|piece| json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}));
        all.extend(more.map(of(true)));
    }
    all.push(Delta { fields: json!({}), content: false, finish: Some(finish(reply)) });
    all
}

/// The pieces of a legacy completion.
fn texts(reply: &Reply) -> Vec<Delta<'_>> {
    let words = deltas(&reply.text).map(|word| Delta { fields: json!(word), content: true, finish: None });
    words.chain([Delta { fields: json!(""), content: false, finish: Some(finish(reply)) }]).collect()
}
