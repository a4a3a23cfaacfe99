//! An answer in the neutral form, written as a message, whole or as a stream.

mod held;
mod stream;

use std::borrow::Cow;
use std::convert::Infallible;

use super::{finish, usage};
use crate::Dialect;
use crate::json::Writer;
use crate::neutral::{Part, Response};
use crate::translate::arguments;

pub(crate) use stream::StreamEmitter;

/// Writes a whole message. Anthropic has one answer per request: the first is taken.
pub(crate) fn emit_response(response: &Response<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let choice = response.choices.first();
    let parts = choice.map_or(&[][..], |choice| &choice.parts);
    let any = |wanted: fn(&Part<'_>) -> bool| parts.iter().any(wanted);
    let calls = any(|part| matches!(part, Part::ToolCall(_)));
    let refused = any(|part| matches!(part, Part::Refusal(_)));
    let Ok(()) = Writer::new(&mut out).object(|w| {
        w.key("id").string(&id(response));
        w.key("type").string("message");
        w.key("role").string("assistant");
        w.key("model").string(&response.model);
        w.key("content").array(|w| content(w, parts))?;
        match choice {
            Some(choice) => w.key("stop_reason").string(finish::word(choice.finish, calls, refused)),
            None => w.key("stop_reason").raw("null"),
        }
        w.key("stop_sequence").raw("null");
        w.key("usage");
        usage::write(w, &response.usage)
    });
    out
}

/// The provider's id, or one that comes of the answer, so that the same answer has the same.
fn id<'r>(response: &'r Response<'_>) -> Cow<'r, str> {
    if !response.id.is_empty() {
        return Cow::Borrowed(&response.id);
    }
    let parts = response.choices.iter().flat_map(|choice| &choice.parts);
    let texts = parts.map(|part| match part {
        Part::Text { text, .. } | Part::Refusal(text) | Part::Reasoning { text, .. } => &**text,
        Part::ToolCall(call) => &call.arguments,
        _ => "",
    });
    let created = response.created.unwrap_or(0).to_string();
    Cow::Owned(made_id(texts.chain([&*response.model, &*created])))
}

/// An id in Anthropic's form that comes of these texts (FNV-1a).
fn made_id<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = texts.flat_map(|text| text.bytes().chain([0xFF])).fold(0xcbf2_9ce4_8422_2325, step);
    format!("msg_{hash:016x}")
}

/// Thinking leads, as Anthropic wants it back.
fn content(w: &mut Writer<'_>, parts: &[Part<'_>]) -> Result<(), Infallible> {
    let thought = |part: &&Part<'_>| matches!(part, Part::Reasoning { .. } | Part::RedactedReasoning(_));
    parts.iter().filter(thought).try_for_each(|part| block(w, part, 0))?;
    let rest = parts.iter().filter(|part| !thought(part));
    rest.enumerate().try_for_each(|(index, part)| block(w, part, index))
}

fn block(w: &mut Writer<'_>, part: &Part<'_>, index: usize) -> Result<(), Infallible> {
    let strings = |w: &mut Writer<'_>, members: &[(&'static str, &str)]| {
        w.object(|w| {
            members.iter().for_each(|(key, value)| w.key(key).string(value));
            Ok(())
        })
    };
    match part {
        Part::Text { text, .. } | Part::Refusal(text) if text.is_empty() => Ok(()),
        Part::Text { text, .. } | Part::Refusal(text) => strings(w, &[("type", "text"), ("text", text)]),
        Part::Reasoning { text, signature } => {
            let signature = signature.as_deref().unwrap_or_default();
            strings(w, &[("type", "thinking"), ("thinking", text), ("signature", signature)])
        }
        Part::RedactedReasoning(data) => strings(w, &[("type", "redacted_thinking"), ("data", data)]),
        Part::ToolCall(call) => w.object(|w| {
            w.key("type").string("tool_use");
            w.key("id").string(&call_id(&call.id, index));
            w.key("name").string(&call.name);
            w.key("input").raw(&arguments::object(&call.arguments));
            Ok(())
        }),
        Part::Unknown { origin: Dialect::Anthropic, value, .. } => {
            w.raw(value.0);
            Ok(())
        }
        Part::Media(_) | Part::ToolResult { .. } | Part::Unknown { .. } => Ok(()),
    }
}

/// A call must have an id, or its result could not name it.
fn call_id(id: &str, index: usize) -> Cow<'_, str> {
    if id.is_empty() { Cow::Owned(format!("toolu_{index}")) } else { Cow::Borrowed(id) }
}

#[cfg(test)]
mod tests;
