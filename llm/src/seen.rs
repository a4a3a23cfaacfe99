//! How much of an answer was seen: what is counted where its provider does not say what it took.

use std::ops::AddAssign;

use crate::neutral::{Event, Part, Response};

/// Bytes of what a model wrote, as UTF-8, JSON's escapes decoded. Names of members, ids and base64 are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Text, refusals, and names and arguments of tool calls.
    pub said: u64,
    /// Thinking, as far as it is readable.
    pub thought: u64,
    /// An answer that was too large to be read: all of it, whatever it holds.
    pub unread: u64,
}

impl Seen {
    pub(crate) fn of(response: &Response<'_>) -> Self {
        let mut seen = Self::default();
        for part in response.choices.iter().flat_map(|choice| &choice.parts) {
            match part {
                Part::Text { text, .. } | Part::Refusal(text) => seen.say(text.len()),
                Part::Reasoning { text, .. } => seen.think(text.len()),
                Part::ToolCall(call) => seen.say(call.name.len() + call.arguments.len()),
                Part::Media(_) | Part::ToolResult { .. } | Part::RedactedReasoning(_) | Part::Unknown { .. } => {}
            }
        }
        seen
    }

    pub(crate) fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Text(text) | Event::Refusal(text) => self.say(text.len()),
            Event::Reasoning(text) => self.think(text.len()),
            Event::ToolStart { name, .. } => self.say(name.len()),
            Event::ToolArguments { json, .. } => self.say(json.len()),
            Event::Start { .. }
            | Event::NextText
            | Event::Citation(_)
            | Event::Signature(_)
            | Event::RedactedReasoning(_)
            | Event::ToolExtra { .. }
            | Event::StopSequence(_)
            | Event::Finish(_)
            | Event::Usage(_)
            | Event::Error(_)
            | Event::End => {}
        }
    }

    pub(crate) fn say(&mut self, bytes: usize) {
        self.said += bytes as u64;
    }

    pub(crate) fn think(&mut self, bytes: usize) {
        self.thought += bytes as u64;
    }
}

impl AddAssign for Seen {
    fn add_assign(&mut self, Self { said, thought, unread }: Self) {
        self.said += said;
        self.thought += thought;
        self.unread += unread;
    }
}
