//! The two ends of a translated stream: who reads the provider's events, and who writes the client's.

use crate::classify::in_band;
use crate::json::Fault;
use crate::neutral::Event;
use crate::translate::Names;
use crate::{Dialect, anthropic, gemini, ollama, openai, responses};

use super::Client;

/// Reads a provider's events, by its dialect.
#[derive(Debug)]
pub(crate) enum Parser {
    OpenAI(openai::StreamParser),
    Responses(responses::StreamParser),
    Anthropic(anthropic::StreamParser),
    Gemini(gemini::StreamParser),
    Mistral(openai::StreamParser),
    Ollama(ollama::StreamParser),
}

/// Writes events for a client, by its dialect.
#[derive(Debug, Clone)]
pub(crate) enum Emitter {
    OpenAI(openai::StreamEmitter),
    Anthropic(anthropic::StreamEmitter),
    Gemini(gemini::StreamEmitter),
    Responses(responses::StreamEmitter),
}

impl Parser {
    /// Of an answer that goes on with what others began.
    pub(crate) fn of_rest(upstream: Dialect, names: Names) -> Self {
        match Self::new(upstream, names, 1) {
            Self::Gemini(parser) => Self::Gemini(parser.going_on()),
            parser => parser,
        }
    }

    /// `choices`: how many answers the client asked for.
    pub(crate) fn new(upstream: Dialect, names: Names, choices: u64) -> Self {
        match upstream {
            Dialect::OpenAI => Self::OpenAI(openai::StreamParser::new(names)),
            Dialect::Responses => Self::Responses(responses::StreamParser::default()),
            Dialect::Anthropic => Self::Anthropic(anthropic::StreamParser::new(names)),
            Dialect::Gemini => Self::Gemini(gemini::StreamParser::new(names, choices)),
            Dialect::Mistral => Self::Mistral(openai::StreamParser::new(names)),
            Dialect::Ollama => Self::Ollama(ollama::StreamParser::default()),
        }
    }

    /// Hands what one event means to `each`. `name` is that of its `event:` line.
    pub(crate) fn push<'e>(
        &mut self,
        name: Option<&[u8]>,
        data: &'e [u8],
        each: &mut impl FnMut(Event<'e>),
    ) -> Result<(), Fault> {
        match self {
            // Some servers say by the name alone that the data is an error.
            Self::OpenAI(_) | Self::Mistral(_) if name == Some(b"error") => {
                each(Event::Error(Box::new(in_band(data))));
                Ok(())
            }
            Self::OpenAI(parser) => parser.push(data, each),
            Self::Responses(parser) => parser.push(data, each),
            Self::Anthropic(parser) => parser.push(data, each),
            Self::Gemini(parser) => parser.push(data, each),
            Self::Mistral(parser) => parser.push(data, each),
            Self::Ollama(parser) => parser.push(data, each),
        }
    }
}

impl Emitter {
    pub(crate) fn new(client: &Client, names: &Names) -> Self {
        match client.dialect {
            // Nobody who speaks the last two asks: requests in them are refused.
            Dialect::OpenAI | Dialect::Mistral | Dialect::Ollama => {
                Self::OpenAI(openai::StreamEmitter::new(client.include_usage, client.now))
            }
            Dialect::Anthropic => Self::Anthropic(anthropic::StreamEmitter::new()),
            Dialect::Gemini => Self::Gemini(gemini::StreamEmitter::new()),
            Dialect::Responses => Self::Responses(responses::StreamEmitter::new(client.now, names.echo().clone())),
        }
    }

    /// Appends what an event makes.
    pub(crate) fn push(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match self {
            Self::OpenAI(emitter) => emitter.push(event, out),
            Self::Anthropic(emitter) => emitter.push(event, out),
            Self::Gemini(emitter) => emitter.push(event, out),
            Self::Responses(emitter) => emitter.push(event, out),
        }
    }

    /// What the answer has cost, in picodollars, for clients that are told with its usage.
    pub(crate) fn costs(&mut self, picodollars: Option<u64>) {
        match self {
            Self::OpenAI(emitter) => emitter.costs(picodollars),
            Self::Anthropic(_) | Self::Gemini(_) | Self::Responses(_) => {}
        }
    }

    /// The provider's event is over: appends what was kept to be joined with more of it.
    pub(crate) fn flush(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::OpenAI(emitter) => emitter.flush(out),
            Self::Anthropic(_) | Self::Gemini(_) | Self::Responses(_) => {}
        }
    }

    /// The number of the next event, where events are numbered.
    pub(super) fn sequence(&self) -> u64 {
        match self {
            Self::OpenAI(_) | Self::Anthropic(_) | Self::Gemini(_) => 0,
            Self::Responses(emitter) => emitter.sequence(),
        }
    }
}
