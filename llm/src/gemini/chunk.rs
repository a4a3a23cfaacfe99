//! One answer, or one event of a stream of it: Gemini gives both the same form.

use super::usage::Counts;
use crate::json::{Fault, Kind, Reader};
use crate::neutral::{Extra, Raw, Text};
use crate::openai::extra;

#[derive(Default)]
pub(super) struct Chunk<'e> {
    pub(super) id: Text<'e>,
    pub(super) model: Text<'e>,
    pub(super) parts: Vec<Said<'e>>,
    pub(super) has_candidate: bool,
    pub(super) finish: Option<Text<'e>>,
    /// A bit for each candidate that finished.
    pub(super) finished: u128,
    /// The prompt was refused.
    pub(super) is_blocked: bool,
    pub(super) has_usage: bool,
    pub(super) is_error: bool,
    /// The usage as it came.
    pub(super) usage: Option<Raw<'e>>,
    /// Members of the first candidate that no other dialect has.
    pub(super) candidate: Vec<Extra<'e>>,
    /// The same of the answer.
    pub(super) extra: Vec<Extra<'e>>,
}

/// A part of what the model says.
pub(super) enum Said<'e> {
    /// With its signature, should it have one.
    Text(Text<'e>, Option<Raw<'e>>),
    Thought(Text<'e>),
    Call {
        /// Empty where Gemini gives none.
        id: Text<'e>,
        name: Text<'e>,
        /// A JSON object.
        arguments: &'e str,
        signature: Option<Text<'e>>,
    },
    /// A picture, code, its result, or what came later.
    Other {
        kind: Text<'e>,
        value: Raw<'e>,
    },
}

/// The members of a part that matter.
#[derive(Default)]
struct Fields<'e> {
    text: Option<Text<'e>>,
    is_thought: bool,
    signature: Option<Text<'e>>,
    /// The same as it stands there.
    signed: Option<Raw<'e>>,
    call: Option<(Text<'e>, Text<'e>, &'e str)>,
    other: Option<Text<'e>>,
}

/// Reads it. What it says of usage goes into `counts`.
pub(super) fn read<'e>(data: &'e [u8], counts: &mut Counts) -> Result<Chunk<'e>, Fault> {
    let mut reader = Reader::of_answer(data)?;
    let mut chunk = Chunk::default();
    if reader.peek()? == Kind::Array {
        // Errors come as lists too, where the stream was to be one.
        chunk.is_error = super::is_error(data);
        return if chunk.is_error { Ok(chunk) } else { Err(reader.fault("expected an object")) };
    }
    reader.object(|reader, key| {
        let kind = reader.peek()?;
        match &*key.decode() {
            "responseId" => chunk.id = string(reader)?.unwrap_or_default(),
            "modelVersion" => chunk.model = string(reader)?.unwrap_or_default(),
            "candidates" if kind == Kind::Array => candidates(reader, &mut chunk)?,
            "promptFeedback" if kind == Kind::Object => {
                let raw = reader.raw()?;
                chunk.extra.push(Extra { name: "promptFeedback".into(), value: Raw(raw) });
                Reader::of(raw).object(|reader, key| {
                    if key.decode() == "blockReason" {
                        chunk.is_blocked = string(reader)?.is_some();
                        return Ok(());
                    }
                    reader.skip()
                })?;
            }
            "usageMetadata" => {
                let raw = reader.raw()?;
                chunk.has_usage = kind == Kind::Object;
                chunk.usage = Some(Raw(raw)).filter(|_| chunk.has_usage);
                counts.update(&mut Reader::of(raw))?;
            }
            "error" => {
                chunk.is_error = kind != Kind::Null;
                reader.skip()?;
            }
            name => extra(reader, name, &mut chunk.extra)?,
        }
        Ok::<(), Fault>(())
    })?;
    reader.end()?;
    for said in &chunk.parts {
        if said.is_picture()? {
            counts.image();
        }
    }
    Ok(chunk)
}

impl Said<'_> {
    /// Whether it is a picture of the answer; those in thoughts are not among the parts, and are not paid for.
    fn is_picture(&self) -> Result<bool, Fault> {
        let Self::Other { kind, value } = self else { return Ok(false) };
        let mut picture = false;
        if kind != "inlineData" {
            return Ok(picture);
        }
        Reader::of(value.0).object(|reader, key| {
            if key.decode() != "inlineData" || reader.peek()? != Kind::Object {
                return reader.skip();
            }
            reader.object(|reader, key| {
                if key.decode() == "mimeType" {
                    picture = string(reader)?.is_some_and(|kind| kind.starts_with("image/"));
                    return Ok(());
                }
                reader.skip()
            })
        })?;
        Ok(picture)
    }
}

/// Others ask for one candidate, so the first is the answer; several go to Gemini's own clients only, which get them as
/// they came.
fn candidates<'e>(reader: &mut Reader<'e>, chunk: &mut Chunk<'e>) -> Result<(), Fault> {
    reader.array(|reader| {
        if reader.peek()? != Kind::Object {
            return reader.skip();
        }
        let is_first = !std::mem::replace(&mut chunk.has_candidate, true);
        let (mut index, mut finish) = (0, None);
        reader.object(|reader, key| {
            let kind = reader.peek()?;
            match &*key.decode() {
                "content" if kind == Kind::Object => reader.object(|reader, key| {
                    if key.decode() != "parts" || reader.peek()? != Kind::Array {
                        return reader.skip();
                    }
                    reader.array(|reader| part(reader, &mut chunk.parts))
                })?,
                "index" if kind == Kind::Number => index = reader.number()?.parse().unwrap_or(0),
                "finishReason" => finish = string(reader)?,
                name if is_first => extra(reader, name, &mut chunk.candidate)?,
                _ => reader.skip()?,
            }
            Ok::<(), Fault>(())
        })?;
        if finish.is_some() {
            chunk.finished |= 1u128.checked_shl(index).unwrap_or(0);
        }
        chunk.finish = chunk.finish.take().or(finish);
        Ok(())
    })
}

fn part<'e>(reader: &mut Reader<'e>, parts: &mut Vec<Said<'e>>) -> Result<(), Fault> {
    reader.peek()?;
    let start = reader.at();
    let mut fields = Fields::default();
    reader.object(|reader, key| {
        let kind = reader.peek()?;
        match &*key.decode() {
            "text" => fields.text = string(reader)?,
            "thought" => fields.is_thought = reader.raw()? == "true",
            "thoughtSignature" if kind == Kind::String => {
                let raw = reader.raw()?;
                fields.signed = Some(Raw(raw));
                fields.signature = Some(Reader::of(raw).string()?);
            }
            "functionCall" if kind == Kind::Object => fields.call = Some(call(reader)?),
            "partMetadata" | "videoMetadata" => reader.skip()?,
            other => {
                fields.other = Some(Text::Owned(other.to_owned()));
                reader.skip()?;
            }
        }
        Ok::<(), Fault>(())
    })?;
    match fields {
        Fields { call: Some((id, name, arguments)), signature, .. } => {
            parts.push(Said::Call { id, name, arguments, signature });
        }
        Fields { text: Some(text), is_thought: true, .. } => parts.push(Said::Thought(text)),
        Fields { text: Some(text), signed, .. } => parts.push(Said::Text(text, signed)),
        Fields { other: Some(kind), is_thought: false, .. } => {
            parts.push(Said::Other { kind, value: Raw(reader.slice(start, reader.at())) });
        }
        _ => {}
    }
    Ok(())
}

/// Id, name and arguments of a call.
fn call<'e>(reader: &mut Reader<'e>) -> Result<(Text<'e>, Text<'e>, &'e str), Fault> {
    let (mut id, mut name, mut arguments) = (Text::default(), Text::default(), "{}");
    reader.object(|reader, key| {
        let kind = reader.peek()?;
        match &*key.decode() {
            "id" => id = string(reader)?.unwrap_or_default(),
            "name" => name = string(reader)?.unwrap_or_default(),
            "args" if kind == Kind::Object => arguments = reader.raw()?,
            _ => reader.skip()?,
        }
        Ok::<(), Fault>(())
    })?;
    Ok((id, name, arguments))
}

/// A string, or nothing for a value of another kind.
fn string<'e>(reader: &mut Reader<'e>) -> Result<Option<Text<'e>>, Fault> {
    if reader.peek()? == Kind::String {
        return reader.string().map(Some);
    }
    reader.skip()?;
    Ok(None)
}
