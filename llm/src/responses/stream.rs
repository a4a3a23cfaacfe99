use super::annotations;
use super::look::look;
use super::seal::Sealed;
use crate::classify::in_band;
use crate::json::{Fault, Kind, Reader};
use crate::neutral::{Event, Finish, Text};
use crate::openai::{count, length, string};

/// Reads the events of a response's stream.
///
/// What an item says is told by its deltas; the events that say it again are not read, but for what comes in them only.
#[derive(Debug, Default)]
pub(crate) struct StreamParser {
    started: bool,
    /// What was told last was text.
    after_text: bool,
    /// Characters of text so far, and where the part that is open begins among them.
    length: u64,
    from: u64,
    calls: Vec<Call>,
    /// Thinking comes as a summary or in its own words; the event that the open item began with is the one that counts.
    thinking: Option<(u64, Thinking)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thinking {
    Summary,
    Words,
}

/// A call that has begun. Its number among the calls is its place in the list.
#[derive(Debug)]
struct Call {
    output_index: u64,
    has_arguments: bool,
    done: bool,
}

/// More calls in one answer than any model makes.
const MAX_CALLS: usize = 1024;

/// The members of an event, as they stand in it.
#[derive(Default)]
struct Members<'e> {
    of_type: Text<'e>,
    output_index: u64,
    response: Option<&'e str>,
    item: Option<&'e str>,
    annotation: Option<&'e str>,
    part: Option<&'e str>,
    delta: Option<Text<'e>>,
    arguments: Option<Text<'e>>,
}

/// What matters of a response that begins, of an item or of a part.
#[derive(Default)]
struct Fields<'e> {
    of_type: Option<Text<'e>>,
    id: Option<Text<'e>>,
    model: Option<Text<'e>>,
    call_id: Option<Text<'e>>,
    name: Option<Text<'e>>,
    arguments: Option<Text<'e>>,
    encrypted: Option<Text<'e>>,
}

impl StreamParser {
    /// Reads the data of one event and hands what it means to `each`. Items of other kinds and events that are not known
    /// mean nothing.
    pub(crate) fn push<'e>(&mut self, data: &'e [u8], each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        // Some servers send it all the same.
        if data.trim_ascii() == b"[DONE]" {
            return Ok(());
        }
        let event = Members::read(data)?;
        match &*event.of_type {
            "response.created" | "response.in_progress" | "response.queued" => self.start(event.response, each),
            "response.output_item.added" => self.begin(&event, each),
            "response.content_part.added" => self.part(event.part, each),
            "response.output_text.delta" => {
                self.text(event.delta, each);
                Ok(())
            }
            "response.output_text.annotation.added" => self.cite(event.annotation, each),
            "response.refusal.delta" => {
                self.tell(event.delta.map(Event::Refusal), each);
                Ok(())
            }
            "response.reasoning_summary_text.delta" => {
                self.think(event, Thinking::Summary, each);
                Ok(())
            }
            "response.reasoning_text.delta" => {
                self.think(event, Thinking::Words, each);
                Ok(())
            }
            "response.function_call_arguments.delta" => {
                self.argue(event.output_index, event.delta, each);
                Ok(())
            }
            "response.function_call_arguments.done" => {
                self.complete(event.output_index, event.arguments, each);
                Ok(())
            }
            "response.output_item.done" => self.done(&event, each),
            "response.completed" | "response.incomplete" | "response.failed" => self.end(data, event.response, each),
            "error" => {
                each(Event::Error(Box::new(in_band(data))));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn start<'e>(&mut self, response: Option<&'e str>, each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        if !std::mem::replace(&mut self.started, true) {
            let Fields { id, model, .. } = Fields::read(response)?;
            each(Event::Start { id: id.unwrap_or_default(), model: model.unwrap_or_default() });
        }
        Ok(())
    }

    fn begin<'e>(&mut self, event: &Members<'e>, each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        let Fields { of_type, call_id, name, arguments, .. } = Fields::read(event.item)?;
        if of_type.as_deref() != Some("function_call") {
            return Ok(());
        }
        let index = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        if self.calls.len() == MAX_CALLS {
            return Err(Fault::new(0, "too many tool calls"));
        }
        let name = name.ok_or_else(|| Fault::new(0, "a tool call without a name"))?;
        self.calls.push(Call { output_index: event.output_index, has_arguments: false, done: false });
        self.tell(Some(Event::ToolStart { index, id: call_id.unwrap_or_default(), name }), each);
        self.argue(event.output_index, arguments, each);
        Ok(())
    }

    /// Texts that follow each other are told apart.
    fn part<'e>(&mut self, part: Option<&'e str>, each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        if Fields::read(part)?.of_type.as_deref() == Some("output_text") {
            self.from = self.length;
            if self.after_text {
                each(Event::NextText);
            }
        }
        Ok(())
    }

    fn text<'e>(&mut self, delta: Option<Text<'e>>, each: &mut impl FnMut(Event<'e>)) {
        if let Some(text) = delta {
            self.length += length(&text);
            self.after_text = true;
            each(Event::Text(text));
        }
    }

    fn cite<'e>(&mut self, annotation: Option<&'e str>, each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        let found = annotation.map(|raw| annotations::read(&mut Reader::of(raw))).transpose()?.flatten();
        if let Some(mut citation) = found {
            citation.span =
                citation.span.map(|(from, to)| (self.from.saturating_add(from), self.from.saturating_add(to)));
            each(Event::Citation(Box::new(citation)));
        }
        Ok(())
    }

    fn think<'e>(&mut self, event: Members<'e>, kind: Thinking, each: &mut impl FnMut(Event<'e>)) {
        let counts = self.thinking.filter(|(index, _)| *index == event.output_index).map_or(kind, |(_, kind)| kind);
        self.thinking = Some((event.output_index, counts));
        if counts == kind {
            self.tell(event.delta.map(Event::Reasoning), each);
        }
    }

    fn argue<'e>(&mut self, output_index: u64, json: Option<Text<'e>>, each: &mut impl FnMut(Event<'e>)) {
        let Some(at) = self.open_call(output_index) else { return };
        let (Some(json), Ok(index)) = (json, u32::try_from(at)) else { return };
        self.calls[at].has_arguments = true;
        self.tell(Some(Event::ToolArguments { index, json }), each);
    }

    fn open_call(&self, output_index: u64) -> Option<usize> {
        self.calls.iter().rposition(|call| call.output_index == output_index && !call.done)
    }

    /// The arguments are whole; some servers tell them only now. A call without any still has an empty object of them.
    fn complete<'e>(&mut self, output_index: u64, json: Option<Text<'e>>, each: &mut impl FnMut(Event<'e>)) {
        let Some(at) = self.open_call(output_index) else { return };
        if !self.calls[at].has_arguments {
            self.argue(output_index, Some(json.unwrap_or(Text::Borrowed("{}"))), each);
        }
        self.calls[at].done = true;
    }

    fn done<'e>(&mut self, event: &Members<'e>, each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        let Fields { of_type, arguments, encrypted, .. } = Fields::read(event.item)?;
        match of_type.as_deref() {
            Some("function_call") => self.complete(event.output_index, arguments, each),
            Some("reasoning") => {
                let proof = encrypted.map(|encrypted| match Sealed::open(&encrypted) {
                    Some(Sealed::Signature(proof)) => Event::Signature(Text::Owned(proof.to_owned())),
                    Some(Sealed::Redacted(data)) => Event::RedactedReasoning(Text::Owned(data.to_owned())),
                    None => Event::RedactedReasoning(encrypted),
                });
                self.tell(proof, each);
            }
            _ => {}
        }
        Ok(())
    }

    fn end<'e>(
        &mut self,
        data: &[u8],
        response: Option<&'e str>,
        each: &mut impl FnMut(Event<'e>),
    ) -> Result<(), Fault> {
        let seen = look(data)?;
        self.start(response, each)?;
        seen.usage.map(Event::Usage).into_iter().for_each(&mut *each);
        if let Some(error) = seen.error {
            each(Event::Error(Box::new(error)));
            return Ok(());
        }
        // Calls of tools that are no functions are told to nobody, so nobody is to answer them.
        let finish = seen.finish.map(|finish| match finish {
            Finish::ToolCalls if self.calls.is_empty() => Finish::Stop,
            finish => finish,
        });
        finish.map(Event::Finish).into_iter().for_each(&mut *each);
        each(Event::End);
        Ok(())
    }

    fn tell<'e>(&mut self, event: Option<Event<'e>>, each: &mut impl FnMut(Event<'e>)) {
        if let Some(event) = event {
            self.after_text = false;
            each(event);
        }
    }
}

impl<'e> Members<'e> {
    fn read(data: &'e [u8]) -> Result<Self, Fault> {
        let mut reader = Reader::of_answer(data)?;
        let mut event = Self::default();
        reader.object(|reader, key| {
            let kind = reader.peek()?;
            match &*key.decode() {
                "type" => event.of_type = string(reader)?.unwrap_or_default(),
                "output_index" => event.output_index = count(reader)?.unwrap_or(0),
                "response" if kind == Kind::Object => event.response = Some(reader.raw()?),
                "item" if kind == Kind::Object => event.item = Some(reader.raw()?),
                "annotation" => event.annotation = Some(reader.raw()?),
                "part" if kind == Kind::Object => event.part = Some(reader.raw()?),
                "delta" => event.delta = string(reader)?,
                "arguments" => event.arguments = string(reader)?,
                _ => reader.skip()?,
            }
            Ok::<(), Fault>(())
        })?;
        reader.end()?;
        Ok(event)
    }
}

impl<'e> Fields<'e> {
    fn read(object: Option<&'e str>) -> Result<Self, Fault> {
        let mut fields = Self::default();
        Reader::of(object.unwrap_or("{}")).object(|reader, key| {
            let field = match &*key.decode() {
                "type" => &mut fields.of_type,
                "id" => &mut fields.id,
                "model" => &mut fields.model,
                "call_id" => &mut fields.call_id,
                "name" => &mut fields.name,
                "arguments" => &mut fields.arguments,
                "encrypted_content" => &mut fields.encrypted,
                _ => return reader.skip(),
            };
            *field = string(reader)?;
            Ok::<(), Fault>(())
        })?;
        Ok(fields)
    }
}
