//! What a provider's error means: one table over status, type, code and text.

use std::time::{Duration, SystemTime};

use crate::Dialect;

/// A provider's error, in band or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamError {
    /// What it means.
    pub kind: ErrorKind,
    /// Its HTTP status; for an error in band the one that its type stands for.
    pub status: u16,
    /// What the provider says, for logs; for a client only where the kind is [`ErrorKind::Rejected`] or the like.
    pub message: String,
    /// OpenAI's `type`, Anthropic's `error.type`.
    pub of_type: Option<String>,
    /// The provider's code, a number as text.
    pub code: Option<String>,
    /// The field that the provider blames.
    pub param: Option<String>,
    /// How long the provider wants to be left alone.
    pub retry_after: Option<Duration>,
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
/// `retry_after` is what [`wait`] makes of its headers.
pub fn classify(dialect: Dialect, status: u16, retry_after: Option<Duration>, body: &[u8]) -> UpstreamError {
    let _ = (dialect, body);
    let kind = if status == 429 { ErrorKind::RateLimit } else { ErrorKind::ServerError };
    UpstreamError { kind, status, message: String::new(), of_type: None, code: None, param: None, retry_after }
}

/// How long a provider wants to be left alone: `retry-after-ms`, or `Retry-After` as seconds, also fractions, or as a
/// date.
pub fn wait(retry_after_ms: Option<&str>, retry_after: Option<&str>, now: SystemTime) -> Option<Duration> {
    let _ = now;
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let seconds = retry_after_ms.and_then(number).map(|ms| ms / 1000.0).or_else(|| retry_after.and_then(number))?;
    Duration::try_from_secs_f64(seconds).ok()
}
