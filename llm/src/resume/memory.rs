//! What the client was sent of a stream, as far as going on needs it.

use super::NotResumable;
use super::place::Place;
use crate::estimate;
use crate::facts::Facts;
use crate::neutral::{Event, Usage};
use crate::relay::{Client, Emitter, Parser, Step};
use crate::seen::Seen;

/// So much text is kept, in bytes; more is not resumable.
const MOST: usize = 256 << 10;
/// So many targets may go on, one after the other.
const CONTINUATIONS: u8 = 2;

/// What is remembered while a stream runs.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    /// All text that the client was sent, of all parts.
    pub(super) text: String,
    pub(super) id: String,
    pub(super) model: String,
    barred: Option<NotResumable>,
    /// Of the model that answers.
    facts: Facts,
    /// Bytes of its text that the client has already.
    repeated: usize,
    /// What the client was told of the parts before, together.
    before: Option<Usage>,
    continuations: u8,
}

/// Reads a stream that passes as it came.
#[derive(Debug)]
pub(crate) struct Watch {
    parser: Parser,
    place: Place,
}

impl Memory {
    pub(crate) fn new(facts: Facts) -> Self {
        let (text, id, model) = Default::default();
        Self { text, id, model, barred: None, facts, repeated: 0, before: None, continuations: 0 }
    }

    /// The same after a part that took so much.
    pub(crate) fn after(&self, took: &Usage) -> Self {
        let before = Some(self.told(took, &Seen::default()));
        Self { before, repeated: 0, ..self.clone() }
    }

    /// The same for a model of these facts, which goes on.
    pub(super) fn of_next(&self, facts: Facts) -> Self {
        Self { facts, continuations: self.continuations + 1, ..self.clone() }
    }

    /// Notes what the client sees.
    pub(crate) fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { id, model } if self.id.is_empty() && self.model.is_empty() => {
                (self.id, self.model) = (id.to_string(), model.to_string());
            }
            Event::Text(text) => self.say(text),
            Event::Refusal(text) if !text.is_empty() => self.bar(NotResumable::Refused),
            Event::Signature(_) | Event::RedactedReasoning(_) => self.bar(NotResumable::Signed),
            Event::ToolStart { .. } | Event::ToolExtra { .. } | Event::ToolArguments { .. } => {
                self.bar(NotResumable::Tools);
            }
            Event::Finish(_) => self.bar(NotResumable::Finished),
            Event::Start { .. }
            | Event::Refusal(_)
            | Event::NextText
            | Event::Citation(_)
            | Event::Reasoning(_)
            | Event::Usage(_)
            | Event::StopSequence(_)
            | Event::Error(_)
            | Event::End => {}
        }
    }

    fn say(&mut self, text: &str) {
        // A letter whose halves came apart reads as this; what the client made of them is not known.
        let halved = text.starts_with('\u{FFFD}') || text.ends_with('\u{FFFD}');
        if self.text.len() + text.len() > MOST || halved {
            self.bar(if halved { NotResumable::Other } else { NotResumable::TooLong });
            return;
        }
        if self.barred.is_none() {
            self.text.push_str(text);
        }
    }

    /// The client has so many bytes of this target's text already.
    pub(crate) fn repeats(&mut self, bytes: usize) {
        self.repeated = bytes;
    }

    fn bar(&mut self, why: NotResumable) {
        if self.barred.is_none() {
            (self.barred, self.text) = (Some(why), String::new());
        }
    }

    /// Why it cannot be continued, if that is so.
    pub(super) fn check(&self) -> Result<(), NotResumable> {
        match self.barred {
            Some(why) => Err(why),
            None if self.continuations == CONTINUATIONS => Err(NotResumable::TooOften),
            None => Ok(()),
        }
    }

    /// What the client is told if nothing follows.
    pub(super) fn sent(&self) -> Usage {
        self.before.unwrap_or_default()
    }

    /// Characters of text.
    pub(crate) fn length(&self) -> u64 {
        self.text.chars().count() as u64
    }

    pub(super) fn tokens(&self, bytes: usize) -> u64 {
        estimate::tokens(bytes as u64, &self.facts)
    }

    /// What the client is told: the first prompt, and all that it saw. Of this part `reported` is known, and `seen`; what is
    /// not reported is estimated.
    pub(crate) fn told(&self, reported: &Usage, seen: &Seen) -> Usage {
        let Some(before) = self.before else { return *reported };
        let thought = reported.reasoning.unwrap_or_else(|| estimate::tokens(seen.thought, &self.facts));
        let wrote = || estimate::tokens(seen.said, &self.facts).saturating_add(thought);
        let unseen = thought.saturating_add(self.tokens(self.repeated));
        let saw = reported.output.unwrap_or_else(wrote).saturating_sub(unseen);
        Usage { output: Some(before.output.unwrap_or(0).saturating_add(saw)), ..before }
    }
}

impl Watch {
    /// Who writes what follows.
    pub(crate) fn emitter(&self, client: &Client, memory: &Memory) -> Result<Emitter, NotResumable> {
        memory.check()?;
        if !self.place.is_open() {
            return Err(NotResumable::Other);
        }
        Ok(self.place.emitter(client, memory))
    }

    pub(crate) fn new(parser: Parser, place: Place) -> Self {
        Self { parser, place }
    }

    /// Looks at an event that goes to the client as it came.
    pub(crate) fn event(&mut self, name: Option<&[u8]>, data: &[u8], step: &Step, memory: &mut Memory) {
        if step.malformed || step.error.is_some() {
            return;
        }
        let mut commits = false;
        let read = self.parser.push(name, data, &mut |event| {
            commits |= event.commits();
            memory.note(&event);
        });
        let only_text = read.and_then(|()| self.place.note(data, step.commits && !commits));
        if !only_text.unwrap_or(false) {
            memory.bar(NotResumable::Other);
        }
    }
}
