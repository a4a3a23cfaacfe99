//! A request from one dialect to another.

use std::borrow::Cow;

use crate::facts::Facts;
use crate::{Dialect, Error};

/// What a request is translated for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The dialect to write.
    pub dialect: Dialect,
    /// The provider's name of the model.
    pub model: &'a str,
    /// What that model takes.
    pub facts: Facts,
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

/// Translates a client's request.
///
/// # Errors
/// [`Error::BadRequest`] if it is malformed, [`Error::Unsupported`] if the target has no way to say what it means.
pub fn request(from: Dialect, body: &[u8], target: &Target<'_>) -> Result<Emitted, Error> {
    let _ = (from, body, target);
    Err(Error::Unsupported { field: "model".into(), reason: "not translated yet".into() })
}

impl Names {
    /// The client's name of a tool that the provider calls.
    pub(crate) fn client_name<'a>(&self, sent: Cow<'a, str>) -> Cow<'a, str> {
        match self.tools.iter().find(|(as_sent, _)| *as_sent == sent) {
            Some((_, original)) => Cow::Owned(original.clone()),
            None => sent,
        }
    }

    pub(crate) fn is_answer_tool(&self, sent: &str) -> bool {
        self.answer_tool.as_deref() == Some(sent)
    }

    pub(crate) fn has_answer_tool(&self) -> bool {
        self.answer_tool.is_some()
    }
}

#[cfg(test)]
impl Names {
    pub(crate) fn renamed(tools: &[(&str, &str)]) -> Self {
        let tools = tools.iter().map(|(sent, original)| ((*sent).to_owned(), (*original).to_owned())).collect();
        Self { tools, answer_tool: None }
    }
}
