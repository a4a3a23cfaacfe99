//! Penstock's own errors, in the words of the client's dialect.

use crate::{Dialect, anthropic, gemini, openai, responses};

/// An error for a client. Its type follows from the status, as the dialect's SDKs expect it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection<'a> {
    /// The HTTP status; in band the one that it would have had.
    pub status: u16,
    /// A sentence.
    pub message: &'a str,
    /// A type of the provider's that goes through as it came; else the status decides.
    pub of_type: Option<&'a str>,
    /// A stable word.
    pub code: Option<&'a str>,
    /// The request field at fault.
    pub param: Option<&'a str>,
    /// JSON that Anthropic's SDKs go by; other dialects have no place for it.
    pub details: Option<&'a str>,
}

impl Rejection<'_> {
    /// The whole body of a response with that status.
    pub fn body(&self, dialect: Dialect) -> Vec<u8> {
        match dialect {
            Dialect::OpenAI | Dialect::Mistral | Dialect::Ollama | Dialect::Responses => openai::error_body(self),
            Dialect::Anthropic => anthropic::error_body(self),
            Dialect::Gemini => gemini::error_body(self),
        }
    }

    /// An event of a stream that has begun: the last one, no end marker may follow. `sequence` is its number among the
    /// stream's events, which only the Responses API says.
    pub fn event(&self, dialect: Dialect, sequence: u64) -> Vec<u8> {
        match dialect {
            Dialect::OpenAI | Dialect::Mistral | Dialect::Ollama => openai::error_event(self),
            Dialect::Anthropic => anthropic::error_event(self),
            Dialect::Gemini => gemini::error_event(self),
            Dialect::Responses => responses::error_event(self, sequence),
        }
    }
}
