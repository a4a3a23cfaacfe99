//! Anthropic messages.

#[cfg_attr(not(test), expect(dead_code, reason = "no client of Anthropic's is translated for yet"))]
mod emit;
mod finish;
#[cfg_attr(not(test), expect(dead_code, reason = "no client of Anthropic's is translated for yet"))]
mod parse;
mod reject;
mod request;
mod response;
mod stream;
mod usage;

#[cfg_attr(not(test), expect(unused_imports, reason = "no client of Anthropic's is translated for yet"))]
pub(crate) use emit::{StreamEmitter, emit_response};
#[cfg_attr(not(test), expect(unused_imports, reason = "no client of Anthropic's is translated for yet"))]
pub(crate) use parse::parse_request;
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
