//! A request in the neutral form, written for generateContent.

mod config;
mod contents;
mod own;
mod parts;
mod schema;
mod tools;

use crate::json::Writer;
use crate::neutral::{Extra, Request};
use crate::translate::{Dropped, Emitted, Names, Target, refuse_other_tools};
use crate::{Dialect, Error};
use contents::Contents;
pub(super) use parts::named_by;

/// Writes the request for that target. Model and stream are said by the path, not by the body.
///
/// # Errors
/// [`Error::Unsupported`] for what Gemini has no words for, [`Error::BadRequest`] for a tool result without its call.
pub(crate) fn emit_request(request: &Request<'_>, target: &Target<'_>) -> Result<Emitted, Error> {
    if request.origin == Dialect::Gemini {
        let mut body = Vec::new();
        Writer::new(&mut body).object(|w| own::write(w, request))?;
        return Ok(Emitted { body, dropped: Vec::new(), names: Names::default() });
    }
    let mut dropped = Dropped::default();
    check(request)?;
    let names = tools::rename(request);
    let contents = Contents::of(request)?;
    let mut body = Vec::with_capacity(request.messages.iter().map(|m| m.parts.len() * 256).sum::<usize>() + 2048);
    Writer::new(&mut body).object(|w| {
        contents.write_system(w)?;
        w.key("contents").array(|w| contents.write(w, &names, target.facts.signed_calls))?;
        tools::write(w, request, target, &names, &mut dropped)?;
        config::write(w, request, target, &mut dropped)
    })?;
    Ok(Emitted { body, dropped: dropped.names(), names })
}

/// What Gemini cannot say is refused before anything is written.
fn check(request: &Request<'_>) -> Result<(), Error> {
    if request.n.is_some_and(|n| n > 1) {
        return Err(unsupported("n", "only one answer can be asked for"));
    }
    refuse_other_tools(request)?;
    request.extra.iter().try_for_each(|Extra { name, value }| match &**name {
        _ if says_nothing(value.0) => Ok(()),
        "modalities" if !value.0.chars().filter(|c| !c.is_whitespace()).eq(r#"["text"]"#.chars()) => {
            Err(unsupported("modalities", "the target answers with text only"))
        }
        "web_search_options" => Err(unsupported("web_search_options", "the target has no such tool")),
        "functions" => Err(unsupported("functions", "declare them as tools")),
        "function_call" => Err(unsupported("function_call", "use tool_choice")),
        _ => Ok(()),
    })
}

fn says_nothing(value: &str) -> bool {
    matches!(value, "0" | "0.0" | "false" | "{}" | "[]" | "\"\"")
}

fn unsupported(field: &'static str, reason: &'static str) -> Error {
    Error::Unsupported { field: field.into(), reason: reason.into() }
}

#[cfg(test)]
mod tests;
