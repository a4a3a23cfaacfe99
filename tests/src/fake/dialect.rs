//! What differs from provider to provider: one `match` each.

use std::borrow::Cow;

use serde_json::Value;

use super::call::{Call, bearer, header, parameter};
use super::plan::{Event, Response, Stamp};
use super::question::Question;
use super::refusal::About;
use super::reply::Reply;
use super::{Dialect, Refusal, anthropic, azure, compatible, gemini, mistral, ollama, openai};

impl Dialect {
    /// What the fakes know by default.
    pub(crate) fn models(self) -> &'static [&'static str] {
        match self {
            Self::OpenAI => &openai::MODELS,
            Self::Anthropic => &anthropic::MODELS,
            Self::Gemini => &gemini::MODELS,
            Self::Mistral => &mistral::MODELS,
            Self::AzureOpenAI => &azure::MODELS,
            Self::Ollama => &ollama::MODELS,
            Self::OpenAICompatible => &compatible::MODELS,
        }
    }

    /// The ordinary answer, or why there is none.
    pub(crate) fn respond(self, call: &Call<'_>) -> Result<Response, Refusal> {
        match self {
            Self::OpenAI => openai::respond(call),
            Self::Anthropic => anthropic::respond(call),
            Self::Gemini => gemini::respond(call),
            Self::Mistral => mistral::respond(call),
            Self::AzureOpenAI => azure::respond(call),
            Self::Ollama => ollama::respond(call),
            Self::OpenAICompatible => compatible::respond(call),
        }
    }

    /// The key that a request carries.
    pub(crate) fn credential<'a>(self, headers: &'a [(String, String)], query: &'a str) -> Option<&'a str> {
        match self {
            Self::OpenAI | Self::Mistral | Self::Ollama | Self::OpenAICompatible => bearer(headers),
            Self::Anthropic => header(headers, "x-api-key").or_else(|| bearer(headers)),
            Self::Gemini => header(headers, "x-goog-api-key").or_else(|| parameter(query, "key")),
            Self::AzureOpenAI => header(headers, "api-key").or_else(|| bearer(headers)),
        }
    }

    /// Whether a request without a key is served: by a server of one's own.
    pub(crate) fn is_open(self) -> bool {
        match self {
            Self::Ollama => true,
            Self::OpenAI
            | Self::Anthropic
            | Self::Gemini
            | Self::Mistral
            | Self::AzureOpenAI
            | Self::OpenAICompatible => false,
        }
    }

    /// The model that a request names, in its path or its body.
    pub(crate) fn model<'a>(self, path: &'a str, body: Option<&'a Value>) -> Option<Cow<'a, str>> {
        let in_body = || body?.get("model")?.as_str().map(Cow::Borrowed);
        match self {
            Self::OpenAI | Self::Anthropic | Self::Mistral | Self::Ollama | Self::OpenAICompatible => in_body(),
            Self::Gemini => gemini::path::model(path),
            Self::AzureOpenAI => azure::deployment(path).or_else(in_body),
        }
    }

    /// The headers of every response.
    pub(crate) fn headers(self, request_id: &str) -> Vec<(String, String)> {
        match self {
            Self::OpenAI => openai::headers(request_id),
            Self::Anthropic => anthropic::headers(request_id),
            Self::Gemini => gemini::headers(),
            Self::Mistral => mistral::headers(request_id),
            Self::AzureOpenAI => azure::headers(request_id),
            Self::Ollama => ollama::headers(),
            Self::OpenAICompatible => compatible::headers(request_id),
        }
    }

    /// The content type of JSON.
    pub(crate) fn json_type(self) -> &'static str {
        match self {
            Self::Gemini => "application/json; charset=UTF-8",
            Self::Ollama => "application/json; charset=utf-8",
            Self::OpenAI | Self::Anthropic | Self::Mistral | Self::AzureOpenAI | Self::OpenAICompatible => {
                "application/json"
            }
        }
    }

    /// The status of an error.
    pub(crate) fn status(self, refusal: &Refusal) -> u16 {
        match self {
            Self::OpenAI => openai::errors::status(refusal),
            Self::Anthropic => anthropic::errors::status(refusal),
            Self::Gemini => gemini::errors::status(refusal),
            Self::Mistral => mistral::errors::status(refusal),
            Self::AzureOpenAI => azure::errors::status(refusal),
            Self::Ollama => refusal.status(),
            Self::OpenAICompatible => compatible::errors::status(refusal),
        }
    }

    /// The body of an error.
    pub(crate) fn error(self, refusal: &Refusal, about: &About<'_>) -> Value {
        match self {
            Self::OpenAI => openai::errors::body(refusal, about),
            Self::Anthropic => anthropic::errors::body(refusal, about),
            Self::Gemini => gemini::errors::body(refusal, about),
            Self::Mistral => mistral::errors::body(refusal, about),
            Self::AzureOpenAI => azure::errors::body(refusal, about),
            Self::Ollama => ollama::errors::body(refusal, about),
            Self::OpenAICompatible => compatible::errors::body(refusal, about),
        }
    }

    /// An error's body as an event of a stream that has begun.
    pub(crate) fn error_event(self, mut body: Value) -> Event {
        match self {
            Self::Anthropic => {
                // Only whole responses name the request in their body.
                if let Some(fields) = body.as_object_mut() {
                    fields.remove("request_id");
                }
                Event::named(body)
            }
            Self::OpenAI | Self::Gemini | Self::Mistral | Self::AzureOpenAI | Self::Ollama | Self::OpenAICompatible => {
                Event::data(body)
            }
        }
    }

    /// The whole answer as one object.
    pub(crate) fn unary(self, stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Value {
        match self {
            Self::OpenAI => openai::write::unary(stamp, question, reply, with_usage),
            Self::Anthropic => anthropic::write::unary(stamp, question, reply, with_usage),
            Self::Gemini => gemini::write::unary(stamp, question, reply, with_usage),
            Self::Mistral => mistral::write::unary(stamp, question, reply, with_usage),
            Self::AzureOpenAI => azure::unary(stamp, question, reply, with_usage),
            Self::Ollama => ollama::write::unary(stamp, question, reply, with_usage),
            Self::OpenAICompatible => compatible::unary(stamp, question, reply, with_usage),
        }
    }

    /// The answer as a stream, without what only marks its end.
    pub(crate) fn events(self, stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Vec<Event> {
        match self {
            Self::OpenAI => openai::write::events(stamp, question, reply, with_usage),
            Self::Anthropic => anthropic::write::events(stamp, question, reply, with_usage),
            Self::Gemini => gemini::write::events(stamp, question, reply, with_usage),
            Self::Mistral => mistral::write::events(stamp, question, reply, with_usage),
            Self::AzureOpenAI => azure::events(stamp, question, reply, with_usage),
            Self::Ollama => ollama::write::events(stamp, question, reply, with_usage),
            Self::OpenAICompatible => compatible::events(stamp, question, reply, with_usage),
        }
    }

    /// The event that only says that the stream has ended.
    pub(crate) fn end_marker(self) -> Option<Event> {
        match self {
            Self::OpenAI | Self::Mistral | Self::AzureOpenAI | Self::OpenAICompatible => Some(Event::raw("[DONE]")),
            Self::Anthropic => Some(Event::named(serde_json::json!({"type": "message_stop"}))),
            Self::Gemini | Self::Ollama => None,
        }
    }
}
