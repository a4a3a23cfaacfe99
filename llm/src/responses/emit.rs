//! An answer in the neutral form, written as a response, whole or as a stream.

mod echo;
mod envelope;
mod item;
mod own;
mod stream;

use std::convert::Infallible;

use super::{annotations, usage};
use crate::Dialect;
use crate::json::Writer;
use crate::neutral::{Part, Response};
use crate::openai::length;
use crate::translate::Names;
use envelope::{Envelope, Status};
use item::{Ids, Said};

pub(crate) use echo::Echo;
pub(crate) use stream::StreamEmitter;

/// Writes a whole response: one that came in the API with all that only it has. The API has one answer per request: the first is taken. `now` stands in where the provider
/// does not say when it was made.
pub(crate) fn emit_response(response: &Response<'_>, now: u64, names: &Names) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let created = response.created.unwrap_or(now);
    if response.origin == Dialect::Responses {
        let Ok(()) = own::write(&mut Writer::new(&mut out), response, created);
        return out;
    }
    let envelope = Envelope::new(&response.id, &response.model, created, names.echo().clone());
    let choice = response.choices.first();
    let parts = choice.map_or(&[][..], |choice| &choice.parts);
    let status = choice.map_or(Status::Completed, |choice| Status::of(choice.finish));
    let Ok(()) = envelope.write(&mut Writer::new(&mut out), status, &response.usage, |w| {
        items(w, parts, status, &Ids::of(&envelope.id))
    });
    out
}

/// What is said in a row is one message.
fn items(w: &mut Writer<'_>, parts: &[Part<'_>], status: Status, ids: &Ids) -> Result<(), Infallible> {
    let told: Vec<&Part<'_>> = parts.iter().filter(|part| is_told(part)).collect();
    let rows = told.chunk_by(|one, next| is_said(one) && is_said(next));
    let last = rows.clone().count().saturating_sub(1);
    rows.enumerate().try_for_each(|(number, row)| {
        let index = number as u64;
        let state = if number == last { status.of_last_item() } else { "completed" };
        match row {
            [Part::Reasoning { text, signature }] => {
                let sealed = signature.as_deref().map(|signature| super::seal::Sealed::Signature(signature).close());
                item::reasoning(w, &ids.reasoning(index), text, sealed.as_deref())
            }
            [Part::RedactedReasoning(data)] => {
                item::reasoning(w, &ids.reasoning(index), "", Some(&super::seal::Sealed::Redacted(data).close()))
            }
            [Part::ToolCall(call)] => item::call(w, &ids.call(index), state, &call.id, &call.name, &call.arguments),
            row => item::message(w, &ids.message(index), state, row.iter().filter_map(|part| said(part))),
        }
    })
}

fn is_said(part: &Part<'_>) -> bool {
    matches!(part, Part::Text { .. } | Part::Refusal(_))
}

fn said<'p>(part: &'p Part<'_>) -> Option<Said<'p>> {
    match part {
        Part::Text { text, citations, .. } => {
            let annotations = annotations::written(citations, |it| it.span.unwrap_or((0, length(text))));
            Some(Said::Text(text, annotations.into()))
        }
        Part::Refusal(text) => Some(Said::Refusal(text)),
        _ => None,
    }
}

/// Pictures and what only another dialect knows have no item.
fn is_told(part: &Part<'_>) -> bool {
    match part {
        Part::Text { text, .. } | Part::Refusal(text) => !text.is_empty(),
        Part::Reasoning { .. } | Part::RedactedReasoning(_) | Part::ToolCall(_) => true,
        Part::Media(_) | Part::ToolResult { .. } | Part::Unknown { .. } => false,
    }
}
