//! What is asked of every pair, and what an answer has to show.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

/// A picture of one red pixel.
pub(crate) const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==";

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// A word back.
    Text,
    /// Two calls at once, and in a second turn what comes of their results.
    Tools,
    /// A word about a picture.
    Image,
    /// JSON of a schema.
    Schema,
    /// An answer with the thinking before it.
    Reasoning,
}

/// A call of a tool, as a client sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: Value,
}

/// An answer, as a client sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) text: String,
    pub(crate) thinking: String,
    pub(crate) calls: Vec<Call>,
    /// In the client's own word.
    pub(crate) finish: String,
    /// Tokens of the prompt and of the answer.
    pub(crate) usage: (u64, u64),
    /// The model's turn, as the client sends it back.
    pub(crate) turn: Vec<Value>,
}

impl Task {
    pub(crate) const ALL: [Self; 5] = [Self::Text, Self::Tools, Self::Image, Self::Schema, Self::Reasoning];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Tools => "tools",
            Self::Image => "image",
            Self::Schema => "JSON schema",
            Self::Reasoning => "reasoning",
        }
    }

    pub(crate) fn prompt(self) -> &'static str {
        match self {
            Self::Tools => "get_weather and get_time in Lisbon, please",
            Self::Text | Self::Image | Self::Schema | Self::Reasoning => "hello there",
        }
    }

    /// Checks the first answer.
    pub(crate) fn check(self, seen: &Seen, model: &str) -> anyhow::Result<()> {
        ensure!(seen.usage.0 > 0 && seen.usage.1 > 0, "no usage: {seen:?}");
        if self == Self::Tools {
            let names: Vec<&str> = seen.calls.iter().map(|call| call.name.as_str()).collect();
            ensure!(names == ["get_weather", "get_time"], "other calls: {seen:?}");
            ensure!(seen.calls.iter().all(|call| call.arguments == json!({"city": "city"})), "arguments: {seen:?}");
            ensure!(seen.calls[0].id != seen.calls[1].id, "two calls with one id: {seen:?}");
            return Ok(());
        }
        ensure!(seen.calls.is_empty(), "calls: {seen:?}");
        if self == Self::Schema {
            let found: Value = serde_json::from_str(&seen.text).with_context(|| format!("no JSON: {seen:?}"))?;
            ensure!(found == json!({"city": "city"}), "JSON of another schema: {seen:?}");
            return Ok(());
        }
        ensure!(seen.text.starts_with(&format!("This is {model} at ")), "another text: {seen:?}");
        let end =
            if self == Self::Image { "You said: hello there You showed: 70 bytes" } else { "You said: hello there" };
        ensure!(seen.text.ends_with(end), "a cut text: {seen:?}");
        Ok(())
    }

    /// Checks the answer to the results of the tools.
    pub(crate) fn check_second(seen: &Seen) -> anyhow::Result<()> {
        ensure!(seen.text.ends_with("The tools said: 18 degrees; noon"), "the results are lost: {seen:?}");
        Ok(())
    }
}

/// The two tools, by name, and what they answer.
pub(crate) const TOOLS: [(&str, &str); 2] = [("get_weather", "18 degrees"), ("get_time", "noon")];

/// Of the tools' arguments and of the answer.
pub(crate) fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": false,
    })
}
