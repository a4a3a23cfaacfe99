use std::collections::HashSet;

use super::blocks::Blocks;
use super::is_blank;
use crate::json::Writer;
use crate::neutral::{Extra, Media, MediaKind, Part, Request, Role, Text};
use crate::{Dialect, Error};

/// Said for the person where Anthropic demands that the person speaks.
const GO_ON: &str = "Go on.";
const GO_ON_FROM_THERE: &str = "Go on from exactly where you stopped.";

/// The conversation as Anthropic wants it: turns that alternate, the first one the user's.
pub(super) struct Turns<'r, 'a> {
    /// How many messages lead as system prompt.
    pub(super) leading: usize,
    /// Some tool was called before.
    pub(super) has_calls: bool,
    turns: Vec<Turn<'r, 'a>>,
}

struct Turn<'r, 'a> {
    side: Side,
    /// The results of tools, which stand before all others.
    results: Vec<Block<'r, 'a>>,
    others: Vec<Block<'r, 'a>>,
    /// Its first message is a bare string of Anthropic's.
    plain: bool,
    /// Members that only Anthropic knows.
    extra: Vec<&'r Extra<'a>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    User,
    Assistant,
    System,
}

#[derive(Clone, Copy)]
enum Block<'r, 'a> {
    Part(&'r Part<'a>),
    /// A system message at its place in the conversation, where the model takes none.
    Instruction(&'r Text<'a>),
}

impl<'r, 'a> Turns<'r, 'a> {
    pub(super) fn of(request: &'r Request<'a>, inline_system: bool) -> Result<Self, Error> {
        let is_system = |role| matches!(role, Role::System | Role::Developer);
        let leading = request.messages.iter().take_while(|message| is_system(message.role)).count();
        let mut turns = Self { leading, has_calls: false, turns: Vec::with_capacity(request.messages.len()) };
        let own = request.origin == Dialect::Anthropic;
        let mut calls: HashSet<&str> = HashSet::new();
        for (index, message) in request.messages.iter().enumerate().skip(leading) {
            let side = match message.role {
                Role::System | Role::Developer => Side::System,
                Role::User | Role::Tool => Side::User,
                Role::Assistant => Side::Assistant,
            };
            for part in message.parts.iter().filter(|part| has_words(part)) {
                match part {
                    Part::ToolCall(call) => {
                        calls.insert(&call.id);
                    }
                    Part::ToolResult { call, .. } if !calls.contains(&**call) => {
                        let what = format!("no tool call before it has the id {call:?}");
                        return Err(Error::bad_request(format!("messages[{index}].tool_call_id"), what));
                    }
                    Part::Unknown { kind, origin, .. } if *origin != Dialect::Anthropic => {
                        let reason = format!("the target takes no parts of type {kind:?}");
                        return Err(Error::Unsupported {
                            field: format!("messages[{index}]").into(),
                            reason: reason.into(),
                        });
                    }
                    Part::Media(Media { kind: MediaKind::Audio, .. }) => {
                        let field = format!("messages[{index}]").into();
                        return Err(Error::Unsupported { field, reason: "the target takes no sound".into() });
                    }
                    _ => {}
                }
                turns.push(side, Block::Part(part), own && message.plain);
            }
            if own && let Some(turn) = turns.turns.last_mut() {
                turn.extra.extend(&message.extra);
            }
        }
        turns.has_calls = !calls.is_empty();
        turns.place_instructions(inline_system);
        Ok(turns)
    }

    /// A system message between the others stays one where the model takes it: behind a user's turn, before a model's
    /// or at the end (platform.claude.com, build-with-claude/mid-conversation-system-messages). Elsewhere the user's
    /// turn says it.
    fn place_instructions(&mut self, inline_system: bool) {
        let mut all = std::mem::take(&mut self.turns).into_iter().peekable();
        while let Some(turn) = all.next() {
            let stays = inline_system
                && self.turns.last().is_some_and(|before| before.side == Side::User)
                && all.peek().is_none_or(|next| next.side == Side::Assistant);
            let side = if turn.side == Side::System && !stays { Side::User } else { turn.side };
            for block in turn.blocks() {
                let block = match block {
                    Block::Part(Part::Text { text, .. }) if side != turn.side => Block::Instruction(text),
                    block => block,
                };
                self.push(side, block, turn.plain);
            }
            if let Some(merged) = self.turns.last_mut() {
                merged.extra.extend(turn.extra);
            }
        }
    }

    /// Neighbours of one side are one turn; in a user's turn the results of tools come first.
    fn push(&mut self, side: Side, block: Block<'r, 'a>, plain: bool) {
        if self.turns.last().is_none_or(|turn| turn.side != side) {
            self.turns.push(Turn { side, results: Vec::new(), others: Vec::new(), plain, extra: Vec::new() });
        }
        let Some(turn) = self.turns.last_mut() else { return };
        match block {
            Block::Part(Part::ToolResult { .. }) => turn.results.push(block),
            block => turn.others.push(block),
        }
    }

    /// The model is to continue what it is made to have said.
    pub(super) fn ends_with_assistant(&self) -> bool {
        self.turns.last().is_some_and(|turn| turn.side == Side::Assistant)
    }

    /// The results of a call are waiting for an answer, and the call's turn has no thinking that could be sent back.
    pub(super) fn calls_without_thinking(&self) -> bool {
        let of = |turn: &Turn<'_, '_>, wanted: fn(&Part<'_>) -> bool| {
            turn.blocks().any(|block| matches!(block, Block::Part(part) if wanted(part)))
        };
        let asked = self.turns.iter().rev().find(|turn| turn.side != Side::System);
        let answered = asked.is_some_and(|turn| of(turn, |part| matches!(part, Part::ToolResult { .. })));
        let last = self.turns.iter().rev().find(|turn| turn.side == Side::Assistant);
        answered
            && last.is_some_and(|turn| {
                !of(turn, |part| matches!(part, Part::Reasoning { .. } | Part::RedactedReasoning(_)))
            })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>, blocks: &mut Blocks<'_>, prefill: bool) -> Result<(), Error> {
        if self.turns.first().is_none_or(|turn| turn.side == Side::Assistant) {
            user(w, GO_ON)?;
        }
        for (index, turn) in self.turns.iter().enumerate() {
            let last = index + 1 == self.turns.len() && turn.side == Side::Assistant;
            turn.write(w, blocks, last)?;
        }
        if self.ends_with_assistant() && !prefill {
            user(w, GO_ON_FROM_THERE)?;
        }
        Ok(())
    }
}

impl<'r, 'a> Turn<'r, 'a> {
    fn blocks(&self) -> impl Iterator<Item = Block<'r, 'a>> + '_ {
        self.results.iter().chain(&self.others).copied()
    }

    fn write(&self, w: &mut Writer<'_>, blocks: &mut Blocks<'_>, last: bool) -> Result<(), Error> {
        w.object(|w| {
            w.key("role").string(match self.side {
                Side::User => "user",
                Side::Assistant => "assistant",
                Side::System => "system",
            });
            self.content(w, blocks, last)?;
            self.extra.iter().for_each(|extra| w.any_key(&extra.name).raw(extra.value.0));
            Ok(())
        })
    }

    fn content(&self, w: &mut Writer<'_>, blocks: &mut Blocks<'_>, last: bool) -> Result<(), Error> {
        if let (true, [], [Block::Part(Part::Text { text, cache: None, .. })]) =
            (self.plain, &self.results[..], &self.others[..])
        {
            w.key("content").string(if last { text.trim_end() } else { text });
            return Ok(());
        }
        w.key("content").array(|w| {
            let count = self.results.len() + self.others.len();
            for (index, block) in self.blocks().enumerate() {
                match block {
                    // Anthropic refuses white space at the very end of what the model is made to say.
                    Block::Part(Part::Text { text, cache, extra, .. }) if last && index + 1 == count => {
                        blocks.text(w, text.trim_end(), *cache, extra);
                    }
                    Block::Part(part) => blocks.write(w, part)?,
                    Block::Instruction(text) => blocks.text(w, &format!("<system>\n{text}\n</system>"), None, &[]),
                }
            }
            Ok(())
        })
    }
}

/// Empty text is refused by Anthropic, and thinking without a signature too.
fn has_words(part: &Part<'_>) -> bool {
    match part {
        Part::Text { text, .. } | Part::Refusal(text) => !is_blank(text),
        Part::Reasoning { signature, .. } => signature.is_some(),
        _ => true,
    }
}

fn user(w: &mut Writer<'_>, text: &str) -> Result<(), Error> {
    w.object(|w| {
        w.key("role").string("user");
        w.key("content").string(text);
        Ok(())
    })
}
