//! What Ollama reads in a request, and what it refuses: a field of a wrong type, never an unknown one.

use serde_json::{Value, json};

use super::super::media;
use super::super::openai::read::strings;
use super::super::plan::Frames;
use super::super::question::{Last, Question, Tool, words_in};
use super::super::refusal::Refusal;
use super::{invalid, is_embedder, reasons, takes_tools};

/// What a chat asks for; `None` when it only loads the model.
pub(super) fn question(body: &Value, model: &str) -> Result<Option<Question>, Refusal> {
    let messages = match body.get("messages") {
        None | Some(Value::Null) => &[],
        Some(Value::Array(messages)) => messages.as_slice(),
        Some(other) => return Err(wrong_type(other, "messages", "[]api.Message")),
    };
    for message in messages {
        self::message(message)?;
    }
    let tools = tools(body)?;
    if !tools.is_empty() && !takes_tools(model) {
        return Err(invalid(&format!("registry.ollama.ai/library/{model} does not support tools")));
    }
    if is_embedder(model) {
        return Err(invalid(&format!("\"{model}\" does not support chat")));
    }
    let thinks = thinks(body, model)?;
    let Some(last) = messages.last() else {
        return Ok(None);
    };
    let images = last.get("images").and_then(Value::as_array).into_iter().flatten();
    Ok(Some(Question {
        model: model.to_owned(),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(true),
        frames: Frames::Lines,
        choices: 1,
        last: self::last(messages, last),
        tools,
        parallel: true,
        // Negative numbers are no limit.
        max_tokens: body.pointer("/options/num_predict").and_then(Value::as_u64),
        stop: strings(body.pointer("/options/stop")),
        thinks,
        shown: images.filter_map(|image| media::inline(image.as_str()?)).collect(),
        schema: schema(body.get("format"))?,
        prompt_tokens: words_in(&json!(messages)),
        ..Question::default()
    }))
}

fn wrong_type(value: &Value, field: &str, wanted: &str) -> Refusal {
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    invalid(&format!("json: cannot unmarshal {is} into Go struct field ChatRequest.{field} of type {wanted}"))
}

fn message(message: &Value) -> Result<(), Refusal> {
    if let Some(content) = message.get("content").filter(|content| !content.is_string() && !content.is_null()) {
        return Err(wrong_type(content, "messages.content", "string"));
    }
    for (index, image) in message.get("images").and_then(Value::as_array).into_iter().flatten().enumerate() {
        if image.as_str().and_then(media::inline).is_none() {
            return Err(invalid(&format!("illegal base64 data at input byte {index}")));
        }
    }
    for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        let arguments = call.pointer("/function/arguments").unwrap_or(&Value::Null);
        if !arguments.is_object() && !arguments.is_null() {
            let field = "messages.tool_calls.function.arguments";
            return Err(wrong_type(arguments, field, "api.ToolCallFunctionArguments"));
        }
    }
    Ok(())
}

fn tools(body: &Value) -> Result<Vec<Tool>, Refusal> {
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    let read = |tool: &Value| {
        let function = tool.get("function").filter(|function| function.is_object());
        let function = function.ok_or_else(|| invalid("json: a tool must have a function"))?;
        let name = function.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let schema = function.get("parameters").cloned().unwrap_or_else(|| json!({"type": "object"}));
        if !schema.is_object() {
            return Err(wrong_type(&schema, "tools.function.parameters", "api.ToolFunctionParameters"));
        }
        Ok(Tool { name, schema })
    };
    tools.map(read).collect()
}

fn thinks(body: &Value, model: &str) -> Result<bool, Refusal> {
    let asked = match body.get("think") {
        None | Some(Value::Null) => None,
        Some(Value::Bool(asked)) => Some(*asked),
        Some(Value::String(level)) if matches!(level.as_str(), "low" | "medium" | "high" | "max") => Some(true),
        Some(Value::String(level)) => {
            let text = format!(
                "invalid think value: {level:?} (must be \"high\", \"medium\", \"low\", \"max\", true, or false)"
            );
            return Err(invalid(&text));
        }
        Some(_) => {
            return Err(invalid(
                "think must be a boolean or string (\"high\", \"medium\", \"low\", \"max\", true, or false)",
            ));
        }
    };
    if asked == Some(true) && !reasons(model) {
        return Err(invalid(&format!("\"{model}\" does not support thinking")));
    }
    Ok(reasons(model) && asked.unwrap_or(true))
}

/// `"json"` asks for any object.
fn schema(format: Option<&Value>) -> Result<Option<Value>, Refusal> {
    match format {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(word)) if word.is_empty() => Ok(None),
        Some(Value::String(word)) if word == "json" => Ok(Some(json!({"type": "object"}))),
        Some(schema @ Value::Object(_)) => Ok(Some(schema.clone())),
        Some(other) => {
            Err(invalid(&format!("invalid format: {other}; expected \"json\" or a valid JSON Schema object")))
        }
    }
}

fn last(messages: &[Value], last: &Value) -> Last {
    let role = |message: &Value| message.get("role").and_then(Value::as_str).unwrap_or_default().to_lowercase();
    let content = |message: &Value| message.get("content").and_then(Value::as_str).unwrap_or_default().to_owned();
    match role(last).as_str() {
        "tool" => {
            let results: Vec<String> = messages.iter().rev().take_while(|m| role(m) == "tool").map(content).collect();
            Last::ToolResults(results.into_iter().rev().collect())
        }
        "assistant" => Last::Assistant(content(last)),
        _ => Last::User(content(last)),
    }
}
