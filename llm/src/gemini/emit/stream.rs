use std::collections::VecDeque;
use std::convert::Infallible;

use super::{blocked, called, names, said, thought};
use crate::gemini::{carry, error_event, finish, grounding, usage};
use crate::json::{Writer, write_string};
use crate::neutral::{Citation, Event, Finish, Text, Usage};
use crate::reject::Rejection;
use crate::translate::arguments::Progress;

/// At most so many bytes of arguments wait until their call is whole: a provider that sends more has lost the thread.
const MAX_HELD: usize = 4 << 20;

const DATA: &[u8] = b"data: ";
const BEFORE_PART: &[u8] = br#"{"candidates":[{"content":{"parts":["#;
const AFTER_PART: &[u8] = br#"],"role":"model"}"#;

/// Writes the events of a streamGenerateContent stream: each is an answer of its own, with only the new words.
///
/// Gemini has no pieces of arguments, so a call waits until they are whole, and those that began after it wait too.
#[derive(Debug, Default, Clone)]
pub(crate) struct StreamEmitter {
    id: String,
    model: String,
    /// What ends every event but the last.
    tail: Vec<u8>,
    usage: Usage,
    calls: VecDeque<Call>,
    held: usize,
    /// A call was written.
    called: bool,
    /// Something was written.
    told: bool,
    refused: bool,
    finish: Option<Finish>,
    /// What the text rests on, for the last event, and the bytes that it holds.
    cited: Vec<Citation<'static>>,
    cited_bytes: usize,
    /// Some text was not ASCII.
    wide: bool,
    /// Nothing may follow.
    over: bool,
}

/// A call that is not whole, or waits for one that is not.
#[derive(Debug, Clone)]
struct Call {
    index: u32,
    id: String,
    name: String,
    arguments: String,
    progress: Progress,
}

impl StreamEmitter {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One that goes on in an answer that has begun, after `text`.
    pub(crate) fn within(id: &str, model: &str, text: &str) -> Self {
        let (id, model) = (id.to_owned(), model.to_owned());
        let mut emitter = Self { id, model, told: true, wide: !text.is_ascii(), ..Self::default() };
        emitter.close_parts();
        emitter
    }

    /// Appends the events that an event makes. Usage that comes after the finish reason is waited for.
    pub(crate) fn push(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model } => (self.id, self.model) = (id.to_string(), model.to_string()),
            Event::Text(text) => self.text(text, out),
            Event::Refusal(text) => {
                self.refused |= !text.is_empty();
                self.text(text, out);
            }
            Event::Reasoning(text) if text.is_empty() => {}
            Event::Reasoning(text) => self.part(out, |w| thought(w, text, None)),
            Event::Signature(signature) => self.part(out, |w| thought(w, "", Some(&carry::signature(signature)))),
            Event::RedactedReasoning(data) => self.part(out, |w| thought(w, "", Some(&carry::redacted(data)))),
            Event::ToolStart { index, id, name } => self.calls.push_back(Call {
                index: *index,
                id: id.to_string(),
                name: name.to_string(),
                arguments: String::new(),
                progress: Progress::default(),
            }),
            Event::ToolArguments { index, json } => self.arguments(*index, json, out),
            Event::Finish(finish) => {
                self.finish = Some(*finish);
                self.release(true, out);
            }
            Event::Usage(usage) => self.usage.update(usage),
            Event::End => self.end(out),
            Event::Citation(citation) => self.cite(citation),
            Event::NextText | Event::StopSequence(_) | Event::ToolExtra { .. } | Event::Error(_) => {}
        }
    }

    /// The path of nearly every event.
    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.wide |= !text.is_ascii();
        self.begin(out);
        out.extend_from_slice(br#"{"text":"#);
        write_string(out, text);
        out.push(b'}');
        out.extend_from_slice(&self.tail);
    }

    /// Keeps a page for the last event; those beyond the bound are left out.
    fn cite(&mut self, citation: &Citation<'_>) {
        let Citation { url: Some(url), title, span, .. } = citation else { return };
        self.cited_bytes += url.len() + title.as_deref().map_or(0, str::len) + size_of::<Citation<'_>>();
        if self.cited_bytes > MAX_HELD {
            return;
        }
        let owned = |text: &Text<'_>| Text::Owned(text.to_string());
        let (url, title) = (Some(owned(url)), title.as_ref().map(owned));
        self.cited.push(Citation { url, title, span: *span, ..Citation::new(citation.origin) });
    }

    fn part(&mut self, out: &mut Vec<u8>, write: impl FnOnce(&mut Writer<'_>)) {
        self.begin(out);
        write(&mut Writer::new(out));
        out.extend_from_slice(&self.tail);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.told, true) {
            self.close_parts();
        }
        out.extend_from_slice(DATA);
        out.extend_from_slice(BEFORE_PART);
    }

    /// Writes what ends every event but the last.
    fn close_parts(&mut self) {
        self.tail.extend_from_slice(AFTER_PART);
        self.tail.extend_from_slice(br#","index":0}]"#);
        names(&mut Writer::new(&mut self.tail), &self.model, &self.id);
        self.tail.extend_from_slice(b"}\n\n");
    }

    fn arguments(&mut self, index: u32, json: &str, out: &mut Vec<u8>) {
        let Some(call) = self.calls.iter_mut().rev().find(|call| call.index == index) else { return };
        self.held += json.len();
        call.arguments.push_str(json);
        call.progress.push(json);
        if self.held > MAX_HELD {
            return self.give_up(out);
        }
        self.release(false, out);
    }

    /// Writes the calls that are whole, up to the first that is not; all of them once the answer is finished.
    fn release(&mut self, finished: bool, out: &mut Vec<u8>) {
        while let Some(call) = self.calls.pop_front_if(|call| finished || call.progress.is_whole()) {
            self.held = self.held.saturating_sub(call.arguments.len());
            let first = !std::mem::replace(&mut self.called, true);
            self.part(out, |w| called(w, &call.id, &call.name, &call.arguments, first));
        }
    }

    /// The last event. It has a part too, or chats of Google's SDKs take the whole answer for a bad one.
    fn end(&mut self, out: &mut Vec<u8>) {
        self.release(true, out);
        let finish = self.finish.unwrap_or(Finish::Unknown);
        out.extend_from_slice(DATA);
        let Ok(()) = Writer::new(out).object(|w| {
            if finish == Finish::ContentFilter && !self.told {
                blocked(w)?;
            } else {
                w.key("candidates").array(|w| w.object(|w| self.last(w, finish)))?;
            }
            if self.usage.is_reported() {
                w.key("usageMetadata");
                usage::write(w, &self.usage)?;
            }
            names(w, &self.model, &self.id);
            Ok::<(), Infallible>(())
        });
        out.extend_from_slice(b"\n\n");
        self.over = true;
    }

    fn last(&self, w: &mut Writer<'_>, finish: Finish) -> Result<(), Infallible> {
        w.key("content").object(|w| {
            w.key("parts").array(|w| {
                said(w, "");
                Ok::<(), Infallible>(())
            })?;
            w.key("role").string("model");
            Ok::<(), Infallible>(())
        })?;
        w.key("finishReason").string(finish::word(finish, self.refused));
        w.key("index").unsigned(0);
        grounding::write(w, &grounding::of_stream(&self.cited, !self.wide))
    }

    /// A part of a call must not look like all of it.
    fn give_up(&mut self, out: &mut Vec<u8>) {
        let message = "the arguments of the provider's tool calls are too large";
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
