//! A request from one dialect to another.

use std::borrow::Cow;

use crate::facts::Facts;
use crate::{Dialect, Error, anthropic, gemini, openai};

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

/// What was renamed on the way up and must be named back on the way down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Tool names that the target does not allow: (as sent, as the client knows it).
    tools: Vec<(String, String)>,
    /// The tool that stands for the JSON answer: its input is the content.
    answer_tool: Option<String>,
}

/// Names of hints that are left out.
#[derive(Debug, Default)]
pub(crate) struct Dropped(Vec<Cow<'static, str>>);

/// More names than this help nobody, and clients choose them.
const MAX_DROPPED: usize = 16;

/// Translates a client's request.
///
/// # Errors
/// [`Error::BadRequest`] if it is malformed, [`Error::Unsupported`] if the target has no way to say what it means.
pub fn request(from: Dialect, body: &[u8], target: &Target<'_>) -> Result<Emitted, Error> {
    let request = match from {
        Dialect::OpenAI => openai::parse_request(body),
        Dialect::Anthropic => anthropic::parse_request(body),
        Dialect::Gemini => {
            let reason = "requests in Gemini's dialect are not translated";
            return Err(Error::Unsupported { field: "model".into(), reason: reason.into() });
        }
    };
    let mut request = request.map_err(|fault| Error::in_request(body, &fault))?;
    if target.dialect != Dialect::Gemini {
        // What they carry means nothing elsewhere, and some bound the length of an id.
        gemini::bare_ids(&mut request);
    }
    match target.dialect {
        Dialect::OpenAI => openai::emit_request(&request, target),
        Dialect::Anthropic => anthropic::emit_request(&request, target),
        Dialect::Gemini => gemini::emit_request(&request, target),
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

impl Names {
    /// The client's name of a tool that the provider calls.
    pub(crate) fn client_name<'a>(&self, sent: Cow<'a, str>) -> Cow<'a, str> {
        match self.tools.iter().find(|(as_sent, _)| *as_sent == sent) {
            Some((_, original)) => Cow::Owned(original.clone()),
            None => sent,
        }
    }

    /// The name under which a tool of the client is sent.
    pub(crate) fn sent_name<'a>(&'a self, original: &'a str) -> &'a str {
        self.tools.iter().find(|(_, name)| name == original).map_or(original, |(sent, _)| sent)
    }

    pub(crate) fn rename(&mut self, original: &str, sent: String) {
        self.tools.push((sent, original.to_owned()));
    }

    pub(crate) fn is_renamed(&self, original: &str) -> bool {
        self.tools.iter().any(|(_, name)| name == original)
    }

    pub(crate) fn is_sent(&self, sent: &str) -> bool {
        self.tools.iter().any(|(name, _)| name == sent)
    }

    /// The tool that stands for the JSON answer.
    pub(crate) fn answer_tool(&self) -> Option<&str> {
        self.answer_tool.as_deref()
    }

    pub(crate) fn set_answer_tool(&mut self, sent: String) {
        self.answer_tool = Some(sent);
    }

    pub(crate) fn is_answer_tool(&self, sent: &str) -> bool {
        self.answer_tool() == Some(sent)
    }
}

#[cfg(test)]
impl Names {
    pub(crate) fn renamed(tools: &[(&str, &str)]) -> Self {
        let mut names = Self::default();
        tools.iter().for_each(|(sent, original)| names.rename(original, (*sent).to_owned()));
        names
    }
}

#[cfg(test)]
mod tests;
