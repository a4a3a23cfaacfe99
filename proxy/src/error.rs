//! Why a request fails, by cause.

use std::{borrow::Cow, fmt, time::Duration};

use penstock_llm::{Dialect, classify::UpstreamError, reject::Rejection};

use crate::{
    auth::{MAX_USER, token::Why},
    bounds::Limit,
    limits::Refusal,
    request::TooDear,
};

/// When to come again to what has too much to do.
const OVERLOADED_FOR: Duration = Duration::from_secs(1);

/// When to come again where an issuer's keys are not there: they are fetched about that often then.
const KEYS_WITHIN: Duration = Duration::from_secs(5);

/// The one error of a request's life.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no API key was given: send it as `Authorization: Bearer KEY`, `x-api-key` or `x-goog-api-key`")]
    NoKey,
    #[error("the API key is not known")]
    UnknownKey,
    #[error("the token is refused: {0}")]
    Token(Why),
    #[error("too many keys and tokens from this address were wrong: try again later, with a good one")]
    TooManyFailures { wait: Duration },
    #[error("the keys of the token's issuer could not be fetched yet: try again soon")]
    NoKeysYet,
    #[error("{0} is not served here")]
    NotFound(String),
    #[error("{0} is a stored response: state on a provider's account, which this gateway does not keep")]
    Stored(String),
    #[error("{method} is not allowed here, {allowed} is")]
    Method { method: String, allowed: &'static str },
    #[error("the model `{0}` does not exist or you may not use it")]
    UnknownModel(String),
    #[error("the request body is larger than the limit of {limit} bytes, which --max-body sets")]
    BodyTooLarge { limit: usize },
    #[error("a request content-encoding is not supported: send the body as it is")]
    Encoded,
    #[error("the request body did not arrive whole")]
    BodyCut,
    #[error("the request body took too long to arrive")]
    BodySlow,
    #[error("this request has passed here before: a provider's baseURL leads back to this gateway")]
    Loop,
    #[error("{0}")]
    Limited(Box<Refusal>),
    #[error("{0}")]
    TooDear(Box<TooDear>),
    #[error("the user's name in `{0}` is longer than {MAX_USER} bytes")]
    LongUser(String),
    #[error("this gateway has as much to do as {0} allows: try again soon")]
    Overloaded(Limit),
    #[error("{0}")]
    Refused(String),
    #[error("`{0}` refers to state on a provider's account, which this route does not keep")]
    State(String),
    #[error(transparent)]
    Request(#[from] penstock_llm::Error),
    /// Like [`Error::State`], for the conversation that Anthropic keeps, whose SDKs send all of it again when they are told.
    #[error(
        "`thread` has the provider keep the conversation, which this route does not: send all of it without a thread"
    )]
    Thread,
    /// Hints that the only targets left do not know, where the route rejects them.
    #[error("no target of this route supports {0}")]
    Hints(String),
    #[error("the provider limits the rate of requests")]
    RateLimited { wait: Option<Duration> },
    #[error("the provider's account has no quota left")]
    Quota,
    /// Which limit has passed; none where the provider itself says that it waited too long.
    #[error("no provider answered in time{}", .0.map(|limit| format!(": {limit} has passed")).unwrap_or_default())]
    Timeout(Option<Expired>),
    #[error("every provider of this route failed too often lately: it will be tried again soon")]
    Unavailable { wait: Duration },
    #[error("no provider could answer")]
    Upstream,
    #[error("no provider could be connected to: {} has passed", Expired::Connect)]
    NoConnection,
    #[error("the provider does not have this model")]
    ModelMissing,
    #[error("the prompt is longer than the model's context")]
    ContextLength,
    #[error("the provider's content filter refused the prompt")]
    ContentFilter,
    #[error("the request is larger than what the provider takes")]
    TooLarge,
    /// The provider blames the request: its own words.
    #[error("{}", .0.message)]
    Rejected(Box<UpstreamError>),
}

/// A limit of time, by its name in `timeouts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expired {
    Connect,
    FirstToken,
    Answer,
    Idle,
    Request,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Upstream,
    Gateway,
}

impl Expired {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Expired::Connect => "connect",
            Expired::FirstToken => "firstToken",
            Expired::Answer => "answer",
            Expired::Idle => "idle",
            Expired::Request => "request",
        }
    }
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.as_str())
    }
}

impl Error {
    pub(crate) fn status(&self) -> u16 {
        match self {
            Error::NoKey | Error::UnknownKey | Error::Token(_) => 401,
            Error::NotFound(_) | Error::Stored(_) | Error::UnknownModel(_) | Error::ModelMissing => 404,
            Error::Method { .. } => 405,
            Error::BodySlow => 408,
            Error::BodyTooLarge { .. } | Error::TooLarge => 413,
            Error::Encoded => 415,
            Error::BodyCut | Error::Thread | Error::ContextLength | Error::ContentFilter => 400,
            Error::State(_) | Error::Hints(_) | Error::TooDear(_) => 422,
            Error::Request(error) => error.status(),
            Error::RateLimited { .. } | Error::Quota | Error::TooManyFailures { .. } => 429,
            Error::Limited(refusal) => refusal.status(),
            Error::LongUser(_) => 400,
            Error::NoKeysYet | Error::Overloaded(_) | Error::Refused(_) | Error::Unavailable { .. } => 503,
            Error::Timeout(_) => 504,
            Error::Upstream | Error::NoConnection => 502,
            Error::Loop => 508,
            Error::Rejected(error) => error.status,
        }
    }

    /// A stable word, OpenAI's where it has one.
    pub(crate) fn code(&self) -> Option<&str> {
        Some(match self {
            Error::NoKey | Error::UnknownKey => "invalid_api_key",
            Error::Token(_) => "invalid_token",
            Error::TooManyFailures { .. } => "too_many_failed_attempts",
            Error::NoKeysYet => "issuer_unavailable",
            Error::NotFound(_) => "unknown_url",
            Error::Method { .. } => "method_not_allowed",
            Error::UnknownModel(_) | Error::ModelMissing => "model_not_found",
            Error::BodyTooLarge { .. } | Error::TooLarge => "request_too_large",
            Error::Encoded => "unsupported_encoding",
            Error::BodyCut | Error::BodySlow => "incomplete_body",
            Error::Loop => "loop_detected",
            Error::Overloaded(_) => "overloaded",
            Error::Refused(_) => "route_refused",
            Error::Stored(_) | Error::State(_) | Error::Thread => "state_not_allowed",
            Error::Request(error) => error.code(),
            Error::Hints(_) => "unsupported_parameter",
            Error::RateLimited { .. } => "rate_limit_exceeded",
            Error::Limited(refusal) => refusal.code(),
            Error::TooDear(_) => "max_cost_exceeded",
            Error::LongUser(_) => "user_too_long",
            Error::Quota => "insufficient_quota",
            Error::Timeout(_) => "upstream_timeout",
            Error::Unavailable { .. } => "upstream_unavailable",
            Error::Upstream | Error::NoConnection => "upstream_error",
            Error::ContextLength => "context_length_exceeded",
            Error::ContentFilter => "content_filter",
            Error::Rejected(error) => return error.code.as_deref(),
        })
    }

    pub(crate) fn side(&self) -> Side {
        match self {
            Error::RateLimited { .. }
            | Error::Quota
            | Error::Timeout(_)
            | Error::Unavailable { .. }
            | Error::Upstream
            | Error::NoConnection
            | Error::ModelMissing => Side::Upstream,
            Error::NoKeysYet | Error::Overloaded(_) | Error::Refused(_) | Error::Loop => Side::Gateway,
            Error::Limited(refusal) => refusal.side(),
            Error::NoKey
            | Error::UnknownKey
            | Error::Token(_)
            | Error::TooManyFailures { .. }
            | Error::NotFound(_)
            | Error::Stored(_)
            | Error::Method { .. }
            | Error::UnknownModel(_)
            | Error::BodyTooLarge { .. }
            | Error::Encoded
            | Error::BodyCut
            | Error::BodySlow
            | Error::State(_)
            | Error::Thread
            | Error::Request(_)
            | Error::Hints(_)
            | Error::ContextLength
            | Error::ContentFilter
            | Error::TooLarge
            | Error::TooDear(_)
            | Error::LongUser(_)
            | Error::Rejected(_) => Side::Client,
        }
    }

    /// May the same request succeed later? What was tried everywhere is not worth the client's own retries.
    pub(crate) fn retryable(&self) -> bool {
        match self {
            Error::BodyCut | Error::BodySlow | Error::NoKeysYet | Error::Overloaded(_) | Error::Unavailable { .. } => {
                true
            }
            Error::Limited(refusal) => refusal.side() == Side::Gateway,
            _ => false,
        }
    }

    /// Is a retry of the client's own not worth its while, whatever the status?
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Error::Limited(refusal) => refusal.is_for_long(),
            error => error.side() != Side::Client && !error.retryable(),
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::RateLimited { wait } => *wait,
            Error::Limited(refusal) => refusal.wait(),
            Error::Unavailable { wait } | Error::TooManyFailures { wait } => Some(*wait),
            Error::Overloaded(_) => Some(OVERLOADED_FOR),
            Error::NoKeysYet => Some(KEYS_WITHIN),
            _ => None,
        }
    }

    /// It is not known, or not yet.
    pub(crate) fn is_about_the_caller(&self) -> bool {
        matches!(
            self,
            Error::NoKey | Error::UnknownKey | Error::Token(_) | Error::TooManyFailures { .. } | Error::NoKeysYet
        )
    }

    /// The limit that has passed, if it is about time.
    pub(crate) fn expired(&self) -> Option<Option<Expired>> {
        match self {
            Error::Timeout(limit) => Some(*limit),
            _ => None,
        }
    }

    fn param(&self) -> Option<&str> {
        match self {
            Error::UnknownModel(_) | Error::ModelMissing => Some("model"),
            Error::State(field) => Some(field),
            Error::Thread => Some("thread"),
            Error::LongUser(field) => Some(field),
            Error::Request(error) => error.param(),
            Error::Rejected(error) => error.param.as_deref(),
            _ => None,
        }
    }

    /// What Anthropic's clients go by.
    fn details(&self) -> Option<&str> {
        match self {
            Error::Thread => Some(r#"{"error_code":"thread_unsupported_request","unsupported":["thread"]}"#),
            Error::Rejected(error) => error.details.as_deref(),
            _ => None,
        }
    }

    /// A reference to state on a provider's account, by the path of its member.
    pub(crate) fn state(field: String) -> Self {
        if field == "thread" { Error::Thread } else { Error::State(field) }
    }

    fn with_rejection<T>(&self, write: impl FnOnce(&Rejection<'_>) -> T) -> T {
        let message: Cow<'_, str> = self.to_string().into();
        let of_type = match self {
            Error::Rejected(error) => error.of_type.as_deref(),
            _ => None,
        };
        let (status, code, param) = (self.status(), self.code(), self.param());
        write(&Rejection { status, message: &message, of_type, code, param, details: self.details() })
    }

    /// The body in the words of the client's dialect.
    pub(crate) fn body(&self, dialect: Dialect) -> Vec<u8> {
        self.with_rejection(|rejection| rejection.body(dialect))
    }

    /// The event that ends a stream that has begun; `sequence` is its number, where events are numbered.
    pub(crate) fn event(&self, dialect: Dialect, sequence: u64) -> Vec<u8> {
        self.with_rejection(|rejection| rejection.event(dialect, sequence))
    }
}
