//! Mistral: chats, embeddings and models.
//!
//! Source: docs.mistral.ai/api and the types of its SDK; the rules for messages are those of `mistral-common`.

mod check;
pub(crate) mod errors;
pub(crate) mod write;

use serde_json::{Value, json};

use super::Refusal;
use super::call::Call;
use super::openai::read::{last, strings, tool_choice};
use super::plan::Response;
use super::question::{Question, Tool, words, words_in};
use super::{embed, media};

/// What the fakes know by default.
pub(crate) const MODELS: [&str; 6] = [
    "mistral-large-latest",
    "mistral-medium-latest",
    "mistral-small-latest",
    "magistral-medium-latest",
    "codestral-latest",
    "mistral-embed",
];

pub(crate) fn respond(call: &Call<'_>) -> Result<Response, Refusal> {
    match (call.method, call.path) {
        ("GET", "/v1/models") => {
            call.say(&json!({"object": "list", "data": call.models.iter().map(|name| model(name)).collect::<Value>()}))
        }
        ("GET", path) if path.starts_with("/v1/models/") => {
            let name = &path["/v1/models/".len()..];
            call.knows(name)?;
            call.say(&model(name))
        }
        ("POST", "/v1/chat/completions") => {
            let question = question(call.json()?)?;
            call.knows(&question.model)?;
            call.chat(&question)
        }
        ("POST", "/v1/embeddings") => {
            let body = call.json()?;
            let answer = embeddings(body, &call.asking.stamp.request_id())?;
            call.knows(call.asking.model)?;
            call.say(&answer)
        }
        (_, "/v1/models" | "/v1/chat/completions" | "/v1/embeddings") => Err(Refusal::WrongMethod),
        _ => Err(Refusal::UnknownPath),
    }
}

fn question(body: &Value) -> Result<Question, Refusal> {
    check::chat(body)?;
    let word = |key: &str| body.get(key).and_then(Value::as_str);
    let model = word("model").unwrap_or_default();
    let messages = body.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    let tool = |tool: &Value| {
        let function = tool.get("function")?;
        Some(Tool { name: function.get("name")?.as_str()?.to_owned(), schema: function.get("parameters")?.clone() })
    };
    let thinks = model.starts_with("magistral") || word("prompt_mode") == Some("reasoning");
    Ok(Question {
        model: model.to_owned(),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or_default(),
        choices: body.get("n").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(1).clamp(1, 16),
        last: last(messages),
        tools: tools.filter_map(tool).collect(),
        tool_choice: match word("tool_choice") {
            Some("any") => super::question::ToolChoice::Required,
            _ => tool_choice(body.get("tool_choice")),
        },
        parallel: body.get("parallel_tool_calls").and_then(Value::as_bool).unwrap_or(true),
        max_tokens: body.get("max_tokens").and_then(Value::as_u64),
        stop: strings(body.get("stop")),
        thinks: thinks || word("reasoning_effort").is_some_and(|effort| effort != "none"),
        shown: messages.last().map(shown).unwrap_or_default(),
        schema: body.pointer("/response_format/json_schema/schema").cloned(),
        prompt_tokens: words_in(&json!(messages)),
        ..Question::default()
    })
}

/// The media of a message.
fn shown(message: &Value) -> Vec<String> {
    let chunks = message.get("content").and_then(Value::as_array).into_iter().flatten();
    chunks.filter_map(chunk_media).collect()
}

/// How an answer speaks of a chunk that is an image, a document or a recording.
fn chunk_media(chunk: &Value) -> Option<String> {
    let text = |pointer: &str| chunk.pointer(pointer).and_then(Value::as_str);
    let image = text("/image_url").or_else(|| text("/image_url/url"));
    let url = image.or_else(|| text("/document_url")).and_then(media::at_url);
    url.or_else(|| text("/input_audio").and_then(media::inline)).or_else(|| text("/file_id").map(str::to_owned))
}

fn embeddings(body: &Value, request_id: &str) -> Result<Value, Refusal> {
    check::embeddings(body)?;
    let inputs = strings(body.get("input"));
    let asked = body.get("output_dimension").and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok());
    let as_base64 = body.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let data = inputs.iter().enumerate().map(|(index, input)| {
        let vector = embed::vector(input, asked.unwrap_or(embed::LENGTH));
        let embedding = if as_base64 { json!(embed::base64(&vector)) } else { json!(vector) };
        json!({"object": "embedding", "embedding": embedding, "index": index})
    });
    let tokens: u64 = inputs.iter().map(|input| words(input)).sum();
    Ok(json!({
        "id": request_id,
        "object": "list",
        "data": data.collect::<Value>(),
        "model": body["model"],
        "usage": {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens},
    }))
}

fn model(name: &str) -> Value {
    let chats = name != "mistral-embed";
    json!({
        "id": name,
        "object": "model",
        "created": 1_767_225_600,
        "owned_by": "mistralai",
        "capabilities": {
            "completion_chat": chats,
            "function_calling": chats,
            "completion_fim": name.starts_with("codestral"),
            "fine_tuning": false,
            "vision": chats,
            "classification": false,
        },
        "name": name,
        "description": "A fake of the model of that name.",
        "max_context_length": 131_072,
        "aliases": [],
        "deprecation": null,
        "default_model_temperature": 0.3,
        "type": "base",
    })
}

pub(crate) fn headers(request_id: &str) -> Vec<(String, String)> {
    [
        ("mistral-correlation-id", request_id),
        ("x-kong-request-id", request_id),
        ("x-envoy-upstream-service-time", "120"),
        ("x-ratelimit-limit-req-minute", "360"),
        ("x-ratelimit-remaining-req-minute", "359"),
        ("x-ratelimit-limit-tokens-minute", "2000000"),
        ("x-ratelimit-remaining-tokens-minute", "1999000"),
        ("set-cookie", "__cf_bm=fake; path=/; HttpOnly; Secure; SameSite=None"),
        ("cf-ray", "8f00fake0000-FRA"),
        ("server", "cloudflare"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}
