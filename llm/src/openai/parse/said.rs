use crate::Dialect;
use crate::json::{Fault, Kind, Reader};
use crate::neutral::{Citation, Extra, Part, Raw, Text};
use crate::openai::annotations;
use crate::openai::request::extra;

/// What a message or a delta says, by the members that it stands in. Empty strings say nothing and are left out.
#[derive(Default)]
pub(super) struct Said<'a> {
    /// A content that is a bare string.
    pub(super) text: Option<Text<'a>>,
    /// A content that is a list.
    pub(super) parts: Vec<Part<'a>>,
    pub(super) refusal: Option<Text<'a>>,
    /// Thinking in a field of its own.
    pub(super) thinking: Option<Text<'a>>,
    /// Thinking in blocks, as Penstock itself writes it.
    pub(super) blocks: Vec<Part<'a>>,
    pub(super) calls: Vec<Call<'a>>,
    /// What the text rests on.
    pub(super) citations: Vec<Citation<'a>>,
    /// Members that no other dialect has.
    pub(super) extra: Vec<Extra<'a>>,
}

/// A tool call, or a piece of one.
#[derive(Default)]
pub(super) struct Call<'a> {
    pub(super) index: Option<u64>,
    pub(super) id: Option<Text<'a>>,
    pub(super) name: Option<Text<'a>>,
    pub(super) arguments: Option<Text<'a>>,
    pub(super) cache: Option<Raw<'a>>,
    pub(super) extra: Vec<Extra<'a>>,
    /// It calls a tool that is no function: the kind, and all of it.
    pub(super) other: Option<(Text<'a>, &'a str)>,
}

impl<'a> Said<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let mut said = Self::default();
        // Two spellings of the same text, which some servers send both.
        let mut reasoning = None;
        // The older way to call a single function, which some servers send beside the newer.
        let mut function_call = None;
        reader.object(|reader, key| {
            let kind = reader.peek()?;
            match &*key.decode() {
                "content" if kind == Kind::Array => list(reader, &mut said.parts)?,
                "content" => said.text = string(reader)?,
                "refusal" => said.refusal = string(reader)?,
                "reasoning_content" => said.thinking = string(reader)?,
                "reasoning" => reasoning = string(reader)?,
                "thinking_blocks" if kind == Kind::Array => list(reader, &mut said.blocks)?,
                "tool_calls" if kind == Kind::Array => reader.array(|reader| {
                    said.calls.push(Call::read(reader)?);
                    Ok::<(), Fault>(())
                })?,
                "function_call" if kind == Kind::Object => {
                    let mut call = Call { index: Some(0), ..Call::default() };
                    call.function(reader)?;
                    function_call = Some(call);
                }
                "annotations" if kind == Kind::Array => annotations(reader, &mut said)?,
                "role" => reader.skip()?,
                name => extra(reader, name, &mut said.extra)?,
            }
            Ok::<(), Fault>(())
        })?;
        said.thinking = said.thinking.or(reasoning);
        if said.calls.is_empty() {
            said.calls.extend(function_call);
        }
        Ok(said)
    }
}

/// An empty list of them says nothing to others, but is kept.
fn annotations<'a>(reader: &mut Reader<'a>, said: &mut Said<'a>) -> Result<(), Fault> {
    let start = reader.at();
    annotations::read(reader, &mut said.citations)?;
    if said.citations.is_empty() {
        let value = Raw(reader.slice(start, reader.at()));
        said.extra.push(Extra { name: "annotations".into(), value });
    }
    Ok(())
}

impl<'a> Call<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        reader.peek()?;
        let start = reader.at();
        let mut call = Self::default();
        let (mut of_type, mut is_function) = (None, false);
        reader.object(|reader, key| {
            let kind = reader.peek()?;
            match &*key.decode() {
                "index" => call.index = super::usage::count(reader)?,
                "id" => call.id = string(reader)?,
                "type" => of_type = string(reader)?,
                "function" if kind == Kind::Object => {
                    is_function = true;
                    call.function(reader)?;
                }
                "cache_control" => call.cache = reader.optional(|reader| reader.raw().map(Raw))?,
                name => extra(reader, name, &mut call.extra)?,
            }
            Ok::<(), Fault>(())
        })?;
        call.other = of_type
            .filter(|of_type| !is_function && of_type != "function")
            .map(|of_type| (of_type, reader.slice(start, reader.at())));
        Ok(call)
    }

    fn function(&mut self, reader: &mut Reader<'a>) -> Result<(), Fault> {
        reader.object(|reader, key| {
            match &*key.decode() {
                "name" => self.name = string(reader)?,
                "arguments" => self.arguments = arguments(reader)?,
                _ => reader.skip()?,
            }
            Ok(())
        })
    }
}

/// JSON text in a string; some servers send the object itself.
fn arguments<'a>(reader: &mut Reader<'a>) -> Result<Option<Text<'a>>, Fault> {
    match reader.peek()? {
        Kind::String | Kind::Null => string(reader),
        _ => reader.raw().map(|json| Some(json.into())),
    }
}

fn list<'a>(reader: &mut Reader<'a>, into: &mut Vec<Part<'a>>) -> Result<(), Fault> {
    reader.array(|reader| {
        into.extend(part(reader)?);
        Ok(())
    })
}

/// A part of a content, or a block of thinking; nothing for one that says nothing.
fn part<'a>(reader: &mut Reader<'a>) -> Result<Option<Part<'a>>, Fault> {
    match reader.peek()? {
        Kind::Object => {}
        _ => return Ok(string(reader)?.map(Part::text)),
    }
    let start = reader.at();
    let (mut of_type, mut said, mut thought, mut signature, mut data) = (None, None, None, None, None);
    reader.object(|reader, key| {
        let field = match &*key.decode() {
            "type" => &mut of_type,
            "text" | "refusal" => &mut said,
            "thinking" if reader.peek()? == Kind::Array => {
                thought = texts(reader)?;
                return Ok(());
            }
            "thinking" => &mut thought,
            "signature" => &mut signature,
            "data" => &mut data,
            _ => return reader.skip(),
        };
        *field = string(reader)?;
        Ok::<(), Fault>(())
    })?;
    Ok(match of_type.as_deref() {
        None | Some("text") => said.map(Part::text),
        Some("refusal") => said.map(Part::Refusal),
        Some("thinking") => (thought.is_some() || signature.is_some())
            .then(|| Part::Reasoning { text: thought.unwrap_or_default(), signature }),
        Some("redacted_thinking") => data.map(Part::RedactedReasoning),
        Some(_) => Some(Part::Unknown {
            origin: Dialect::OpenAI,
            kind: of_type.unwrap_or_default(),
            is_call: false,
            value: Raw(reader.slice(start, reader.at())),
        }),
    })
}

/// Mistral's thinking is a list of texts, and of references, which say nothing by themselves.
fn texts<'a>(reader: &mut Reader<'a>) -> Result<Option<Text<'a>>, Fault> {
    let mut all: Option<Text<'a>> = None;
    reader.array(|reader| {
        match (part(reader)?, &mut all) {
            (Some(Part::Text { text, .. }), Some(all)) => all.to_mut().push_str(&text),
            (Some(Part::Text { text, .. }), None) => all = Some(text),
            _ => {}
        }
        Ok::<(), Fault>(())
    })?;
    Ok(all)
}

/// A string that says something, or nothing for an empty one and for a value of another kind.
pub(crate) fn string<'a>(reader: &mut Reader<'a>) -> Result<Option<Text<'a>>, Fault> {
    if reader.peek()? == Kind::String {
        return reader.string().map(|text| Some(text).filter(|text| !text.is_empty()));
    }
    reader.skip()?;
    Ok(None)
}
