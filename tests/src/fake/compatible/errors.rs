//! `DeepSeek`'s errors.

use serde_json::{Value, json};

use super::super::openai;
use super::super::refusal::{About, Refusal};

pub(crate) fn status(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::Quota => 402,
        _ => refusal.status(),
    }
}

pub(crate) fn body(refusal: &Refusal, about: &About<'_>) -> Value {
    let (message, kind, code) = match refusal {
        Refusal::MissingKey => {
            ("Authentication Fails (auth header missing)".to_owned(), "authentication_error", "invalid_request_error")
        }
        Refusal::BadKey => (
            format!("Authentication Fails, Your api key: {} is invalid", about.credential),
            "authentication_error",
            "invalid_request_error",
        ),
        Refusal::Payment | Refusal::Quota => {
            ("Insufficient Balance".to_owned(), "unknown_error", "invalid_request_error")
        }
        Refusal::UnknownModel => ("Model Not Exist".to_owned(), "invalid_request_error", "invalid_request_error"),
        Refusal::RateLimit => {
            ("Rate limit reached for requests.".to_owned(), "rate_limit_error", "rate_limit_exceeded")
        }
        Refusal::ContentFilter => ("Content Exists Risk".to_owned(), "invalid_request_error", "invalid_request_error"),
        Refusal::Overloaded | Refusal::Unavailable => (
            "Service is too busy. We advise users to temporarily switch to alternative LLM API service providers."
                .to_owned(),
            "service_unavailable_error",
            "service_unavailable_error",
        ),
        _ => return openai::errors::body(refusal, about),
    };
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}
