//! What Gemini refuses in a request whose fields it knows.

use serde_json::Value;

use super::super::refusal::Refusal;
use super::{is_third, read};

/// What stands in for a signature that a client does not have, as the documentation allows.
const DUMMIES: [&str; 2] = ["context_engineering_is_the_way_to_go", "skip_thought_signature_validator"];

/// The signatures that [`write`](super::write) gives out, and how they all begin.
pub(super) const SIGNATURE: &str = "RmFrZVRob3VnaHRTaWduYXR1cmU=";

pub(super) fn all(body: &Value, model: &str) -> Result<(), Refusal> {
    let contents = body.get("contents").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if contents.is_empty() {
        return Err(invalid("* GenerateContentRequest.contents: contents is not specified"));
    }
    for (index, content) in contents.iter().enumerate() {
        self::content(content, index)?;
    }
    let contents = joined(contents);
    turns(&contents)?;
    if is_third(model) {
        signatures(&contents)?;
    }
    functions(body)?;
    config(body, model)
}

fn parts(content: &Value) -> &[Value] {
    content.get("parts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn role(content: &Value) -> &str {
    content.get("role").and_then(Value::as_str).unwrap_or("user")
}

fn content(content: &Value, index: usize) -> Result<(), Refusal> {
    if !matches!(role(content), "user" | "model" | "function") {
        return Err(invalid("Please use a valid role: user, model."));
    }
    if parts(content).is_empty() {
        return Err(invalid(&format!(
            "* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty."
        )));
    }
    let mut parts = parts(content).iter().enumerate();
    parts.try_for_each(|(at, part)| self::part(part, &format!("contents[{index}].parts[{at}]")))
}

/// What a part may be; exactly one of them.
const DATA: [&str; 9] = [
    "codeExecutionResult",
    "executableCode",
    "fileData",
    "functionCall",
    "functionResponse",
    "inlineData",
    "text",
    "toolCall",
    "toolResponse",
];

fn part(part: &Value, place: &str) -> Result<(), Refusal> {
    match DATA.iter().filter(|kind| part.get(kind).is_some()).count() {
        1 => {}
        0 => {
            let text = format!(
                "* GenerateContentRequest.{place}.data: required oneof field 'data' must have one initialized field"
            );
            return Err(invalid(&text));
        }
        _ => return Err(invalid(&format!("Invalid value at '{place}' (oneof), oneof field 'data' is already set."))),
    }
    if part.get("inlineData").or_else(|| part.get("fileData")).is_some() && read::media(part).is_none() {
        let text = format!("Invalid value at '{place}.inline_data.data' (TYPE_BYTES), Base64 decoding failed");
        return Err(invalid(&text));
    }
    for (kind, field, is_required) in [("functionCall", "args", false), ("functionResponse", "response", true)] {
        let Some(value) = part.get(kind).map(|data| data.get(field)) else { continue };
        if value.is_some_and(|value| !value.is_object()) || is_required && value.is_none() {
            let text = format!("Invalid value at '{place}.{field}' (type.googleapis.com/google.protobuf.Struct)");
            return Err(invalid(&text));
        }
    }
    Ok(())
}

fn names<'a>(content: &'a Value, key: &str) -> Vec<&'a str> {
    parts(content).iter().filter_map(|part| part.get(key)?.get("name")?.as_str()).collect()
}

/// Neighbours of the model are one turn, as when a client keeps every chunk of a stream by itself.
fn joined(contents: &[Value]) -> Vec<Value> {
    let mut joined: Vec<Value> = Vec::new();
    for content in contents {
        match joined.last_mut().filter(|last| role(last) == "model" && role(content) == "model") {
            Some(last) => last["parts"] = parts(last).iter().chain(parts(content)).cloned().collect(),
            None => joined.push(content.clone()),
        }
    }
    joined
}

/// Calls follow a user's turn or responses, and are followed by as many responses, by the same names.
fn turns(contents: &[Value]) -> Result<(), Refusal> {
    for (index, content) in contents.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| contents.get(before));
        let responses = names(content, "functionResponse");
        let calls = before.map(|content| names(content, "functionCall")).unwrap_or_default();
        if calls.len() != responses.len() {
            return Err(invalid(
                "Please ensure that the number of function response parts is equal to the number of function call parts of \
                 the function call turn.",
            ));
        }
        if responses.iter().any(|name| !calls.contains(name)) {
            return Err(invalid(
                "Please ensure that function response turn comes immediately after a function call turn.",
            ));
        }
        let is_call = !names(content, "functionCall").is_empty();
        if is_call && before.is_none_or(|before| role(before) == "model") {
            return Err(invalid(
                "Please ensure that function call turn comes immediately after a user turn or after a function response turn.",
            ));
        }
    }
    match contents.last() {
        Some(last) if !names(last, "functionCall").is_empty() => Err(invalid(
            "Please ensure that the number of function response parts is equal to the number of function call parts of the \
             function call turn.",
        )),
        _ => Ok(()),
    }
}

/// The first call of every step since the user last spoke has the signature that came with it.
fn signatures(contents: &[Value]) -> Result<(), Refusal> {
    let spoke = |content: &Value| role(content) == "user" && names(content, "functionResponse").is_empty();
    let start = contents.iter().rposition(spoke).unwrap_or_default();
    for (index, content) in contents.iter().enumerate().skip(start) {
        let Some((at, part)) = parts(content).iter().enumerate().find(|(_, part)| part.get("functionCall").is_some())
        else {
            continue;
        };
        let signature = part.get("thoughtSignature").and_then(Value::as_str).unwrap_or_default();
        let name = part.pointer("/functionCall/name").and_then(Value::as_str).unwrap_or_default();
        if signature.is_empty() {
            return Err(invalid(&format!(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to work \
                 correctly, and missing thought_signature may lead to degraded model performance. Additional data, function \
                 call `default_api:{name}`, position {at}. Please refer to \
                 https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
            )));
        }
        if signature != SIGNATURE && !DUMMIES.contains(&signature) {
            return Err(invalid(&format!("Corrupted thought signature in contents[{index}]: {signature}")));
        }
    }
    Ok(())
}

fn functions(body: &Value) -> Result<(), Refusal> {
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    let declared = tools.filter_map(|tool| tool.get("functionDeclarations")?.as_array()).flatten();
    let mut known = Vec::new();
    for (index, function) in declared.enumerate() {
        let place = format!("tools[0].function_declarations[{index}]");
        let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.len() <= 64
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b));
        if !is_name {
            return Err(invalid(&format!(
                "* GenerateContentRequest.{place}.name: Invalid function name. Must start with a letter or an underscore. \
                 Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum \
                 length of 64."
            )));
        }
        if known.contains(&name) {
            return Err(invalid(&format!("Duplicate function declaration found: {name}")));
        }
        if function.get("parameters").is_some() && function.get("parametersJsonSchema").is_some() {
            return Err(invalid(&format!(
                "* GenerateContentRequest.{place}: only one of parameters and parameters_json_schema may be set."
            )));
        }
        known.push(name);
    }
    let allowed = body.pointer("/toolConfig/functionCallingConfig/allowedFunctionNames").and_then(Value::as_array);
    for name in allowed.into_iter().flatten().filter_map(Value::as_str) {
        if !known.contains(&name) {
            return Err(invalid(&format!("allowed_function_names contains a function that is not declared: {name}")));
        }
    }
    Ok(())
}

fn config(body: &Value, model: &str) -> Result<(), Refusal> {
    let config = |pointer: &str| body.pointer(&format!("/generationConfig/{pointer}"));
    let within = |field: &str, range: std::ops::RangeInclusive<f64>| match config(field) {
        Some(value) if !value.as_f64().is_some_and(|number| range.contains(&number)) => {
            let (least, most) = (range.start(), range.end());
            Err(invalid(&format!(
                "* GenerateContentRequest.generation_config.{field}: must be in the range [{least}, {most}]."
            )))
        }
        _ => Ok(()),
    };
    within("temperature", 0.0..=2.0)?;
    within("topP", 0.0..=1.0)?;
    within("candidateCount", 1.0..=8.0)?;
    within("maxOutputTokens", 1.0..=65_536.0)?;
    if config("stopSequences").and_then(Value::as_array).is_some_and(|stops| stops.len() > 5) {
        return Err(invalid("* GenerateContentRequest.generation_config.stop_sequences: at most 5 are allowed."));
    }
    let kind = config("responseMimeType").and_then(Value::as_str).unwrap_or("text/plain");
    let has_schema = config("responseSchema").or_else(|| config("responseJsonSchema")).is_some();
    if has_schema && kind != "application/json" && kind != "text/x.enum" {
        return Err(invalid(
            "* GenerateContentRequest.generation_config.response_mime_type: must be application/json when response_schema is set.",
        ));
    }
    if kind == "application/json" && body.get("tools").is_some() && !is_third(model) {
        return Err(invalid("Function calling with a response mime type: 'application/json' is unsupported"));
    }
    thinking(config("thinkingConfig"), model)
}

fn thinking(config: Option<&Value>, model: &str) -> Result<(), Refusal> {
    let Some(config) = config else {
        return Ok(());
    };
    let (budget, level) = (config.get("thinkingBudget"), config.get("thinkingLevel"));
    if budget.is_some() && level.is_some() {
        return Err(invalid("You can only set only one of thinking budget and thinking level."));
    }
    if !super::reasons(model) {
        return Err(invalid("Thinking is not enabled for this model."));
    }
    if level.is_some() && !is_third(model) {
        return Err(invalid("Thinking level is not supported for this model."));
    }
    if budget.and_then(Value::as_i64) == Some(0) && model.contains("-pro") {
        return Err(invalid("Budget 0 is invalid. This model only works in thinking mode."));
    }
    Ok(())
}

fn invalid(message: &str) -> Refusal {
    Refusal::Invalid { message: message.to_owned(), param: None }
}

#[cfg(test)]
mod tests;
