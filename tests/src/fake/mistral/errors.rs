//! Mistral's errors: flat, with a code that is a string of digits; the gateway in front of it says `detail`.
//!
//! What a guardrail says beside its 403, and what an exhausted subscription says, is not documented: those words are ours.

use serde_json::{Value, json};

use super::super::refusal::{About, Refusal};

pub(crate) fn status(refusal: &Refusal) -> u16 {
    match refusal {
        // Guardrails, and models that do not exist.
        Refusal::ContentFilter => 403,
        Refusal::UnknownModel => 400,
        Refusal::NotJson { .. } => 422,
        _ => refusal.status(),
    }
}

/// An error of the API itself.
fn flat(status: u16, kind: &str, code: Option<&str>, message: &Value) -> Value {
    json!({
        "object": "error",
        "message": message,
        "type": kind,
        "param": null,
        "code": code,
        "raw_status_code": status,
    })
}

/// What a validator finds, as it says it.
fn validation(kind: &str, place: &str, text: &str) -> Value {
    let step = |step: &str| step.parse::<u64>().map_or_else(|_| json!(step), |index| json!(index));
    let way: Vec<Value> =
        std::iter::once(json!("body")).chain(place.split('.').filter(|s| !s.is_empty()).map(step)).collect();
    let detail = json!({"detail": [{"type": kind, "loc": way, "msg": text, "input": null}]});
    flat(422, "invalid_request_error", None, &detail)
}

pub(crate) fn body(refusal: &Refusal, about: &About<'_>) -> Value {
    let say = |kind: &str, code: &str, message: &str| flat(status(refusal), kind, Some(code), &json!(message));
    match refusal {
        Refusal::MissingKey | Refusal::BadKey => json!({"detail": "Unauthorized"}),
        Refusal::Forbidden => json!({"detail": "Forbidden"}),
        Refusal::UnknownPath | Refusal::LostThread | Refusal::NoThread => {
            json!({"message": "no Route matched with those values", "request_id": about.request_id})
        }
        Refusal::WrongMethod => json!({"detail": "Method Not Allowed"}),
        Refusal::TooLarge => json!({"message": "Request size limit exceeded", "request_id": about.request_id}),
        Refusal::Quota | Refusal::Payment => {
            json!({"detail": "Inactive subscription or usage limit reached"})
        }
        Refusal::Conflict => say("conflict", "1400", "The resource was changed by another request."),
        Refusal::UnknownModel => say("invalid_model", "1500", &format!("Invalid model: {}", about.model)),
        Refusal::RateLimit => say("rate_limited", "1300", "Rate limit exceeded"),
        Refusal::ContextLength => say(
            "invalid_request_prompt",
            "3051",
            "Prompt contains 140012 tokens and 0 draft tokens, too large for model with 131072 maximum context length",
        ),
        Refusal::ContentFilter => {
            say("guardrail_violation", "3100", "The request was blocked by a guardrail: dangerous_and_criminal_content")
        }
        Refusal::Overloaded => {
            say("service_tier_capacity_exceeded", "3505", "Service tier capacity exceeded for this model.")
        }
        Refusal::ServerError => say("internal_server_error", "3000", "Service unavailable."),
        Refusal::Unavailable => say("unreachable_backend", "1100", "Internal server error"),
        Refusal::Timeout => say("timeout", "1200", "Request timed out"),
        Refusal::NotJson { .. } => validation("json_invalid", "0", "JSON decode error"),
        Refusal::Unprocessable { message, param } => {
            let kind = if message.starts_with("Extra") { "extra_forbidden" } else { "value_error" };
            validation(kind, param.as_deref().unwrap_or_default(), message)
        }
        // Here `param` is the type of the error and its code.
        Refusal::Invalid { message, param } => {
            let (kind, code) =
                param.as_deref().and_then(|p| p.split_once(' ')).unwrap_or(("invalid_request_error", "3001"));
            say(kind, code, message)
        }
    }
}
