//! A stream that broke after the client had seen some of it, finished by another target.
//!
//! A [`Relay`] made by [`Relay::remembering`] notes what the client is sent. When its stream breaks, [`Relay::resume`] says
//! whether another target can go on; if so, [`Resume::request`] is what to ask it, and [`Resume::relay`] reads its answer
//! as the rest of the first: same id, model, index and block, one finish reason, one usage, one end marker.

mod memory;
mod place;
mod seam;

use crate::call::{Call, Operation};
use crate::facts::Facts;
use crate::neutral::{Event, Finish, Message, Output, Part, Request, Role};
use crate::relay::{Client, Emitter, Relay};
use crate::translate::{self, Emitted, Names, Target};
use crate::{Dialect, Error};

pub(crate) use memory::{Memory, Watch};
pub(crate) use place::Place;
pub(crate) use seam::{Passed, Seam};

/// Said for the person to a model that does not continue an answer by itself.
const GO_ON: &str = "Your answer was cut off there. Go on from exactly where it stopped, with the very next character: \
    repeat nothing of it, and say nothing about the interruption.";

/// Why a broken stream cannot be continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotResumable {
    /// Nobody asked to remember it.
    #[error("the stream was not remembered")]
    Forgotten,
    /// It is no answer to a conversation, or its request cannot be read again.
    #[error("the request is no chat that can be asked again")]
    NoChat,
    /// Several answers run side by side.
    #[error("several answers were asked for")]
    Choices,
    /// The answer has a form that must not be broken.
    #[error("the answer was to be JSON")]
    Schema,
    /// A tool call had begun.
    #[error("a tool call had begun")]
    Tools,
    /// The client has thinking that only its provider can go on from.
    #[error("thinking was signed")]
    Signed,
    /// The model declined.
    #[error("the model refused")]
    Refused,
    /// The client has the finish reason.
    #[error("the answer had finished")]
    Finished,
    /// The client has something that is neither text nor thinking.
    #[error("something other than text was sent")]
    Other,
    /// More text was sent than is kept: 256 KiB.
    #[error("too much was sent")]
    TooLong,
    /// Two targets went on already.
    #[error("it was continued twice")]
    TooOften,
}

/// How a target is asked to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// What was sent is the beginning of its own answer.
    Prefill,
    /// What was sent is an earlier turn, and the user's says to go on from exactly there.
    Instruction,
}

/// A broken stream that another target can finish.
#[derive(Debug, Clone)]
pub struct Resume {
    client: Client,
    emitter: Emitter,
    memory: Memory,
    /// The sequences that end the answer.
    stop: Vec<String>,
    /// The most tokens of the whole answer.
    max_tokens: Option<u64>,
}

impl Manner {
    /// How to ask a model first. Some take an answer's beginning, but not in every request: a 400 is asked again the
    /// [`Self::other`] way.
    pub fn first(facts: &Facts) -> Self {
        if facts.prefill { Self::Prefill } else { Self::Instruction }
    }

    /// How else to ask a target that refused this with a 400; a refused instruction is no matter of manner.
    pub fn other(self) -> Option<Self> {
        match self {
            Self::Prefill => Some(Self::Instruction),
            Self::Instruction => None,
        }
    }
}

impl Resume {
    /// For what a client asked for and was sent.
    pub(crate) fn new(
        client: Client,
        emitter: Emitter,
        memory: Memory,
        (call, body): (&Call, &[u8]),
    ) -> Result<Self, NotResumable> {
        memory.check()?;
        if call.operation != Operation::Chat {
            return Err(NotResumable::NoChat);
        }
        let read = |request: &Request<'_>| {
            if client.choices > 1 || request.n.is_some_and(|n| n > 1) {
                return Err(NotResumable::Choices);
            }
            match request.output {
                Some(Output::JsonObject | Output::JsonSchema { .. }) => return Err(NotResumable::Schema),
                Some(Output::Text) | None => {}
            }
            Ok((request.stop.iter().map(ToString::to_string).collect(), request.max_tokens))
        };
        let (stop, max_tokens) = translate::read(call, body, read).map_err(|_| NotResumable::NoChat)??;
        Ok(Self { client, emitter, memory, stop, max_tokens })
    }

    /// The client has as many tokens as it asked for, by an estimate: there is nothing to go on with, only to
    /// [`Self::end`].
    pub fn is_full(&self) -> bool {
        self.left() == Some(0)
    }

    /// Appends the end of an answer that has all the tokens it may have.
    pub fn end(mut self, out: &mut Vec<u8>) {
        let usage = self.memory.sent();
        for event in [Event::Finish(Finish::Length), Event::Usage(usage), Event::End] {
            self.emitter.push(&event, out);
        }
    }

    /// The request for a target that is to go on: the client's own, with what was sent, and less tokens.
    ///
    /// # Errors
    /// As [`Call::request`].
    pub fn request(&self, call: &Call, body: &[u8], target: &Target<'_>, manner: Manner) -> Result<Emitted, Error> {
        translate::chat_as(call, body, target, &mut |request| {
            request.max_tokens = self.left().map(|left| left.max(1)).or(request.max_tokens);
            let shown = seam::shown(&self.memory.text);
            if shown.is_empty() {
                return;
            }
            said(request, shown);
            match manner {
                Manner::Prefill => {}
                Manner::Instruction => request.messages.push(message(Role::User, GO_ON)),
            }
        })
    }

    /// The state of the stream with which `upstream`, a model of these facts, goes on; `names` is what translating the
    /// request gave. The client gets what it writes, and nothing of the provider's own.
    pub fn relay(&self, upstream: Dialect, facts: Facts, names: Names) -> Relay {
        let seam = Seam::new(&self.memory.text, &self.stop);
        let memory = self.memory.of_next(facts);
        Relay::continued((upstream, names), &self.client, (self.emitter.clone(), seam), memory)
    }

    fn left(&self) -> Option<u64> {
        let sent = self.memory.tokens(self.memory.text.len());
        self.max_tokens.map(|most| most.saturating_sub(sent))
    }
}

/// Adds what the model said. It belongs to what the client itself made the model begin with.
fn said(request: &mut Request<'_>, shown: &str) {
    if let Some(Message { role: Role::Assistant, parts, .. }) = request.messages.last_mut()
        && let Some(Part::Text { text, .. }) = parts.last_mut()
    {
        text.to_mut().push_str(shown);
        return;
    }
    request.messages.push(message(Role::Assistant, shown));
}

fn message<'a>(role: Role, text: &str) -> Message<'a> {
    Message { role, parts: vec![Part::text(text.to_owned().into())], plain: true, extra: Vec::new() }
}

#[cfg(test)]
mod tests;
