//! A request, read for a provider that has the API: all of it is kept, each item as a message of its own.

use super::parse::{role, settings, simple, tools};
use crate::Dialect;
use crate::json::{Fault, Kind, Member, Members, Reader};
use crate::neutral::{
    Media, MediaKind, Message, OtherTool, Part, Raw, Request, Role, Source, Text, ToolCall, ToolChoice,
};
use crate::openai::{self, effort_word, extra};

/// Reads a request. What the neutral form has no place for stays as it stands: members in `extra`, those of `text` and
/// `reasoning` by their path; items and parts of other kinds whole.
pub(super) fn read(body: &[u8]) -> Result<Request<'_>, Fault> {
    let mut reader = Reader::new(body)?;
    let mut request = Request::new(Dialect::Responses);
    let mut given = false;
    reader.object(|reader, key| {
        reader.peek()?;
        let name = &*key.decode();
        if simple(reader, name, &mut request)? {
            return Ok(());
        }
        match name {
            "input" => {
                given = true;
                input(reader, &mut request.messages)
            }
            "tools" | "tool_choice" | "text" | "reasoning" | "stream_options" if reader.null()? => Ok(()),
            "tools" => reader.array(|reader| tool(reader, &mut request)),
            "tool_choice" => choice(reader).map(|choice| request.tool_choice = Some(choice)),
            "text" => {
                let mut text = Members::read(reader, 0)?;
                let format = text.take("format").map(|format| settings::output(format.members()?)).transpose()?;
                request.output = format;
                request.extra.extend(text.rest_in("text"));
                Ok(())
            }
            "reasoning" => {
                let mut reasoning = Members::read(reader, 0)?;
                request.reasoning = reasoning.string("effort")?.map(effort_word);
                request.extra.extend(reasoning.rest_in("reasoning"));
                Ok(())
            }
            "stream_options" => Members::read(reader, 0).map(|options| request.stream_options = options.rest()),
            name => extra(reader, name, &mut request.extra),
        }
    })?;
    reader.end()?;
    if given { Ok(request) } else { Err(Fault::new(0, "input is missing")) }
}

fn tool<'a>(reader: &mut Reader<'a>, request: &mut Request<'a>) -> Result<(), Fault> {
    let mut tool = Members::read(reader, 0)?;
    let (value, kind) = (tool.whole, tool.need("type")?.string()?);
    if kind == "function" {
        let mut function = tools::function(&mut tool)?;
        function.extra = tool.rest();
        request.tools.push(function);
    } else {
        let index = request.tools.len() + request.other_tools.len();
        request.other_tools.push(OtherTool { index, kind, value });
    }
    Ok(())
}

fn choice<'a>(reader: &mut Reader<'a>) -> Result<ToolChoice<'a>, Fault> {
    if reader.peek()? == Kind::String {
        return tools::word(reader, 0);
    }
    let mut choice = Members::read(reader, 0)?;
    if choice.string("type")?.as_deref() == Some("function") {
        return Ok(ToolChoice::Named(choice.need("name")?.string()?));
    }
    Ok(ToolChoice::Other(choice.whole))
}

fn input<'a>(reader: &mut Reader<'a>, into: &mut Vec<Message<'a>>) -> Result<(), Fault> {
    match reader.peek()? {
        Kind::String => into.push(message(Role::User, vec![Part::text(reader.string()?)], true)),
        Kind::Array => reader.array(|reader| {
            into.push(item(Members::read(reader, 0)?)?);
            Ok::<(), Fault>(())
        })?,
        _ => return Err(reader.fault("expected a string or a list of items")),
    }
    Ok(())
}

fn message(role: Role, parts: Vec<Part<'_>>, plain: bool) -> Message<'_> {
    Message { role, parts, plain, extra: Vec::new() }
}

fn item(mut item: Members<'_>) -> Result<Message<'_>, Fault> {
    let whole = item.whole;
    let kind = item.take("type");
    let word = kind.as_ref().map(|kind| Reader::of(kind.raw().0).string()).transpose()?.unwrap_or_default();
    match &*word {
        "function_call" => {
            let (id, name) = (item.need("call_id")?.string()?, item.need("name")?.string()?);
            let arguments = item.string("arguments")?.unwrap_or_default();
            let call = ToolCall { id, name, arguments, cache: None, extra: item.rest() };
            Ok(message(Role::Assistant, vec![Part::ToolCall(call)], false))
        }
        "function_call_output" => {
            let call = item.need("call_id")?.string()?;
            let (parts, plain) = content(item.need("output")?, Role::Tool)?;
            let extra = item.rest();
            let result = Part::ToolResult { call, parts, plain, is_error: false, cache: None, extra };
            Ok(message(Role::Tool, vec![result], plain))
        }
        "message" | "" => {
            let speaker = item.string("role")?.as_deref().and_then(role);
            let (Some(speaker), Some(said)) = (speaker, item.take("content")) else {
                return Ok(kept(word, whole, true));
            };
            let (parts, plain) = content(said, speaker)?;
            let mut extra = item.rest();
            extra.extend(kind.map(Member::into_extra));
            Ok(Message { extra, ..message(speaker, parts, plain) })
        }
        _ => Ok(kept(word, whole, true)),
    }
}

/// An item that nobody else knows.
fn kept<'a>(kind: Text<'a>, whole: Raw<'a>, is_call: bool) -> Message<'a> {
    message(Role::Assistant, vec![unknown(kind, whole, is_call)], false)
}

/// As an item it stands among the calls, and not in what a message says.
fn unknown<'a>(kind: Text<'a>, value: Raw<'a>, is_call: bool) -> Part<'a> {
    Part::Unknown { origin: Dialect::Responses, kind, is_call, value }
}

fn content(content: Member<'_>, role: Role) -> Result<(Vec<Part<'_>>, bool), Fault> {
    if content.kind()? == Kind::String {
        return Ok((vec![Part::text(content.string()?)], true));
    }
    let mut parts = Vec::new();
    content.items(|reader, base| {
        parts.push(part(Members::read(reader, base)?, role)?);
        Ok(())
    })?;
    Ok((parts, false))
}

fn part(mut part: Members<'_>, role: Role) -> Result<Part<'_>, Fault> {
    let (whole, kind) = (part.whole, part.need("type")?.string()?);
    match &*kind {
        "input_text" | "output_text" if (role == Role::Assistant) == (kind == "output_text") => {
            let text = part.need("text")?.string()?;
            Ok(Part::Text { text, cache: None, citations: Vec::new(), extra: part.rest() })
        }
        "refusal" => Ok(Part::Refusal(part.need("refusal")?.string()?)),
        "input_image" | "input_file" => {
            let is_image = kind == "input_image";
            let (data, label) = if is_image { ("image_url", "detail") } else { ("file_data", "filename") };
            let source = match (part.take(data), part.take("file_url")) {
                (Some(data), _) if is_image => openai::source(data.at, data.string()?)?,
                (Some(data), _) => openai::file_source(data.at, data.string()?)?,
                (None, Some(url)) => Source::Url(url.string()?),
                (None, None) => return Ok(unknown(kind, whole, false)),
            };
            let label = part.string(label)?;
            let kind = if is_image { MediaKind::Image } else { MediaKind::Document };
            Ok(Part::Media(Media { kind, source, label, cache: None, extra: part.rest() }))
        }
        _ => Ok(unknown(kind, whole, false)),
    }
}
