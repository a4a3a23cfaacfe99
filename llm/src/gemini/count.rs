//! Gemini's countTokens.

use std::borrow::Cow;
use std::convert::Infallible;

use super::resource;
use crate::count::{self, Count};
use crate::json::{Fault, Kind, Reader, Writer, camel};
use crate::translate::Emitted;

/// A client's request as one for an answer, which it is or holds. All stands where it stood, so that places in it are
/// those of the body.
pub(crate) fn conversation(body: &[u8]) -> Result<Cow<'_, [u8]>, Fault> {
    let mut reader = Reader::new(body)?;
    let mut inner = None;
    reader.object(|reader, key| {
        let holds = camel(key.decode()) == "generateContentRequest";
        let kind = reader.peek()?;
        let start = reader.at();
        reader.skip()?;
        if holds && kind == Kind::Object {
            inner = Some(start..reader.at());
        }
        Ok::<(), Fault>(())
    })?;
    let Some(inner) = inner else { return Ok(Cow::Borrowed(body)) };
    let mut alone = vec![b' '; body.len()];
    alone[inner.clone()].copy_from_slice(&body[inner]);
    Ok(Cow::Owned(alone))
}

/// A request for an answer in the one form that counts system text and tools too.
pub(crate) fn counted(emitted: Emitted, model: &str) -> Emitted {
    let mut body = Vec::with_capacity(emitted.body.len() + 64);
    let Ok(()) = Writer::new(&mut body).object(|w| {
        w.key("generateContentRequest").object(|w| {
            w.key("model").string(&resource(model));
            w.out.push(b',');
            // The members of an object, without its braces.
            w.out.extend_from_slice(&emitted.body[1..emitted.body.len() - 1]);
            Ok::<(), Infallible>(())
        })
    });
    Emitted { body, ..emitted }
}

/// Reads an answer. Gemini leaves zeros out.
pub(crate) fn parse_answer(body: &[u8]) -> Result<Count, Fault> {
    if Reader::of_answer(body)?.peek()? == Kind::Array && super::is_error(body) {
        return Ok(Count { tokens: None, failed: true });
    }
    Count::read(body, "totalTokens", Some(0))
}

pub(crate) fn emit_answer(tokens: u64) -> Vec<u8> {
    count::write("totalTokens", tokens)
}
