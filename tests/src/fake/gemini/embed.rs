//! `embedContent` and `batchEmbedContents`.

use serde_json::{Value, json};

use super::super::embed;
use super::super::question::{text_of, words};
use super::super::refusal::Refusal;

pub(super) fn one(request: &Value) -> Result<Value, Refusal> {
    let (embedding, tokens) = embedding(request)?;
    Ok(json!({"embedding": embedding, "usageMetadata": usage(tokens)}))
}

/// Every request of a batch names the model of the path again.
pub(super) fn batch(body: &Value, model: &str) -> Result<Value, Refusal> {
    let requests = body.get("requests").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if requests.is_empty() {
        return Err(invalid("* BatchEmbedContentsRequest.requests: requests is not specified"));
    }
    let mut embeddings = Vec::new();
    let mut tokens = 0;
    for (index, request) in requests.iter().enumerate() {
        let named = request.get("model").and_then(Value::as_str).unwrap_or_default();
        if named.strip_prefix("models/") != Some(model) {
            let text = format!(
                "* BatchEmbedContentsRequest.requests[{index}].model: unexpected model name format or model mismatch"
            );
            return Err(invalid(&text));
        }
        let (embedding, of_this) = embedding(request)?;
        embeddings.push(embedding);
        tokens += of_this;
    }
    Ok(json!({"embeddings": embeddings, "usageMetadata": usage(tokens)}))
}

fn usage(tokens: u64) -> Value {
    json!({"promptTokenCount": tokens, "totalTokenCount": tokens})
}

fn embedding(request: &Value) -> Result<(Value, u64), Refusal> {
    let text = request.pointer("/content/parts").map(text_of).unwrap_or_default();
    if text.is_empty() {
        return Err(invalid("* EmbedContentRequest.content: contents is not specified"));
    }
    let asked =
        request.get("outputDimensionality").or_else(|| request.pointer("/embedContentConfig/outputDimensionality"));
    let length = match asked {
        None => embed::LENGTH,
        Some(length) => length
            .as_u64()
            .and_then(|l| usize::try_from(l).ok())
            .filter(|l| (1..=3072).contains(l))
            .ok_or_else(|| {
                invalid(
                    "* EmbedContentRequest.output_dimensionality: output_dimensionality must be in the range [1, 3072]",
                )
            })?,
    };
    Ok((json!({"values": embed::vector(&text, length)}), words(&text)))
}

fn invalid(message: &str) -> Refusal {
    Refusal::Invalid { message: message.to_owned(), param: None }
}
