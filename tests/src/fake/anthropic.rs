//! Anthropic's messages: how a request is read and an answer worded. What is refused is in [`check`].

mod check;

use serde_json::{Value, json};

use super::plan::{Event, Stamp};
use super::question::{Last, Question, Tool, ToolChoice, text_of, words_in};
use super::refusal::Refusal;
use super::reply::{Call, Finish, Reply, argument_deltas, deltas};

/// What the fakes know by default.
pub(crate) const MODELS: [&str; 9] = [
    "claude-sonnet-4-20250514",
    "claude-opus-4-5",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
    "claude-haiku-4-5-20251001",
    "claude-sonnet-4-6",
    "claude-opus-4-8",
    "claude-sonnet-5",
    "claude-opus-5",
];

/// Whether a model continues an answer that the client has begun. The newer ones answer 400.
pub(crate) fn takes_prefill(model: &str) -> bool {
    ["claude-3", "claude-sonnet-4-20", "claude-opus-4-20"].iter().any(|start| model.starts_with(start))
        || ["-4-0", "-4-1", "-4-5"].iter().any(|version| model.contains(version))
}

/// Reads a request as the real API would; `counting` is for `count_tokens`, which needs no `max_tokens`.
pub(crate) fn read(body: &Value, counting: bool) -> Result<Question, Refusal> {
    check::all(body, counting)?;
    let messages = body.get("messages").cloned().unwrap_or_default();
    let system = body.get("system").map_or(0, words_in);
    let thinking = body.pointer("/thinking/type").and_then(Value::as_str);
    let stops = body.get("stop_sequences").and_then(Value::as_array);
    let choice = body.get("tool_choice");
    Ok(Question {
        model: body.get("model").and_then(Value::as_str).unwrap_or_default().to_owned(),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or_default(),
        usage_in_stream: true,
        choices: 1,
        last: last(messages.as_array().and_then(|messages| messages.last())),
        tools: tools(body),
        tool_choice: tool_choice(choice),
        parallel: choice.and_then(|c| c.get("disable_parallel_tool_use")).and_then(Value::as_bool) != Some(true),
        max_tokens: body.get("max_tokens").and_then(Value::as_u64),
        stop: stops.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        thinks: matches!(thinking, Some("enabled" | "adaptive")),
        schema: body.pointer("/output_config/format/schema").cloned(),
        prompt_tokens: words_in(&messages) + system,
    })
}

fn last(message: Option<&Value>) -> Last {
    let Some(message) = message else {
        return Last::User(String::new());
    };
    let content = message.get("content").unwrap_or(&Value::Null);
    let blocks = content.as_array().into_iter().flatten();
    let results: Vec<String> = blocks
        .filter(|block| block.get("type").and_then(Value::as_str) == Some("tool_result"))
        .map(|block| block.get("content").map(text_of).unwrap_or_default())
        .collect();
    match message.get("role").and_then(Value::as_str) {
        Some("assistant") => Last::Assistant(text_of(content)),
        _ if !results.is_empty() => Last::ToolResults(results),
        _ => Last::User(text_of(content)),
    }
}

fn tools(body: &Value) -> Vec<Tool> {
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    let read = |tool: &Value| {
        let name = tool.get("name")?.as_str()?.to_owned();
        Some(Tool { name, schema: tool.get("input_schema")?.clone() })
    };
    tools.filter_map(read).collect()
}

fn tool_choice(choice: Option<&Value>) -> ToolChoice {
    let word = |key| choice.and_then(|choice| choice.get(key)).and_then(Value::as_str);
    match word("type") {
        Some("none") => ToolChoice::None,
        Some("any") => ToolChoice::Required,
        Some("tool") => ToolChoice::Named(word("name").unwrap_or_default().to_owned()),
        _ => ToolChoice::Auto,
    }
}

fn stop_reason(reply: &Reply) -> &str {
    match &reply.finish {
        Finish::Stop => "end_turn",
        Finish::StopSequence(_) => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::Verbatim(word) => word,
    }
}

fn stop_sequence(reply: &Reply) -> Option<&str> {
    match &reply.finish {
        Finish::StopSequence(stop) => Some(stop),
        _ => None,
    }
}

fn usage(question: &Question, output: u64) -> Value {
    json!({
        "input_tokens": question.prompt_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
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
    });
    if with_usage {
        whole["usage"] = usage(question, reply.output_tokens());
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
        message["usage"] = usage(question, 1);
    }
    let mut stream =
        Blocks { events: vec![Event::named(&json!({"type": "message_start", "message": message}))], open: 0 };
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
        "delta": {"stop_reason": stop_reason(reply), "stop_sequence": stop_sequence(reply)},
    });
    if with_usage {
        last["usage"] = json!({"output_tokens": reply.output_tokens()});
    }
    stream.events.push(Event::named(&last));
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
        let start = Event::named(&json!({"type": "content_block_start", "index": index, "content_block": start}));
        self.events.push(if starts_with_content { start.content() } else { start });
        if index == 0 {
            self.events.push(Event::named(&json!({"type": "ping"})));
        }
        for delta in pieces {
            self.events
                .push(Event::named(&json!({"type": "content_block_delta", "index": index, "delta": delta})).content());
        }
        self.events.push(Event::named(&json!({"type": "content_block_stop", "index": index})));
        self.open += 1;
    }
}

/// The headers that a real answer has, those that a gateway must not pass on among them.
pub(crate) fn headers(request_id: &str) -> Vec<(String, String)> {
    [
        ("anthropic-organization-id", "00000000-0000-4000-8000-000000000000"),
        ("anthropic-ratelimit-input-tokens-limit", "2000000"),
        ("anthropic-ratelimit-input-tokens-remaining", "1999000"),
        ("anthropic-ratelimit-input-tokens-reset", "2026-01-01T00:00:00Z"),
        ("anthropic-ratelimit-requests-limit", "4000"),
        ("anthropic-ratelimit-requests-remaining", "3999"),
        ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:00Z"),
        ("request-id", request_id),
        ("set-cookie", "__cf_bm=fake; path=/; HttpOnly; Secure; SameSite=None"),
        ("cf-ray", "8f00fake0000-FRA"),
        ("server", "cloudflare"),
        ("via", "1.1 google"),
        ("x-robots-tag", "none"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// `GET /v1/models`.
pub(crate) fn models(models: &[String]) -> Value {
    json!({
        "data": models.iter().map(|name| model(name)).collect::<Value>(),
        "has_more": false,
        "first_id": models.first(),
        "last_id": models.last(),
    })
}

/// `GET /v1/models/{name}`.
pub(crate) fn model(name: &str) -> Value {
    json!({"type": "model", "id": name, "display_name": name, "created_at": "2025-05-14T00:00:00Z"})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_models_take_a_prefill_and_newer_ones_do_not() {
        for model in ["claude-3-5-sonnet-20241022", "claude-sonnet-4-20250514", "claude-haiku-4-5"] {
            assert!(takes_prefill(model), "{model}");
        }
        for model in ["claude-sonnet-4-6", "claude-opus-4-8", "claude-sonnet-5", "claude-haiku-5-5"] {
            assert!(!takes_prefill(model), "{model}");
        }
    }
}
