use crate::Dialect;
use crate::json::{Fault, Kind, Member, Members, Reader};
use crate::neutral::{Media, MediaKind, Part, Source, Text, ToolCall};

/// Where a block stands. What has no business there is kept as it is, for its provider to judge; so nothing is nested
/// without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A turn of the conversation.
    Turn,
    /// The system prompt or a tool's result.
    Inner,
    /// The pieces of a document.
    Document,
}

/// Reads one content block.
pub(super) fn read<'a>(reader: &mut Reader<'a>, base: usize, place: Place) -> Result<Part<'a>, Fault> {
    let mut block = Members::read(reader, base)?;
    let kind = block.need("type")?.string()?;
    match &*kind {
        "text" => text(block),
        "image" => media(block, kind),
        "document" if place != Place::Document => media(block, kind),
        "tool_use" if place == Place::Turn => call(block),
        "tool_result" if place == Place::Turn => result(block),
        "thinking" if place == Place::Turn => Ok(Part::Reasoning {
            text: block.need("thinking")?.string()?,
            signature: block.string("signature")?.filter(|signature| !signature.is_empty()),
        }),
        "redacted_thinking" if place == Place::Turn => Ok(Part::RedactedReasoning(block.need("data")?.string()?)),
        _ => Ok(unknown(kind, &block)),
    }
}

fn unknown<'a>(kind: Text<'a>, block: &Members<'a>) -> Part<'a> {
    Part::Unknown { origin: Dialect::Anthropic, kind, is_call: false, value: block.whole }
}

fn text(mut block: Members<'_>) -> Result<Part<'_>, Fault> {
    let text = block.need("text")?.string()?;
    Ok(Part::Text { text, cache: block.raw("cache_control"), citations: Vec::new(), extra: block.rest() })
}

fn call(mut block: Members<'_>) -> Result<Part<'_>, Fault> {
    let id = block.need("id")?.string()?;
    let name = block.need("name")?.string()?;
    let arguments = block.take("input").map(Member::object).transpose()?;
    let arguments = Text::Borrowed(arguments.map_or("{}", |input| input.0));
    Ok(Part::ToolCall(ToolCall { id, name, arguments, cache: block.raw("cache_control"), extra: block.rest() }))
}

fn result(mut block: Members<'_>) -> Result<Part<'_>, Fault> {
    let call = block.need("tool_use_id")?.string()?;
    let (parts, plain) = match block.take("content") {
        Some(said) => content(said, Place::Inner)?,
        None => (Vec::new(), true),
    };
    let is_error = block.bool("is_error")?.unwrap_or(false);
    Ok(Part::ToolResult { call, parts, plain, is_error, cache: block.raw("cache_control"), extra: block.rest() })
}

/// A string or a list of blocks; true if it was a string.
fn content(content: Member<'_>, place: Place) -> Result<(Vec<Part<'_>>, bool), Fault> {
    if content.kind()? == Kind::String {
        return Ok((vec![Part::text(content.string()?)], true));
    }
    let mut parts = Vec::new();
    content.items(|reader, base| {
        parts.push(read(reader, base, place)?);
        Ok(())
    })?;
    Ok((parts, false))
}

/// A picture or a document. One from a source that is not known is kept as it is.
fn media<'a>(mut block: Members<'a>, kind: Text<'a>) -> Result<Part<'a>, Fault> {
    let source = block.need("source")?.members()?;
    let media_kind = if kind == "image" { MediaKind::Image } else { MediaKind::Document };
    let Some(source) = self::source(source, media_kind)? else { return Ok(unknown(kind, &block)) };
    let label = if media_kind == MediaKind::Document { block.string("title")? } else { None };
    Ok(Part::Media(Media { kind: media_kind, source, label, cache: block.raw("cache_control"), extra: block.rest() }))
}

fn source(mut source: Members<'_>, kind: MediaKind) -> Result<Option<Source<'_>>, Fault> {
    let of_type = source.need("type")?.string()?;
    Ok(Some(match (&*of_type, kind) {
        ("base64", _) => {
            let media_type = source.need("media_type")?.string()?;
            let data = source.need("data")?;
            Source::base64(data.at, media_type, data.string()?)?
        }
        ("url", _) => Source::Url(source.need("url")?.string()?),
        ("file", _) => Source::File(source.need("file_id")?.string()?),
        ("text", MediaKind::Document) => Source::Text(source.need("data")?.string()?),
        ("content", MediaKind::Document) => {
            let (parts, plain) = content(source.need("content")?, Place::Document)?;
            Source::Pieces { parts, plain }
        }
        _ => return Ok(None),
    }))
}
