//! From a request, in camel case and with no unknown field, to what it asks for.

use serde_json::{Value, json};

use super::super::media;
use super::super::question::{Last, Question, Tool, ToolChoice, text_of, words_in};
use super::super::refusal::Refusal;
use super::{check, reasons};

pub(super) fn question(body: &Value, model: &str) -> Result<Question, Refusal> {
    check::all(body, model)?;
    let contents = body.get("contents").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let config = |pointer: &str| body.pointer(&format!("/generationConfig/{pointer}"));
    let budget = config("thinkingConfig/thinkingBudget").and_then(Value::as_i64);
    let shows = config("thinkingConfig/includeThoughts").and_then(Value::as_bool).unwrap_or_default();
    let system = body.get("systemInstruction").map_or(0, words_in);
    let stops = config("stopSequences").and_then(Value::as_array);
    let parts = contents.last().and_then(|content| content.get("parts")?.as_array()).into_iter().flatten();
    Ok(Question {
        model: model.to_owned(),
        choices: config("candidateCount").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(1),
        last: last(contents),
        tools: tools(body),
        tool_choice: tool_choice(body.pointer("/toolConfig/functionCallingConfig")),
        parallel: true,
        max_tokens: config("maxOutputTokens").and_then(Value::as_u64),
        stop: stops.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        thinks: reasons(model) && budget != Some(0),
        hides_thinking: !shows,
        shown: parts.filter_map(media).collect(),
        schema: config("responseJsonSchema").or_else(|| config("responseSchema")).map(lowered),
        prompt_tokens: words_in(&json!(contents)) + system,
        ..Question::default()
    })
}

/// How an answer speaks of a part that is an image, a document or a recording.
pub(super) fn media(part: &Value) -> Option<String> {
    let text = |pointer: &str| part.pointer(pointer).and_then(Value::as_str);
    let file = || text("/fileData/fileUri").map(str::to_owned);
    text("/inlineData/data").and_then(media::inline_of_google).or_else(file)
}

fn last(contents: &[Value]) -> Last {
    let Some(content) = contents.last() else {
        return Last::default();
    };
    let parts = content.get("parts").unwrap_or(&Value::Null);
    let responses: Vec<String> = parts
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|part| part.pointer("/functionResponse/response"))
        .map(said)
        .collect();
    match content.get("role").and_then(Value::as_str) {
        _ if !responses.is_empty() => Last::ToolResults(responses),
        Some("model") => Last::Assistant(text_of(parts)),
        _ => Last::User(text_of(parts)),
    }
}

/// What a tool said: the documented `output` or `result`, else the whole object.
fn said(response: &Value) -> String {
    let value = ["output", "result", "error"].iter().find_map(|key| response.get(key)).unwrap_or(response);
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn tools(body: &Value) -> Vec<Tool> {
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    let functions = tools.filter_map(|tool| tool.get("functionDeclarations")?.as_array()).flatten();
    let read = |function: &Value| {
        let name = function.get("name")?.as_str()?.to_owned();
        let schema = function.get("parametersJsonSchema").or_else(|| function.get("parameters"));
        Some(Tool { name, schema: schema.map(lowered).unwrap_or_else(|| json!({"type": "object"})) })
    };
    functions.filter_map(read).collect()
}

fn tool_choice(config: Option<&Value>) -> ToolChoice {
    let allowed = config.and_then(|config| config.get("allowedFunctionNames")?.as_array());
    match config.and_then(|config| config.get("mode")?.as_str()) {
        Some("NONE") => ToolChoice::None,
        Some("ANY") => match allowed.map(Vec::as_slice) {
            Some([name]) => ToolChoice::Named(name.as_str().unwrap_or_default().to_owned()),
            _ => ToolChoice::Required,
        },
        _ => ToolChoice::Auto,
    }
}

/// A schema with the types in small letters, as everybody else writes them.
fn lowered(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(key, value)| match value {
                    Value::String(kind) if key == "type" => (key.clone(), json!(kind.to_lowercase())),
                    _ => (key.clone(), lowered(value)),
                })
                .collect(),
        ),
        Value::Array(items) => items.iter().map(lowered).collect(),
        _ => schema.clone(),
    }
}
