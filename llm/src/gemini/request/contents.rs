use std::collections::HashMap;

use super::parts;
use crate::Error;
use crate::json::Writer;
use crate::neutral::{Part, Request, Role, Text};
use crate::translate::Names;

/// Said for the person where Gemini demands that the person speaks.
const GO_ON: &str = "Go on.";
const GO_ON_FROM_THERE: &str = "Go on from exactly where you stopped.";

/// The conversation as Gemini wants it: the user's and the model's turns alternate, the first and the last are the
/// user's, and the results of calls stand in the turn right after them.
pub(super) struct Contents<'r, 'a> {
    system: Vec<&'r Text<'a>>,
    turns: Vec<Turn<'r, 'a>>,
    /// By id; of an id that was given again, the latest.
    calls: HashMap<&'r str, Call<'r>>,
}

struct Turn<'r, 'a> {
    is_model: bool,
    /// The results of calls, which stand before all others.
    results: Vec<Block<'r, 'a>>,
    others: Vec<Block<'r, 'a>>,
}

/// A call that a result may answer.
struct Call<'r> {
    name: &'r str,
    turn: usize,
}

#[derive(Clone, Copy)]
pub(super) enum Block<'r, 'a> {
    Part(&'r Part<'a>),
    /// A system message in the middle of the conversation, which Gemini has no place for.
    Instruction(&'r Text<'a>),
    /// The result of a call of that name.
    Result(&'r Part<'a>, &'r str),
}

impl<'r, 'a> Contents<'r, 'a> {
    pub(super) fn of(request: &'r Request<'a>) -> Result<Self, Error> {
        let mut contents = Self { system: Vec::new(), turns: Vec::new(), calls: HashMap::new() };
        for (index, message) in request.messages.iter().enumerate() {
            for part in message.parts.iter().filter(|part| has_words(part)) {
                contents.take(index, message.role, part)?;
            }
        }
        Ok(contents)
    }

    fn take(&mut self, index: usize, role: Role, part: &'r Part<'a>) -> Result<(), Error> {
        match (role, part) {
            (_, Part::Unknown { kind, .. }) => {
                let reason = format!("the target takes no parts of type {kind:?}");
                return Err(Error::Unsupported { field: format!("messages[{index}]").into(), reason: reason.into() });
            }
            (_, Part::ToolResult { parts, .. }) if parts.iter().any(|part| matches!(part, Part::Unknown { .. })) => {
                let reason = "the target takes text and media as the result of a tool";
                return Err(Error::Unsupported { field: format!("messages[{index}]").into(), reason: reason.into() });
            }
            (Role::System | Role::Developer, Part::Text { text, .. }) if self.turns.is_empty() => {
                self.system.push(text)
            }
            (Role::System | Role::Developer, Part::Text { text, .. }) => self.push(false, Block::Instruction(text)),
            (_, Part::ToolResult { call, .. }) => return self.result(index, call, part),
            (Role::Assistant, Part::ToolCall(call)) => {
                self.push(true, Block::Part(part));
                self.calls.insert(&call.id, Call { name: &call.name, turn: self.turns.len() - 1 });
            }
            (role, part) => self.push(role == Role::Assistant, Block::Part(part)),
        }
        Ok(())
    }

    /// Neighbours of one side are one turn.
    fn push(&mut self, is_model: bool, block: Block<'r, 'a>) {
        if self.turns.last().is_none_or(|turn| turn.is_model != is_model) {
            self.turns.push(Turn { is_model, results: Vec::new(), others: Vec::new() });
        }
        if let Some(turn) = self.turns.last_mut() {
            turn.others.push(block);
        }
    }

    /// A result goes to the head of the turn that follows its call, behind the results that are there.
    fn result(&mut self, index: usize, call: &str, part: &'r Part<'a>) -> Result<(), Error> {
        let Some(called) = self.calls.get(call) else {
            let what = format!("no tool call before it has the id {call:?}");
            return Err(Error::bad_request(format!("messages[{index}].tool_call_id"), what));
        };
        let block = Block::Result(part, called.name);
        match self.turns.get_mut(called.turn + 1) {
            Some(turn) => turn.results.push(block),
            None => self.turns.push(Turn { is_model: false, results: vec![block], others: Vec::new() }),
        }
        Ok(())
    }

    pub(super) fn write_system(&self, w: &mut Writer<'_>) -> Result<(), Error> {
        if self.system.is_empty() {
            return Ok(());
        }
        w.key("systemInstruction")
            .object(|w| w.key("parts").array(|w| self.system.iter().try_for_each(|text| parts::text(w, text))))
    }

    pub(super) fn write(&self, w: &mut Writer<'_>, names: &Names, signed: bool) -> Result<(), Error> {
        if self.turns.first().is_none_or(|turn| turn.is_model) {
            user(w, GO_ON)?;
        }
        for Turn { is_model, results, others } in &self.turns {
            w.object(|w| {
                w.key("role").string(if *is_model { "model" } else { "user" });
                w.key("parts").array(|w| parts::write(w, results.iter().chain(others), names, signed))
            })?;
        }
        if self.turns.last().is_some_and(|turn| turn.is_model) {
            user(w, GO_ON_FROM_THERE)?;
        }
        Ok(())
    }
}

/// Thoughts are not sent back: what proves them to their provider comes with the calls.
fn has_words(part: &Part<'_>) -> bool {
    match part {
        Part::Text { text, .. } | Part::Refusal(text) => !text.trim().is_empty(),
        Part::Reasoning { .. } | Part::RedactedReasoning(_) => false,
        _ => true,
    }
}

fn user(w: &mut Writer<'_>, text: &str) -> Result<(), Error> {
    w.object(|w| {
        w.key("role").string("user");
        w.key("parts").array(|w| parts::text(w, text))
    })
}
