//! Google's errors: a number, a name, a text, and details that say more.
//!
//! Source: ai.google.dev/gemini-api/docs/troubleshooting and google.rpc's `error_details.proto`.

use serde_json::{Value, json};

use super::super::refusal::{About, Refusal};

pub(crate) fn status(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::MissingKey => 403,
        // Billing that must be set up is a failed precondition.
        Refusal::BadKey | Refusal::Payment | Refusal::Unprocessable { .. } | Refusal::TooLarge => 400,
        _ => refusal.status(),
    }
}

fn name(status: u16, refusal: &Refusal) -> &'static str {
    match (status, refusal) {
        (_, Refusal::Payment) => "FAILED_PRECONDITION",
        (400, _) => "INVALID_ARGUMENT",
        (403, _) => "PERMISSION_DENIED",
        (404 | 405, _) => "NOT_FOUND",
        (409, _) => "ABORTED",
        (429, _) => "RESOURCE_EXHAUSTED",
        (503, _) => "UNAVAILABLE",
        (504, _) => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    }
}

pub(crate) fn body(refusal: &Refusal, about: &About<'_>) -> Value {
    let code = status(refusal);
    let mut error = json!({"code": code, "message": message(refusal, about), "status": name(code, refusal)});
    let details = details(refusal, about);
    if !details.is_empty() {
        error["details"] = json!(details);
    }
    json!({"error": error})
}

fn message(refusal: &Refusal, about: &About<'_>) -> String {
    let model = about.model;
    let fixed = match refusal {
        Refusal::UnknownModel => {
            return format!(
                "models/{model} is not found for API version v1beta, or is not supported for generateContent. Call \
                 ListModels to see the list of available models and their supported methods."
            );
        }
        Refusal::Quota => {
            return format!(
                "You exceeded your current quota, please check your plan and billing details. For more information on this \
                 error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.\n* Quota exceeded for metric: \
                 generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 250, model: {model}"
            );
        }
        Refusal::RateLimit => {
            return format!(
                "You exceeded your current quota, please check your plan and billing details. For more information on this \
                 error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.\n* Quota exceeded for metric: \
                 generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 10, model: {model}\nPlease \
                 retry in 2.5s."
            );
        }
        Refusal::NotJson { error } => return format!("Invalid JSON payload received. {error}"),
        Refusal::Invalid { message, .. } | Refusal::Unprocessable { message, .. } => return message.clone(),
        Refusal::MissingKey => {
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other \
             form of API consumer identity to call this API."
        }
        Refusal::BadKey => "API key not valid. Please pass a valid API key.",
        Refusal::Payment => {
            "Gemini API free tier is not available in your country. Please enable billing on your project in Google AI \
             Studio."
        }
        Refusal::Forbidden => "Your project has been denied access. Please contact support.",
        Refusal::UnknownPath | Refusal::WrongMethod | Refusal::LostThread | Refusal::NoThread => {
            "Requested entity was not found."
        }
        Refusal::Conflict => "The operation was aborted.",
        Refusal::ServerError => {
            "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting"
        }
        Refusal::Unavailable | Refusal::Overloaded => "The model is overloaded. Please try again later.",
        Refusal::Timeout => "Deadline expired before operation could complete.",
        Refusal::ContextLength => {
            "The input token count (1048600) exceeds the maximum number of tokens allowed (1048576)."
        }
        Refusal::ContentFilter => "The request was blocked because of its content.",
        Refusal::TooLarge => "Request payload size exceeds the limit: 20971520 bytes.",
    };
    fixed.to_owned()
}

fn details(refusal: &Refusal, about: &About<'_>) -> Vec<Value> {
    let detail = |kind: &str, mut fields: Value| {
        fields["@type"] = json!(format!("type.googleapis.com/google.rpc.{kind}"));
        fields
    };
    let quota = |id: &str, limit: &str| {
        let violation = json!({
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
            "quotaId": id,
            "quotaDimensions": {"model": about.model, "location": "global"},
            "quotaValue": limit,
        });
        detail("QuotaFailure", json!({"violations": [violation]}))
    };
    let message = || message(refusal, about);
    match refusal {
        Refusal::BadKey => vec![
            detail(
                "ErrorInfo",
                json!({
                    "reason": "API_KEY_INVALID",
                    "domain": "googleapis.com",
                    "metadata": {"service": "generativelanguage.googleapis.com"},
                }),
            ),
            detail("LocalizedMessage", json!({"locale": "en-US", "message": message()})),
        ],
        Refusal::RateLimit => vec![
            detail(
                "Help",
                json!({"links": [{"description": "Learn more about Gemini API quotas", "url": "https://ai.google.dev/gemini-api/docs/rate-limits"}]}),
            ),
            quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "10"),
            detail("RetryInfo", json!({"retryDelay": "2.5s"})),
        ],
        Refusal::Quota => vec![quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "250")],
        Refusal::Invalid { param: Some(place), .. } => {
            vec![detail("BadRequest", json!({"fieldViolations": [{"field": place, "description": message()}]}))]
        }
        _ => Vec::new(),
    }
}
