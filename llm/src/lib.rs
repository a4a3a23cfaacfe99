//! Wire formats of large language model APIs: pure, synchronous, without I/O.
//!
//! Same dialect in and out: [`scan()`] looks at the request once, [`splice`] changes the few bytes that must
//! change, and a [`relay::Relay`] looks at the answer in place. Across dialects: [`translate::request`] parses
//! into the [`neutral`] form and emits the other dialect; the same [`relay::Relay`] does so for the answer.
//!
//! Each dialect is one folder with `parse` and `emit`, unary and stream, so n dialects cost n folders.

mod anthropic;
pub mod call;
pub mod classify;
pub mod compatible;
mod count;
mod embeddings;
mod error;
pub mod estimate;
pub mod facts;
#[cfg(test)]
mod fixtures;
mod gemini;
mod json;
mod mistral;
pub mod neutral;
mod ollama;
mod openai;
pub mod price;
pub mod reject;
pub mod relay;
mod responses;
pub mod resume;
pub mod scan;
mod schema;
pub mod seen;
pub mod splice;
pub mod sse;
pub mod translate;

pub use error::Error;

/// A wire format of chat requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI chat completions, and everything that calls itself compatible with it.
    OpenAI,
    /// Anthropic messages.
    Anthropic,
    /// Gemini's generateContent, as Google's AI Studio serves it.
    Gemini,
    /// Mistral's chat completions. Spoken to providers, by no client.
    Mistral,
    /// Ollama's own chat. Spoken to providers, by no client.
    Ollama,
    /// OpenAI's Responses API.
    Responses,
}
