//! What Mistral refuses. Unknown fields first, by a validator that says 422; then what makes no conversation, with 400.

use serde_json::Value;

use super::super::fields::{Fields, Step, Within};
use super::super::refusal::Refusal;
use super::chunk_media;
use Within::{Any, List, Object};

static CHAT: Fields = Fields(&[
    ("frequency_penalty", Any),
    ("guardrails", Any),
    ("logprobs", Any),
    ("max_tokens", Any),
    ("messages", Any),
    ("metadata", Any),
    ("min_tokens", Any),
    ("model", Any),
    ("n", Any),
    ("parallel_tool_calls", Any),
    ("prediction", Object(&PREDICTION)),
    ("presence_penalty", Any),
    ("prompt_cache_key", Any),
    ("prompt_logprobs", Any),
    ("prompt_mode", Any),
    ("random_seed", Any),
    ("reasoning_effort", Any),
    ("repetition_penalty", Any),
    ("response_format", Object(&FORMAT)),
    ("safe_prompt", Any),
    ("service_tier", Any),
    ("stop", Any),
    ("stream", Any),
    ("temperature", Any),
    ("tool_choice", Any),
    ("tools", List(&TOOL)),
    ("top_k", Any),
    ("top_logprobs", Any),
    ("top_p", Any),
    ("top_prompt_logprobs", Any),
]);
static PREDICTION: Fields = Fields(&[("content", Any), ("type", Any)]);
static FORMAT: Fields = Fields(&[("json_schema", Object(&JSON_SCHEMA)), ("type", Any)]);
static JSON_SCHEMA: Fields = Fields(&[("description", Any), ("name", Any), ("schema", Any), ("strict", Any)]);
static TOOL: Fields = Fields(&[("function", Object(&FUNCTION)), ("type", Any)]);
static FUNCTION: Fields = Fields(&[("description", Any), ("name", Any), ("parameters", Any), ("strict", Any)]);

static SAID: Fields = Fields(&[("content", Any), ("role", Any)]);
static ASSISTANT: Fields = Fields(&[("content", Any), ("prefix", Any), ("role", Any), ("tool_calls", List(&CALL))]);
static RESULT: Fields = Fields(&[("content", Any), ("name", Any), ("role", Any), ("tool_call_id", Any)]);
static CALL: Fields = Fields(&[("function", Object(&CALLED)), ("id", Any), ("index", Any), ("type", Any)]);
static CALLED: Fields = Fields(&[("arguments", Any), ("name", Any)]);

static EMBED: Fields = Fields(&[
    ("encoding_format", Any),
    ("input", Any),
    ("metadata", Any),
    ("model", Any),
    ("output_dimension", Any),
    ("output_dtype", Any),
]);

/// The fields of each kind of chunk.
const CHUNKS: [(&str, &Fields); 7] = [
    ("text", &Fields(&[("text", Any), ("type", Any)])),
    ("image_url", &Fields(&[("image_url", Any), ("type", Any)])),
    ("document_url", &Fields(&[("document_name", Any), ("document_url", Any), ("type", Any)])),
    ("input_audio", &Fields(&[("input_audio", Any), ("type", Any)])),
    ("file", &Fields(&[("file_id", Any), ("type", Any)])),
    ("reference", &Fields(&[("reference_ids", Any), ("type", Any)])),
    ("thinking", &Fields(&[("closed", Any), ("signature", Any), ("thinking", Any), ("type", Any)])),
];

pub(super) fn chat(body: &Value) -> Result<(), Refusal> {
    known(body, &CHAT, "")?;
    text(body, "model", "")?;
    let messages = body.get("messages").and_then(Value::as_array);
    let messages = messages.ok_or_else(|| unprocessable("messages", "Field required"))?;
    for (index, message) in messages.iter().enumerate() {
        self::message(message, index)?;
    }
    for (index, tool) in body.get("tools").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let function = tool.get("function").unwrap_or(&Value::Null);
        let place = format!("tools.{index}.function");
        text(function, "name", &place)?;
        if !function.get("parameters").is_some_and(Value::is_object) {
            return Err(unprocessable(&format!("{place}.parameters"), "Field required"));
        }
        if !is_name(function["name"].as_str().unwrap_or_default()) {
            let name = &function["name"];
            return Err(invalid(
                "invalid_request_tool 3270",
                &format!(
                    "Function name was {name} but must be a-z, A-Z, 0-9, or contain underscores and dashes, with a maximum length of 64."
                ),
            ));
        }
    }
    if body.get("temperature").and_then(Value::as_f64).is_some_and(|t| !(0.0..=1.5).contains(&t)) {
        return Err(unprocessable("temperature", "Input should be less than or equal to 1.5"));
    }
    if body.get("max_tokens").is_some_and(|most| !most.is_null() && most.as_u64().is_none()) {
        return Err(unprocessable("max_tokens", "Input should be greater than or equal to 0"));
    }
    order(messages)
}

pub(super) fn embeddings(body: &Value) -> Result<(), Refusal> {
    known(body, &EMBED, "")?;
    text(body, "model", "")?;
    match body.get("input") {
        Some(Value::String(_)) => Ok(()),
        Some(Value::Array(items)) if !items.is_empty() && items.iter().all(Value::is_string) => Ok(()),
        _ => Err(unprocessable("input", "Input should be a valid string or a list of them")),
    }
}

fn known(value: &Value, fields: &Fields, place: &str) -> Result<(), Refusal> {
    if !value.is_object() {
        return Err(unprocessable(place, "Input should be a valid dictionary"));
    }
    let Some(way) = fields.unknown(value, str::to_owned) else {
        return Ok(());
    };
    let step = |step: &Step| match step {
        Step::Key(key) => key.clone(),
        Step::Index(index) => index.to_string(),
    };
    let way: Vec<String> = way.iter().map(step).collect();
    let before = if place.is_empty() { String::new() } else { format!("{place}.") };
    Err(unprocessable(&format!("{before}{}", way.join(".")), "Extra inputs are not permitted"))
}

fn text(value: &Value, key: &str, place: &str) -> Result<(), Refusal> {
    if value.get(key).is_some_and(Value::is_string) {
        return Ok(());
    }
    let before = if place.is_empty() { String::new() } else { format!("{place}.") };
    Err(unprocessable(&format!("{before}{key}"), "Field required"))
}

fn role(message: &Value) -> &str {
    message.get("role").and_then(Value::as_str).unwrap_or_default()
}

fn calls(message: &Value) -> &[Value] {
    message.get("tool_calls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn message(message: &Value, index: usize) -> Result<(), Refusal> {
    let role = role(message);
    let place = format!("messages.{index}.{role}");
    let fields = match role {
        "system" | "user" => &SAID,
        "assistant" => &ASSISTANT,
        "tool" => &RESULT,
        _ => {
            let text = format!(
                "Input tag '{role}' found using 'role' does not match any of the expected tags: 'assistant', 'system', 'tool', 'user'"
            );
            return Err(unprocessable(&format!("messages.{index}"), &text));
        }
    };
    known(message, fields, &place)?;
    for (at, chunk) in message.get("content").and_then(Value::as_array).into_iter().flatten().enumerate() {
        self::chunk(chunk, &format!("{place}.content.{at}"))?;
    }
    let has_content = message.get("content").is_some_and(|content| match content {
        Value::String(text) => !text.is_empty(),
        Value::Array(chunks) => !chunks.is_empty(),
        _ => false,
    });
    if role == "assistant" && !has_content && calls(message).is_empty() {
        return Err(invalid(
            "invalid_request_assistant_message 3240",
            "Assistant message must have either content or tool_calls, but not none.",
        ));
    }
    Ok(())
}

fn chunk(chunk: &Value, place: &str) -> Result<(), Refusal> {
    let kind = chunk.get("type").and_then(Value::as_str).unwrap_or_default();
    let place = format!("{place}.{kind}");
    let Some((_, fields)) = CHUNKS.iter().find(|(known, _)| *known == kind) else {
        let text = format!("Input tag '{kind}' found using 'type' does not match any of the expected tags");
        return Err(unprocessable(&place, &text));
    };
    known(chunk, fields, &place)?;
    if !matches!(kind, "text" | "reference" | "thinking") && chunk_media(chunk).is_none() {
        return Err(invalid("invalid_request_file 3310", "The media could not be loaded."));
    }
    Ok(())
}

/// Who may follow whom, and that every call has its result.
fn order(messages: &[Value]) -> Result<(), Refusal> {
    let mut open: Vec<&str> = Vec::new();
    let mut before = "";
    for message in messages {
        let role = role(message);
        let may_follow = match before {
            "" | "system" | "user" => role != "tool",
            "assistant" => role != "system",
            _ => matches!(role, "assistant" | "tool"),
        };
        if !may_follow {
            return Err(disorder(&format!("Unexpected role '{role}' after role '{before}'")));
        }
        if role == "tool" {
            let id = message.get("tool_call_id").and_then(Value::as_str).unwrap_or_default();
            let at = open.iter().position(|open| *open == id);
            open.swap_remove(at.ok_or_else(|| disorder("Unexpected tool call id in tool results"))?);
        } else if !open.is_empty() {
            return Err(disorder("Not the same number of function calls and responses"));
        }
        open.extend(calls(message).iter().map(|call| call.get("id").and_then(Value::as_str).unwrap_or_default()));
        if let Some(id) = open.iter().find(|id| id.len() != 9 || !id.bytes().all(|b| b.is_ascii_alphanumeric())) {
            let text = format!("Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9.");
            return Err(invalid("invalid_function_call 3280", &text));
        }
        before = role;
    }
    if !open.is_empty() {
        return Err(disorder("Not the same number of function calls and responses"));
    }
    let is_prefix = messages.last().and_then(|last| last.get("prefix")?.as_bool()) == Some(true);
    match before {
        "user" | "tool" => Ok(()),
        "assistant" if is_prefix => Ok(()),
        other => Err(disorder(&format!(
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got {other}"
        ))),
    }
}

fn disorder(text: &str) -> Refusal {
    invalid("invalid_request_message_order 3230", text)
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn unprocessable(place: &str, text: &str) -> Refusal {
    Refusal::Unprocessable { message: text.to_owned(), param: Some(place.to_owned()) }
}

/// `kind`: the type of the error, and its code.
fn invalid(kind: &str, text: &str) -> Refusal {
    Refusal::Invalid { message: text.to_owned(), param: Some(kind.to_owned()) }
}

#[cfg(test)]
mod tests;
