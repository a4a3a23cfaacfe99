//! Ollama's errors: one string.

use serde_json::{Value, json};

use super::super::refusal::{About, Refusal};

pub(crate) fn body(refusal: &Refusal, about: &About<'_>) -> Value {
    let model = about.model;
    let message = match refusal {
        Refusal::UnknownModel => format!("model '{model}' not found"),
        Refusal::NotJson { error } => error.clone(),
        Refusal::Invalid { message, .. } | Refusal::Unprocessable { message, .. } => message.clone(),
        // Only ollama.com wants a key.
        Refusal::MissingKey | Refusal::BadKey => "unauthorized".to_owned(),
        Refusal::Forbidden => "remote inference is unavailable".to_owned(),
        Refusal::UnknownPath | Refusal::LostThread | Refusal::NoThread => "404 page not found".to_owned(),
        Refusal::WrongMethod => "405 method not allowed".to_owned(),
        Refusal::RateLimit => "too many concurrent requests".to_owned(),
        Refusal::Quota => "you have reached your weekly usage limit, upgrade for higher limits".to_owned(),
        Refusal::Payment => "this model requires a subscription, upgrade for access".to_owned(),
        Refusal::Conflict => "another request is changing this model".to_owned(),
        Refusal::ServerError => "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, check ollama server logs for details".to_owned(),
        Refusal::Unavailable | Refusal::Overloaded => {
            "server busy, please try again.  maximum pending requests exceeded".to_owned()
        }
        Refusal::Timeout => "timed out waiting for llama runner to start".to_owned(),
        Refusal::ContextLength => {
            "the prompt is longer than the context length currently available to the model; shorten the prompt, adjust the \
             context length in settings, or use a model with a longer context length"
                .to_owned()
        }
        Refusal::ContentFilter => "the request was rejected".to_owned(),
        Refusal::TooLarge => "http: request body too large".to_owned(),
    };
    json!({"error": message})
}
