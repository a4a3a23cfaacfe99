//! Gemini as AI Studio serves it: content, tokens, embeddings and models.
//!
//! Source: ai.google.dev/api and ai.google.dev/gemini-api/docs (thinking, thought-signatures, function-calling).

mod check;
mod embed;
pub(crate) mod errors;
mod known;
pub(crate) mod path;
mod read;
pub(crate) mod write;

use serde_json::{Value, json};

use super::Refusal;
use super::call::Call;
use super::plan::{Frames, Response};
use path::Method;

/// What the fakes know by default.
pub(crate) const MODELS: [&str; 7] = [
    "gemini-2.0-flash",
    "gemini-2.5-flash",
    "gemini-2.5-pro",
    "gemini-3-flash-preview",
    "gemini-3.1-pro-preview",
    "gemini-3.5-flash",
    "gemini-embedding-001",
];

pub(crate) fn respond(call: &Call<'_>) -> Result<Response, Refusal> {
    match call.method {
        "GET" => get(call),
        "POST" => post(call),
        _ => Err(Refusal::WrongMethod),
    }
}

fn get(call: &Call<'_>) -> Result<Response, Refusal> {
    if call.path == "/v1beta/models" || call.path == "/v1/models" {
        let models: Vec<Value> = call.models.iter().map(|name| model(name)).collect();
        return call.say(&json!({"models": models}));
    }
    let name = path::model(call.path).ok_or(Refusal::UnknownPath)?;
    call.knows(&name)?;
    call.say(&model(&name))
}

fn post(call: &Call<'_>) -> Result<Response, Refusal> {
    let method = path::method(call.path)?;
    let model = call.asking.model;
    call.knows(model)?;
    let body = call.json()?;
    match method {
        Method::Generate | Method::Stream => {
            let mut question = read::question(&known::parsed(body, &known::GENERATE)?, model)?;
            question.stream = method == Method::Stream;
            question.frames = if call.query("alt") == Some("sse") { Frames::CrlfEvents } else { Frames::Array };
            call.chat(&question)
        }
        Method::Count => {
            let body = known::parsed(body, &known::COUNT)?;
            let question = read::question(body.get("generateContentRequest").unwrap_or(&body), model)?;
            let tokens = question.prompt_tokens;
            call.say(&json!({
                "totalTokens": tokens,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}],
            }))
        }
        Method::Embed => call.say(&embed::one(&known::parsed(body, &known::EMBED)?)?),
        Method::BatchEmbed => call.say(&embed::batch(&known::parsed(body, &known::BATCH)?, model)?),
    }
}

/// Whether a model reasons whether it is asked to or not; `gemini-2.0` does not reason.
fn reasons(model: &str) -> bool {
    !model.starts_with("gemini-2.0") && !model.starts_with("gemini-1")
}

/// Whether a model is of the third generation: levels of thinking, ids of calls, signatures that must come back.
fn is_third(model: &str) -> bool {
    model.starts_with("gemini-3")
}

fn model(name: &str) -> Value {
    let methods: &[&str] = if name.contains("embedding") {
        &["embedContent", "countTextTokens", "countTokens", "asyncBatchEmbedContent"]
    } else {
        &["generateContent", "countTokens", "createCachedContent", "batchGenerateContent"]
    };
    json!({
        "name": format!("models/{name}"),
        "version": "001",
        "displayName": name,
        "description": "A fake of the model of that name.",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": methods,
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
        "thinking": reasons(name),
    })
}

pub(crate) fn headers() -> Vec<(String, String)> {
    [
        ("vary", "Origin"),
        ("server", "scaffolding on HTTPServer2"),
        ("server-timing", "gfet4t7; dur=12"),
        ("x-xss-protection", "0"),
        ("x-frame-options", "SAMEORIGIN"),
        ("x-content-type-options", "nosniff"),
        ("x-gemini-service-tier", "standard"),
        ("alt-svc", "h3=\":443\"; ma=2592000"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}
