//! Ollama's own chat, `/api/chat`: a stream is lines of JSON, and what is sent keeps its defaults from cutting silently.
//!
//! Shapes are those of docs.ollama.com (api/chat, api/errors, api/streaming) and of api/types.go in Ollama's repository.

mod answer;
mod chunk;
pub(crate) mod embeddings;
mod finish;
mod request;

pub(crate) use answer::{StreamParser, parse_response};
pub(crate) use request::emit_request;

#[cfg(test)]
mod tests;
