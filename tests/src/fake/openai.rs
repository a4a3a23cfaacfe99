//! `OpenAI`'s chat completions: what it refuses, and how it words an answer.

use serde_json::{Value, json};

use super::plan::{Event, Stamp};
use super::question::{Last, Question, Tool, ToolChoice, text_of, words_in};
use super::refusal::Refusal;
use super::reply::{Finish, Reply, argument_deltas, deltas};

/// What the fakes know by default.
pub(crate) const MODELS: [&str; 8] =
    ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "gpt-5", "gpt-5-mini", "o3-mini", "o4-mini"];

/// Reads a request as the real API would: unknown fields are left alone, wrong ones are refused.
pub(crate) fn read(body: &Value) -> Result<Question, Refusal> {
    let model = body.get("model").and_then(Value::as_str).filter(|model| !model.is_empty());
    let model = model.ok_or_else(|| Refusal::invalid("model", "you must provide a model parameter"))?;
    let reasons = model.starts_with("gpt-5") || model.starts_with('o');
    if reasons && body.get("max_tokens").is_some() {
        return Err(Refusal::invalid(
            "max_tokens",
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        ));
    }
    let messages = body.get("messages").and_then(Value::as_array);
    let messages = messages.ok_or_else(|| Refusal::invalid("messages", "Missing required parameter: 'messages'."))?;
    check_order(messages)?;
    let options = body.get("stream_options").filter(|options| !options.is_null());
    let stream = body.get("stream").and_then(Value::as_bool).unwrap_or_default();
    if options.is_some() && !stream {
        return Err(Refusal::invalid(
            "stream_options",
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        ));
    }
    let limit = body.get("max_completion_tokens").or_else(|| body.get("max_tokens"));
    Ok(Question {
        model: model.to_owned(),
        stream,
        usage_in_stream: options.and_then(|o| o.get("include_usage")).and_then(Value::as_bool).unwrap_or_default(),
        choices: body.get("n").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(1).clamp(1, 16),
        last: last(messages),
        tools: tools(body)?,
        tool_choice: tool_choice(body.get("tool_choice")),
        parallel: body.get("parallel_tool_calls").and_then(Value::as_bool).unwrap_or(true),
        max_tokens: limit.and_then(Value::as_u64),
        stop: match body.get("stop") {
            Some(Value::String(stop)) => vec![stop.clone()],
            Some(Value::Array(stops)) => stops.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        },
        thinks: reasons,
        schema: body.pointer("/response_format/json_schema/schema").cloned(),
        prompt_tokens: words_in(&json!(messages)),
    })
}

/// Tool messages answer the calls of the assistant message before them, all of them.
fn check_order(messages: &[Value]) -> Result<(), Refusal> {
    if messages.is_empty() {
        return Err(Refusal::invalid(
            "messages",
            "Invalid 'messages': empty array. Expected an array with minimum length 1.",
        ));
    }
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        if role == "tool" {
            let id = message.get("tool_call_id").and_then(Value::as_str).unwrap_or_default();
            let Some(at) = open.iter().position(|open| *open == id) else {
                return Err(Refusal::invalid(
                    &format!("messages.[{index}].role"),
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
                ));
            };
            open.swap_remove(at);
            continue;
        }
        refuse_unanswered(&open, index)?;
        if !matches!(role, "system" | "developer" | "user" | "assistant") {
            return Err(Refusal::invalid(&format!("messages[{index}].role"), format!("Invalid value: '{role}'.")));
        }
        let calls = message.get("tool_calls").and_then(Value::as_array);
        open = calls.into_iter().flatten().filter_map(|call| call.get("id")?.as_str()).collect();
        if message.get("content").is_none_or(Value::is_null) && (open.is_empty() || role != "assistant") {
            return Err(Refusal::invalid(
                &format!("messages.[{index}].content"),
                "Invalid value for 'content': expected a string, got null.",
            ));
        }
    }
    refuse_unanswered(&open, messages.len())
}

fn refuse_unanswered(open: &[&str], index: usize) -> Result<(), Refusal> {
    if open.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(
        &format!("messages.[{index}].role"),
        format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The \
             following tool_call_ids did not have response messages: {}",
            open.join(", ")
        ),
    ))
}

fn last(messages: &[Value]) -> Last {
    let role = |message: &Value| message.get("role").and_then(Value::as_str).unwrap_or_default().to_owned();
    let content = |message: &Value| message.get("content").map(text_of).unwrap_or_default();
    let results: Vec<String> =
        messages.iter().rev().take_while(|message| role(message) == "tool").map(content).collect();
    if !results.is_empty() {
        return Last::ToolResults(results.into_iter().rev().collect());
    }
    match messages.last() {
        Some(message) if role(message) == "assistant" => Last::Assistant(content(message)),
        _ => {
            let user = messages.iter().rev().find(|message| role(message) == "user").or(messages.last());
            Last::User(user.map(content).unwrap_or_default())
        }
    }
}

fn tools(body: &Value) -> Result<Vec<Tool>, Refusal> {
    let Some(tools) = body.get("tools").and_then(Value::as_array) else {
        return Ok(Vec::new());
    };
    if tools.is_empty() {
        return Err(Refusal::invalid(
            "tools",
            "Invalid 'tools': empty array. Expected an array with minimum length 1.",
        ));
    }
    let read = |(index, tool): (usize, &Value)| {
        let name = tool.pointer("/function/name").and_then(Value::as_str).ok_or_else(|| {
            let param = format!("tools[{index}].function");
            Refusal::invalid(&param, format!("Missing required parameter: '{param}'."))
        })?;
        let schema = tool.pointer("/function/parameters").cloned().unwrap_or_else(|| json!({"type": "object"}));
        Ok(Tool { name: name.to_owned(), schema })
    };
    tools.iter().enumerate().map(read).collect()
}

fn tool_choice(choice: Option<&Value>) -> ToolChoice {
    let named = choice.and_then(|choice| choice.pointer("/function/name")).and_then(Value::as_str);
    match (choice.and_then(Value::as_str), named) {
        (_, Some(name)) => ToolChoice::Named(name.to_owned()),
        (Some("none"), _) => ToolChoice::None,
        (Some("required"), _) => ToolChoice::Required,
        _ => ToolChoice::Auto,
    }
}

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
        Finish::Stop | Finish::StopSequence(_) => "stop",
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
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reply.thinking_tokens(),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

fn call_id(stamp: &Stamp, choice: usize, index: usize) -> String {
    format!("call_{:08}{choice}{index}", stamp.number)
}

/// The whole answer as one object.
pub(crate) fn unary(stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Value {
    let choice = |choice: usize| {
        let content = if reply.calls.is_empty() { json!(reply.text) } else { Value::Null };
        let mut message = json!({"role": "assistant", "content": content, "refusal": null, "annotations": []});
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
    let mut whole = json!({
        "id": format!("chatcmpl-{:012}", stamp.number),
        "object": "chat.completion",
        "created": stamp.created,
        "model": reported(&question.model),
        "choices": (0..question.choices).map(choice).collect::<Value>(),
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
    });
    if with_usage {
        whole["usage"] = usage(question, reply);
    }
    whole
}

/// The answer as a stream, `[DONE]` excluded.
pub(crate) fn events(stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Vec<Event> {
    let asked = question.usage_in_stream && with_usage;
    let envelope = |choices: Value| {
        let mut chunk = json!({
            "id": format!("chatcmpl-{:012}", stamp.number),
            "object": "chat.completion.chunk",
            "created": stamp.created,
            "model": reported(&question.model),
            "choices": choices,
            "service_tier": "default",
            "system_fingerprint": "fp_fake",
        });
        if asked {
            chunk["usage"] = Value::Null;
        }
        chunk
    };
    let one = |choice: usize, delta: Value, finish: Value| {
        envelope(json!([{"index": choice, "delta": delta, "logprobs": null, "finish_reason": finish}]))
    };
    let mut events = Vec::new();
    for choice in 0..question.choices {
        let content = if reply.calls.is_empty() { json!("") } else { Value::Null };
        let role = json!({"role": "assistant", "content": content, "refusal": null});
        events.push(Event::data(&one(choice, role, Value::Null)));
        for word in deltas(&reply.text) {
            events.push(Event::data(&one(choice, json!({"content": word}), Value::Null)).content());
        }
        for (index, call) in reply.calls.iter().enumerate() {
            let id = call_id(stamp, choice, index);
            let start =
                json!({"index": index, "id": id, "type": "function", "function": {"name": call.name, "arguments": ""}});
            events.push(Event::data(&one(choice, json!({"tool_calls": [start]}), Value::Null)).content());
            for piece in argument_deltas(&call.arguments) {
                let more = json!({"index": index, "function": {"arguments": piece}});
                events.push(Event::data(&one(choice, json!({"tool_calls": [more]}), Value::Null)).content());
            }
        }
        events.push(Event::data(&one(choice, json!({}), json!(finish(reply)))));
    }
    if asked {
        let mut last = envelope(json!([]));
        last["usage"] = usage(question, reply);
        events.push(Event::data(&last));
    }
    events
}

/// The headers that a real answer has, those that a gateway must not pass on among them.
pub(crate) fn headers(request_id: &str) -> Vec<(String, String)> {
    [
        ("openai-organization", "org-fake"),
        ("openai-processing-ms", "12"),
        ("openai-project", "proj_fake"),
        ("openai-version", "2020-10-01"),
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-limit-tokens", "30000000"),
        ("x-ratelimit-remaining-requests", "9999"),
        ("x-ratelimit-remaining-tokens", "29999000"),
        ("x-ratelimit-reset-requests", "6ms"),
        ("x-ratelimit-reset-tokens", "2ms"),
        ("x-request-id", request_id),
        ("set-cookie", "__cf_bm=fake; path=/; HttpOnly; Secure; SameSite=None"),
        ("cf-ray", "8f00fake0000-FRA"),
        ("server", "cloudflare"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// `GET /v1/models`.
pub(crate) fn models(models: &[String]) -> Value {
    json!({"object": "list", "data": models.iter().map(|name| model(name)).collect::<Value>()})
}

/// `GET /v1/models/{name}`.
pub(crate) fn model(name: &str) -> Value {
    json!({"id": name, "object": "model", "created": 1_715_367_049, "owned_by": "system"})
}
