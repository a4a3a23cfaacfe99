use super::calls::Calls;
use crate::Dialect;
use crate::gemini::request::named_by;
use crate::json::{Fault, Kind, Member, Members, Reader};
use crate::neutral::{Extra, Media, MediaKind, Part, Source, Text, ToolCall};

/// Whether an address is of a file that the provider keeps for its account.
pub(crate) fn is_kept(uri: &str) -> bool {
    uri.starts_with("https://generativelanguage.googleapis.com/") || uri.starts_with("files/")
}

/// The kind of a part that says nothing to others: it holds a signature at most.
pub(super) const SILENT: &str = "thoughtSignature";

/// Reads a part.
pub(super) fn read<'a>(reader: &mut Reader<'a>, base: usize, calls: &mut Calls<'a>) -> Result<Part<'a>, Fault> {
    let mut part = Members::read_camel(reader, base)?;
    if let Some(called) = part.take("functionCall") {
        return call(called, part, calls);
    }
    if let Some(answer) = part.take("functionResponse") {
        return result(answer, part, calls);
    }
    if let Some(data) = part.take("inlineData") {
        return inline(data, part);
    }
    if let Some(data) = part.take("fileData") {
        return file(data, part);
    }
    let Some(text) = part.string("text")? else { return Ok(other(&part)) };
    if part.bool("thought")? == Some(true) {
        return Ok(Part::Reasoning { text, signature: part.string("thoughtSignature")? });
    }
    Ok(Part::Text { text, cache: None, citations: Vec::new(), extra: part.rest() })
}

fn call<'a>(called: Member<'a>, part: Members<'a>, calls: &mut Calls<'a>) -> Result<Part<'a>, Fault> {
    let mut call = called.camel_members()?;
    let name = call.need("name")?.string()?;
    let (given, id) = (call.raw_extra("functionCall", "id"), call.string("id")?);
    let id = calls.call(id, &name);
    let arguments = call.take("args").map(Member::object).transpose()?.map_or("{}", |args| args.0);
    let mut extra = part.rest();
    extra.extend(given);
    extra.extend(call.rest_in("functionCall"));
    Ok(Part::ToolCall(ToolCall { id, name, arguments: arguments.into(), cache: None, extra }))
}

fn result<'a>(answer: Member<'a>, part: Members<'a>, calls: &mut Calls<'a>) -> Result<Part<'a>, Fault> {
    let at = answer.at;
    let mut answer = answer.camel_members()?;
    let given = ["id", "name"].map(|name| answer.raw_extra("functionResponse", name));
    let (id, name) = (answer.string("id")?, answer.string("name")?.unwrap_or_default());
    let Some(call) = calls.answer(id, &name) else {
        return Err(Fault::new(at, format!("no function call before it waits for a response of {name:?}")));
    };
    let mut extra = part.rest();
    extra.extend(given.into_iter().flatten());
    let (mut parts, mut is_error) = (Vec::new(), false);
    if let Some(response) = answer.take("response") {
        let raw = response.raw();
        let (said, failed) = said(response)?;
        (parts, is_error) = (vec![Part::text(said)], failed);
        extra.push(Extra { name: "functionResponse.response".into(), value: raw });
    }
    if let Some(shown) = answer.take("parts") {
        shown.each(|reader, base| {
            parts.push(read(reader, base, &mut Calls::default())?);
            Ok(())
        })?;
    }
    extra.extend(answer.rest_in("functionResponse"));
    Ok(Part::ToolResult { call, plain: parts.len() == 1, parts, is_error, cache: None, extra })
}

/// The words of a response. `output` and `error` are Gemini's own names for them, `result` is what its SDKs write
/// (ai.google.dev, api/caching, FunctionResponse); a response of other members is told whole.
fn said(response: Member<'_>) -> Result<(Text<'_>, bool), Fault> {
    let whole = response.object()?.0;
    let (mut members, mut only) = (0, None);
    Reader::of(whole).object(|reader, key| {
        members += 1;
        let (name, kind) = (key.decode(), reader.peek()?);
        let text = if kind == Kind::String { reader.string()? } else { reader.raw()?.into() };
        if matches!(&*name, "output" | "result" | "error") {
            only = Some((text, name == "error"));
        }
        Ok::<(), Fault>(())
    })?;
    Ok(only.filter(|_| members == 1).unwrap_or((whole.into(), false)))
}

fn inline<'a>(data: Member<'a>, part: Members<'a>) -> Result<Part<'a>, Fault> {
    let mut data = data.camel_members()?;
    let media_type = data.string("mimeType")?.unwrap_or_default();
    let Some(kind) = kind_of(&media_type) else { return Ok(unknown(format!("inlineData {media_type}"), &part)) };
    let told = data.need("data")?;
    let source = Source::any_base64(told.at, media_type, told.string()?)?;
    let label = data.string("displayName")?;
    let mut extra = part.rest();
    extra.extend(data.rest_in("inlineData"));
    Ok(Part::Media(Media { kind, source, label, cache: None, extra }))
}

/// What anybody can fetch is a URL; what the provider keeps is a file of its store, and other places are its own.
fn file<'a>(data: Member<'a>, part: Members<'a>) -> Result<Part<'a>, Fault> {
    let mut data = data.camel_members()?;
    let uri = data.need("fileUri")?.string()?;
    let given = data.raw_extra("fileData", "mimeType");
    let media_type = data.string("mimeType")?.or_else(|| named_by(&uri).map(Text::Borrowed)).unwrap_or_default();
    let source = match &*uri {
        kept if is_kept(kept) => Source::File(uri),
        known if known.starts_with("https://") || known.starts_with("http://") => Source::Url(uri),
        _ => return Ok(unknown("fileData".into(), &part)),
    };
    let Some(kind) = kind_of(&media_type) else { return Ok(unknown(format!("fileData {media_type}"), &part)) };
    let label = data.string("displayName")?;
    let mut extra = part.rest();
    extra.extend(given);
    extra.extend(data.rest_in("fileData"));
    Ok(Part::Media(Media { kind, source, label, cache: None, extra }))
}

fn kind_of(media_type: &str) -> Option<MediaKind> {
    match media_type.split_once('/')? {
        ("image", _) => Some(MediaKind::Image),
        ("application", "pdf") | ("text", _) => Some(MediaKind::Document),
        ("audio", _) => Some(MediaKind::Audio),
        _ => None,
    }
}

/// Video, code and its results, and what came later.
fn other<'a>(part: &Members<'a>) -> Part<'a> {
    let kind = part.names().find(|name| !matches!(*name, SILENT | "partMetadata" | "thought"));
    unknown(kind.unwrap_or(SILENT).to_owned(), part)
}

fn unknown<'a>(kind: String, part: &Members<'a>) -> Part<'a> {
    Part::Unknown { origin: Dialect::Gemini, kind: kind.into(), is_call: false, value: part.whole }
}
