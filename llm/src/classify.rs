//! What a provider's error means: one table over status, type, code and text.

mod body;
mod table;
mod wait;

use std::time::Duration;

use crate::Dialect;
use crate::neutral::Usage;

pub use wait::wait;

/// A provider's error, in band or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamError {
    /// What it means.
    pub kind: ErrorKind,
    /// Its HTTP status; for an error in band the one that its type stands for.
    pub status: u16,
    /// What the provider says, for logs. A client sees it only for [`ErrorKind::Rejected`] and its like; that of
    /// [`ErrorKind::Auth`] never, since it can echo the key.
    pub message: String,
    /// OpenAI's `type`, Anthropic's `error.type`.
    pub of_type: Option<Box<str>>,
    /// The provider's code, a number as text.
    pub code: Option<Box<str>>,
    /// The field that the provider blames.
    pub param: Option<Box<str>>,
    /// What Anthropic says beside it, an object: its SDKs go by it.
    pub details: Option<Box<str>>,
    /// How long the provider wants to be left alone.
    pub retry_after: Option<Duration>,
    /// What the answer took all the same, where the provider says so beside it.
    pub usage: Option<Box<Usage>>,
}

/// The meaning of an error, as the failure table needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// 429: slower.
    RateLimit,
    /// The account has no money or no quota left for the day.
    Quota,
    /// The key is wrong or may not do this.
    Auth,
    /// No such model or path, or this key may not use the model.
    NotFound,
    /// The prompt is longer than the model reads.
    ContextLength,
    /// The provider's filter refused the prompt.
    ContentFilter,
    /// 413.
    TooLarge,
    /// 408: the provider waited too long.
    Timeout,
    /// 5xx: the provider failed or is overloaded.
    ServerError,
    /// 3xx: never followed.
    Redirect,
    /// The request is at fault (other 4xx); the client gets status and message as they came.
    Rejected,
}

/// What an HTTP response with that status means; call it for anything but a 2xx.
///
/// `retry_after` is what [`wait`] makes of its headers; some say it in the body. All dialects' words stand in one table: compatible providers
/// mix them.
pub fn classify(_dialect: Dialect, status: u16, retry_after: Option<Duration>, body: &[u8]) -> UpstreamError {
    let said = body::read(body);
    error(status, retry_after, said)
}

impl UpstreamError {
    /// A 200 that does not parse, is cut, or ended in a way that means failure.
    pub fn broken_answer(message: impl Into<String>) -> Self {
        let said = body::Said { message: message.into(), ..body::Said::default() };
        error(502, None, said)
    }

    /// The same, of an answer that reports what it took.
    pub(crate) fn after(self, usage: Usage) -> Self {
        let usage = usage.is_reported().then(|| Box::new(usage));
        Self { usage, ..self }
    }
}

/// An error inside a 200, judged by its inner code.
pub(crate) fn in_band(data: &[u8]) -> UpstreamError {
    let said = body::read(data);
    let status = said.status.unwrap_or_else(|| table::status_of(&said));
    error(status, None, said)
}

fn error(status: u16, retry_after: Option<Duration>, said: body::Said) -> UpstreamError {
    let kind = table::kind_of(status, &said);
    let retry_after = retry_after.or(said.google.retry_delay);
    let message = if said.message.is_empty() { format!("the provider answered {status}") } else { said.message };
    let words = [said.of_type, said.code, said.param, said.details];
    let [of_type, code, param, details] = words.map(|it| it.map(String::into_boxed_str));
    UpstreamError { kind, status, message, of_type, code, param, details, retry_after, usage: None }
}

#[cfg(test)]
mod tests;
