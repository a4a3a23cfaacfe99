//! Anthropic's messages: how a request is read and an answer worded. What is refused is in [`check`].

mod check;
pub(crate) mod errors;
pub(crate) mod write;

use serde_json::{Value, json};

use super::call::Call;
use super::media;
use super::plan::Response;
use super::question::{Last, Question, Tool, ToolChoice, text_of, words_in};
use super::refusal::Refusal;

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

pub(crate) fn respond(call: &Call<'_>) -> Result<Response, Refusal> {
    if call.header("anthropic-version").is_none() {
        return Err(Refusal::invalid("anthropic-version", "anthropic-version: header is required"));
    }
    match (call.method, call.path) {
        ("GET", "/v1/models") => call.say(&models(call.models)),
        ("GET", path) if path.starts_with("/v1/models/") => {
            let name = &path["/v1/models/".len()..];
            call.knows(name)?;
            call.say(&model(name))
        }
        ("POST", "/v1/messages") => {
            let body = call.json()?;
            thread(call, body)?;
            let question = read(body, false)?;
            call.knows(&question.model)?;
            call.chat(&question)
        }
        ("POST", "/v1/messages/count_tokens") => {
            let question = read(call.json()?, true)?;
            call.knows(&question.model)?;
            call.say(&json!({"input_tokens": question.prompt_tokens}))
        }
        (_, "/v1/models" | "/v1/messages" | "/v1/messages/count_tokens") => Err(Refusal::WrongMethod),
        _ => Err(Refusal::UnknownPath),
    }
}

/// A thread is begun and never found again: nothing is held here, as when the real one has expired.
///
/// Source: platform.claude.com, "Message threads".
fn thread(call: &Call<'_>, body: &Value) -> Result<(), Refusal> {
    let Some(kind) = body.get("thread").filter(|thread| !thread.is_null()) else {
        return Ok(());
    };
    if !call.header("anthropic-beta").is_some_and(|betas| betas.contains("message-threads-2026-08-12")) {
        return Err(Refusal::invalid("thread", "thread: Extra inputs are not permitted"));
    }
    match kind.get("type").and_then(Value::as_str) {
        Some("create") => Ok(()),
        Some("continue") => Err(Refusal::LostThread),
        _ => Err(Refusal::invalid("thread.type", "thread.type: Input should be 'create' or 'continue'")),
    }
}

/// Reads a request as the real API would; `counting` is for `count_tokens`, which needs no `max_tokens`.
pub(crate) fn read(body: &Value, counting: bool) -> Result<Question, Refusal> {
    check::all(body, counting)?;
    let messages = body.get("messages").cloned().unwrap_or_default();
    let system = body.get("system").map_or(0, words_in);
    let thinking = body.pointer("/thinking/type").and_then(Value::as_str);
    let stops = body.get("stop_sequences").and_then(Value::as_array);
    let choice = body.get("tool_choice");
    let last_message = messages.as_array().and_then(|messages| messages.last());
    Ok(Question {
        model: body.get("model").and_then(Value::as_str).unwrap_or_default().to_owned(),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or_default(),
        last: last(last_message),
        tools: tools(body),
        tool_choice: tool_choice(choice),
        parallel: choice.and_then(|c| c.get("disable_parallel_tool_use")).and_then(Value::as_bool) != Some(true),
        max_tokens: body.get("max_tokens").and_then(Value::as_u64),
        stop: stops.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        thinks: matches!(thinking, Some("enabled" | "adaptive")),
        shown: shown(last_message),
        schema: body.pointer("/output_config/format/schema").cloned(),
        prompt_tokens: words_in(&messages) + system,
        ..Question::default()
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

/// The media of a message; what can't be read has been refused.
fn shown(message: Option<&Value>) -> Vec<String> {
    let blocks = message.and_then(|message| message.get("content")?.as_array()).into_iter().flatten();
    blocks.filter_map(|block| source(block.get("source")?)).collect()
}

/// How an answer speaks of the source of an image or a document, or `None` when it can't be read.
fn source(source: &Value) -> Option<String> {
    let field = |key| source.get(key).and_then(Value::as_str);
    match field("type")? {
        "base64" => media::inline(field("data")?),
        "url" => field("url").map(str::to_owned),
        "file" => field("file_id").map(str::to_owned),
        "text" => field("data").map(|text| format!("{} bytes", text.len())),
        _ => None,
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
