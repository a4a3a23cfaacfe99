//! Azure's errors: those of its gateway in its own words, the rest as `OpenAI` says them.

use serde_json::{Value, json};

use super::super::openai;
use super::super::refusal::{About, Refusal};

pub(crate) fn status(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::Payment => 403,
        _ => refusal.status(),
    }
}

pub(crate) fn body(refusal: &Refusal, about: &About<'_>) -> Value {
    let error = |code: &str, message: &str| json!({"error": {"code": code, "message": message}});
    match refusal {
        Refusal::MissingKey | Refusal::BadKey => error(
            "401",
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an \
             active subscription and use a correct regional API endpoint for your resource.",
        ),
        Refusal::Forbidden => error("403", "Access denied due to Virtual Network/Firewall rules."),
        Refusal::Payment => error("403", "The subscription of this resource is disabled."),
        Refusal::UnknownModel => error(
            "DeploymentNotFound",
            "The API deployment for this resource does not exist. If you created the deployment within the last 5 \
             minutes, please wait a moment and try again.",
        ),
        Refusal::UnknownPath => error("404", "Resource not found"),
        Refusal::RateLimit => error(
            "429",
            "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded \
             call rate limit of your current OpenAI S0 pricing tier. Please retry after 2 seconds.",
        ),
        Refusal::Timeout => error("Timeout", "The operation was timeout."),
        Refusal::ServerError => error("InternalServerError", "Backend returned unexpected response."),
        Refusal::ContentFilter => json!({"error": {
            "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. \
                        Please modify your prompt and retry.",
            "type": null,
            "param": "prompt",
            "code": "content_filter",
            "status": 400,
            "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": super::found(true)},
        }}),
        _ => openai::errors::body(refusal, about),
    }
}
