//! Why the real providers say no. Each dialect has its own words and shape for it.

use serde::{Deserialize, Serialize};

/// Why a provider says no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// 401, no key given.
    MissingKey,
    /// 401, a key that isn't valid.
    BadKey,
    /// 403.
    Forbidden,
    /// 404 for the model.
    UnknownModel,
    /// 404 for the path.
    UnknownPath,
    /// 405.
    WrongMethod,
    /// 429.
    RateLimit,
    /// 429, what was bought is used up; Anthropic: 400 about the credit balance.
    Quota,
    /// 500.
    ServerError,
    /// 503.
    Unavailable,
    /// Anthropic's 529; 503 elsewhere.
    Overloaded,
    /// 504.
    Timeout,
    /// 400, the prompt is too long.
    ContextLength,
    /// 400, a safety system objects.
    ContentFilter,
    /// 413.
    TooLarge,
    /// 402, nothing left to pay with.
    Payment,
    /// 409.
    Conflict,
    /// 404, Anthropic only: the conversation that it was to hold is gone.
    LostThread,
    /// 400, Anthropic only: the conversation can't be held for a request like this.
    NoThread,
    /// 400, a body that isn't JSON.
    NotJson {
        /// What a parser says of it.
        error: String,
    },
    /// 422, JSON that isn't what was asked for.
    Unprocessable {
        /// What is wrong.
        message: String,
        /// Where, as names and numbers with points between them.
        param: Option<String>,
    },
    /// 400 with this message.
    Invalid {
        /// What is wrong.
        message: String,
        /// Which parameter.
        param: Option<String>,
    },
}

impl Refusal {
    /// A 400 that names the parameter.
    pub(crate) fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self::Invalid { message: message.into(), param: Some(param.to_owned()) }
    }

    /// The status that most providers give it.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::NotJson { .. }
            | Self::ContextLength
            | Self::ContentFilter
            | Self::NoThread
            | Self::Invalid { .. } => 400,
            Self::MissingKey | Self::BadKey => 401,
            Self::Payment => 402,
            Self::Forbidden => 403,
            Self::UnknownModel | Self::UnknownPath | Self::LostThread => 404,
            Self::WrongMethod => 405,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::Unprocessable { .. } => 422,
            Self::RateLimit | Self::Quota => 429,
            Self::ServerError => 500,
            Self::Unavailable | Self::Overloaded => 503,
            Self::Timeout => 504,
        }
    }
}

/// What an error message may quote.
pub(crate) struct About<'a> {
    pub(crate) model: &'a str,
    pub(crate) credential: &'a str,
    pub(crate) path: &'a str,
    pub(crate) request_id: &'a str,
}
