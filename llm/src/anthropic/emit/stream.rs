use std::convert::Infallible;

use super::held::{Held, Piece};
use super::{call_id, made_id};
use crate::anthropic::place::{Block, Place};
use crate::anthropic::{STOP, citations, error_event, finish, usage};
use crate::json::{Writer, write_string};
use crate::neutral::{Citation, Event, Finish, Usage};
use crate::reject::Rejection;
use crate::translate::arguments::Progress;

/// Writes the events of a message stream.
///
/// Anthropic's clients take one block after the other. Other providers' tool calls may come interleaved; what does not
/// belong to a call that is still open waits until its arguments are whole, or the answer is finished.
#[derive(Debug, Default, Clone)]
pub(crate) struct StreamEmitter {
    id: String,
    model: String,
    usage: Usage,
    /// The client knows that the message has begun.
    begun: bool,
    /// Nothing may follow.
    over: bool,
    open: Open,
    /// The number of the block that is open, or of the next one.
    index: u64,
    held: Held,
    finish: Option<Finish>,
    sequence: Option<String>,
    calls: bool,
    refused: bool,
}

/// The block that is open.
#[derive(Debug, Default, Clone, Copy)]
enum Open {
    #[default]
    None,
    Text,
    Thinking,
    Tool {
        call: u32,
        progress: Progress,
    },
}

impl StreamEmitter {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One that goes on in a message that has begun.
    pub(in crate::anthropic) fn within(place: Place) -> Self {
        let open = match place.open {
            Some(Block::Text) => Open::Text,
            Some(Block::Thinking) => Open::Thinking,
            None => Open::None,
        };
        Self { begun: true, index: place.index, open, ..Self::default() }
    }

    /// Appends the events that an event makes. The message begins with its first content, so that usage which is known
    /// by then stands in its start; usage that comes after the finish reason is waited for.
    pub(crate) fn push(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model } => (self.id, self.model) = (id.to_string(), model.to_string()),
            Event::Text(text) | Event::Refusal(text) => {
                self.refused |= matches!(event, Event::Refusal(_)) && !text.is_empty();
                self.say(Piece::Text(text), out);
            }
            Event::Reasoning(text) => self.say(Piece::Thinking(text), out),
            Event::Signature(signature) => self.say(Piece::Signature(signature), out),
            Event::RedactedReasoning(data) => self.say(Piece::Redacted(data), out),
            Event::ToolStart { index, id, name } => {
                self.calls = true;
                self.say(Piece::Call { call: *index, id, name }, out);
            }
            Event::ToolArguments { index, json } => self.arguments(*index, json, out),
            Event::Finish(finish) => {
                self.finish = Some(*finish);
                self.release(true, out);
            }
            Event::Usage(usage) => self.usage.update(usage),
            Event::End => self.end(out),
            Event::NextText if matches!(self.open, Open::Text) && self.held.is_empty() => self.stop(out),
            Event::Citation(citation) => self.cite(citation, out),
            Event::StopSequence(sequence) => self.sequence = Some(sequence.to_string()),
            Event::NextText | Event::ToolExtra { .. } | Event::Error(_) => {}
        }
    }

    /// Writes a piece, unless it has to wait for the call that is open.
    fn say(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        if piece.is_empty() {
            return;
        }
        if self.is_busy() || !self.held.is_empty() {
            if !self.held.push(piece) {
                return self.give_up(out);
            }
            return self.release(false, out);
        }
        self.write(piece, out);
    }

    /// A citation belongs to the text that is open; one that comes after it has no place left.
    fn cite(&self, citation: &Citation<'_>, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Text) || !citations::is_known(citation) {
            return;
        }
        event(out, "content_block_delta", |w| {
            w.key("index").unsigned(self.index);
            w.key("delta").object(|w| {
                w.key("type").string("citations_delta");
                w.key("citation");
                citations::write(w, citation)
            })
        });
    }

    fn arguments(&mut self, index: u32, json: &str, out: &mut Vec<u8>) {
        if json.is_empty() {
            return;
        }
        match &mut self.open {
            Open::Tool { call, progress } if *call == index => {
                progress.push(json);
                self.delta(out, br#"input_json_delta","partial_json":"#, json);
                self.release(false, out);
            }
            _ => match self.held.extend(index, json) {
                true => {}
                false => self.give_up(out),
            },
        }
    }

    /// A call is open whose arguments are not whole.
    fn is_busy(&self) -> bool {
        matches!(self.open, Open::Tool { progress, .. } if !progress.is_whole())
    }

    /// Writes what has waited, as far as it may go; all of it once the answer is finished.
    fn release(&mut self, finished: bool, out: &mut Vec<u8>) {
        while (finished || !self.is_busy())
            && let Some((kind, json)) = self.held.pop()
        {
            self.write(kind.as_piece(), out);
            if let (Open::Tool { progress, .. }, false) = (&mut self.open, json.is_empty()) {
                progress.push(&json);
                self.delta(out, br#"input_json_delta","partial_json":"#, &json);
            }
        }
    }

    fn write(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Text(text) => {
                if !matches!(self.open, Open::Text) {
                    self.start(out, Open::Text, |w| strings(w, &[("type", "text"), ("text", "")]));
                }
                self.delta(out, br#"text_delta","text":"#, text);
            }
            Piece::Thinking(text) => {
                self.think(out);
                self.delta(out, br#"thinking_delta","thinking":"#, text);
            }
            Piece::Signature(signature) => {
                self.think(out);
                self.delta(out, br#"signature_delta","signature":"#, signature);
                // It signs the block as it stands: more thinking is another one.
                self.stop(out);
            }
            Piece::Redacted(data) => {
                let members = [("type", "redacted_thinking"), ("data", data)];
                self.start(out, Open::Thinking, |w| strings(w, &members));
                self.stop(out);
            }
            Piece::Call { call, id, name } => {
                let open = Open::Tool { call, progress: Progress::default() };
                self.start(out, open, |w| {
                    strings(w, &[("type", "tool_use"), ("id", &call_id(id, call as usize)), ("name", name)])?;
                    w.key("input").raw("{}");
                    Ok(())
                });
            }
        }
    }

    fn think(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Thinking) {
            let members = [("type", "thinking"), ("thinking", ""), ("signature", "")];
            self.start(out, Open::Thinking, |w| strings(w, &members));
        }
    }

    fn start(&mut self, out: &mut Vec<u8>, open: Open, block: impl FnOnce(&mut Writer<'_>) -> Result<(), Infallible>) {
        self.begin(out);
        self.stop(out);
        self.open = open;
        event(out, "content_block_start", |w| {
            w.key("index").unsigned(self.index);
            w.key("content_block").object(block)
        });
    }

    /// A delta of one string: the path of nearly every event.
    fn delta(&self, out: &mut Vec<u8>, of_type: &[u8], text: &str) {
        out.extend_from_slice(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
        out.extend_from_slice(itoa::Buffer::new().format(self.index).as_bytes());
        out.extend_from_slice(br#","delta":{"type":""#);
        out.extend_from_slice(of_type);
        write_string(out, text);
        out.extend_from_slice(b"}}\n\n");
    }

    fn stop(&mut self, out: &mut Vec<u8>) {
        if matches!(std::mem::take(&mut self.open), Open::None) {
            return;
        }
        event(out, "content_block_stop", |w| {
            w.key("index").unsigned(self.index);
            Ok(())
        });
        self.index += 1;
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        if self.id.is_empty() {
            self.id = made_id([&*self.model].into_iter());
        }
        event(out, "message_start", |w| {
            w.key("message").object(|w| {
                strings(w, &[("id", &self.id), ("type", "message"), ("role", "assistant"), ("model", &self.model)])?;
                w.key("content").raw("[]");
                w.key("stop_reason").raw("null");
                w.key("stop_sequence").raw("null");
                w.key("usage");
                usage::write(w, &self.usage)
            })
        });
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.release(true, out);
        self.begin(out);
        self.stop(out);
        let reason =
            finish::word(self.finish.unwrap_or(Finish::Unknown), self.sequence.is_some(), self.calls, self.refused);
        event(out, "message_delta", |w| {
            w.key("delta").object(|w| {
                w.key("stop_reason").string(reason);
                match &self.sequence {
                    Some(sequence) => w.key("stop_sequence").string(sequence),
                    None => w.key("stop_sequence").raw("null"),
                }
                Ok::<(), Infallible>(())
            })?;
            w.key("usage");
            usage::write(w, &self.usage)
        });
        out.extend_from_slice(STOP);
        self.over = true;
    }

    /// More waits than may be held: the answer cannot be told in order, and a part of it must not look like all.
    fn give_up(&mut self, out: &mut Vec<u8>) {
        let message = "the provider's tool calls came too far out of order";
        out.extend_from_slice(&error_event(&Rejection {
            status: 502,
            message,
            of_type: None,
            code: None,
            param: None,
            details: None,
        }));
        self.over = true;
    }
}

fn event(out: &mut Vec<u8>, name: &'static str, members: impl FnOnce(&mut Writer<'_>) -> Result<(), Infallible>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let Ok(()) = Writer::new(out).object(|w| {
        w.key("type").string(name);
        members(w)
    });
    out.extend_from_slice(b"\n\n");
}

fn strings(w: &mut Writer<'_>, members: &[(&'static str, &str)]) -> Result<(), Infallible> {
    members.iter().for_each(|(key, value)| w.key(key).string(value));
    Ok(())
}
