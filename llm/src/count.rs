//! How many tokens a conversation has, between the dialects that count them: Anthropic's and Gemini's. The conversation
//! itself is that of a chat request.

use std::convert::Infallible;

use crate::call::Call;
use crate::classify::{UpstreamError, in_band};
use crate::json::{self, Fault, Kind};
use crate::relay::Answer;
use crate::translate::{self, Emitted, Target, unsupported};
use crate::{Dialect, Error, anthropic, gemini};

/// What an answer says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) tokens: Option<u64>,
    /// It is an error in a 200.
    pub(crate) failed: bool,
}

impl Count {
    /// Reads an answer that has the count under a key; `unsaid` is what it means that it is not there.
    pub(crate) fn read(body: &[u8], key: &str, unsaid: Option<u64>) -> Result<Self, Fault> {
        let mut reader = json::Reader::of_answer(body)?;
        let mut count = Self { tokens: unsaid, failed: false };
        reader.object(|reader, name| {
            match (&*name.decode(), reader.peek()?) {
                (name, Kind::Number) if name == key => count.tokens = Some(reader.unsigned()?),
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
}

/// An answer that has the count under a key.
pub(crate) fn write(key: &'static str, tokens: u64) -> Vec<u8> {
    let mut body = Vec::with_capacity(32);
    let Ok(()) = json::Writer::new(&mut body).object(|w| {
        w.key(key).unsigned(tokens);
        Ok::<(), Infallible>(())
    });
    body
}

/// Translates a client's request.
///
/// # Errors
/// [`Error::BadRequest`] if it is malformed, [`Error::Unsupported`] if the target does not count, or not this.
pub(crate) fn request(call: &Call, body: &[u8], target: &Target<'_>) -> Result<Emitted, Error> {
    let malformed = |fault| Error::in_request(body, &fault);
    let counts = matches!(target.dialect, Dialect::Gemini | Dialect::Anthropic);
    let emitted = match call.dialect {
        _ if !counts => return Err(unsupported("model", "the target counts no tokens")),
        Dialect::Anthropic => translate::emit(anthropic::parse_count(body).map_err(malformed)?, target)?,
        Dialect::Gemini => translate::chat(call, &gemini::count::conversation(body).map_err(malformed)?, target)?,
        Dialect::OpenAI | Dialect::Responses | Dialect::Mistral | Dialect::Ollama => {
            return Err(unsupported("model", "no client of this dialect counts tokens"));
        }
    };
    Ok(match target.dialect {
        Dialect::Gemini => gemini::count::counted(emitted, target.model),
        Dialect::Anthropic => anthropic::count::counted(emitted),
        Dialect::OpenAI | Dialect::Responses | Dialect::Mistral | Dialect::Ollama => emitted,
    })
}

/// Reads a whole answer. Counting costs nothing, so it has no usage.
///
/// # Errors
/// What the provider says inside its 200, or that it holds no count.
pub(crate) fn answer(upstream: Dialect, client: Dialect, body: &[u8]) -> Result<Answer, UpstreamError> {
    let count = match upstream {
        Dialect::Gemini => gemini::count::parse_answer(body),
        Dialect::Anthropic => anthropic::count::parse_answer(body),
        Dialect::OpenAI | Dialect::Responses | Dialect::Mistral | Dialect::Ollama => {
            return Err(UpstreamError::broken_answer("the provider counts no tokens"));
        }
    };
    let count = count.map_err(|fault| UpstreamError::broken_answer(Error::in_answer(body, &fault).to_string()))?;
    let tokens = match count {
        Count { failed: true, .. } => return Err(in_band(body)),
        Count { tokens: None, .. } => {
            return Err(UpstreamError::broken_answer("the provider's answer has no count of tokens"));
        }
        Count { tokens: Some(tokens), .. } => tokens,
    };
    let written = || match client {
        Dialect::Gemini => gemini::count::emit_answer(tokens),
        // Nobody who speaks the last four asks: requests in them are refused.
        Dialect::Anthropic | Dialect::OpenAI | Dialect::Responses | Dialect::Mistral | Dialect::Ollama => {
            anthropic::count::emit_answer(tokens)
        }
    };
    Ok(Answer { body: (client != upstream).then(written), has_content: true, ..Answer::default() })
}

#[cfg(test)]
mod tests;
