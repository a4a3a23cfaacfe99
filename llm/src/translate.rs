//! A request from one dialect to another.

pub(crate) mod arguments;
mod extra;
mod names;

use std::borrow::Cow;

use crate::call::{Call, Form};
use crate::facts::Facts;
use crate::neutral::Request;
use crate::{Dialect, Error, anthropic, gemini, mistral, ollama, openai, responses};

pub(crate) use extra::{check_extra, refuse_kept, refuse_other_tools, refuse_unknown, unsupported};
pub use names::Names;
pub(crate) use names::{SUFFIX, is_plain_name, plain_name, rename_tools, unique_tool};

/// What a request is translated for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The dialect to write.
    pub dialect: Dialect,
    /// The provider's name of the model.
    pub model: &'a str,
    /// What that model takes.
    pub facts: Facts,
    /// Streams of OpenAI's dialect are asked for their usage, whether the client wants it or not.
    pub ask_for_usage: bool,
}

/// A translated request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emitted {
    /// The body to send.
    pub body: Vec<u8>,
    /// Hints that the target does not know, for `onUnsupported` and the header `x-penstock-dropped-params`. Safe in a
    /// header: letters, digits, `_`, `-`, `.` only, and at most sixteen.
    pub dropped: Vec<Cow<'static, str>>,
    /// What the answer's reader has to know of the request.
    pub names: Names,
}

/// Names of hints that are left out.
#[derive(Debug, Default)]
pub(crate) struct Dropped(Vec<Cow<'static, str>>);

/// More names than this help nobody, and clients choose them.
const MAX_DROPPED: usize = 16;

/// Translates a chat request whose body says everything.
///
/// # Errors
/// As [`chat`].
pub fn request(from: Dialect, body: &[u8], target: &Target<'_>) -> Result<Emitted, Error> {
    chat(&Call::chat(from), body, target)
}

/// Translates a client's chat request.
///
/// # Errors
/// [`Error::BadRequest`] if it is malformed, [`Error::Unsupported`] if the target has no way to say what it means.
pub fn chat(call: &Call, body: &[u8], target: &Target<'_>) -> Result<Emitted, Error> {
    chat_as(call, body, target, &mut |_| {})
}

/// Changes a request before it is written.
pub(crate) type Edit<'e> = &'e mut dyn for<'a> FnMut(&mut Request<'a>);

/// The same after a change.
///
/// # Errors
/// As [`chat`].
pub(crate) fn chat_as(call: &Call, body: &[u8], target: &Target<'_>, edit: Edit<'_>) -> Result<Emitted, Error> {
    if call.dialect == Dialect::Responses {
        return responses::translate(body, target, edit);
    }
    let write = |mut request: Request<'_>| {
        // To Gemini itself it is said as it was.
        if call.dialect == Dialect::Gemini && target.dialect != Dialect::Gemini {
            let settled = gemini::settle(&mut request);
            edit(&mut request);
            return settled.and_then(|()| emit(request, target)).map_err(gemini::own_words);
        }
        edit(&mut request);
        emit(request, target)
    };
    with_chat(call, body, write)?
}

/// Looks at a client's chat request.
///
/// # Errors
/// As [`chat`].
pub(crate) fn read<T>(call: &Call, body: &[u8], look: impl FnOnce(&Request<'_>) -> T) -> Result<T, Error> {
    match call.dialect {
        Dialect::Responses => responses::read(body, look),
        _ => with_chat(call, body, |request| look(&request)),
    }
}

/// Reads a request of any dialect but the Responses API, for which it depends on the target.
fn with_chat<T>(call: &Call, body: &[u8], take: impl FnOnce(Request<'_>) -> T) -> Result<T, Error> {
    let schemas;
    let request = match call.dialect {
        Dialect::OpenAI => openai::parse_request(body),
        Dialect::Anthropic => anthropic::parse_request(body),
        Dialect::Gemini => {
            schemas = gemini::Schemas::of(body);
            gemini::parse_request(body, &schemas)
        }
        Dialect::Responses | Dialect::Mistral | Dialect::Ollama => {
            return Err(unsupported("model", "no client speaks this dialect"));
        }
    };
    let mut request = request.map_err(|fault| Error::in_request(body, &fault))?;
    if let Some(path) = &call.path {
        (request.model, request.stream) = (path.model.as_str().into(), path.form != Form::Whole);
    }
    Ok(take(request))
}

/// Writes a request that was read.
pub(crate) fn emit(mut request: Request<'_>, target: &Target<'_>) -> Result<Emitted, Error> {
    if target.dialect != request.origin {
        refuse_kept(&request)?;
    }
    if target.dialect != Dialect::Gemini {
        // What they carry means nothing elsewhere, and some bound the length of an id.
        gemini::bare_ids(&mut request);
    }
    match target.dialect {
        Dialect::OpenAI => openai::emit_request(&request, target),
        Dialect::Anthropic => anthropic::emit_request(&request, target),
        Dialect::Gemini => gemini::emit_request(&request, target),
        Dialect::Mistral => mistral::emit_request(&request, target),
        Dialect::Responses => responses::emit_request(&request, target),
        Dialect::Ollama => ollama::emit_request(&request, target),
    }
}

impl Dropped {
    /// Notes a name once, if it is safe in a header.
    pub(crate) fn add(&mut self, name: &str) {
        let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        let is_name = !name.is_empty() && name.len() <= 64 && name.bytes().all(safe);
        if is_name && self.0.len() < MAX_DROPPED && !self.0.iter().any(|it| it == name) {
            self.0.push(Cow::Owned(name.to_owned()));
        }
    }

    pub(crate) fn names(self) -> Vec<Cow<'static, str>> {
        self.0
    }
}

#[cfg(test)]
pub(crate) mod bed;
#[cfg(test)]
mod tests;
