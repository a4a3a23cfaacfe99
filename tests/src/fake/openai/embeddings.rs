//! `POST /v1/embeddings`.

use serde_json::{Value, json};

use super::super::embed;
use super::super::question::words;
use super::super::refusal::Refusal;

/// The answer; every input that is allowed has one vector.
pub(super) fn answer(body: &Value, model: &str) -> Result<Value, Refusal> {
    let inputs = inputs(body.get("input").unwrap_or(&Value::Null))?;
    let length = match body.get("dimensions").filter(|length| !length.is_null()) {
        None => embed::LENGTH,
        Some(length) => length
            .as_u64()
            .and_then(|length| usize::try_from(length).ok())
            .filter(|l| (1..=3072).contains(l))
            .ok_or_else(|| {
                Refusal::invalid(
                    "dimensions",
                    "Invalid value for 'dimensions' = 0. Must be greater than or equal to 1.",
                )
            })?,
    };
    let as_base64 = match body.get("encoding_format").and_then(Value::as_str) {
        None | Some("float") => false,
        Some("base64") => true,
        Some(other) => {
            let text =
                format!("Invalid value for 'encoding_format': '{other}'. Supported values are: 'float', 'base64'.");
            return Err(Refusal::invalid("encoding_format", text));
        }
    };
    let data = inputs.iter().enumerate().map(|(index, input)| {
        let vector = embed::vector(input, length);
        let embedding = if as_base64 { json!(embed::base64(&vector)) } else { json!(vector) };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    });
    let tokens: u64 = inputs.iter().map(|input| words(input)).sum();
    Ok(json!({
        "object": "list",
        "data": data.collect::<Value>(),
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }))
}

/// A string, strings, tokens, or lists of tokens. Tokens count as words.
fn inputs(input: &Value) -> Result<Vec<String>, Refusal> {
    let refused = || {
        Refusal::invalid(
            "input",
            "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.",
        )
    };
    let tokens = |list: &Value| {
        let numbers = list.as_array().filter(|numbers| !numbers.is_empty())?;
        let words: Option<Vec<String>> = numbers.iter().map(|number| Some(number.as_u64()?.to_string())).collect();
        Some(words?.join(" "))
    };
    if let Some(text) = input.as_str().filter(|text| !text.is_empty()) {
        return Ok(vec![text.to_owned()]);
    }
    if let Some(tokens) = tokens(input) {
        return Ok(vec![tokens]);
    }
    let items = input.as_array().filter(|items| !items.is_empty()).ok_or_else(refused)?;
    let one = |item: &Value| item.as_str().filter(|text| !text.is_empty()).map(str::to_owned).or_else(|| tokens(item));
    items.iter().map(|item| one(item).ok_or_else(refused)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_input_has_its_vectors_and_no_other_is_taken() {
        let count =
            |input: Value| answer(&json!({"input": input}), "m").map(|a| a["data"].as_array().map_or(0, Vec::len));
        assert_eq!(count(json!("hello there")), Ok(1));
        assert_eq!(count(json!(["hello", "there"])), Ok(2));
        assert_eq!(count(json!([1, 2, 3])), Ok(1));
        assert_eq!(count(json!([[1, 2], [3]])), Ok(2));
        for input in [json!(""), json!([]), json!([[]]), json!(["a", ""]), json!({"a": 1}), Value::Null] {
            assert!(count(input.clone()).is_err(), "{input}");
        }
    }
}
