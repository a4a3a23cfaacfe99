//! Ollama's own API: chats, embeddings and what is installed.
//!
//! Source: docs.ollama.com/api and `api/types.go`, `server/routes.go` of github.com/ollama/ollama.

pub(crate) mod errors;
mod read;
pub(crate) mod write;

use serde_json::{Value, json};

use super::Refusal;
use super::call::Call;
use super::plan::Response;
use super::question::words;
use super::{embed, openai};

/// What the fakes have installed by default.
pub(crate) const MODELS: [&str; 5] = ["llama3.2", "qwen3", "gpt-oss:20b", "gemma3", "embeddinggemma"];

pub(crate) fn respond(call: &Call<'_>) -> Result<Response, Refusal> {
    match (call.method, call.path) {
        ("GET", "/api/version") => call.say(&json!({"version": "0.32.5"})),
        ("GET", "/api/tags") => {
            call.say(&json!({"models": call.models.iter().map(|name| installed(name)).collect::<Value>()}))
        }
        ("POST", "/api/show") => {
            let name = model(call, call.json()?)?;
            call.say(&shown(&name))
        }
        ("POST", "/api/chat") => {
            let body = call.json()?;
            let name = model(call, body)?;
            match read::question(body, &name)? {
                Some(question) => call.chat(&question),
                None => call.say(&write::loaded(&call.asking.stamp, &name)),
            }
        }
        ("POST", "/api/embed") => embeddings(call),
        (_, "/api/version" | "/api/tags" | "/api/show" | "/api/chat" | "/api/embed") => Err(Refusal::WrongMethod),
        _ => Err(Refusal::UnknownPath),
    }
}

/// The model of a request, as it is asked for; `:latest` goes without saying.
fn model(call: &Call<'_>, body: &Value) -> Result<String, Refusal> {
    let name = body.get("model").or_else(|| body.get("name")).and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() {
        return Err(invalid("model is required"));
    }
    let tagged = |name: &str| if name.contains(':') { name.to_owned() } else { format!("{name}:latest") };
    if call.models.iter().any(|known| tagged(known) == tagged(name)) {
        Ok(name.to_owned())
    } else {
        Err(Refusal::UnknownModel)
    }
}

fn embeddings(call: &Call<'_>) -> Result<Response, Refusal> {
    let body = call.json()?;
    let name = model(call, body)?;
    let input = body.get("input");
    let inputs = openai::read::strings(input);
    let are_texts = match input {
        Some(Value::Array(items)) => items.len() == inputs.len(),
        _ => !inputs.is_empty(),
    };
    if !are_texts {
        return Err(invalid("invalid input type"));
    }
    let asked = body.get("dimensions").and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok());
    let length = asked.filter(|length| *length > 0).unwrap_or(embed::LENGTH);
    let tokens: u64 = inputs.iter().map(|input| words(input)).sum();
    let vectors: Vec<Vec<f32>> = inputs.iter().map(|input| embed::vector(input, length)).collect();
    call.say(&json!({
        "model": name,
        "embeddings": vectors,
        "total_duration": 14_143_917,
        "load_duration": 1_019_500,
        "prompt_eval_count": tokens,
    }))
}

/// Whether a model reasons, and does unless it is told not to.
fn reasons(model: &str) -> bool {
    model.starts_with("qwen3") || model.starts_with("gpt-oss")
}

fn takes_tools(model: &str) -> bool {
    !model.starts_with("gemma3")
}

fn is_embedder(model: &str) -> bool {
    model.starts_with("embeddinggemma")
}

fn details() -> Value {
    json!({
        "parent_model": "",
        "format": "gguf",
        "family": "fake",
        "families": ["fake"],
        "parameter_size": "3.2B",
        "quantization_level": "Q4_K_M",
    })
}

fn installed(name: &str) -> Value {
    let tagged = if name.contains(':') { name.to_owned() } else { format!("{name}:latest") };
    json!({
        "name": tagged,
        "model": tagged,
        "modified_at": "2026-05-04T17:37:44.706015396Z",
        "size": 2_019_393_189_u64,
        "digest": "a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72",
        "details": details(),
    })
}

fn shown(name: &str) -> Value {
    let mut capabilities = if is_embedder(name) { vec!["embedding"] } else { vec!["completion", "vision"] };
    if !is_embedder(name) && takes_tools(name) {
        capabilities.push("tools");
    }
    if reasons(name) {
        capabilities.push("thinking");
    }
    json!({
        "modelfile": "FROM fake",
        "parameters": "stop \"<|end|>\"",
        "template": "{{ .Prompt }}",
        "details": details(),
        "model_info": {"general.architecture": "fake", "fake.context_length": 131_072},
        "capabilities": capabilities,
        "modified_at": "2026-05-04T17:37:44.706015396Z",
    })
}

pub(crate) fn headers() -> Vec<(String, String)> {
    vec![("date".to_owned(), "Thu, 01 Jan 2026 00:00:00 GMT".to_owned())]
}

fn invalid(message: &str) -> Refusal {
    Refusal::Invalid { message: message.to_owned(), param: None }
}
