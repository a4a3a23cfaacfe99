//! A whole answer of a provider that has the API, read into the neutral form.

use super::annotations::{self, type_of};
use super::look;
use super::seal::Sealed;
use crate::Dialect;
use crate::json::{Fault, Kind, Reader};
use crate::neutral::{Choice, Citation, Extra, Finish, Item, Part, Raw, Response, Text, ToolCall};
use crate::openai::{count, is_empty, string};

/// Reads a whole answer. One that failed is for [`super::observe_answer`] to find first.
pub(crate) fn parse_response(body: &[u8]) -> Result<Response<'_>, Fault> {
    let mut reader = Reader::of_answer(body)?;
    let mut response = Response::new(Dialect::Responses);
    let mut choice = Choice::new(Vec::new(), Finish::Unknown);
    reader.object(|reader, key| {
        let kind = reader.peek()?;
        match &*key.decode() {
            "id" => response.id = string(reader)?.unwrap_or_default(),
            "model" => response.model = string(reader)?.unwrap_or_default(),
            "created_at" => response.created = count(reader)?,
            "output" if kind == Kind::Array => reader.array(|reader| item(reader, &mut choice))?,
            "usage" if kind == Kind::Object => response.raw_usage = Some(Raw(reader.raw()?)),
            "object" | "output" | "usage" => reader.skip()?,
            name => keep(reader, name, &mut response.extra)?,
        }
        Ok::<(), Fault>(())
    })?;
    reader.end()?;
    let (finish, usage) = look::outcome(body)?;
    choice.finish = finish.unwrap_or(Finish::Unknown);
    response.usage = usage;
    response.choices.push(choice);
    Ok(response)
}

/// Keeps a member as it stands: null too, which in answers stands where the type demands something.
fn keep<'a>(reader: &mut Reader<'a>, name: &str, into: &mut Vec<Extra<'a>>) -> Result<(), Fault> {
    into.push(Extra { name: Text::Owned(name.to_owned()), value: Raw(reader.raw()?) });
    Ok(())
}

fn item<'a>(reader: &mut Reader<'a>, choice: &mut Choice<'a>) -> Result<(), Fault> {
    if reader.peek()? != Kind::Object {
        return reader.skip();
    }
    let raw = reader.raw()?;
    let mut item = Item { kind: type_of(raw)?, extra: Vec::new(), parts: Vec::new() };
    let parts = &mut choice.parts;
    match &*item.kind {
        "message" => message(raw, &mut item, parts)?,
        "reasoning" => reasoning(raw, &mut item, parts)?,
        "function_call" => call(raw, &mut item, parts)?,
        kind => {
            parts.push(unknown(kind.to_owned().into(), kind == "custom_tool_call", raw));
            item.parts.push(Vec::new());
        }
    }
    choice.items.push(item);
    Ok(())
}

fn unknown<'a>(kind: Text<'a>, is_call: bool, raw: &'a str) -> Part<'a> {
    Part::Unknown { origin: Dialect::Responses, kind, is_call, value: Raw(raw) }
}

fn message<'a>(raw: &'a str, item: &mut Item<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Fault> {
    Reader::of(raw).object(|reader, key| {
        let kind = reader.peek()?;
        match &*key.decode() {
            "type" => reader.skip(),
            "content" if kind == Kind::Array => reader.array(|reader| {
                let (part, extra) = content(reader)?;
                parts.push(part);
                item.parts.push(extra);
                Ok(())
            }),
            name => keep(reader, name, &mut item.extra),
        }
    })
}

/// A part of a message, and what the neutral form has no place for.
fn content<'a>(reader: &mut Reader<'a>) -> Result<(Part<'a>, Vec<Extra<'a>>), Fault> {
    let is_object = reader.peek()? == Kind::Object;
    let raw = reader.raw()?;
    let kind = if is_object { type_of(raw)? } else { Text::default() };
    if !matches!(&*kind, "output_text" | "refusal") {
        return Ok((unknown(kind, false, raw), Vec::new()));
    }
    let (mut text, mut citations, mut extra) = (Text::default(), Vec::new(), Vec::new());
    Reader::of(raw).object(|reader, key| {
        let value = reader.peek()?;
        match &*key.decode() {
            "type" => reader.skip(),
            "text" | "refusal" if value == Kind::String => {
                text = reader.string()?;
                Ok(())
            }
            "annotations" if value == Kind::Array => reader.array(|reader| {
                citations.extend(annotations::read(reader)?);
                Ok(())
            }),
            name => keep(reader, name, &mut extra),
        }
    })?;
    Ok((said(&kind, text, citations), extra))
}

fn said<'a>(kind: &str, text: Text<'a>, citations: Vec<Citation<'a>>) -> Part<'a> {
    if kind == "refusal" { Part::Refusal(text) } else { Part::Text { text, cache: None, citations, extra: Vec::new() } }
}

/// Thinking is read once: its summary, or without one its own words. The other of the two stays as it stands.
fn reasoning<'a>(raw: &'a str, item: &mut Item<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Fault> {
    let (mut summary, mut content, mut encrypted) = (None, None, None);
    Reader::of(raw).object(|reader, key| {
        let kind = reader.peek()?;
        match &*key.decode() {
            "type" => reader.skip()?,
            "summary" if kind == Kind::Array => summary = Some(reader.raw()?),
            "content" if kind == Kind::Array => content = Some(reader.raw()?),
            name => {
                keep(reader, name, &mut item.extra)?;
                if let (Some(kept), "encrypted_content") = (item.extra.last(), name) {
                    encrypted = string(&mut Reader::of(kept.value.0))?;
                }
            }
        }
        Ok::<(), Fault>(())
    })?;
    let lists = [("summary", summary), ("content", content)];
    let told = lists.into_iter().position(|(_, list)| list.is_some_and(|list| !says_nothing(list)));
    for (index, (name, list)) in lists.into_iter().enumerate() {
        match list {
            Some(list) if told == Some(index) => {
                Reader::of(list).array(|reader| thought(reader, item, parts))?;
            }
            Some(list) => item.extra.push(Extra { name: name.into(), value: Raw(list) }),
            None => {}
        }
    }
    prove(encrypted, item, parts);
    Ok(())
}

fn says_nothing(list: &str) -> bool {
    is_empty(&mut Reader::of(list)).unwrap_or(false)
}

fn thought<'a>(reader: &mut Reader<'a>, item: &mut Item<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Fault> {
    if reader.peek()? != Kind::Object {
        return reader.skip();
    }
    let (mut text, mut extra) = (None, Vec::new());
    reader.object(|reader, key| match &*key.decode() {
        "text" => {
            text = string(reader)?;
            Ok::<(), Fault>(())
        }
        name => keep(reader, name, &mut extra),
    })?;
    parts.push(Part::Reasoning { text: text.unwrap_or_default(), signature: None });
    item.parts.push(extra);
    Ok(())
}

/// What proves the thinking of an item. What OpenAI encrypted is readable to it only; what Penstock sealed was another
/// provider's.
fn prove<'a>(encrypted: Option<Text<'a>>, item: &mut Item<'a>, parts: &mut Vec<Part<'a>>) {
    let Some(encrypted) = encrypted else { return };
    let proof = match Sealed::open(&encrypted) {
        Some(Sealed::Signature(proof)) => {
            let proof = Text::Owned(proof.to_owned());
            if let (Some(Part::Reasoning { signature, .. }), false) = (parts.last_mut(), item.parts.is_empty()) {
                *signature = Some(proof);
                return;
            }
            Part::Reasoning { text: Text::default(), signature: Some(proof) }
        }
        Some(Sealed::Redacted(data)) => Part::RedactedReasoning(Text::Owned(data.to_owned())),
        None => Part::RedactedReasoning(encrypted),
    };
    parts.push(proof);
    item.parts.push(Vec::new());
}

fn call<'a>(raw: &'a str, item: &mut Item<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Fault> {
    let (mut id, mut name, mut arguments) = (None, None, None);
    Reader::of(raw).object(|reader, key| {
        match &*key.decode() {
            "type" => reader.skip()?,
            "call_id" => id = string(reader)?,
            "name" => name = string(reader)?,
            "arguments" => arguments = string(reader)?,
            other => keep(reader, other, &mut item.extra)?,
        }
        Ok::<(), Fault>(())
    })?;
    parts.push(Part::ToolCall(ToolCall {
        id: id.unwrap_or_default(),
        name: name.ok_or_else(|| Fault::new(0, "a tool call without a name"))?,
        arguments: arguments.unwrap_or(Text::Borrowed("{}")),
        cache: None,
        extra: Vec::new(),
    }));
    item.parts.push(Vec::new());
    Ok(())
}
