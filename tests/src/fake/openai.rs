//! `OpenAI`: chat completions, responses, legacy completions, embeddings and models.

mod embeddings;
pub(crate) mod errors;
pub(crate) mod read;
mod responses;
pub(crate) mod write;

use serde_json::{Value, json};

use super::Refusal;
use super::call::Call;
use super::plan::Response;

/// What the fakes know by default.
pub(crate) const MODELS: [&str; 11] = [
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-5",
    "gpt-5-mini",
    "o3-mini",
    "o4-mini",
    "gpt-3.5-turbo-instruct",
    "text-embedding-3-small",
    "text-embedding-3-large",
];

pub(crate) fn respond(call: &Call<'_>) -> Result<Response, Refusal> {
    match (call.method, call.path) {
        ("GET", "/v1/models") => call.say(&models(call.models)),
        ("GET", path) if path.starts_with("/v1/models/") => {
            let name = &path["/v1/models/".len()..];
            call.knows(name)?;
            call.say(&model(name))
        }
        ("POST", "/v1/chat/completions") => chat(call, call.asking.model),
        ("POST", "/v1/responses") => {
            let question = responses::question(call.json()?, call.asking.model)?;
            call.knows(&question.model)?;
            call.chat(&question)
        }
        ("POST", "/v1/completions") => {
            let question = read::completion(call.json()?)?;
            call.knows(&question.model)?;
            call.chat(&question)
        }
        ("POST", "/v1/embeddings") => embeddings(call, call.asking.model),
        (_, "/v1/models" | "/v1/chat/completions" | "/v1/responses" | "/v1/completions" | "/v1/embeddings") => {
            Err(Refusal::WrongMethod)
        }
        _ => Err(Refusal::UnknownPath),
    }
}

/// A chat with `model`, wherever the request names it.
pub(crate) fn chat(call: &Call<'_>, model: &str) -> Result<Response, Refusal> {
    let question = read::chat(call.json()?, model)?;
    call.knows(model)?;
    call.chat(&question)
}

/// Embeddings by `model`, wherever the request names it.
pub(crate) fn embeddings(call: &Call<'_>, model: &str) -> Result<Response, Refusal> {
    let answer = embeddings::answer(call.json()?, model)?;
    call.knows(model)?;
    call.say(&answer)
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
