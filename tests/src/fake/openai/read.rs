//! What `OpenAI` reads in a request, and what it refuses: unknown fields are left alone, wrong ones are not.

use serde_json::{Value, json};

use super::super::media;
use super::super::question::{Last, Question, Tool, ToolChoice, text_of, words, words_in};
use super::super::refusal::Refusal;

/// Reads a chat with `model`.
pub(crate) fn chat(body: &Value, model: &str) -> Result<Question, Refusal> {
    let reasons = model.starts_with("gpt-5") || model.starts_with('o');
    if reasons && body.get("max_tokens").is_some() {
        return Err(Refusal::invalid(
            "max_tokens",
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        ));
    }
    let common = common(body, model)?;
    let messages = body.get("messages").and_then(Value::as_array);
    let messages = messages.ok_or_else(|| Refusal::invalid("messages", "Missing required parameter: 'messages'."))?;
    check_order(messages)?;
    let mut shown = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        shown = parts(message, index)?;
    }
    let limit = body.get("max_completion_tokens").or_else(|| body.get("max_tokens"));
    Ok(Question {
        last: last(messages),
        tools: tools(body)?,
        tool_choice: tool_choice(body.get("tool_choice")),
        parallel: body.get("parallel_tool_calls").and_then(Value::as_bool).unwrap_or(true),
        max_tokens: limit.and_then(Value::as_u64),
        thinks: reasons,
        shown,
        schema: body.pointer("/response_format/json_schema/schema").cloned(),
        prompt_tokens: words_in(&json!(messages)),
        ..common
    })
}

/// Reads a legacy completion.
pub(crate) fn completion(body: &Value) -> Result<Question, Refusal> {
    let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
    let common = common(body, model)?;
    let prompt = match body.get("prompt") {
        Some(Value::String(prompt)) => prompt.clone(),
        Some(Value::Array(prompts)) => match prompts.as_slice() {
            [Value::String(prompt)] => prompt.clone(),
            _ => return Err(Refusal::invalid("prompt", "This fake takes one prompt of text at a time.")),
        },
        _ => return Err(Refusal::invalid("prompt", "Missing required parameter: 'prompt'.")),
    };
    Ok(Question {
        completes: true,
        // The real default.
        max_tokens: body.get("max_tokens").and_then(Value::as_u64).or(Some(16)),
        prompt_tokens: words(&prompt),
        last: Last::User(prompt),
        ..common
    })
}

/// What chats and completions ask for in the same words.
fn common(body: &Value, model: &str) -> Result<Question, Refusal> {
    if model.is_empty() {
        return Err(Refusal::invalid("model", "you must provide a model parameter"));
    }
    let options = body.get("stream_options").filter(|options| !options.is_null());
    let stream = body.get("stream").and_then(Value::as_bool).unwrap_or_default();
    if options.is_some() && !stream {
        return Err(Refusal::invalid(
            "stream_options",
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        ));
    }
    Ok(Question {
        model: model.to_owned(),
        stream,
        usage_in_stream: options.and_then(|o| o.get("include_usage")).and_then(Value::as_bool).unwrap_or_default(),
        choices: body.get("n").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(1).clamp(1, 16),
        stop: strings(body.get("stop")),
        ..Question::default()
    })
}

/// A string or a list of them.
pub(crate) fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Checks the parts of a message; returns its media.
fn parts(message: &Value, index: usize) -> Result<Vec<String>, Refusal> {
    let mut shown = Vec::new();
    for (at, part) in message.get("content").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let place = format!("messages[{index}].content[{at}]");
        let text = |pointer: &str| part.pointer(pointer).and_then(Value::as_str);
        let kind = text("/type").unwrap_or_default();
        let media = match kind {
            "text" | "refusal" => continue,
            "image_url" => text("/image_url/url").and_then(media::at_url),
            "input_audio" => text("/input_audio/data").and_then(media::inline),
            "file" => {
                text("/file/file_data").and_then(media::at_url).or_else(|| text("/file/file_id").map(str::to_owned))
            }
            _ => {
                let text = format!(
                    "Invalid value: '{kind}'. Supported values are: 'text', 'image_url', 'input_audio', 'refusal', 'audio', and 'file'."
                );
                return Err(Refusal::invalid(&format!("{place}.type"), text));
            }
        };
        shown.push(media.ok_or_else(|| {
            Refusal::invalid(&place, format!("Invalid '{kind}'. Please provide a valid URL or base64-encoded data."))
        })?);
    }
    Ok(shown)
}

/// Tool messages answer the calls of the assistant message before them, all of them.
fn check_order(messages: &[Value]) -> Result<(), Refusal> {
    if messages.is_empty() {
        return Err(Refusal::invalid(
            "messages",
            "Invalid 'messages': empty array. Expected an array with minimum length 1.",
        ));
    }
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        if role == "tool" {
            let id = message.get("tool_call_id").and_then(Value::as_str).unwrap_or_default();
            let Some(at) = open.iter().position(|open| *open == id) else {
                return Err(Refusal::invalid(
                    &format!("messages.[{index}].role"),
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
                ));
            };
            open.swap_remove(at);
            continue;
        }
        refuse_unanswered(&open, index)?;
        if !matches!(role, "system" | "developer" | "user" | "assistant") {
            return Err(Refusal::invalid(&format!("messages[{index}].role"), format!("Invalid value: '{role}'.")));
        }
        let calls = message.get("tool_calls").and_then(Value::as_array);
        open = calls.into_iter().flatten().filter_map(|call| call.get("id")?.as_str()).collect();
        if message.get("content").is_none_or(Value::is_null) && (open.is_empty() || role != "assistant") {
            return Err(Refusal::invalid(
                &format!("messages.[{index}].content"),
                "Invalid value for 'content': expected a string, got null.",
            ));
        }
    }
    refuse_unanswered(&open, messages.len())
}

fn refuse_unanswered(open: &[&str], index: usize) -> Result<(), Refusal> {
    if open.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(
        &format!("messages.[{index}].role"),
        format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The \
             following tool_call_ids did not have response messages: {}",
            open.join(", ")
        ),
    ))
}

pub(crate) fn last(messages: &[Value]) -> Last {
    let role = |message: &Value| message.get("role").and_then(Value::as_str).unwrap_or_default().to_owned();
    let content = |message: &Value| message.get("content").map(text_of).unwrap_or_default();
    let results: Vec<String> =
        messages.iter().rev().take_while(|message| role(message) == "tool").map(content).collect();
    if !results.is_empty() {
        return Last::ToolResults(results.into_iter().rev().collect());
    }
    match messages.last() {
        Some(message) if role(message) == "assistant" => Last::Assistant(content(message)),
        _ => {
            let user = messages.iter().rev().find(|message| role(message) == "user").or(messages.last());
            Last::User(user.map(content).unwrap_or_default())
        }
    }
}

fn tools(body: &Value) -> Result<Vec<Tool>, Refusal> {
    let Some(tools) = body.get("tools").and_then(Value::as_array) else {
        return Ok(Vec::new());
    };
    if tools.is_empty() {
        return Err(Refusal::invalid(
            "tools",
            "Invalid 'tools': empty array. Expected an array with minimum length 1.",
        ));
    }
    // Custom tools take text, not JSON, and are never called here.
    let is_function = |(_, tool): &(usize, &Value)| tool.get("custom").is_none();
    let read = |(index, tool): (usize, &Value)| {
        let name = tool.pointer("/function/name").and_then(Value::as_str).ok_or_else(|| {
            let param = format!("tools[{index}].function");
            Refusal::invalid(&param, format!("Missing required parameter: '{param}'."))
        })?;
        let schema = tool.pointer("/function/parameters").cloned().unwrap_or_else(|| json!({"type": "object"}));
        Ok(Tool { name: name.to_owned(), schema })
    };
    tools.iter().enumerate().filter(is_function).map(read).collect()
}

pub(crate) fn tool_choice(choice: Option<&Value>) -> ToolChoice {
    let named = choice.and_then(|choice| choice.pointer("/function/name")).and_then(Value::as_str);
    match (choice.and_then(Value::as_str), named) {
        (_, Some(name)) => ToolChoice::Named(name.to_owned()),
        (Some("none"), _) => ToolChoice::None,
        (Some("required"), _) => ToolChoice::Required,
        _ => ToolChoice::Auto,
    }
}
