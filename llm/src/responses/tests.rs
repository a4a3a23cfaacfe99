mod answers;
mod native;
mod passthrough;
mod requests;
mod streams;

use serde_json::{Value, json};

use crate::facts::{Facts, Provider};
use crate::relay::Client;
use crate::translate::{self, Emitted, Target};
use crate::{Dialect, Error};

const CLIENT: Client = Client { dialect: Dialect::Responses, include_usage: false, choices: 1, now: 1_700_000_000 };

fn target(provider: Provider, model: &'static str) -> Target<'static> {
    let dialect = match provider {
        Provider::Anthropic => Dialect::Anthropic,
        Provider::Gemini => Dialect::Gemini,
        Provider::Mistral => Dialect::Mistral,
        Provider::Ollama => Dialect::Ollama,
        _ => Dialect::OpenAI,
    };
    Target { dialect, model, facts: Facts::of(provider, model), ask_for_usage: false }
}

const CHAT: (Provider, &str) = (Provider::OpenAICompatible, "m");
const CLAUDE: (Provider, &str) = (Provider::Anthropic, "claude-haiku-4-5");
const GEMINI: (Provider, &str) = (Provider::Gemini, "gemini-2.5-flash");
const OLLAMA: (Provider, &str) = (Provider::Ollama, "qwen3");
const MISTRAL: (Provider, &str) = (Provider::Mistral, "mistral-large-latest");

fn asked(to: (Provider, &'static str), request: &Value) -> Result<Emitted, Error> {
    translate::request(Dialect::Responses, request.to_string().as_bytes(), &target(to.0, to.1))
}

/// The request that a target is sent, and what is left out of it.
fn sent(to: (Provider, &'static str), request: &Value) -> (Value, Vec<String>) {
    let emitted = asked(to, request).unwrap_or_else(|error| panic!("{request}: {error}"));
    let body = serde_json::from_slice(&emitted.body).expect("must be JSON");
    (body, emitted.dropped.into_iter().map(String::from).collect())
}

fn request(members: Value) -> Value {
    let mut request = json!({"model": "m", "input": "hi"});
    let (Some(all), Value::Object(more)) = (request.as_object_mut(), members) else { panic!("must be objects") };
    all.extend(more);
    request
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}
