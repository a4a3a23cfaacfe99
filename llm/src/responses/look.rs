//! A look at the answers of a provider that has the Responses API: the few members that matter, and no tree.

use super::usage;
use crate::classify::{UpstreamError, in_band};
use crate::json::{Fault, Kind, Reader};
use crate::neutral::{Finish, Text, Usage};
use crate::openai::{self, Words, count, is_empty};
use crate::relay::Answer;
use crate::seen::Seen;

/// What one event of a stream means.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) commits: bool,
    pub(crate) finish: Option<Finish>,
    pub(crate) usage: Option<Usage>,
    pub(crate) error: Option<UpstreamError>,
    /// Its number.
    pub(crate) sequence: Option<u64>,
    pub(crate) words: Seen,
}

/// The members of an event, as they stand in it.
#[derive(Default)]
struct Members<'e> {
    of_type: Text<'e>,
    sequence: Option<u64>,
    response: Option<&'e str>,
    /// An item or a part that begins.
    begun: Option<&'e str>,
    delta: Words,
    error: bool,
}

/// What is told of a response.
#[derive(Default)]
struct Response<'e> {
    status: Option<Text<'e>>,
    /// Why it is incomplete.
    reason: Option<Text<'e>>,
    model: Option<Text<'e>>,
    usage: Option<Usage>,
    failed: bool,
    has_output: bool,
    has_calls: bool,
    has_content: bool,
    words: Seen,
}

/// Looks at the data of one event.
///
/// What does not commit: the response's beginning, an item or a part that begins empty, an empty delta, a ping. All else
/// does, events that are not known included.
pub(crate) fn look(data: &[u8]) -> Result<Meaning, Fault> {
    let event = Members::read(data)?;
    let mut seen = Meaning { sequence: event.sequence, ..Meaning::default() };
    match &*event.of_type {
        "response.created" | "response.in_progress" | "response.queued" | "ping" | "keepalive" => {}
        "response.output_item.added" | "response.content_part.added" | "response.reasoning_summary_part.added" => {
            let begun = event.begun.map_or(Ok(Words { any: true, bytes: 0 }), begun)?;
            seen.commits = begun.any;
            seen.words.say(begun.bytes);
        }
        "response.output_text.delta"
        | "response.refusal.delta"
        | "response.function_call_arguments.delta"
        | "response.custom_tool_call_input.delta" => {
            seen.commits = event.delta.any;
            seen.words.say(event.delta.bytes);
        }
        "response.reasoning_text.delta" | "response.reasoning_summary_text.delta" => {
            seen.commits = event.delta.any;
            seen.words.think(event.delta.bytes);
        }
        "response.completed" | "response.incomplete" | "response.failed" => {
            let whole = event.response.unwrap_or("{}");
            let response = Response::read(&mut Reader::of(whole))?;
            (seen.commits, seen.usage) = (true, response.usage);
            match (&*event.of_type, response.failed) {
                ("response.failed", _) | (_, true) => seen.error = Some(in_band(whole.as_bytes())),
                ("response.incomplete", _) => seen.finish = Some(response.why_incomplete()),
                _ => seen.finish = Some(response.why_complete()),
            }
        }
        "error" => seen.error = Some(in_band(data)),
        "" if event.error => seen.error = Some(in_band(data)),
        _ => seen.commits = true,
    }
    Ok(seen)
}

/// Looks at a whole answer: a response that did not fail.
pub(crate) fn observe_answer(body: &[u8]) -> Result<Answer, UpstreamError> {
    let broken = |fault: Fault| UpstreamError::broken_answer(crate::Error::in_answer(body, &fault).to_string());
    let read = || {
        let mut reader = Reader::of_answer(body)?;
        let response = Response::read(&mut reader)?;
        reader.end().map(|()| response)
    };
    let response = read().map_err(broken)?;
    match response.status.as_deref() {
        _ if response.failed => return Err(in_band(body).after(response.usage.unwrap_or_default())),
        Some("failed" | "cancelled") => {
            let error = UpstreamError::broken_answer("the provider's response failed");
            return Err(error.after(response.usage.unwrap_or_default()));
        }
        _ if !response.has_output => return Err(UpstreamError::broken_answer("the provider's answer has no output")),
        Some(_) | None => {}
    }
    Ok(Answer {
        body: None,
        finish: response.finish(),
        usage: response.usage.unwrap_or_default(),
        seen: response.words,
        has_content: response.has_content,
        model: response.model.map(Text::into_owned),
    })
}

/// Why a response that did not fail has ended, if it has, and what it cost.
pub(super) fn outcome(body: &[u8]) -> Result<(Option<Finish>, Usage), Fault> {
    let response = Response::read(&mut Reader::of_answer(body)?)?;
    Ok((response.finish(), response.usage.unwrap_or_default()))
}

impl<'e> Members<'e> {
    fn read(data: &'e [u8]) -> Result<Self, Fault> {
        let mut reader = Reader::of_answer(data)?;
        let mut event = Self::default();
        reader.object(|reader, key| {
            let kind = reader.peek()?;
            match &*key.decode() {
                "type" if kind == Kind::String => event.of_type = reader.string()?,
                "sequence_number" => event.sequence = count(reader)?,
                "response" if kind == Kind::Object => event.response = Some(reader.raw()?),
                "item" | "part" if kind == Kind::Object => event.begun = Some(reader.raw()?),
                "delta" => event.delta = Words::of(reader)?,
                "error" => event.error = !is_empty(reader)?,
                _ => reader.skip()?,
            }
            Ok::<(), Fault>(())
        })?;
        reader.end()?;
        Ok(event)
    }
}

/// Whether an item or a part that begins is content already, and the name of what it calls. Of messages and thoughts what
/// they hold is content; any other item is by itself.
fn begun(begun: &str) -> Result<Words, Fault> {
    let (mut prose, mut filled, mut name) = (false, false, Words::default());
    Reader::of(begun).object(|reader, key| {
        match &*key.decode() {
            "type" if reader.peek()? == Kind::String => {
                prose = matches!(
                    &*reader.string()?,
                    "message" | "reasoning" | "output_text" | "refusal" | "reasoning_text" | "summary_text"
                );
            }
            "content" | "summary" | "text" | "refusal" => filled |= !is_empty(reader)?,
            "name" => name = Words::of(reader)?,
            _ => reader.skip()?,
        }
        Ok::<(), Fault>(())
    })?;
    Ok(Words { any: filled || !prose, bytes: name.bytes })
}

impl<'e> Response<'e> {
    fn read(reader: &mut Reader<'e>) -> Result<Self, Fault> {
        let (mut response, mut terms) = (Self::default(), None);
        reader.object(|reader, key| {
            let kind = reader.peek()?;
            match &*key.decode() {
                "status" if kind == Kind::String => response.status = Some(reader.string()?),
                "model" if kind == Kind::String => response.model = Some(reader.string()?),
                "usage" => response.usage = usage::read(reader)?,
                "service_tier" => terms = openai::terms(reader)?,
                "error" => response.failed |= !is_empty(reader)?,
                "incomplete_details" if kind == Kind::Object => reader.object(|reader, key| {
                    if key.decode() == "reason" && reader.peek()? == Kind::String {
                        response.reason = Some(reader.string()?);
                        return Ok(());
                    }
                    reader.skip()
                })?,
                "output" if kind == Kind::Array => {
                    response.has_output = true;
                    reader.array(|reader| response.item(reader))?;
                }
                _ => reader.skip()?,
            }
            Ok::<(), Fault>(())
        })?;
        response.usage = response.usage.map(|usage| Usage { terms, ..usage });
        Ok(response)
    }

    fn item(&mut self, reader: &mut Reader<'e>) -> Result<(), Fault> {
        let (mut of_type, mut spoken) = (Text::default(), false);
        let (mut said, mut thought) = (0, 0);
        reader.object(|reader, key| {
            let kind = reader.peek()?;
            match &*key.decode() {
                "type" if kind == Kind::String => of_type = reader.string()?,
                "content" if kind == Kind::Array => reader.array(|reader| {
                    let (mut refuses, mut filled) = (false, false);
                    reader.object(|reader, key| {
                        match &*key.decode() {
                            "type" if reader.peek()? == Kind::String => refuses = reader.string()? == "refusal",
                            "text" | "refusal" => {
                                let words = Words::of(reader)?;
                                filled |= words.any;
                                said += words.bytes;
                            }
                            _ => reader.skip()?,
                        }
                        Ok::<(), Fault>(())
                    })?;
                    spoken |= filled && !refuses;
                    Ok::<(), Fault>(())
                })?,
                "summary" => thought += Words::of(reader)?.bytes,
                "name" | "arguments" | "input" => said += Words::of(reader)?.bytes,
                _ => reader.skip()?,
            }
            Ok::<(), Fault>(())
        })?;
        self.words.say(said);
        self.words.think(thought);
        self.has_calls |= matches!(&*of_type, "function_call" | "custom_tool_call");
        self.has_content |= if of_type == "message" { spoken } else { of_type != "reasoning" };
        Ok(())
    }

    fn finish(&self) -> Option<Finish> {
        match self.status.as_deref() {
            Some("incomplete") => Some(self.why_incomplete()),
            // It is made in the background.
            Some("queued" | "in_progress") => None,
            Some(_) | None => Some(self.why_complete()),
        }
    }

    fn why_complete(&self) -> Finish {
        if self.has_calls { Finish::ToolCalls } else { Finish::Stop }
    }

    fn why_incomplete(&self) -> Finish {
        match self.reason.as_deref() {
            Some("max_output_tokens") => Finish::Length,
            Some("content_filter") => Finish::ContentFilter,
            Some(_) | None => Finish::Unknown,
        }
    }
}
