//! `OpenAI`'s Responses API: its requests as the chat that they mean, and its answers as items and typed events.

use serde_json::{Value, json};

use super::super::plan::{Event, Stamp};
use super::super::question::Question;
use super::super::refusal::Refusal;
use super::super::reply::{Finish, Reply, argument_deltas, deltas};
use super::read;
use super::write::reported;

/// Reads a request.
pub(crate) fn question(body: &Value, model: &str) -> Result<Question, Refusal> {
    if body.pointer("/stream_options/include_usage").is_some() {
        let param = "stream_options.include_usage";
        return Err(Refusal::invalid(param, format!("Unknown parameter: '{param}'.")));
    }
    let mut chat = json!({"model": model, "messages": messages(body)?});
    let members = [
        ("/stream", "stream"),
        ("/max_output_tokens", "max_completion_tokens"),
        ("/parallel_tool_calls", "parallel_tool_calls"),
    ];
    for (from, to) in members {
        if let Some(value) = body.pointer(from) {
            chat[to] = value.clone();
        }
    }
    if let Some(schema) = body.pointer("/text/format/schema") {
        chat["response_format"] = json!({"type": "json_schema", "json_schema": {"schema": schema}});
    }
    if let Some(tools) = body.get("tools").and_then(Value::as_array) {
        chat["tools"] = tools.iter().map(|tool| json!({"type": "function", "function": tool})).collect();
    }
    chat["tool_choice"] = match body.get("tool_choice") {
        Some(named @ Value::Object(_)) => json!({"type": "function", "function": named}),
        choice => choice.cloned().unwrap_or_default(),
    };
    Ok(Question { responds: true, ..read::chat(&chat, model)? })
}

fn messages(body: &Value) -> Result<Vec<Value>, Refusal> {
    let instructions = body.get("instructions").filter(|text| text.is_string());
    let mut messages: Vec<Value> =
        instructions.map(|text| json!({"role": "system", "content": text})).into_iter().collect();
    match body.get("input") {
        Some(text @ Value::String(_)) => messages.push(json!({"role": "user", "content": text})),
        Some(Value::Array(items)) => {
            items.iter().enumerate().try_for_each(|(index, it)| item(it, index, &mut messages))?
        }
        _ => return Err(Refusal::invalid("input", "Missing required parameter: 'input'.")),
    }
    Ok(messages)
}

fn item(item: &Value, index: usize, messages: &mut Vec<Value>) -> Result<(), Refusal> {
    let id = || item["call_id"].as_str().unwrap_or_default().to_owned();
    match item["type"].as_str().unwrap_or("message") {
        "message" => messages.push(json!({"role": item["role"], "content": content(&item["content"])})),
        "function_call" => {
            let call = json!({"id": id(), "type": "function", "function": {"name": item["name"], "arguments": item["arguments"]}});
            match messages.last_mut().and_then(|last| last.get_mut("tool_calls")).and_then(Value::as_array_mut) {
                Some(calls) => calls.push(call),
                None => messages.push(json!({"role": "assistant", "content": null, "tool_calls": [call]})),
            }
        }
        "function_call_output" => {
            let calls = messages.iter().filter_map(|message| message["tool_calls"].as_array()).flatten();
            if !calls.clone().any(|call| call["id"] == id()) {
                let message = format!("No tool call found for function call output with call_id {}.", id());
                return Err(Refusal::invalid("input", message));
            }
            messages.push(json!({"role": "tool", "tool_call_id": id(), "content": content(&item["output"])}));
        }
        "reasoning" => {}
        other => {
            let param = format!("input[{index}].type");
            return Err(Refusal::invalid(&param, format!("Invalid value: '{other}'.")));
        }
    }
    Ok(())
}

/// A string, or parts in chat's words.
fn content(content: &Value) -> Value {
    let Some(parts) = content.as_array() else { return content.clone() };
    let part = |part: &Value| match part["type"].as_str() {
        Some("input_text" | "output_text") => json!({"type": "text", "text": part["text"]}),
        Some("input_image") => json!({"type": "image_url", "image_url": {"url": part["image_url"]}}),
        Some("input_file") => json!({"type": "file", "file": {"file_data": part["file_data"]}}),
        _ => part.clone(),
    };
    parts.iter().map(part).collect()
}

/// The items of an answer, each done.
fn items(stamp: &Stamp, reply: &Reply, status: &str) -> Vec<Value> {
    let id = |prefix: &str, index: usize| format!("{prefix}_{:012}{index}", stamp.number);
    let mut items = Vec::new();
    if reply.thinking.is_some() {
        items.push(json!({"id": id("rs", 0), "type": "reasoning", "summary": [], "encrypted_content": "gAAAAfake"}));
    }
    let part = match &reply.finish {
        Finish::Refused(words) => Some(json!({"type": "refusal", "refusal": words})),
        _ if reply.text.is_empty() => None,
        _ => Some(json!({"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []})),
    };
    items.extend(part.map(
        |part| json!({"id": id("msg", 1), "type": "message", "status": status, "role": "assistant", "content": [part]}),
    ));
    items.extend(reply.calls.iter().enumerate().map(|(index, call)| {
        json!({"id": id("fc", index + 2), "type": "function_call", "status": status, "call_id": id("call", index),
            "name": call.name, "arguments": call.arguments})
    }));
    items
}

fn status(reply: &Reply) -> (&'static str, Value) {
    match &reply.finish {
        Finish::Length => ("incomplete", json!({"reason": "max_output_tokens"})),
        Finish::Filtered | Finish::Blocked => ("incomplete", json!({"reason": "content_filter"})),
        Finish::Stop | Finish::StopSequence(_) | Finish::Refused(_) | Finish::ToolCalls | Finish::Verbatim(_) => {
            ("completed", Value::Null)
        }
    }
}

fn response(stamp: &Stamp, question: &Question, status: (&str, Value), output: &[Value], usage: Value) -> Value {
    json!({
        "id": format!("resp_{:012}", stamp.number), "object": "response", "created_at": stamp.created, "status": status.0,
        "background": false, "error": null, "incomplete_details": status.1, "instructions": null, "metadata": {},
        "model": reported(&question.model), "output": output, "parallel_tool_calls": question.parallel,
        "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0, "usage": usage, "x_fake": 1.50,
    })
}

fn usage(question: &Question, reply: &Reply, with_usage: bool) -> Value {
    if !with_usage {
        return Value::Null;
    }
    let (input, output) = (question.prompt_tokens, reply.output_tokens());
    json!({
        "input_tokens": input,
        "input_tokens_details": {"cached_tokens": reply.cached, "cache_write_tokens": reply.cache_written},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": reply.thinking_tokens()},
        "total_tokens": input + output,
    })
}

/// The whole answer as one object.
pub(crate) fn unary(stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Value {
    let status = status(reply);
    let output = items(stamp, reply, status.0);
    response(stamp, question, status, &output, usage(question, reply, with_usage))
}

/// The answer as a stream, which its last event ends.
pub(crate) fn events(stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Vec<Event> {
    let status = status(reply);
    let output = items(stamp, reply, status.0);
    let begun = response(stamp, question, ("in_progress", Value::Null), &[], Value::Null);
    let mut told = vec![
        (json!({"type": "response.created", "response": begun}), false),
        (json!({"type": "response.in_progress", "response": begun}), false),
    ];
    output.iter().enumerate().for_each(|(index, item)| tell(index, item, &mut told));
    let kind = format!("response.{}", status.0);
    let last = response(stamp, question, status, &output, usage(question, reply, with_usage));
    told.push((json!({"type": kind, "response": last}), false));
    let numbered = told.into_iter().enumerate().map(|(number, (mut value, content))| {
        value["sequence_number"] = json!(number);
        let event = Event::named(value);
        if content { event.content() } else { event }
    });
    numbered.collect()
}

/// An item from its beginning to its end.
fn tell(index: usize, item: &Value, told: &mut Vec<(Value, bool)>) {
    let inside = |kind: &str, members: Value| {
        let mut event = json!({"type": format!("response.{kind}"), "item_id": item["id"], "output_index": index});
        if let (Some(event), Value::Object(members)) = (event.as_object_mut(), members) {
            event.extend(members);
        }
        event
    };
    let mut begun = item.clone();
    let fields: &[(&str, Value)] = match item["type"].as_str() {
        Some("message") => &[("status", json!("in_progress")), ("content", json!([]))],
        Some("function_call") => &[("status", json!("in_progress")), ("arguments", json!(""))],
        _ => &[],
    };
    fields.iter().for_each(|(key, value)| begun[*key] = value.clone());
    told.push((json!({"type": "response.output_item.added", "output_index": index, "item": begun}), false));
    if let Some(part) = item.pointer("/content/0") {
        let (kind, key) = if part["type"] == "refusal" { ("refusal", "refusal") } else { ("output_text", "text") };
        let mut empty = part.clone();
        empty[key] = json!("");
        told.push((inside("content_part.added", json!({"content_index": 0, "part": empty})), false));
        for word in deltas(part[key].as_str().unwrap_or_default()) {
            let delta = json!({"content_index": 0, "delta": word, "logprobs": []});
            told.push((inside(&format!("{kind}.delta"), delta), true));
        }
        let done = json!({"content_index": 0, key: part[key], "logprobs": []});
        told.push((inside(&format!("{kind}.done"), done), false));
        told.push((inside("content_part.done", json!({"content_index": 0, "part": part})), false));
    }
    if let Some(arguments) = item["arguments"].as_str() {
        for piece in argument_deltas(arguments) {
            told.push((inside("function_call_arguments.delta", json!({"delta": piece})), true));
        }
        told.push((inside("function_call_arguments.done", json!({"arguments": arguments})), false));
    }
    told.push((json!({"type": "response.output_item.done", "output_index": index, "item": item}), false));
}
