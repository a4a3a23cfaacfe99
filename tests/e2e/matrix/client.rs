//! Clients of the four dialects, as small as they can be: what they send, and what they see.

mod chat;
mod gemini;
mod messages;
mod responses;

use anyhow::Context as _;
use penstock_tests::gateway::Answer;
use serde_json::Value;

use super::task::{Seen, Task};

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Chat,
    Responses,
    Messages,
    Gemini,
}

impl Client {
    pub(crate) const ALL: [Self; 4] = [Self::Chat, Self::Responses, Self::Messages, Self::Gemini];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chat => "OpenAI chat",
            Self::Responses => "OpenAI responses",
            Self::Messages => "Anthropic messages",
            Self::Gemini => "Gemini",
        }
    }

    pub(crate) fn path(self, model: &str, stream: bool) -> String {
        match (self, stream) {
            (Self::Chat, _) => "/v1/chat/completions".into(),
            (Self::Responses, _) => "/v1/responses".into(),
            (Self::Messages, _) => "/v1/messages".into(),
            (Self::Gemini, false) => format!("/v1beta/models/{model}:generateContent"),
            (Self::Gemini, true) => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
        }
    }

    /// A first request.
    pub(crate) fn body(self, model: &str, task: Task, stream: bool) -> Value {
        match self {
            Self::Chat => chat::body(model, task, stream),
            Self::Responses => responses::body(model, task, stream),
            Self::Messages => messages::body(model, task, stream),
            Self::Gemini => gemini::body(task),
        }
    }

    /// Appends the model's turn and the results of its calls.
    pub(crate) fn second(self, body: &mut Value, seen: &Seen) -> anyhow::Result<()> {
        let (turns, results) = match self {
            Self::Chat => ("messages", chat::results(seen)),
            Self::Responses => ("input", responses::results(seen)),
            Self::Messages => ("messages", messages::results(seen)),
            Self::Gemini => ("contents", gemini::results(seen)),
        };
        let turns = body[turns].as_array_mut().context("must have turns")?;
        turns.extend(seen.turn.iter().cloned());
        turns.extend(results);
        Ok(())
    }

    /// Reads a whole answer, or the events of a stream.
    pub(crate) fn read(self, answer: &Answer, stream: bool) -> anyhow::Result<Seen> {
        if !stream {
            let body = answer.json();
            return match self {
                Self::Chat => chat::read(&body),
                Self::Responses => responses::read(&body),
                Self::Messages => messages::read(&body),
                Self::Gemini => gemini::read(&[body]),
            };
        }
        let data = answer.events().into_iter().filter(|data| *data != "[DONE]");
        let events = data.map(serde_json::from_str).collect::<Result<Vec<Value>, _>>().context("an event")?;
        match self {
            Self::Chat => chat::read(&chat::assemble(&events)),
            Self::Responses => responses::assemble(&events),
            Self::Messages => messages::assemble(&events),
            Self::Gemini => gemini::read(&events),
        }
    }
}

/// Text under a key; empty where there is none.
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn count(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_default()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn push(array: &mut Value, item: Value) {
    array.as_array_mut().expect("must be an array").push(item);
}
