//! Anthropic messages.

mod citations;
pub(crate) mod count;
mod emit;
mod finish;
mod parse;
mod place;
mod reject;
mod request;
mod response;
mod stream;
mod usage;

pub(crate) use emit::{StreamEmitter, emit_response};
pub(crate) use parse::{parse_count, parse_request};
pub(crate) use place::Place;
pub(crate) use reject::{error_body, error_event};
pub(crate) use request::emit_request;
pub(crate) use response::parse_response;
pub(crate) use stream::StreamParser;

/// The end marker of a message stream.
pub(crate) const STOP: &[u8] = b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// Whether a whole answer is an error object, which a 200 may hold too.
pub(crate) fn is_error(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|answer| answer.get("error").is_some())
}
