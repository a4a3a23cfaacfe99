//! Anthropic's errors.

use serde_json::{Value, json};

use super::super::refusal::{About, Refusal};

pub(crate) fn status(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::Overloaded => 529,
        Refusal::Quota => 400,
        _ => refusal.status(),
    }
}

pub(crate) fn body(refusal: &Refusal, about: &About<'_>) -> Value {
    let (kind, message) = match refusal {
        Refusal::MissingKey => ("authentication_error", "x-api-key header is required".to_owned()),
        Refusal::BadKey => ("authentication_error", "invalid x-api-key".to_owned()),
        Refusal::Forbidden => {
            ("permission_error", "Your API key does not have permission to use the specified resource.".to_owned())
        }
        Refusal::UnknownModel => ("not_found_error", format!("model: {}", about.model)),
        Refusal::UnknownPath => ("not_found_error", "Not Found".to_owned()),
        Refusal::WrongMethod => ("invalid_request_error", "Method Not Allowed".to_owned()),
        Refusal::RateLimit => (
            "rate_limit_error",
            "This request would exceed the rate limit for your organization (org-fake) of 50 requests per minute."
                .to_owned(),
        ),
        Refusal::Quota => (
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or \
             purchase credits."
                .to_owned(),
        ),
        Refusal::Payment => ("billing_error", "There is an issue with your billing or payment information.".to_owned()),
        Refusal::LostThread => ("not_found_error", "The thread was not found or has expired.".to_owned()),
        Refusal::NoThread => ("invalid_request_error", "This request can't be a part of a thread.".to_owned()),
        Refusal::Conflict => ("invalid_request_error", "The request conflicts with another one.".to_owned()),
        Refusal::NotJson { error } => ("invalid_request_error", format!("The request body is not valid JSON: {error}")),
        Refusal::ServerError => ("api_error", "Internal server error".to_owned()),
        Refusal::Unavailable => ("api_error", "Service unavailable".to_owned()),
        Refusal::Overloaded => ("overloaded_error", "Overloaded".to_owned()),
        Refusal::Timeout => ("timeout_error", "Request timed out".to_owned()),
        Refusal::ContextLength => {
            ("invalid_request_error", "prompt is too long: 210012 tokens > 200000 maximum".to_owned())
        }
        Refusal::ContentFilter => ("invalid_request_error", "Output blocked by content filtering policy".to_owned()),
        Refusal::TooLarge => ("request_too_large", "Request exceeds the maximum size".to_owned()),
        Refusal::Invalid { message, .. } | Refusal::Unprocessable { message, .. } => {
            ("invalid_request_error", message.clone())
        }
    };
    let mut error = json!({"type": kind, "message": message});
    // What the SDK goes by when it decides whether to send the whole conversation again.
    match refusal {
        Refusal::LostThread => error["details"] = json!({"error_code": "thread_not_found"}),
        Refusal::NoThread => {
            error["details"] = json!({"error_code": "thread_unsupported_request", "unsupported": ["model"]});
        }
        _ => {}
    }
    json!({"type": "error", "error": error, "request_id": about.request_id})
}
