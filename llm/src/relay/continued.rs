//! A stream that goes on where another one broke.

use super::{Emitter, Named, Noted, Parser, Step, failed};
use crate::json::Fault;
use crate::neutral::{Citation, Event, Finish};
use crate::resume::{Memory, Passed, Seam};

/// Reads a target's answer as the rest of one that the client has the beginning of.
#[derive(Debug)]
pub(super) struct Continued {
    parser: Parser,
    told: Told,
}

#[derive(Debug)]
struct Told {
    emitter: Emitter,
    seam: Seam,
    /// Characters of the target's text so far, and of the client's.
    came: u64,
    length: u64,
    /// A sequence that began in an earlier part ended the answer.
    stopped: bool,
}

/// What becomes of the events.
struct Sink<'r> {
    out: &'r mut Vec<u8>,
    memory: &'r mut Memory,
    noted: &'r mut Noted,
    step: &'r mut Step,
}

impl Continued {
    /// `length`: characters of text that the client has.
    pub(super) fn new(parser: Parser, (emitter, seam): (Emitter, Seam), length: u64) -> Self {
        Self { parser, told: Told { emitter, seam, came: 0, length, stopped: false } }
    }

    pub(super) fn push(
        &mut self,
        (name, data): Named<'_>,
        (memory, noted): (&mut Memory, &mut Noted),
        (out, step): (&mut Vec<u8>, &mut Step),
    ) -> Result<(), Fault> {
        let Self { parser, told } = self;
        let mut into = Sink { out, memory, noted, step };
        let read = parser.push(name, data, &mut |event| told.event(event, &mut into));
        told.emitter.flush(into.out);
        read
    }

    /// Writes the end that the provider forgot.
    pub(super) fn end(&mut self, memory: &Memory, noted: &Noted, out: &mut Vec<u8>) {
        self.told.end(memory, noted, out);
    }

    pub(super) fn emitter(&self) -> &Emitter {
        &self.told.emitter
    }
}

impl Told {
    fn event(&mut self, event: Event<'_>, into: &mut Sink<'_>) {
        if self.stopped {
            // Usage may still come with the same event.
            if let Event::Usage(usage) = event {
                into.noted.usage.update(&usage);
            }
            return;
        }
        into.noted.seen.note(&event);
        match event {
            Event::Start { .. } => {}
            Event::Text(text) => {
                self.came += text.chars().count() as u64;
                let passed = self.seam.push(&text);
                into.memory.repeats(self.seam.cut());
                self.pass(passed, into);
            }
            // The client has the thinking of the first target, if any.
            Event::Reasoning(_) | Event::Signature(_) | Event::RedactedReasoning(_) => {}
            Event::Usage(usage) => into.noted.usage.update(&usage),
            Event::Error(error) => into.step.error = Some(*error),
            Event::Finish(Finish::Failed) => into.step.error = Some(failed()),
            Event::End => {
                if into.noted.choices.all_ended() {
                    self.end(into.memory, into.noted, into.out);
                }
                into.step.end = Some(into.noted.choices.end());
            }
            Event::NextText if !self.seam.is_open() => {}
            Event::Citation(citation) => self.cite(*citation, into),
            event => {
                let held = self.seam.settle();
                into.memory.repeats(self.seam.cut());
                self.pass(held, into);
                if !self.stopped {
                    self.tell(&event, into);
                }
            }
        }
    }

    fn pass(&mut self, passed: Passed<'_>, into: &mut Sink<'_>) {
        match passed {
            Passed::Text(text) if text.is_empty() => {}
            Passed::Text(text) => self.tell(&Event::Text(text), into),
            Passed::Stopped(sequence) => {
                self.stopped = true;
                self.tell(&Event::StopSequence(sequence.into()), into);
                self.tell(&Event::Finish(Finish::Stop), into);
                self.end(into.memory, into.noted, into.out);
                into.step.end = Some(into.noted.choices.end());
            }
        }
    }

    /// Tells the client.
    fn tell(&mut self, event: &Event<'_>, into: &mut Sink<'_>) {
        into.step.commits |= event.commits();
        match event {
            Event::Finish(finish) => {
                into.step.finish = Some(*finish);
                into.noted.choices.finish(1, 1, Some(*finish));
            }
            Event::Text(text) => self.length += text.chars().count() as u64,
            _ => {}
        }
        into.memory.note(event);
        self.emitter.push(event, into.out);
    }

    /// What a target says of its own text lies elsewhere in the client's. Of what is still held nothing can be said yet.
    fn cite(&mut self, citation: Citation<'_>, into: &mut Sink<'_>) {
        if !self.seam.is_open() {
            return;
        }
        let moved = |at: u64| (at + self.length).saturating_sub(self.came);
        let span = citation.span.map(|(from, to)| (moved(from), moved(to)));
        self.tell(&Event::Citation(Box::new(Citation { span, ..citation })), into);
    }

    fn end(&mut self, memory: &Memory, noted: &Noted, out: &mut Vec<u8>) {
        self.emitter.costs(noted.cost());
        self.emitter.push(&Event::Usage(memory.told(&noted.usage, &noted.seen)), out);
        self.emitter.push(&Event::End, out);
    }
}
