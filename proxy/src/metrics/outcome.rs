//! How requests and attempts end, in words of closed sets.

/// How an attempt at a target ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    RateLimit,
    Timeout,
    ServerError,
    Auth,
    ContextLength,
    ContentFilter,
    /// An answer that blames the request: passed to the client.
    Client,
    /// Broken after its first content.
    Broken,
    /// The client left.
    Cancelled,
}

/// Why a request never met a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unrouted {
    Unauthenticated,
    BadRequest,
    UnknownModel,
    NotFound,
    Overloaded,
    /// Before all of its request was there.
    ClientLeft,
}

impl Outcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::RateLimit => "rate_limit",
            Outcome::Timeout => "timeout",
            Outcome::ServerError => "server_error",
            Outcome::Auth => "auth",
            Outcome::ContextLength => "context_length",
            Outcome::ContentFilter => "content_filter",
            Outcome::Client => "client",
            Outcome::Broken => "broken",
            Outcome::Cancelled => "cancelled",
        }
    }
}

impl Unrouted {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Unrouted::Unauthenticated => "unauthenticated",
            Unrouted::BadRequest => "bad_request",
            Unrouted::UnknownModel => "unknown_model",
            Unrouted::NotFound => "not_found",
            Unrouted::Overloaded => "overloaded",
            Unrouted::ClientLeft => "client_left",
        }
    }
}
