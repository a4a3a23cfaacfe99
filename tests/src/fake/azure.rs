//! Azure `OpenAI`: what `OpenAI` says, under a deployment's path or under `/openai/v1`, with what the content filters found.
//!
//! Source: learn.microsoft.com, Azure `OpenAI` REST reference and "Content filtering" (annotations, streaming).

pub(crate) mod errors;

use std::borrow::Cow;

use serde_json::{Value, json};

use super::Refusal;
use super::call::Call;
use super::openai;
use super::plan::{Data, Event, Response, Stamp};
use super::question::Question;
use super::reply::{Finish, Reply};

/// The deployments of the fakes by default, called like their models.
pub(crate) const MODELS: [&str; 6] = ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-5", "o3-mini", "text-embedding-3-small"];

pub(crate) fn respond(call: &Call<'_>) -> Result<Response, Refusal> {
    let path = match call.path.strip_prefix("/openai/deployments/") {
        Some(rest) => rest.split_once('/').map_or("", |(_, path)| path),
        // The newer API: the deployment is the `model` of the body, and there is no version.
        None => call.path.strip_prefix("/openai/v1/").or(call.path.strip_prefix("/openai/")).unwrap_or_default(),
    };
    let needs_version = !call.path.starts_with("/openai/v1/");
    if needs_version && !call.query("api-version").is_some_and(is_version) {
        return Err(Refusal::UnknownPath);
    }
    let deployment = call.asking.model;
    match (call.method, path) {
        ("POST", "chat/completions") => openai::chat(call, deployment),
        ("POST", "embeddings") => openai::embeddings(call, deployment),
        ("GET", "models") => call.say(&openai::models(call.models)),
        (_, "chat/completions" | "embeddings") => Err(Refusal::WrongMethod),
        _ => Err(Refusal::UnknownPath),
    }
}

/// Versions are dates, some with `-preview` behind.
fn is_version(text: &str) -> bool {
    let date = text.strip_suffix("-preview").unwrap_or(text);
    date.len() == "2024-10-21".len() && date.split('-').all(|part| part.parse::<u16>().is_ok())
}

/// The deployment that a path names.
pub(crate) fn deployment(path: &str) -> Option<Cow<'_, str>> {
    path.strip_prefix("/openai/deployments/")?.split('/').next().map(Cow::Borrowed)
}

pub(crate) fn headers(request_id: &str) -> Vec<(String, String)> {
    [
        ("apim-request-id", request_id),
        ("x-request-id", request_id),
        ("x-ms-region", "Sweden Central"),
        ("x-ratelimit-limit-requests", "250"),
        ("x-ratelimit-remaining-requests", "249"),
        ("x-ratelimit-limit-tokens", "250000"),
        ("x-ratelimit-remaining-tokens", "249000"),
        ("azureml-model-session", "d000-fake"),
        ("x-ms-deployment-name", "fake"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// What the filters found; `is_filtered`: in one of the categories too much.
fn found(is_filtered: bool) -> Value {
    let safe = json!({"filtered": false, "severity": "safe"});
    let violence = if is_filtered { json!({"filtered": true, "severity": "medium"}) } else { safe.clone() };
    json!({"hate": safe, "self_harm": safe, "sexual": safe, "violence": violence})
}

fn prompt_results() -> Value {
    let mut results = found(false);
    results["jailbreak"] = json!({"filtered": false, "detected": false});
    json!([{"prompt_index": 0, "content_filter_results": results}])
}

/// The whole answer as one object.
pub(crate) fn unary(stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Value {
    let mut whole = openai::write::unary(stamp, question, reply, with_usage);
    for choice in whole["choices"].as_array_mut().into_iter().flatten() {
        choice["content_filter_results"] = found(reply.finish == Finish::Filtered);
    }
    whole["prompt_filter_results"] = prompt_results();
    whole
}

/// The answer as a stream, `[DONE]` excluded: a chunk about the prompt comes first, with no choice and no id.
pub(crate) fn events(stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Vec<Event> {
    let prompt = json!({
        "choices": [],
        "created": 0,
        "id": "",
        "model": "",
        "object": "",
        "prompt_filter_results": prompt_results(),
    });
    let mut events = vec![Event::data(prompt)];
    for mut event in openai::write::events(stamp, question, reply, with_usage) {
        let has_content = event.content;
        if let Data::Json(chunk) = &mut event.data
            && let Some(choice) = chunk.pointer_mut("/choices/0")
        {
            let is_filtered = reply.finish == Finish::Filtered && !choice["finish_reason"].is_null();
            choice["content_filter_results"] = if has_content || is_filtered { found(is_filtered) } else { json!({}) };
        }
        events.push(event);
    }
    events
}
