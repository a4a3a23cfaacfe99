//! Gemini's countTokens.

use std::convert::Infallible;

use super::{emit_request as emit_contents, resource};
use crate::Error;
use crate::count::Count;
use crate::json::{Fault, Kind, Reader, Writer};
use crate::neutral::Request;
use crate::translate::{Emitted, Target};

/// Writes the request for that target, in the one form that counts system text and tools too.
///
/// # Errors
/// As a request for an answer has.
pub(crate) fn emit_request(request: &Request<'_>, target: &Target<'_>) -> Result<Emitted, Error> {
    let emitted = emit_contents(request, target)?;
    let mut body = Vec::with_capacity(emitted.body.len() + 64);
    let Ok(()) = Writer::new(&mut body).object(|w| {
        w.key("generateContentRequest").object(|w| {
            w.key("model").string(&resource(target.model));
            w.out.push(b',');
            // The members of an object, without its braces.
            w.out.extend_from_slice(&emitted.body[1..emitted.body.len() - 1]);
            Ok::<(), Infallible>(())
        })
    });
    Ok(Emitted { body, ..emitted })
}

/// Reads an answer. Gemini leaves zeros out.
pub(crate) fn parse_answer(body: &[u8]) -> Result<Count, Fault> {
    let mut reader = Reader::of_answer(body)?;
    if reader.peek()? == Kind::Array && super::is_error(body) {
        return Ok(Count { tokens: None, failed: true });
    }
    let mut count = Count { tokens: Some(0), failed: false };
    reader.object(|reader, key| {
        match (&*key.decode(), reader.peek()?) {
            ("totalTokens", Kind::Number) => count.tokens = Some(reader.unsigned()?),
            ("error", kind) => {
                count.failed |= kind != Kind::Null;
                reader.skip()?;
            }
            _ => reader.skip()?,
        }
        Ok::<(), Fault>(())
    })?;
    reader.end()?;
    Ok(count)
}

pub(crate) fn emit_answer(tokens: u64) -> Vec<u8> {
    let mut body = Vec::with_capacity(32);
    let Ok(()) = Writer::new(&mut body).object(|w| {
        w.key("totalTokens").unsigned(tokens);
        Ok::<(), Infallible>(())
    });
    body
}
