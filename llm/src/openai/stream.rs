use std::convert::Infallible;

use super::{annotations, finish, usage};
use crate::Dialect;
use crate::json::{Writer, write_string};
use crate::neutral::{Citation, Event, Extra, Finish, Usage};

/// Writes the chunks of a chat completion stream.
#[derive(Debug, Clone)]
pub(crate) struct StreamEmitter {
    include_usage: bool,
    now: u64,
    /// All of a chunk up to its `choices`: the same id, model and time in every one.
    head: Vec<u8>,
    usage: Usage,
    /// What the answer cost, in picodollars, where that is told.
    cost: Option<u64>,
    /// Thinking blocks so far; SDKs gather list items by their index.
    block: u64,
    /// Characters of text so far.
    length: u64,
    /// The start of a call that is not written yet.
    held: Option<Held>,
}

/// The start of a tool call. It waits for arguments in the same event of the provider: clients that know only whole
/// calls (mistralai on PyPI demands a name in each piece) can read those of providers that give them whole.
#[derive(Debug, Clone)]
struct Held {
    index: u32,
    id: String,
    name: String,
}

impl StreamEmitter {
    pub(crate) fn new(include_usage: bool, now: u64) -> Self {
        let (head, usage) = (Vec::new(), Usage::default());
        let mut emitter = Self { include_usage, now, head, usage, cost: None, block: 0, length: 0, held: None };
        // A provider that forgets its start still gets chunks that parse.
        emitter.start("", "");
        emitter
    }

    /// One that goes on in an answer that has begun, after `text`. `created`: seconds since 1970.
    pub(super) fn within(include_usage: bool, created: u64, (id, model): (&str, &str), text: &str) -> Self {
        let mut emitter = Self::new(include_usage, created);
        emitter.start(id, model);
        emitter.length = annotations::length(&text.into());
        emitter
    }

    /// Appends the chunks that an event makes. The start of a call may wait for the next event, or for `flush`.
    pub(crate) fn push(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if !matches!(event, Event::ToolArguments { .. } | Event::ToolExtra { .. }) {
            self.flush(out);
        }
        match event {
            Event::Start { id, model } => {
                self.start(id, model);
                self.raw_delta(out, br#""role":"assistant","content":"""#);
            }
            Event::NextText | Event::StopSequence(_) => {}
            Event::Citation(citation) => self.cite(citation, out),
            Event::Text(text) => {
                self.length += annotations::length(text);
                self.text(out, br#""content":"#, text, b"");
            }
            Event::Refusal(text) => self.text(out, br#""refusal":"#, text, b""),
            Event::Reasoning(text) => self.delta(out, |w| {
                w.key("reasoning_content").string(text);
                thinking_block(w, self.block, "thinking", "thinking", text)
            }),
            Event::Signature(signature) => {
                self.delta(out, |w| thinking_block(w, self.block, "thinking", "signature", signature));
                self.block += 1;
            }
            Event::RedactedReasoning(data) => {
                self.delta(out, |w| thinking_block(w, self.block, "redacted_thinking", "data", data));
                self.block += 1;
            }
            Event::ToolStart { index, id, name } => {
                self.held = Some(Held { index: *index, id: id.as_ref().into(), name: name.as_ref().into() });
            }
            Event::ToolExtra { index, origin: Dialect::OpenAI, extra } => {
                self.flush(out);
                self.delta(out, |w| tool_extra(w, *index, extra));
            }
            Event::ToolExtra { .. } => {}
            Event::ToolArguments { index, json } => self.arguments(*index, json, out),
            Event::Finish(reason) => self.finish(*reason, out),
            Event::Usage(usage) => self.usage.update(usage),
            Event::End => self.end(out),
            Event::Error(_) => {}
        }
    }

    /// What the answer has cost; told with its usage.
    pub(crate) fn costs(&mut self, picodollars: Option<u64>) {
        self.cost = picodollars;
    }

    /// Appends the start of a call that nothing came to join.
    pub(crate) fn flush(&mut self, out: &mut Vec<u8>) {
        if let Some(held) = self.held.take() {
            self.delta(out, |w| tool_start(w, &held, ""));
        }
    }

    fn arguments(&mut self, index: u32, json: &str, out: &mut Vec<u8>) {
        if let Some(held) = self.held.take_if(|held| held.index == index) {
            return self.delta(out, |w| tool_start(w, &held, json));
        }
        self.flush(out);
        let mut start = Vec::with_capacity(64);
        start.extend_from_slice(br#""tool_calls":[{"index":"#);
        start.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
        start.extend_from_slice(br#","function":{"arguments":"#);
        self.text(out, &start, json, b"}}]");
    }

    fn finish(&self, reason: Finish, out: &mut Vec<u8>) {
        self.open(out);
        out.extend_from_slice(br#"},"finish_reason":""#);
        out.extend_from_slice(finish::word(reason).as_bytes());
        out.push(b'"');
        self.close(out);
    }

    /// A page that the text so far rests on; other places OpenAI's dialect cannot say.
    fn cite(&self, citation: &Citation<'_>, out: &mut Vec<u8>) {
        if annotations::is_known(citation) {
            let span = citation.span.unwrap_or((0, self.length));
            self.delta(out, |w| w.key("annotations").array(|w| annotations::annotation(w, citation, span)));
        }
    }

    /// The usage, if the client asked for it, and the end marker.
    fn end(&mut self, out: &mut Vec<u8>) {
        if self.include_usage {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(&self.head);
            out.extend_from_slice(br#","choices":[],"usage":"#);
            let Ok(()) = usage::write(&mut Writer::new(out), &self.usage, self.cost);
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(DONE);
    }

    fn start(&mut self, id: &str, model: &str) {
        let mut head = Vec::with_capacity(128);
        head.extend_from_slice(br#"{"id":"#);
        write_string(&mut head, id);
        head.extend_from_slice(br#","object":"chat.completion.chunk","created":"#);
        head.extend_from_slice(itoa::Buffer::new().format(self.now).as_bytes());
        head.extend_from_slice(br#","model":"#);
        write_string(&mut head, model);
        self.head = head;
    }

    /// A delta of one string: the path of nearly every event.
    fn text(&self, out: &mut Vec<u8>, before: &[u8], text: &str, after: &[u8]) {
        self.open(out);
        out.extend_from_slice(before);
        write_string(out, text);
        out.extend_from_slice(after);
        out.extend_from_slice(br#"},"finish_reason":null"#);
        self.close(out);
    }

    fn raw_delta(&self, out: &mut Vec<u8>, members: &[u8]) {
        self.open(out);
        out.extend_from_slice(members);
        out.extend_from_slice(br#"},"finish_reason":null"#);
        self.close(out);
    }

    fn delta(&self, out: &mut Vec<u8>, members: impl FnOnce(&mut Writer<'_>) -> Result<(), Infallible>) {
        self.open(out);
        let Ok(()) = members(&mut Writer::new(out));
        out.extend_from_slice(br#"},"finish_reason":null"#);
        self.close(out);
    }

    fn open(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.head);
        out.extend_from_slice(br#","choices":[{"index":0,"delta":{"#);
    }

    fn close(&self, out: &mut Vec<u8>) {
        // OpenAI does the same: where usage was asked for, each chunk but the last says null.
        out.extend_from_slice(if self.include_usage { b"}],\"usage\":null}\n\n".as_slice() } else { b"}]}\n\n" });
    }
}

/// The end marker of chat and completions streams.
pub(crate) const DONE: &[u8] = b"data: [DONE]\n\n";

fn tool_start(w: &mut Writer<'_>, held: &Held, arguments: &str) -> Result<(), Infallible> {
    w.key("tool_calls").array(|w| {
        w.object(|w| {
            w.key("index").unsigned(held.index.into());
            w.key("id").string(&held.id);
            w.key("type").string("function");
            w.key("function").object(|w| {
                w.key("name").string(&held.name);
                w.key("arguments").string(arguments);
                Ok(())
            })
        })
    })
}

fn tool_extra(w: &mut Writer<'_>, index: u32, extra: &Extra<'_>) -> Result<(), Infallible> {
    w.key("tool_calls").array(|w| {
        w.object(|w| {
            w.key("index").unsigned(index.into());
            w.any_key(&extra.name).raw(extra.value.0);
            Ok(())
        })
    })
}

/// Thinking in a form that can be sent back, since OpenAI's dialect has no place for a signature.
fn thinking_block(w: &mut Writer<'_>, index: u64, kind: &str, key: &'static str, text: &str) -> Result<(), Infallible> {
    w.key("thinking_blocks").array(|w| {
        w.object(|w| {
            w.key("index").unsigned(index);
            w.key("type").string(kind);
            w.key(key).string(text);
            Ok(())
        })
    })
}
