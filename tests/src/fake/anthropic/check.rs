//! What Anthropic's API refuses. Strict, because a translation that is a little wrong should be seen here.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::refusal::Refusal;
use super::{source, takes_prefill};

/// Every field of a request at its top level; others are refused.
const FIELDS: [&str; 21] = [
    "cache_control",
    "container",
    "context_management",
    "diagnostics",
    "inference_geo",
    "max_tokens",
    "mcp_servers",
    "messages",
    "metadata",
    "model",
    "output_config",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "thread",
    "tool_choice",
    "tools",
];

/// Sampling fields, which some models refuse.
const SAMPLING: [&str; 2] = ["top_k", "top_p"];

pub(super) fn all(body: &Value, counting: bool) -> Result<(), Refusal> {
    let Some(fields) = body.as_object() else {
        return Err(invalid("body", "Input should be an object"));
    };
    if let Some(unknown) =
        fields.keys().find(|key| !FIELDS.contains(&key.as_str()) && !SAMPLING.contains(&key.as_str()))
    {
        return Err(invalid(unknown, "Extra inputs are not permitted"));
    }
    let required: &[&str] = if counting { &["model", "messages"] } else { &["model", "messages", "max_tokens"] };
    if let Some(missing) = required.iter().find(|key| !fields.contains_key(**key)) {
        return Err(invalid(missing, "Field required"));
    }
    let Some(model) = fields["model"].as_str().filter(|model| !model.is_empty()) else {
        return Err(invalid("model", "Input should be a valid string"));
    };
    if !counting {
        limits(body, model)?;
    }
    thinking(body)?;
    tools(body)?;
    system(body)?;
    let messages = fields["messages"].as_array().ok_or_else(|| invalid("messages", "Input should be a valid list"))?;
    self::messages(messages, model, body)?;
    cache_marks(body)
}

fn limits(body: &Value, model: &str) -> Result<(), Refusal> {
    let Some(max_tokens) = body["max_tokens"].as_u64().filter(|max| *max > 0) else {
        return Err(invalid("max_tokens", "Input should be a valid integer greater than or equal to 1"));
    };
    let most = match model {
        m if m.starts_with("claude-3-haiku") || m.starts_with("claude-3-opus") => 4096,
        m if m.starts_with("claude-3-5") => 8192,
        m if m.starts_with("claude-opus-4-20") || m.contains("-4-1") => 32_000,
        m if m.contains("-4-") && !["-4-6", "-4-7", "-4-8"].iter().any(|v| m.contains(v)) => 64_000,
        _ => 128_000,
    };
    if max_tokens > most {
        let text = format!("{max_tokens} > {most}, which is the maximum allowed number of output tokens for {model}");
        return Err(invalid("max_tokens", &text));
    }
    if let Some(temperature) = body.get("temperature").and_then(Value::as_f64)
        && !(0.0..=1.0).contains(&temperature)
    {
        return Err(invalid("temperature", "range: 0..1"));
    }
    Ok(())
}

fn thinking(body: &Value) -> Result<(), Refusal> {
    let Some(kind) = body.pointer("/thinking/type").and_then(Value::as_str) else {
        return Ok(());
    };
    if kind == "disabled" {
        return Ok(());
    }
    if let Some(budget) = body.pointer("/thinking/budget_tokens").and_then(Value::as_u64) {
        if budget < 1024 {
            return Err(invalid("thinking.enabled.budget_tokens", "Input should be greater than or equal to 1024"));
        }
        if body["max_tokens"].as_u64().is_some_and(|max| max <= budget) {
            return Err(Refusal::invalid("max_tokens", "`max_tokens` must be greater than `thinking.budget_tokens`."));
        }
    } else if kind == "enabled" {
        return Err(invalid("thinking.enabled.budget_tokens", "Field required"));
    }
    if body.get("temperature").and_then(Value::as_f64).is_some_and(|t| t < 1.0) {
        return Err(Refusal::invalid("temperature", "`temperature` may only be set to 1 when thinking is enabled."));
    }
    let forced = body.pointer("/tool_choice/type").and_then(Value::as_str);
    if matches!(forced, Some("any" | "tool")) {
        return Err(Refusal::invalid("tool_choice", "Thinking may not be enabled when tool_choice forces tool use."));
    }
    Ok(())
}

fn tools(body: &Value) -> Result<(), Refusal> {
    let tools = body.get("tools").and_then(Value::as_array);
    if body.get("tool_choice").is_some() && tools.is_none_or(Vec::is_empty) {
        return Err(Refusal::invalid("tool_choice", "tool_choice: Tools must be defined when tool_choice is set"));
    }
    let mut seen = BTreeSet::new();
    for (index, tool) in tools.into_iter().flatten().enumerate() {
        // Tools that run on Anthropic's side have a dated type and no schema.
        if tool.get("type").and_then(Value::as_str).is_some_and(|kind| kind != "custom") {
            continue;
        }
        let place = format!("tools.{index}.custom");
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
        if !is_name(name, 128) {
            return Err(invalid(&format!("{place}.name"), "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"));
        }
        if !seen.insert(name) {
            return Err(Refusal::invalid("tools", "tools: Tool names must be unique."));
        }
        if tool.pointer("/input_schema/type").and_then(Value::as_str) != Some("object") {
            return Err(invalid(&format!("{place}.input_schema.type"), "Input should be 'object'"));
        }
    }
    Ok(())
}

fn system(body: &Value) -> Result<(), Refusal> {
    match body.get("system") {
        None | Some(Value::String(_)) => Ok(()),
        Some(Value::Array(blocks)) => blocks.iter().try_for_each(|block| non_empty_text(block, "system")),
        Some(_) => Err(invalid("system", "Input should be a valid string or list")),
    }
}

fn messages(messages: &[Value], model: &str, body: &Value) -> Result<(), Refusal> {
    if messages.is_empty() {
        return Err(invalid("messages", "at least one message is required"));
    }
    let mut open: BTreeSet<String> = BTreeSet::new();
    for (index, message) in messages.iter().enumerate() {
        let place = format!("messages.{index}");
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        let may_be_system = index > 0 && !takes_prefill(model);
        if !(matches!(role, "user" | "assistant") || role == "system" && may_be_system) {
            let text = format!("Unexpected role \"{role}\". Allowed roles are \"user\" or \"assistant\".");
            return Err(invalid(&place, &text));
        }
        if index == 0 && role != "user" {
            return Err(invalid(&place, "first message must use the \"user\" role"));
        }
        let is_last = index + 1 == messages.len();
        let blocks = blocks(message, &place, is_last && role == "assistant")?;
        results(&blocks, &mut open, index)?;
        for block in &blocks {
            self::block(block, role, &place)?;
            if let Some(id) = field(block, "type").filter(|kind| *kind == "tool_use").and(field(block, "id")) {
                open.insert(id.to_owned());
            }
            if matches!(field(block, "type"), Some("tool_use" | "tool_result")) && body.get("tools").is_none() {
                return Err(Refusal::invalid(
                    "tools",
                    "Requests which include `tool_use` or `tool_result` blocks must define tools.",
                ));
            }
        }
    }
    last(messages, model)
}

fn last(messages: &[Value], model: &str) -> Result<(), Refusal> {
    let Some(last) = messages.last().filter(|last| field(last, "role") == Some("assistant")) else {
        return Ok(());
    };
    if !takes_prefill(model) {
        return Err(Refusal::invalid(
            "messages",
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        ));
    }
    let text = super::text_of(&last["content"]);
    if text.ends_with(char::is_whitespace) {
        return Err(invalid("messages", "final assistant content cannot end with trailing whitespace"));
    }
    Ok(())
}

/// The content as blocks, whatever form it came in.
fn blocks(message: &Value, place: &str, may_be_empty: bool) -> Result<Vec<Value>, Refusal> {
    let blocks = match message.get("content") {
        Some(Value::String(text)) if text.is_empty() => Vec::new(),
        Some(Value::String(text)) => vec![serde_json::json!({"type": "text", "text": text})],
        Some(Value::Array(blocks)) => blocks.clone(),
        _ => return Err(invalid(&format!("{place}.content"), "Field required")),
    };
    if blocks.is_empty() && !may_be_empty {
        return Err(invalid(
            place,
            "all messages must have non-empty content except for the optional final assistant message",
        ));
    }
    Ok(blocks)
}

/// Every call of one message is answered at the start of the next one.
fn results(blocks: &[Value], open: &mut BTreeSet<String>, index: usize) -> Result<(), Refusal> {
    let is_result = |block: &&Value| field(block, "type") == Some("tool_result");
    for block in blocks.iter().take_while(is_result) {
        let id = field(block, "tool_use_id").unwrap_or_default();
        if !open.remove(id) {
            return Err(invalid(
                &format!("messages.{index}.content"),
                &format!(
                    "unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a \
                          corresponding `tool_use` block in the previous message."
                ),
            ));
        }
    }
    if let Some(id) = open.first() {
        return Err(invalid(
            &format!("messages.{}", index.saturating_sub(1)),
            &format!(
                "`tool_use` ids were found without `tool_result` blocks immediately after: {id}. Each `tool_use` block \
                      must have a corresponding `tool_result` block in the next message."
            ),
        ));
    }
    if blocks.iter().skip_while(is_result).any(|block| is_result(&block)) {
        return Err(invalid(&format!("messages.{index}"), "`tool_result` blocks must come before any other content"));
    }
    Ok(())
}

fn block(block: &Value, role: &str, place: &str) -> Result<(), Refusal> {
    let kind = field(block, "type").unwrap_or_default();
    match (kind, role) {
        ("text", _) => non_empty_text(block, place),
        ("tool_use", "assistant") => {
            if !is_name(field(block, "id").unwrap_or_default(), 256) {
                return Err(invalid(&format!("{place}.tool_use.id"), "String should match pattern '^[a-zA-Z0-9_-]+$'"));
            }
            if !block.get("input").is_some_and(Value::is_object) {
                return Err(invalid(&format!("{place}.tool_use.input"), "Input should be a valid dictionary"));
            }
            Ok(())
        }
        ("thinking", "assistant") if field(block, "signature").is_none_or(str::is_empty) => {
            Err(invalid(&format!("{place}.thinking.signature"), "Field required"))
        }
        ("image" | "document", "user") if block.get("source").and_then(source).is_none() => {
            Err(invalid(&format!("{place}.{kind}.source"), "The media could not be read"))
        }
        ("tool_result" | "image" | "document" | "search_result", "user")
        | ("thinking" | "redacted_thinking" | "server_tool_use" | "web_search_tool_result", "assistant") => Ok(()),
        _ => Err(invalid(place, &format!("Input tag '{kind}' is not expected in a message of role '{role}'"))),
    }
}

fn non_empty_text(block: &Value, place: &str) -> Result<(), Refusal> {
    match field(block, "text") {
        Some("") => Err(invalid(place, "text content blocks must be non-empty")),
        Some(text) if text.trim().is_empty() => {
            Err(invalid(place, "text content blocks must contain non-whitespace text"))
        }
        Some(_) => Ok(()),
        None => Err(invalid(&format!("{place}.text"), "Field required")),
    }
}

fn cache_marks(body: &Value) -> Result<(), Refusal> {
    let count = marks(body);
    if count > 4 {
        let text = format!("A maximum of 4 blocks with cache_control may be provided. Found {count}.");
        return Err(Refusal::invalid("cache_control", text));
    }
    Ok(())
}

fn marks(value: &Value) -> usize {
    match value {
        Value::Object(fields) => {
            usize::from(fields.contains_key("cache_control")) + fields.values().map(marks).sum::<usize>()
        }
        Value::Array(items) => items.iter().map(marks).sum(),
        _ => 0,
    }
}

fn field<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

fn is_name(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn invalid(place: &str, text: &str) -> Refusal {
    Refusal::invalid(place, format!("{place}: {text}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(body: Value) -> String {
        match all(&body, false) {
            Err(Refusal::Invalid { message, .. }) => message,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn max_tokens_is_required() {
        let body = json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "hi"}]});
        assert_eq!(refused(body), "max_tokens: Field required");
    }

    #[test]
    fn a_field_of_another_dialect_is_refused() {
        let body = json!({"model": "m", "max_tokens": 1, "messages": [], "frequency_penalty": 1});
        assert_eq!(refused(body), "frequency_penalty: Extra inputs are not permitted");
    }

    #[test]
    fn every_call_needs_its_result_in_the_next_message() {
        let call = json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}});
        let tools = json!([{"name": "f", "input_schema": {"type": "object"}}]);
        let body = |next: Value| {
            json!({"model": "claude-sonnet-4-5", "max_tokens": 1, "tools": tools, "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": [call]},
                {"role": "user", "content": next},
            ]})
        };
        assert!(refused(body(json!("never mind"))).contains("without `tool_result` blocks immediately after: toolu_1"));
        let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"});
        assert_eq!(all(&body(json!([result, {"type": "text", "text": "go on"}])), false), Ok(()));
        assert!(refused(body(json!([{"type": "text", "text": "go on"}, result]))).contains("toolu_1"));
    }

    #[test]
    fn an_empty_text_block_and_a_system_role_are_refused() {
        let body = |message: Value| json!({"model": "claude-sonnet-4-5", "max_tokens": 1, "messages": [message]});
        let empty = body(json!({"role": "user", "content": [{"type": "text", "text": ""}]}));
        assert_eq!(refused(empty), "messages.0: text content blocks must be non-empty");
        assert!(refused(body(json!({"role": "system", "content": "be kind"}))).contains("Unexpected role"));
    }
}
