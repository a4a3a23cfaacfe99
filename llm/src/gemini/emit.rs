//! An answer in the neutral form, written as generateContent's, whole or as a stream.

mod stream;

use std::convert::Infallible;

use super::carry::{self, NO_SIGNATURE};
use super::{finish, grounding, id, usage};
use crate::Dialect;
use crate::json::Writer;
use crate::neutral::{Choice, Extra, Finish, Part, Response};
use crate::translate::arguments;

pub(crate) use stream::StreamEmitter;

/// Writes a whole answer. One that the provider refused without a word is a prompt that was blocked, as Gemini has it.
pub(crate) fn emit_response(response: &Response<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let own = response.origin == Dialect::Gemini;
    let Ok(()) = Writer::new(&mut out).object(|w| {
        match response.choices.iter().all(is_blocked) {
            true if own => {}
            true => blocked(w)?,
            false => w
                .key("candidates")
                .array(|w| response.choices.iter().try_for_each(|choice| candidate(w, choice, own)))?,
        }
        match response.raw_usage.filter(|_| own) {
            Some(raw) => w.key("usageMetadata").raw(raw.0),
            None if response.usage.is_reported() => {
                w.key("usageMetadata");
                usage::write(w, &response.usage)?;
            }
            None => {}
        }
        extra(w, &response.extra, own);
        names(w, &response.model, &response.id);
        Ok::<(), Infallible>(())
    });
    out
}

/// Says again what only Gemini knows.
fn extra(w: &mut Writer<'_>, extra: &[Extra<'_>], own: bool) {
    extra.iter().filter(|_| own).for_each(|extra| w.any_key(&extra.name).raw(extra.value.0));
}

fn is_blocked(choice: &Choice<'_>) -> bool {
    choice.finish == Finish::ContentFilter && choice.parts.iter().all(|part| !is_told(part))
}

fn blocked(w: &mut Writer<'_>) -> Result<(), Infallible> {
    w.key("promptFeedback").object(|w| {
        w.key("blockReason").string("SAFETY");
        Ok(())
    })
}

/// What Gemini's own answers always say at the end.
fn names(w: &mut Writer<'_>, model: &str, id: &str) {
    for (key, name) in [("modelVersion", model), ("responseId", id)] {
        if !name.is_empty() {
            w.key(key).string(name);
        }
    }
}

fn candidate(w: &mut Writer<'_>, choice: &Choice<'_>, own: bool) -> Result<(), Infallible> {
    let refused = choice.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let told: Vec<_> = choice.parts.iter().filter(|part| is_told(part)).collect();
    w.object(|w| {
        w.key("content").object(|w| {
            if !told.is_empty() {
                let mut first = true;
                w.key("parts").array(|w| told.iter().try_for_each(|it| part(w, it, &mut first, own)))?;
            }
            w.key("role").string("model");
            Ok::<(), Infallible>(())
        })?;
        match choice.word.as_deref().filter(|_| own) {
            Some(word) => w.key("finishReason").string(word),
            None => w.key("finishReason").string(finish::word(choice.finish, refused)),
        }
        w.key("index").unsigned(choice.index.into());
        grounding::write(w, &grounding::of_parts(&told))?;
        extra(w, &choice.extra, own);
        Ok(())
    })
}

/// It has a word in Gemini's dialect, and says something.
fn is_told(part: &Part<'_>) -> bool {
    match part {
        Part::Text { text, .. } | Part::Refusal(text) | Part::Reasoning { text, signature: None } => !text.is_empty(),
        Part::Reasoning { .. } | Part::RedactedReasoning(_) | Part::ToolCall(_) => true,
        Part::Unknown { origin, .. } => *origin == Dialect::Gemini,
        Part::Media(_) | Part::ToolResult { .. } => false,
    }
}

/// `first`: no call was written yet.
fn part(w: &mut Writer<'_>, part: &Part<'_>, first: &mut bool, own: bool) -> Result<(), Infallible> {
    match part {
        Part::Text { text, extra: others, .. } if own => w.object(|w| {
            w.key("text").string(text);
            extra(w, others, own);
            Ok::<(), Infallible>(())
        })?,
        Part::Text { text, .. } | Part::Refusal(text) => said(w, text),
        Part::Reasoning { text, signature } => {
            thought(w, text, signature.as_deref().map(carry::signature).as_deref());
        }
        Part::RedactedReasoning(data) => thought(w, "", Some(&carry::redacted(data))),
        Part::ToolCall(call) => {
            let unsigned = std::mem::take(first) && !own;
            called(w, &call.id, &call.name, &call.arguments, unsigned);
        }
        Part::Unknown { value, .. } => w.raw(value.0),
        Part::Media(_) | Part::ToolResult { .. } => {}
    }
    Ok(())
}

fn said(w: &mut Writer<'_>, text: &str) {
    let Ok(()) = w.object(|w| {
        w.key("text").string(text);
        Ok::<(), Infallible>(())
    });
}

fn thought(w: &mut Writer<'_>, text: &str, signature: Option<&str>) {
    let Ok(()) = w.object(|w| {
        w.key("text").string(text);
        w.key("thought").bool(true);
        if let Some(signature) = signature {
            w.key("thoughtSignature").string(signature);
        }
        Ok::<(), Infallible>(())
    });
}

/// Newer models refuse a turn whose first call has no signature, and a later turn of the conversation may be theirs.
/// Gemini's own signature may have come in the id.
fn called(w: &mut Writer<'_>, id: &str, name: &str, json: &str, unsigned: bool) {
    let (id, signature) = id::parted(id);
    let Ok(()) = w.object(|w| {
        w.key("functionCall").object(|w| {
            if !id.is_empty() {
                w.key("id").string(id);
            }
            w.key("name").string(name);
            w.key("args").raw(&arguments::object(json));
            Ok::<(), Infallible>(())
        })?;
        match signature {
            Some(signature) => w.key("thoughtSignature").string(&signature),
            None if unsigned => w.key("thoughtSignature").string(NO_SIGNATURE),
            None => {}
        }
        Ok::<(), Infallible>(())
    });
}

#[cfg(test)]
mod tests;
