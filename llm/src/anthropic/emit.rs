//! An answer in the neutral form, written as a message, whole or as a stream.

mod held;
mod stream;

use std::borrow::Cow;
use std::convert::Infallible;

use super::{citations, finish, usage};
use crate::Dialect;
use crate::json::Writer;
use crate::neutral::{Choice, Extra, Part, Response};
use crate::translate::arguments;

pub(crate) use stream::StreamEmitter;

/// Writes a whole message. Anthropic has one answer per request: the first is taken.
pub(crate) fn emit_response(response: &Response<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let choice = response.choices.first();
    let parts = choice.map_or(&[][..], |choice| &choice.parts);
    let own = response.origin == Dialect::Anthropic;
    let any = |wanted: fn(&Part<'_>) -> bool| parts.iter().any(wanted);
    let calls = any(|part| matches!(part, Part::ToolCall(_)));
    let refused = any(|part| matches!(part, Part::Refusal(_)));
    let Ok(()) = Writer::new(&mut out).object(|w| {
        w.key("id").string(&id(response));
        w.key("type").string("message");
        w.key("role").string("assistant");
        w.key("model").string(&response.model);
        w.key("content").array(|w| content(w, parts, own))?;
        stop(w, choice, own, calls, refused);
        if let (true, Some(raw)) = (own, response.raw_usage) {
            w.key("usage").raw(raw.0);
        } else {
            w.key("usage");
            usage::write(w, &response.usage)?;
        }
        extra(w, &response.extra, own);
        Ok::<(), Infallible>(())
    });
    out
}

/// Why the answer ended. Of its own provider's the word is said as it came; a sequence is Anthropic's reason too.
fn stop(w: &mut Writer<'_>, choice: Option<&Choice<'_>>, own: bool, calls: bool, refused: bool) {
    let sequence = choice.and_then(|choice| choice.stop_sequence.as_deref());
    let word = choice.map(|choice| match (&choice.word, choice.finish, sequence) {
        (Some(word), finish, _) if own && finish::read(word) == finish => &**word,
        (_, finish, sequence) => finish::word(finish, sequence.is_some(), calls, refused),
    });
    for (key, text) in [("stop_reason", word), ("stop_sequence", sequence)] {
        match text {
            Some(text) => w.key(key).string(text),
            None => w.key(key).raw("null"),
        }
    }
}

/// Says again what only Anthropic knows.
fn extra(w: &mut Writer<'_>, extra: &[Extra<'_>], own: bool) {
    let extra = if own { extra } else { &[] };
    extra.iter().for_each(|extra| w.any_key(&extra.name).raw(extra.value.0));
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

/// Thinking leads, as Anthropic wants it back; its own stands where it stood.
fn content(w: &mut Writer<'_>, parts: &[Part<'_>], own: bool) -> Result<(), Infallible> {
    if own {
        return parts.iter().enumerate().try_for_each(|(index, part)| block(w, part, index, own));
    }
    let thought = |part: &&Part<'_>| matches!(part, Part::Reasoning { .. } | Part::RedactedReasoning(_));
    parts.iter().filter(thought).try_for_each(|part| block(w, part, 0, own))?;
    let rest = parts.iter().filter(|part| !thought(part));
    rest.enumerate().try_for_each(|(index, part)| block(w, part, index, own))
}

fn block(w: &mut Writer<'_>, part: &Part<'_>, index: usize, own: bool) -> Result<(), Infallible> {
    let strings = |w: &mut Writer<'_>, members: &[(&'static str, &str)]| {
        w.object(|w| {
            members.iter().for_each(|(key, value)| w.key(key).string(value));
            Ok(())
        })
    };
    match part {
        Part::Text { text, .. } | Part::Refusal(text) if text.is_empty() => Ok(()),
        Part::Refusal(text) => strings(w, &[("type", "text"), ("text", text)]),
        Part::Text { text, citations: cited, extra: others, .. } => w.object(|w| {
            w.key("type").string("text");
            w.key("text").string(text);
            if cited.iter().any(citations::is_known) {
                let mut known = cited.iter().filter(|citation| citations::is_known(citation));
                w.key("citations").array(|w| known.try_for_each(|citation| citations::write(w, citation)))?;
            }
            extra(w, others, own);
            Ok(())
        }),
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
            extra(w, &call.extra, own);
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
