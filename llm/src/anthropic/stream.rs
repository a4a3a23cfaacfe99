use super::usage::Counts;
use super::{citations, finish};
use crate::classify::in_band;
use crate::json::{Fault, Kind, Reader};
use crate::neutral::{Citation, Event, Extra, Finish, Text};
use crate::openai::extra;
use crate::translate::Names;

/// Reads the events of a message stream.
#[derive(Debug, Default)]
pub(crate) struct StreamParser {
    names: Names,
    counts: Counts,
    block: Block,
    /// Client tools so far: their index counts tools, not blocks.
    tools: u32,
    /// Characters of text so far.
    length: u64,
    /// Where the open block of text begins among them.
    from: u64,
    /// What the open block of text rests on: told at its end, when it is known what does.
    cited: Vec<Citation<'static>>,
    /// Bytes of them.
    cited_bytes: usize,
    /// The last block was of text.
    after_text: bool,
}

/// More bytes of citations of one block are not kept.
const MAX_CITED_BYTES: usize = 1 << 20;

/// The content block that is open. Anthropic opens one at a time.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Block {
    /// None, or one that is not for the client.
    #[default]
    Other,
    /// Text or thinking.
    Prose,
    /// A call of one of the client's tools.
    Tool { index: u32, has_input: bool },
    /// The tool whose input is the content.
    Answer { has_input: bool },
}

/// The members of an event, as they stand in it.
#[derive(Default)]
struct Members<'e> {
    of_type: Text<'e>,
    message: Option<&'e str>,
    block: Option<&'e str>,
    delta: Option<&'e str>,
    usage: Option<&'e str>,
}

impl StreamParser {
    pub(crate) fn new(names: Names) -> Self {
        Self { names, ..Self::default() }
    }

    /// Reads the data of one event and hands what it means to `each`. Pings, blocks of server tools and events that
    /// are not known mean nothing.
    pub(crate) fn push<'e>(&mut self, data: &'e [u8], each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        let event = members(data)?;
        match &*event.of_type {
            "message_start" => self.start(event.message, each),
            "content_block_start" => self.open(event.block, each),
            "content_block_delta" => self.delta(event.delta, each),
            "content_block_stop" => {
                self.close(each);
                Ok(())
            }
            "message_delta" => self.message_delta(&event, each),
            "message_stop" => {
                each(Event::End);
                Ok(())
            }
            "error" => {
                each(Event::Error(Box::new(in_band(data))));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn start<'e>(&mut self, message: Option<&'e str>, each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        let (mut id, mut model) = (Text::default(), Text::default());
        Reader::of(message.unwrap_or("{}")).object(|reader, key| {
            match &*key.decode() {
                "id" => id = reader.string()?,
                "model" => model = reader.string()?,
                "usage" => self.counts.update(reader)?,
                _ => reader.skip()?,
            }
            Ok::<(), Fault>(())
        })?;
        each(Event::Start { id, model });
        each(Event::Usage(self.counts.usage()));
        Ok(())
    }

    fn open<'e>(&mut self, block: Option<&'e str>, each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        let block = Fields::read(block)?;
        self.block = Block::Prose;
        let after_text = std::mem::replace(&mut self.after_text, block.of_type == "text");
        match &*block.of_type {
            "text" => {
                if after_text {
                    each(Event::NextText);
                }
                self.from = self.length;
                self.cite(block.citations)?;
                self.text(block.text, each);
            }
            "thinking" => {
                let events = [block.thinking.map(Event::Reasoning), block.signature.map(Event::Signature)];
                events.into_iter().flatten().for_each(each);
            }
            "redacted_thinking" => each(Event::RedactedReasoning(block.data.unwrap_or_default())),
            "tool_use" => self.open_tool(block, each),
            _ => self.block = Block::Other,
        }
        Ok(())
    }

    fn open_tool<'e>(&mut self, block: Fields<'e>, each: &mut impl FnMut(Event<'e>)) {
        // The whole input may stand here already; usually it is `{}` and comes in pieces.
        let input = block.input.filter(|input| input.bytes().any(|b| !matches!(b, b'{' | b'}' | b' ' | b'\n')));
        let has_input = input.is_some();
        let name = block.name.unwrap_or_default();
        if self.names.is_answer_tool(&name) {
            self.block = Block::Answer { has_input };
            input.map(|json| Event::Text(json.into())).into_iter().for_each(each);
            return;
        }
        let index = self.tools;
        self.tools += 1;
        self.block = Block::Tool { index, has_input };
        each(Event::ToolStart { index, id: block.id.unwrap_or_default(), name: self.names.client_name(name) });
        input.map(|json| Event::ToolArguments { index, json: json.into() }).into_iter().for_each(each);
    }

    fn delta<'e>(&mut self, delta: Option<&'e str>, each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        if self.block == Block::Other {
            return Ok(());
        }
        let delta = Fields::read(delta)?;
        match &*delta.of_type {
            "text_delta" => self.text(delta.text, each),
            "citations_delta" => self.cite(delta.citations)?,
            "thinking_delta" => delta.thinking.map(Event::Reasoning).into_iter().for_each(each),
            "signature_delta" => delta.signature.map(Event::Signature).into_iter().for_each(each),
            "input_json_delta" => self.input(delta.partial_json, each),
            _ => {}
        }
        Ok(())
    }

    fn text<'e>(&mut self, text: Option<Text<'e>>, each: &mut impl FnMut(Event<'e>)) {
        if let Some(text) = text {
            self.length += text.chars().count() as u64;
            each(Event::Text(text));
        }
    }

    fn cite(&mut self, raw: Option<&str>) -> Result<(), Fault> {
        let Some(raw) = raw else { return Ok(()) };
        self.cited_bytes += raw.len() + size_of::<Citation<'_>>();
        if self.cited_bytes < MAX_CITED_BYTES {
            self.cited.extend(citations::read_owned(raw)?);
        }
        Ok(())
    }

    fn input<'e>(&mut self, json: Option<Text<'e>>, each: &mut impl FnMut(Event<'e>)) {
        let Some(json) = json.filter(|json| !json.is_empty()) else { return };
        match &mut self.block {
            Block::Tool { index, has_input } => {
                *has_input = true;
                each(Event::ToolArguments { index: *index, json });
            }
            Block::Answer { has_input } => {
                *has_input = true;
                each(Event::Text(json));
            }
            Block::Other | Block::Prose => {}
        }
    }

    /// A call without any input still has an empty object of arguments.
    fn close<'e>(&mut self, each: &mut impl FnMut(Event<'e>)) {
        let span = Some((self.from, self.length)).filter(|(from, to)| from < to);
        self.cited_bytes = 0;
        for citation in self.cited.drain(..) {
            each(Event::Citation(Box::new(Citation { span, ..citation })));
        }
        match std::mem::take(&mut self.block) {
            Block::Tool { index, has_input: false } => each(Event::ToolArguments { index, json: "{}".into() }),
            Block::Answer { has_input: false } => each(Event::Text("{}".into())),
            Block::Tool { .. } | Block::Answer { .. } | Block::Other | Block::Prose => {}
        }
    }

    fn message_delta<'e>(&mut self, event: &Members<'e>, each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        if let Some(usage) = event.usage {
            self.counts.update(&mut Reader::of(usage))?;
            each(Event::Usage(self.counts.usage()));
        }
        let delta = Fields::read(event.delta)?;
        delta.stop_sequence.map(Event::StopSequence).into_iter().for_each(&mut *each);
        if let Some(word) = delta.stop_reason {
            each(Event::Finish(self.names.finish(finish::read(&word), self.tools > 0)));
        }
        Ok(())
    }
}

/// The members of a content block and of its deltas that matter; one that is no string is not there.
#[derive(Default)]
pub(super) struct Fields<'e> {
    pub(super) of_type: Text<'e>,
    pub(super) text: Option<Text<'e>>,
    pub(super) thinking: Option<Text<'e>>,
    pub(super) signature: Option<Text<'e>>,
    pub(super) data: Option<Text<'e>>,
    pub(super) id: Option<Text<'e>>,
    pub(super) name: Option<Text<'e>>,
    pub(super) partial_json: Option<Text<'e>>,
    pub(super) stop_reason: Option<Text<'e>>,
    pub(super) stop_sequence: Option<Text<'e>>,
    pub(super) input: Option<&'e str>,
    /// A list in a block, a single one in a delta.
    pub(super) citations: Option<&'e str>,
    /// Members that no other dialect has.
    pub(super) extra: Vec<Extra<'e>>,
}

impl<'e> Fields<'e> {
    fn read(object: Option<&'e str>) -> Result<Self, Fault> {
        Self::of(&mut Reader::of(object.unwrap_or("{}")))
    }

    pub(super) fn of(reader: &mut Reader<'e>) -> Result<Self, Fault> {
        let mut fields = Self::default();
        reader.object(|reader, key| {
            let field = match &*key.decode() {
                "type" => {
                    fields.of_type = string(reader)?.unwrap_or_default();
                    return Ok(());
                }
                "input" => {
                    fields.input = Some(reader.raw()?);
                    return Ok(());
                }
                "citations" | "citation" => {
                    fields.citations = Some(reader.raw()?).filter(|raw| *raw != "null");
                    return Ok(());
                }
                "text" => &mut fields.text,
                "thinking" => &mut fields.thinking,
                "signature" => &mut fields.signature,
                "data" => &mut fields.data,
                "id" => &mut fields.id,
                "name" => &mut fields.name,
                "partial_json" => &mut fields.partial_json,
                "stop_reason" => &mut fields.stop_reason,
                "stop_sequence" => &mut fields.stop_sequence,
                name => return extra(reader, name, &mut fields.extra),
            };
            *field = string(reader)?;
            Ok::<(), Fault>(())
        })?;
        // A block starts with empty strings; they say nothing.
        for field in [&mut fields.text, &mut fields.thinking, &mut fields.signature] {
            if field.as_deref() == Some("") {
                *field = None;
            }
        }
        Ok(fields)
    }
}

fn members(data: &[u8]) -> Result<Members<'_>, Fault> {
    let mut reader = Reader::of_answer(data)?;
    let mut event = Members::default();
    reader.object(|reader, key| {
        let member = match &*key.decode() {
            "type" => {
                event.of_type = string(reader)?.unwrap_or_default();
                return Ok(());
            }
            "message" => &mut event.message,
            "content_block" => &mut event.block,
            "delta" => &mut event.delta,
            "usage" => &mut event.usage,
            _ => return reader.skip(),
        };
        *member = Some(reader.raw()?);
        Ok::<(), Fault>(())
    })?;
    reader.end()?;
    Ok(event)
}

/// A string, or nothing for a value of another kind.
pub(super) fn string<'e>(reader: &mut Reader<'e>) -> Result<Option<Text<'e>>, Fault> {
    if reader.peek()? == Kind::String {
        return reader.string().map(Some);
    }
    reader.skip()?;
    Ok(None)
}

impl Names {
    /// Anthropic's reason, as the client sees it: the tool that stands for the answer is no tool call to it.
    pub(super) fn finish(&self, finish: Finish, has_tools: bool) -> Finish {
        if finish == Finish::ToolCalls && self.answer_tool().is_some() && !has_tools { Finish::Stop } else { finish }
    }
}
