use crate::json::Fault;
use crate::relay::{Client, Emitter};
use crate::{Dialect, anthropic, gemini, openai, responses};

use super::memory::Memory;

/// Where a stream is that passes as it came: what has to be known to go on in it, beside its text.
#[derive(Debug)]
pub(crate) enum Place {
    OpenAI(openai::Place),
    Anthropic(anthropic::Place),
    Gemini,
    Responses(Box<responses::Place>),
}

impl Place {
    pub(crate) fn new(dialect: Dialect) -> Self {
        match dialect {
            // Nobody who speaks the last two asks.
            Dialect::OpenAI | Dialect::Mistral | Dialect::Ollama => Self::OpenAI(openai::Place::default()),
            Dialect::Anthropic => Self::Anthropic(anthropic::Place::default()),
            Dialect::Gemini => Self::Gemini,
            Dialect::Responses => Self::Responses(Box::default()),
        }
    }

    /// Takes an event. False if it says something that is neither text nor thinking; `odd`: it says something that
    /// nobody could read.
    pub(super) fn note(&mut self, data: &[u8], odd: bool) -> Result<bool, Fault> {
        match self {
            Self::OpenAI(place) => place.note(data).map(|()| !odd),
            Self::Anthropic(place) => place.note(data),
            Self::Gemini => gemini::says_prose(data),
            Self::Responses(place) => place.note(data),
        }
    }

    /// Whether another target can go on here.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::OpenAI(_) | Self::Anthropic(_) | Self::Gemini => true,
            Self::Responses(place) => place.is_open(),
        }
    }

    /// Who writes what follows here.
    pub(super) fn emitter(&self, client: &Client, memory: &Memory) -> Emitter {
        let (id, model) = (&*memory.id, &*memory.model);
        match self {
            Self::OpenAI(place) => Emitter::OpenAI(place.emitter(client, (id, model), &memory.text)),
            Self::Anthropic(place) => Emitter::Anthropic(place.emitter()),
            Self::Gemini => Emitter::Gemini(gemini::StreamEmitter::within(id, model, &memory.text)),
            Self::Responses(place) => Emitter::Responses(place.emitter(client.now)),
        }
    }
}
