use std::collections::HashMap;

use super::content;
use crate::Error;
use crate::facts::Thinking;
use crate::json::Writer;
use crate::neutral::{Message, Part, Request, Role, ToolCall};
use crate::translate::{Dropped, Names, Target, refuse_unknown};

/// Said for the person where Mistral demands that somebody speaks before the model.
const GO_ON: &str = "Go on.";

/// The conversation in the order that Mistral takes: instructions only at the start and behind a person's words, no
/// message of the model's that says nothing. The rules are those of `mistral_common`'s request validator.
pub(super) struct Turns<'r, 'a> {
    turns: Vec<Turn<'r, 'a>>,
}

enum Turn<'r, 'a> {
    System(Vec<&'r Part<'a>>),
    /// What the application says where it may not: the person says it.
    Instruction(String),
    User(Vec<&'r Part<'a>>),
    Assistant {
        said: Vec<&'r Part<'a>>,
        calls: Vec<&'r ToolCall<'a>>,
    },
    Tool {
        call: &'r ToolCall<'a>,
        said: Vec<&'r Part<'a>>,
    },
}

impl<'r, 'a> Turns<'r, 'a> {
    pub(super) fn of(request: &'r Request<'a>, target: &Target<'_>, dropped: &mut Dropped) -> Result<Self, Error> {
        let thinks = target.facts.thinks_unasked || target.facts.thinking == Thinking::Effort;
        let mut turns = Self { turns: Vec::with_capacity(request.messages.len()) };
        let mut known: HashMap<&'r str, &'r ToolCall<'a>> = HashMap::new();
        for (index, message) in request.messages.iter().enumerate() {
            message.extra.iter().for_each(|extra| dropped.add(&extra.name));
            refuse_unknown(message, index)?;
            turns.results(message, index, &known)?;
            match message.role {
                Role::System | Role::Developer => turns.instruct(message),
                Role::User => turns.add(said(message, false), Turn::User),
                Role::Assistant => {
                    let calls: Vec<_> = message.parts.iter().filter_map(call).collect();
                    known.extend(calls.iter().map(|call| (&*call.id, *call)));
                    turns.answer(said(message, thinks), calls);
                }
                Role::Tool => {}
            }
        }
        if let [Turn::Assistant { .. }] = turns.turns[..] {
            turns.turns.insert(0, Turn::Instruction(GO_ON.to_owned()));
        }
        Ok(turns)
    }

    /// The results of tools, which come before what else their message says.
    fn results(
        &mut self,
        message: &'r Message<'a>,
        index: usize,
        known: &HashMap<&'r str, &'r ToolCall<'a>>,
    ) -> Result<(), Error> {
        for part in &message.parts {
            let Part::ToolResult { call: id, parts, .. } = part else { continue };
            let call = *known.get(&**id).ok_or_else(|| {
                let what = format!("no tool call before it has the id {id:?}");
                Error::bad_request(format!("messages[{index}].tool_call_id"), what)
            })?;
            self.turns.push(Turn::Tool { call, said: parts.iter().filter(|part| part.is_content()).collect() });
        }
        Ok(())
    }

    fn instruct(&mut self, message: &'r Message<'a>) {
        let parts = said(message, false);
        match self.turns.last() {
            None | Some(Turn::System(_) | Turn::Instruction(_) | Turn::User(_)) => self.add(parts, Turn::System),
            Some(Turn::Assistant { .. } | Turn::Tool { .. }) => {
                let texts = parts
                    .iter()
                    .filter_map(|part| if let Part::Text { text, .. } = part { Some(&**text) } else { None });
                let text = texts.collect::<Vec<_>>().join("\n");
                if !text.is_empty() {
                    self.turns.push(Turn::Instruction(format!("<system>\n{text}\n</system>")));
                }
            }
        }
    }

    fn add(&mut self, parts: Vec<&'r Part<'a>>, turn: impl FnOnce(Vec<&'r Part<'a>>) -> Turn<'r, 'a>) {
        if !parts.is_empty() {
            self.turns.push(turn(parts));
        }
    }

    fn answer(&mut self, said: Vec<&'r Part<'a>>, calls: Vec<&'r ToolCall<'a>>) {
        let thinks_only = said.iter().all(|part| matches!(part, Part::Reasoning { .. }));
        if !thinks_only || !calls.is_empty() {
            self.turns.push(Turn::Assistant { said, calls });
        }
    }

    pub(super) fn write(&self, w: &mut Writer<'_>, names: &Names, dropped: &mut Dropped) -> Result<(), Error> {
        let last = self.turns.len().saturating_sub(1);
        self.turns.iter().enumerate().try_for_each(|(index, turn)| turn.write(w, index == last, names, dropped))
    }
}

impl Turn<'_, '_> {
    fn write(&self, w: &mut Writer<'_>, is_last: bool, names: &Names, dropped: &mut Dropped) -> Result<(), Error> {
        w.object(|w| {
            match self {
                Self::System(parts) => {
                    w.key("role").string("system");
                    content::write(w, parts, dropped)?;
                }
                Self::Instruction(text) => {
                    w.key("role").string("user");
                    w.key("content").string(text);
                }
                Self::User(parts) => {
                    w.key("role").string("user");
                    content::write(w, parts, dropped)?;
                }
                Self::Tool { call, said } => {
                    w.key("role").string("tool");
                    w.key("tool_call_id").string(names.sent_call(&call.id));
                    w.key("name").string(names.sent_name(&call.name));
                    content::write(w, said, dropped)?;
                }
                Self::Assistant { said, calls } => {
                    w.key("role").string("assistant");
                    if !said.is_empty() {
                        content::write(w, said, dropped)?;
                    }
                    if !calls.is_empty() {
                        w.key("tool_calls").array(|w| calls.iter().try_for_each(|call| tool_call(w, call, names)))?;
                    } else if is_last {
                        w.key("prefix").bool(true);
                    }
                }
            }
            Ok(())
        })
    }
}

fn tool_call(w: &mut Writer<'_>, call: &ToolCall<'_>, names: &Names) -> Result<(), Error> {
    w.object(|w| {
        w.key("id").string(names.sent_call(&call.id));
        w.key("type").string("function");
        w.key("function").object(|w| {
            w.key("name").string(names.sent_name(&call.name));
            let arguments = if call.arguments.trim_ascii().is_empty() { "{}" } else { &*call.arguments };
            w.key("arguments").string(arguments);
            Ok(())
        })
    })
}

fn call<'r, 'a>(part: &'r Part<'a>) -> Option<&'r ToolCall<'a>> {
    if let Part::ToolCall(call) = part { Some(call) } else { None }
}

/// What a message says, calls and results apart. Thinking goes only to models that think themselves.
fn said<'r, 'a>(message: &'r Message<'a>, thinks: bool) -> Vec<&'r Part<'a>> {
    let says = |part: &&Part<'_>| match part {
        Part::Text { text, .. } | Part::Refusal(text) => !text.is_empty(),
        Part::Reasoning { text, .. } => thinks && !text.is_empty(),
        Part::Media(_) => true,
        Part::ToolCall(_) | Part::ToolResult { .. } | Part::RedactedReasoning(_) | Part::Unknown { .. } => false,
    };
    message.parts.iter().filter(says).collect()
}
