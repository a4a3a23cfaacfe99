//! The errors of the real providers, in their own words and shapes.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Dialect;

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
    /// 429 `insufficient_quota`; Anthropic: 400 about the credit balance.
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

    pub(crate) fn status(&self, dialect: Dialect) -> u16 {
        match (self, dialect) {
            (Self::Overloaded, Dialect::Anthropic) => 529,
            (Self::Quota, Dialect::OpenAI) | (Self::RateLimit, _) => 429,
            (Self::MissingKey | Self::BadKey, _) => 401,
            (Self::Forbidden, _) => 403,
            (Self::UnknownModel | Self::UnknownPath, _) => 404,
            (Self::WrongMethod, _) => 405,
            (Self::ServerError, _) => 500,
            (Self::Unavailable | Self::Overloaded, _) => 503,
            (Self::Timeout, _) => 504,
            (Self::TooLarge, _) => 413,
            (Self::ContextLength | Self::ContentFilter | Self::Invalid { .. } | Self::Quota, _) => 400,
        }
    }

    /// The body; `model` and `credential` are what the request named, since real messages quote them.
    pub(crate) fn body(&self, dialect: Dialect, about: &About<'_>) -> Value {
        match dialect {
            Dialect::OpenAI => self.openai(about),
            Dialect::Anthropic => self.anthropic(about),
        }
    }

    fn openai(&self, about: &About<'_>) -> Value {
        let invalid = "invalid_request_error";
        let model = about.model;
        let (message, kind, param, code) = match self {
            Self::MissingKey => (
                "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer \
                 auth (i.e. Authorization: Bearer YOUR_KEY)."
                    .to_owned(),
                invalid,
                None,
                None,
            ),
            // The real one echoes the key, partly starred out; a gateway has to hide even that.
            Self::BadKey => {
                (format!("Incorrect API key provided: {}.", about.credential), invalid, None, Some("invalid_api_key"))
            }
            Self::Forbidden => (
                "Country, region, or territory not supported".to_owned(),
                "request_forbidden",
                None,
                Some("unsupported_country_region_territory"),
            ),
            Self::UnknownModel => (
                format!("The model `{model}` does not exist or you do not have access to it."),
                invalid,
                None,
                Some("model_not_found"),
            ),
            Self::UnknownPath => (format!("Invalid URL ({})", about.path), invalid, None, None),
            Self::WrongMethod => ("Not allowed on this URL.".to_owned(), invalid, None, Some("method_not_supported")),
            Self::RateLimit => (
                format!("Rate limit reached for {model} in organization org-fake on requests per min (RPM): Limit 3, Used 3, Requested 1."),
                "requests",
                None,
                Some("rate_limit_exceeded"),
            ),
            Self::Quota => (
                "You exceeded your current quota, please check your plan and billing details.".to_owned(),
                "insufficient_quota",
                None,
                Some("insufficient_quota"),
            ),
            Self::ServerError => (
                "The server had an error while processing your request. Sorry about that!".to_owned(),
                "server_error",
                None,
                None,
            ),
            Self::Unavailable | Self::Overloaded => (
                "The engine is currently overloaded, please try again later".to_owned(),
                "server_error",
                None,
                None,
            ),
            Self::Timeout => ("Request timed out.".to_owned(), "server_error", None, Some("timeout")),
            Self::ContextLength => (
                "This model's maximum context length is 128000 tokens. However, your messages resulted in 140012 tokens. \
                 Please reduce the length of the messages."
                    .to_owned(),
                invalid,
                Some("messages"),
                Some("context_length_exceeded"),
            ),
            Self::ContentFilter => (
                "Your request was rejected as a result of our safety system.".to_owned(),
                invalid,
                Some("prompt"),
                Some("content_filter"),
            ),
            Self::TooLarge => ("Request body is too large.".to_owned(), invalid, None, Some("request_too_large")),
            Self::Invalid { message, param } => (message.clone(), invalid, param.as_deref(), None),
        };
        json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
    }

    fn anthropic(&self, about: &About<'_>) -> Value {
        let (kind, message) = match self {
            Self::MissingKey => ("authentication_error", "x-api-key header is required".to_owned()),
            Self::BadKey => ("authentication_error", "invalid x-api-key".to_owned()),
            Self::Forbidden => {
                ("permission_error", "Your API key does not have permission to use the specified resource.".to_owned())
            }
            Self::UnknownModel => ("not_found_error", format!("model: {}", about.model)),
            Self::UnknownPath => ("not_found_error", "Not Found".to_owned()),
            Self::WrongMethod => ("invalid_request_error", "Method Not Allowed".to_owned()),
            Self::RateLimit => (
                "rate_limit_error",
                "This request would exceed the rate limit for your organization (org-fake) of 50 requests per minute."
                    .to_owned(),
            ),
            Self::Quota => (
                "invalid_request_error",
                "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or \
                 purchase credits."
                    .to_owned(),
            ),
            Self::ServerError => ("api_error", "Internal server error".to_owned()),
            Self::Unavailable => ("api_error", "Service unavailable".to_owned()),
            Self::Overloaded => ("overloaded_error", "Overloaded".to_owned()),
            Self::Timeout => ("timeout_error", "Request timed out".to_owned()),
            Self::ContextLength => {
                ("invalid_request_error", "prompt is too long: 210012 tokens > 200000 maximum".to_owned())
            }
            Self::ContentFilter => {
                ("invalid_request_error", "Output blocked by content filtering policy".to_owned())
            }
            Self::TooLarge => ("request_too_large", "Request exceeds the maximum size".to_owned()),
            Self::Invalid { message, .. } => ("invalid_request_error", message.clone()),
        };
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": about.request_id})
    }
}

/// What an error message may quote.
pub(crate) struct About<'a> {
    pub(crate) model: &'a str,
    pub(crate) credential: &'a str,
    pub(crate) path: &'a str,
    pub(crate) request_id: &'a str,
}
