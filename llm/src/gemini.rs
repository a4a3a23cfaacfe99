//! Gemini's generateContent.

mod carry;
mod chunk;
pub(crate) mod count;
pub(crate) mod embeddings;
mod emit;
mod finish;
mod grounding;
mod id;
mod parse;
mod reject;
mod request;
mod response;
mod stream;
mod usage;
mod words;

#[cfg(test)]
pub(crate) use carry::signature;
pub(crate) use carry::{NO_SIGNATURE, is_foreign};
pub(crate) use emit::{StreamEmitter, emit_response};
pub(crate) use id::{bare_ids, carried_by};
pub(crate) use parse::{Schemas, is_kept, parse_request, settle};
pub(crate) use reject::{error_body, error_event};
pub(crate) use request::emit_request;
pub(crate) use response::parse_response;
pub(crate) use stream::StreamParser;
pub(crate) use words::own_words;

use crate::json::Fault;
use chunk::Said;
use usage::Counts;

/// Gemini's streams end without a marker.
pub(crate) const END: &[u8] = b"";

/// A model as bodies name it, with the collection that it is in.
pub(crate) fn resource(model: &str) -> String {
    format!("models/{}", model.strip_prefix("models/").unwrap_or(model))
}

/// Whether a whole answer is an error: an object, or the first of a list.
pub(crate) fn is_error(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|answer| {
        let whole = answer.as_array().and_then(|items| items.first()).unwrap_or(&answer);
        whole.get("error").is_some()
    })
}

/// Whether an event of a stream says only text and thoughts, and signs none of it.
pub(crate) fn says_prose(data: &[u8]) -> Result<bool, Fault> {
    let chunk = chunk::read(data, &mut Counts::default())?;
    Ok(chunk.parts.iter().all(|said| matches!(said, Said::Text(_, None) | Said::Thought(_))))
}

#[cfg(test)]
mod tests;
