//! Mistral's chat completions: OpenAI's shape, with fewer members, since one that Mistral does not know is a 422.

mod answer;
pub(crate) mod embeddings;
mod ids;
mod request;

pub(crate) use answer::parse_response;
pub(crate) use request::emit_request;

#[cfg(test)]
mod tests;
