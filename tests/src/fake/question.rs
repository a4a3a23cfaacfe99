//! What a request asks for, the same for every dialect.

use serde_json::Value;

use super::plan::Frames;

/// A request, as far as its answer depends on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Question {
    pub(crate) model: String,
    /// Whether a bare prompt is to be completed: no chat.
    pub(crate) completes: bool,
    /// Whether it is one of the Responses API.
    pub(crate) responds: bool,
    pub(crate) stream: bool,
    /// How the stream is framed.
    pub(crate) frames: Frames,
    /// `stream_options.include_usage`.
    pub(crate) usage_in_stream: bool,
    /// `n`.
    pub(crate) choices: usize,
    pub(crate) last: Last,
    pub(crate) tools: Vec<Tool>,
    pub(crate) tool_choice: ToolChoice,
    /// Whether one answer may call several tools.
    pub(crate) parallel: bool,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) stop: Vec<String>,
    /// Whether the model is asked to reason.
    pub(crate) thinks: bool,
    /// Whether the answer keeps its reasoning to itself.
    pub(crate) hides_thinking: bool,
    /// The media of the last message, each as [`media`](super::media) words it.
    pub(crate) shown: Vec<String>,
    /// The answer has to fit this schema.
    pub(crate) schema: Option<Value>,
    pub(crate) prompt_tokens: u64,
}

/// What the conversation ends with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Last {
    User(String),
    ToolResults(Vec<String>),
    /// The start of the answer, to be continued.
    Assistant(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) schema: Value,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum ToolChoice {
    #[default]
    Auto,
    None,
    Required,
    Named(String),
}

impl Default for Last {
    fn default() -> Self {
        Self::User(String::new())
    }
}

/// Tokens of these fakes are words: what is between white space.
pub(crate) fn words(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

/// Words in every string of a JSON value that is text to a model: `text`, `content`, `arguments` and plain strings.
pub(crate) fn words_in(value: &Value) -> u64 {
    match value {
        Value::String(text) => words(text),
        Value::Array(items) => items.iter().map(words_in).sum(),
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, _)| {
                !matches!(key.as_str(), "type" | "role" | "id" | "tool_call_id" | "tool_use_id" | "url" | "data")
            })
            .map(|(_, value)| words_in(value))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// The text of a content: a string, or the `text` blocks of a list, joined by a space.
pub(crate) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts: Vec<&str> = blocks.iter().filter_map(|block| block.get("text")?.as_str()).collect();
            texts.join(" ")
        }
        _ => String::new(),
    }
}
