mod open;
mod teller;

use super::Echo;
use super::envelope::{Envelope, Status};
use super::item::{Ids, Said};
use crate::neutral::{Citation, Event, Finish, Usage};
use crate::openai::length;
use crate::reject::Rejection;
use crate::responses::error_event;
use crate::responses::place::Place as Begun;
use crate::responses::seal::Sealed;
use open::{Call, Message, Spoken, Thought};
use teller::{Place, Teller};

/// At most so much of an answer is kept, in bytes: its last event says all of it again.
const MAX_KEPT: usize = 32 << 20;

/// Writes the events of a response's stream.
///
/// A message or a thought is open until something else begins; calls, whose arguments may come interleaved, until they
/// are whole and something else begins, or the answer is finished.
#[derive(Debug, Clone)]
pub(crate) struct StreamEmitter {
    envelope: Envelope,
    ids: Ids,
    teller: Teller,
    /// The client knows that the response has begun.
    begun: bool,
    /// Nothing may follow.
    over: bool,
    usage: Usage,
    status: Status,
    /// The index of the next item.
    next: u64,
    spoken: Option<Spoken>,
    calls: Vec<Call>,
    /// The items that are done, each by its index.
    done: Vec<(u64, Vec<u8>)>,
    kept: usize,
    /// Characters of text so far.
    length: u64,
}

impl StreamEmitter {
    /// `now`: seconds since 1970.
    pub(crate) fn new(now: u64, echo: Echo) -> Self {
        Self {
            envelope: Envelope::new("", "", now, echo),
            ids: Ids::default(),
            teller: Teller::default(),
            begun: false,
            over: false,
            usage: Usage::default(),
            status: Status::InProgress,
            next: 0,
            spoken: None,
            calls: Vec::new(),
            done: Vec::new(),
            kept: 0,
            length: 0,
        }
    }

    /// One that goes on in a response that has begun. `now`: for one that did not say when it was made.
    pub(in crate::responses) fn within(begun: &Begun, now: u64) -> Self {
        let envelope = Envelope::new(&begun.id, &begun.model, begun.created.unwrap_or(now), begun.echo.clone());
        let kept = begun.done.iter().map(|(_, item)| item.len()).sum::<usize>();
        let texts = || begun.message.iter().flat_map(|message| &message.parts);
        Self {
            ids: Ids::of(&envelope.id),
            teller: Teller { sequence: begun.sequence },
            begun: true,
            next: begun.next,
            spoken: begun.message.as_ref().map(|message| Spoken::Message(Message::within(message))),
            done: begun.done.clone(),
            kept: kept + texts().map(String::len).sum::<usize>(),
            length: texts().map(|text| length(&text.into())).sum(),
            envelope,
            ..Self::new(now, Echo::default())
        }
    }

    /// The number of the next event.
    pub(crate) fn sequence(&self) -> u64 {
        self.teller.sequence
    }

    /// Appends the events that an event makes. The last one comes with the provider's end, since usage may follow the
    /// finish reason.
    pub(crate) fn push(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model } => {
                self.envelope.name(id, model);
                self.begin(out);
            }
            Event::Text(text) => {
                self.say(&Said::Text(text, "".into()), text.len(), out);
                self.length += length(text);
            }
            Event::Refusal(text) => self.say(&Said::Refusal(text), text.len(), out),
            Event::NextText => {
                if let Some(Spoken::Message(message)) = &mut self.spoken {
                    message.part();
                }
            }
            Event::Citation(citation) => self.cite(citation, out),
            Event::Reasoning(text) => self.think(text, out),
            Event::Signature(signature) => self.seal(Sealed::Signature(signature), out),
            Event::RedactedReasoning(data) => {
                self.hush("completed", out);
                self.seal(Sealed::Redacted(data), out);
            }
            Event::ToolStart { index, id, name } => self.call(*index, id, name, out),
            Event::ToolArguments { index, json } => self.argue(*index, json, out),
            Event::Finish(finish) => self.finish(*finish, out),
            Event::Usage(usage) => self.usage.update(usage),
            Event::End => self.end(out),
            Event::StopSequence(_) | Event::ToolExtra { .. } | Event::Error(_) => {}
        }
        if self.kept > MAX_KEPT {
            self.give_up(out);
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        self.ids = Ids::of(&self.envelope.id);
        self.tell("response.created", Status::InProgress, out);
        self.tell(Status::InProgress.event(), Status::InProgress, out);
    }

    /// An event that holds the response as it is.
    fn tell(&mut self, name: &'static str, status: Status, out: &mut Vec<u8>) {
        let Self { envelope, teller, usage, done, .. } = self;
        let usage = if status == Status::InProgress { &Usage::default() } else { &*usage };
        teller.event(out, name, |w| {
            w.key("response");
            envelope.write(w, status, usage, |w| {
                done.iter().for_each(|(_, item)| w.raw(&String::from_utf8_lossy(item)));
                Ok(())
            })
        });
    }

    /// What comes when no text is open any more belongs to none that can still be told.
    fn cite(&mut self, citation: &Citation<'_>, out: &mut Vec<u8>) {
        if let Some(Spoken::Message(message)) = &mut self.spoken {
            self.kept += message.cite(citation, self.length, &mut self.teller, out);
        }
    }

    fn say(&mut self, more: &Said<'_>, bytes: usize, out: &mut Vec<u8>) {
        if bytes == 0 {
            return;
        }
        self.kept += bytes;
        if !matches!(self.spoken, Some(Spoken::Message(_))) {
            let place = self.place(Ids::message, out);
            self.spoken = Some(Spoken::Message(Message::open(place, &mut self.teller, out)));
        }
        if let Some(Spoken::Message(message)) = &mut self.spoken {
            message.say(more, self.length, &mut self.teller, out);
        }
    }

    fn think(&mut self, more: &str, out: &mut Vec<u8>) {
        if more.is_empty() {
            return;
        }
        self.kept += more.len();
        self.open_thought(out);
        if let Some(Spoken::Thought(thought)) = &mut self.spoken {
            thought.think(more, &mut self.teller, out);
        }
    }

    /// It seals the thought as it stands: more thinking is another one.
    fn seal(&mut self, sealed: Sealed<'_>, out: &mut Vec<u8>) {
        self.open_thought(out);
        if let Some(Spoken::Thought(thought)) = &mut self.spoken {
            let sealed = sealed.close();
            self.kept += sealed.len();
            thought.seal(sealed);
        }
        self.hush("completed", out);
    }

    fn open_thought(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.spoken, Some(Spoken::Thought(_))) {
            let place = self.place(Ids::reasoning, out);
            self.spoken = Some(Spoken::Thought(Thought::open(place, &mut self.teller, out)));
        }
    }

    fn call(&mut self, number: u32, call_id: &str, name: &str, out: &mut Vec<u8>) {
        self.kept += call_id.len() + name.len() + size_of::<Call>();
        let place = self.place(Ids::call, out);
        // A call must have an id, or its result could not name it.
        let call_id = if call_id.is_empty() { format!("call_{number}") } else { call_id.to_owned() };
        self.calls.push(Call::open(place, number, call_id, name, &mut self.teller, out));
    }

    /// A call that is closed was whole already, so nothing can belong to it.
    fn argue(&mut self, number: u32, more: &str, out: &mut Vec<u8>) {
        if let Some(call) = self.calls.iter_mut().find(|call| call.number == number && !more.is_empty()) {
            self.kept += more.len();
            call.argue(more, &mut self.teller, out);
        }
    }

    /// The place of the next item. What it cannot belong to is closed.
    fn place(&mut self, id: fn(&Ids, u64) -> String, out: &mut Vec<u8>) -> Place {
        self.begin(out);
        self.hush("completed", out);
        let (whole, open) = std::mem::take(&mut self.calls).into_iter().partition(Call::is_whole);
        self.calls = open;
        self.hang_up(whole, "completed", out);
        let index = self.next;
        self.next += 1;
        Place { index, id: id(&self.ids, index) }
    }

    fn hush(&mut self, status: &str, out: &mut Vec<u8>) {
        if let Some(spoken) = self.spoken.take() {
            self.done.push(spoken.close(status, &mut self.teller, out));
        }
    }

    fn hang_up(&mut self, calls: Vec<Call>, status: &str, out: &mut Vec<u8>) {
        for call in calls {
            let status = if call.is_whole() { "completed" } else { status };
            self.done.push(call.close(status, &mut self.teller, out));
        }
    }

    fn finish(&mut self, finish: Finish, out: &mut Vec<u8>) {
        self.begin(out);
        self.status = Status::of(finish);
        let last = self.status.of_last_item();
        self.hush(last, out);
        let calls = std::mem::take(&mut self.calls);
        self.hang_up(calls, last, out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.status == Status::InProgress {
            self.finish(Finish::Unknown, out);
        }
        self.done.sort_by_key(|(index, _)| *index);
        self.tell(self.status.event(), self.status, out);
        self.over = true;
    }

    /// The last event could not say it all, and a part of it must not look like all.
    fn give_up(&mut self, out: &mut Vec<u8>) {
        let message = "the answer is too long to be told again at its end";
        let rejection = Rejection { status: 502, message, of_type: None, code: None, param: None, details: None };
        out.extend_from_slice(&error_event(&rejection, self.sequence()));
        self.over = true;
    }
}
