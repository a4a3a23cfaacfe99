//! OpenAI's Responses API, as a client speaks it and as a provider that has it answers.
//!
//! A provider that has it is passed through and only looked at. Any other is asked in its own words: a request becomes a
//! chat request of OpenAI's, since it says little that chat has no word for, and what it can't say is refused or named.

mod annotations;
mod answer;
mod ask;
mod emit;
mod keep;
mod look;
mod parse;
mod place;
mod reject;
mod request;
mod seal;
mod stream;
mod usage;
mod words;

pub(crate) use answer::parse_response;
pub(crate) use ask::emit_request;
pub(crate) use emit::{Echo, StreamEmitter, emit_response};
pub(crate) use look::{look, observe_answer};
pub(crate) use place::Place;
pub(crate) use reject::error_event;
pub(crate) use request::{read, translate};
pub(crate) use seal::is_sealed;
pub(crate) use stream::StreamParser;

#[cfg(test)]
mod tests;
