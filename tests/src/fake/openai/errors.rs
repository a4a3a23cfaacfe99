//! `OpenAI`'s errors.

use serde_json::{Value, json};

use super::super::refusal::{About, Refusal};

pub(crate) fn status(refusal: &Refusal) -> u16 {
    match refusal {
        // An account without a way to pay.
        Refusal::Payment => 429,
        _ => refusal.status(),
    }
}

pub(crate) fn body(refusal: &Refusal, about: &About<'_>) -> Value {
    let invalid = "invalid_request_error";
    let model = about.model;
    let (message, kind, param, code) = match refusal {
        Refusal::MissingKey => (
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer \
             auth (i.e. Authorization: Bearer YOUR_KEY)."
                .to_owned(),
            invalid,
            None,
            None,
        ),
        // The real one echoes the key, partly starred out; a gateway has to hide even that.
        Refusal::BadKey => {
            (format!("Incorrect API key provided: {}.", about.credential), invalid, None, Some("invalid_api_key"))
        }
        Refusal::Forbidden => (
            "Country, region, or territory not supported".to_owned(),
            "request_forbidden",
            None,
            Some("unsupported_country_region_territory"),
        ),
        Refusal::UnknownModel => (
            format!("The model `{model}` does not exist or you do not have access to it."),
            invalid,
            None,
            Some("model_not_found"),
        ),
        Refusal::UnknownPath | Refusal::LostThread | Refusal::NoThread => {
            (format!("Invalid URL ({})", about.path), invalid, None, None)
        }
        Refusal::WrongMethod => ("Not allowed on this URL.".to_owned(), invalid, None, Some("method_not_supported")),
        Refusal::RateLimit => (
            format!(
                "Rate limit reached for {model} in organization org-fake on requests per min (RPM): Limit 3, Used 3, Requested 1."
            ),
            "requests",
            None,
            Some("rate_limit_exceeded"),
        ),
        Refusal::Quota => (
            "You exceeded your current quota, please check your plan and billing details.".to_owned(),
            "insufficient_quota",
            None,
            Some("insufficient_quota"),
        ),
        Refusal::Payment => (
            "Your account is not active, please check your billing details on our website.".to_owned(),
            "billing_not_active",
            None,
            Some("billing_not_active"),
        ),
        Refusal::Conflict => {
            ("The resource was updated by another request.".to_owned(), invalid, None, Some("conflict"))
        }
        Refusal::NotJson { .. } => {
            ("We could not parse the JSON body of your request.".to_owned(), invalid, None, None)
        }
        Refusal::ServerError => (
            "The server had an error while processing your request. Sorry about that!".to_owned(),
            "server_error",
            None,
            None,
        ),
        Refusal::Unavailable | Refusal::Overloaded => {
            ("The engine is currently overloaded, please try again later".to_owned(), "server_error", None, None)
        }
        Refusal::Timeout => ("Request timed out.".to_owned(), "server_error", None, Some("timeout")),
        Refusal::ContextLength => (
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 140012 tokens. \
             Please reduce the length of the messages."
                .to_owned(),
            invalid,
            Some("messages"),
            Some("context_length_exceeded"),
        ),
        Refusal::ContentFilter => (
            "Your request was rejected as a result of our safety system.".to_owned(),
            invalid,
            Some("prompt"),
            Some("content_filter"),
        ),
        Refusal::TooLarge => ("Request body is too large.".to_owned(), invalid, None, Some("request_too_large")),
        Refusal::Invalid { message, param } | Refusal::Unprocessable { message, param } => {
            (message.clone(), invalid, param.as_deref(), None)
        }
    };
    json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
}
