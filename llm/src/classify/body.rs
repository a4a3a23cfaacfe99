mod google;

use serde_json::Value;

pub(super) use google::{Google, Quota};

/// What an error body says, in whatever shape.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) message: String,
    pub(super) of_type: Option<String>,
    pub(super) code: Option<String>,
    pub(super) param: Option<String>,
    /// Anthropic's `details`, an object.
    pub(super) details: Option<String>,
    /// Anthropic can't go on with the thread that the request names, whatever the status is.
    pub(super) about_thread: bool,
    /// A status inside the body.
    pub(super) status: Option<u16>,
    /// What Google's APIs say beside it.
    pub(super) google: Google,
}

/// More of a message than this helps nobody.
const MAX_MESSAGE: usize = 2048;

/// Reads OpenAI's, Anthropic's and Google's objects, `error` as a string, arrays, FastAPI's `detail`, a bare `message`, plain
/// text; HTML and anything else give no message.
pub(super) fn read(body: &[u8]) -> Said {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        let message = if text.starts_with('<') || text.starts_with('{') { String::new() } else { cut(text) };
        return Said { message, ..Said::default() };
    };
    let whole = match &value {
        Value::Array(items) => items.first().unwrap_or(&value),
        other => other,
    };
    let inner = match whole.get("error") {
        None | Some(Value::Null) => whole,
        Some(inner) => inner,
    };
    let message = match inner {
        Value::String(text) => Some(text.clone()),
        inner => ["message", "detail", "error"].iter().find_map(|key| text_of(inner.get(key)?)),
    };
    let code = inner.get("code").and_then(word_of);
    let status = [code.clone(), inner.get("status").and_then(word_of), whole.get("status").and_then(word_of)]
        .into_iter()
        .flatten()
        .find_map(|word| word.parse().ok().filter(|status| (400..600).contains(status)));
    let is_anthropic = whole.get("type").is_some_and(|of| of == "error");
    let details = inner.get("details").filter(|details| is_anthropic && details.is_object());
    Said {
        message: cut(&message.unwrap_or_default()),
        of_type: inner.get("type").and_then(word_of).filter(|of| of != "error"),
        code: code.or_else(|| inner.pointer("/innererror/code").and_then(word_of)),
        param: inner.get("param").and_then(word_of),
        about_thread: details.is_some_and(about_thread),
        details: details.map(Value::to_string).filter(|text| text.len() <= MAX_MESSAGE),
        status,
        google: Google::read(inner),
    }
}

/// As the errors of Anthropic's SDKs name them: `thread_not_found` is one.
fn about_thread(details: &Value) -> bool {
    details.get("error_code").and_then(Value::as_str).is_some_and(|code| code.starts_with("thread_"))
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

fn word_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(cut(text)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').take(MAX_MESSAGE).collect()
}
