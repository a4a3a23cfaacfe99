use super::extra;
use crate::Dialect;
use crate::json::{Fault, Kind, Reader};
use crate::neutral::{Extra, Media, MediaKind, Message, Part, Raw, Role, Source, Text, ToolCall};

/// The members of a message, in whatever order they came.
struct Members<'a> {
    role: Option<Role>,
    content: Vec<Part<'a>>,
    plain: bool,
    refusal: Option<Text<'a>>,
    thinking: Option<Text<'a>>,
    thinking_blocks: Vec<Part<'a>>,
    calls: Vec<Part<'a>>,
    call_id: Option<Text<'a>>,
    extra: Vec<Extra<'a>>,
}

impl Members<'_> {
    fn new() -> Self {
        Self {
            role: None,
            content: Vec::new(),
            plain: true,
            refusal: None,
            thinking: None,
            thinking_blocks: Vec::new(),
            calls: Vec::new(),
            call_id: None,
            extra: Vec::new(),
        }
    }
}

pub(super) fn read<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>, Fault> {
    reader.peek()?;
    let start = reader.at();
    let mut members = Members::new();
    reader.object(|reader, key| member(reader, &key.decode(), &mut members))?;
    let Members { role, content, plain, refusal, thinking, thinking_blocks, calls, call_id, extra } = members;
    let role = role.ok_or_else(|| Fault::new(start, "role is missing"))?;
    if role == Role::Tool {
        let call = call_id.ok_or_else(|| Fault::new(start, "tool_call_id is missing"))?;
        let result = Part::ToolResult { call, parts: content, plain, is_error: false, cache: None, extra: Vec::new() };
        return Ok(Message { role, parts: vec![result], plain, extra });
    }
    let mut parts = thinking_blocks;
    if parts.is_empty() {
        parts.extend(thinking.filter(|text| !text.is_empty()).map(|text| Part::Reasoning { text, signature: None }));
    }
    let mut parts = joined(parts, content);
    parts.extend(refusal.map(Part::Refusal));
    Ok(Message { role, parts: joined(parts, calls), plain, extra })
}

/// One after the other; mostly one is empty, and the other is taken as it is.
fn joined<'a>(mut first: Vec<Part<'a>>, second: Vec<Part<'a>>) -> Vec<Part<'a>> {
    if first.is_empty() {
        return second;
    }
    first.extend(second);
    first
}

fn member<'a>(reader: &mut Reader<'a>, key: &str, members: &mut Members<'a>) -> Result<(), Fault> {
    reader.peek()?;
    match key {
        "role" => members.role = Some(role(reader)?),
        "content" => members.plain = content(reader, &mut members.content)?,
        "refusal" => members.refusal = reader.optional(Reader::string)?,
        "reasoning_content" => members.thinking = reader.optional(Reader::string)?,
        "thinking_blocks" if reader.peek()? == Kind::Array => reader.array(|reader| {
            members.thinking_blocks.push(part(reader)?);
            Ok::<(), Fault>(())
        })?,
        "tool_calls" if reader.peek()? == Kind::Array => reader.array(|reader| {
            members.calls.push(tool_call(reader)?);
            Ok::<(), Fault>(())
        })?,
        "tool_call_id" => members.call_id = reader.optional(Reader::string)?,
        name => extra(reader, name, &mut members.extra)?,
    }
    Ok(())
}

fn role(reader: &mut Reader<'_>) -> Result<Role, Fault> {
    let start = reader.at();
    match &*reader.string()? {
        "system" => Ok(Role::System),
        "developer" => Ok(Role::Developer),
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "tool" => Ok(Role::Tool),
        other => Err(Fault::unknown(start, format!("the role {other:?} is not known"))),
    }
}

/// Reads a content; true if it was a bare string or none at all.
fn content<'a>(reader: &mut Reader<'a>, parts: &mut Vec<Part<'a>>) -> Result<bool, Fault> {
    match reader.peek()? {
        Kind::Null => reader.skip().map(|()| true),
        Kind::String => {
            *parts = vec![Part::text(reader.string()?)];
            Ok(true)
        }
        Kind::Array => {
            reader.array(|reader| {
                parts.push(part(reader)?);
                Ok::<(), Fault>(())
            })?;
            Ok(false)
        }
        _ => Err(reader.fault("expected a string or a list of parts")),
    }
}

/// The members of a part that matter.
#[derive(Default)]
struct Fields<'a> {
    of_type: Text<'a>,
    text: Option<Text<'a>>,
    refusal: Option<Text<'a>>,
    thinking: Option<Text<'a>>,
    signature: Option<Text<'a>>,
    data: Option<Text<'a>>,
    url: Option<Url<'a>>,
    file: Option<File<'a>>,
    sound: Option<Source<'a>>,
    cache: Option<Raw<'a>>,
    extra: Vec<Extra<'a>>,
}

struct Url<'a> {
    at: usize,
    url: Text<'a>,
    detail: Option<Text<'a>>,
}

#[derive(Default)]
struct File<'a> {
    at: usize,
    data: Option<Text<'a>>,
    name: Option<Text<'a>>,
}

fn part<'a>(reader: &mut Reader<'a>) -> Result<Part<'a>, Fault> {
    reader.peek()?;
    let start = reader.at();
    let mut fields = Fields::default();
    reader.object(|reader, key| part_member(reader, &key.decode(), &mut fields))?;
    let whole = Raw(reader.slice(start, reader.at()));
    let Fields { of_type, text, refusal, thinking, signature, data, url, file, sound, cache, extra } = fields;
    let missing = |name: &str| Fault::new(start, format!("{name} is missing"));
    Ok(match &*of_type {
        "text" => Part::Text { text: text.ok_or_else(|| missing("text"))?, cache, citations: Vec::new(), extra },
        "refusal" => Part::Refusal(refusal.ok_or_else(|| missing("refusal"))?),
        "thinking" => Part::Reasoning { text: thinking.unwrap_or_default(), signature },
        "redacted_thinking" => Part::RedactedReasoning(data.unwrap_or_default()),
        "image_url" => {
            let Url { at, url, detail } = url.ok_or_else(|| missing("image_url"))?;
            Part::Media(Media {
                kind: MediaKind::Image,
                source: source(at, url)?,
                label: detail,
                cache,
                extra: Vec::new(),
            })
        }
        "file" => match file {
            Some(File { at, data: Some(data), name }) => Part::Media(Media {
                kind: MediaKind::Document,
                source: file_source(at, data)?,
                label: name,
                cache,
                extra: Vec::new(),
            }),
            _ => Part::Unknown { origin: Dialect::OpenAI, kind: of_type, is_call: false, value: whole },
        },
        "input_audio" => {
            let source = sound.ok_or_else(|| missing("input_audio"))?;
            Part::Media(Media { kind: MediaKind::Audio, source, label: None, cache, extra })
        }
        "" => return Err(missing("type")),
        _ => Part::Unknown { origin: Dialect::OpenAI, kind: of_type, is_call: false, value: whole },
    })
}

fn part_member<'a>(reader: &mut Reader<'a>, key: &str, fields: &mut Fields<'a>) -> Result<(), Fault> {
    let kind = reader.peek()?;
    match key {
        "type" => fields.of_type = reader.string()?,
        "text" if kind == Kind::String => fields.text = Some(reader.string()?),
        "refusal" if kind == Kind::String => fields.refusal = Some(reader.string()?),
        "thinking" if kind == Kind::String => fields.thinking = Some(reader.string()?),
        "signature" => fields.signature = reader.optional(Reader::string)?.filter(|text| !text.is_empty()),
        "data" if kind == Kind::String => fields.data = Some(reader.string()?),
        "image_url" => fields.url = Some(image_url(reader)?),
        "input_audio" => fields.sound = Some(sound(reader)?),
        "file" if kind == Kind::Object => fields.file = Some(file(reader)?),
        "cache_control" => fields.cache = reader.optional(|reader| reader.raw().map(Raw))?,
        name => extra(reader, name, &mut fields.extra)?,
    }
    Ok(())
}

/// An object with a `url`; some clients send the bare string.
fn image_url<'a>(reader: &mut Reader<'a>) -> Result<Url<'a>, Fault> {
    let start = reader.at();
    if reader.peek()? == Kind::String {
        return Ok(Url { at: start, url: reader.string()?, detail: None });
    }
    let (mut url, mut detail) = (None, None);
    reader.object(|reader, key| {
        match &*key.decode() {
            "url" => {
                reader.peek()?;
                url = Some((reader.at(), reader.string()?));
            }
            "detail" => detail = reader.optional(Reader::string)?,
            _ => reader.skip()?,
        }
        Ok::<(), Fault>(())
    })?;
    let (at, url) = url.ok_or_else(|| Fault::new(start, "url is missing"))?;
    Ok(Url { at, url, detail })
}

fn sound<'a>(reader: &mut Reader<'a>) -> Result<Source<'a>, Fault> {
    let start = reader.at();
    let (mut data, mut format) = (None, None);
    reader.object(|reader, key| {
        match &*key.decode() {
            "data" => data = reader.optional(Reader::string)?,
            "format" => format = reader.optional(Reader::string)?,
            _ => reader.skip()?,
        }
        Ok::<(), Fault>(())
    })?;
    let missing = |name: &str| Fault::new(start, format!("{name} is missing"));
    let format = format.ok_or_else(|| missing("format"))?;
    Ok(Source::Base64 { media_type: format!("audio/{format}").into(), data: data.ok_or_else(|| missing("data"))? })
}

fn file<'a>(reader: &mut Reader<'a>) -> Result<File<'a>, Fault> {
    let mut file = File::default();
    reader.object(|reader, key| {
        match &*key.decode() {
            "file_data" => {
                reader.peek()?;
                file.at = reader.at();
                file.data = reader.optional(Reader::string)?;
            }
            "filename" => file.name = reader.optional(Reader::string)?,
            _ => reader.skip()?,
        }
        Ok::<(), Fault>(())
    })?;
    Ok(file)
}

/// A data URL in its two halves, or any other URL as it is.
pub(crate) fn source<'a>(at: usize, url: Text<'a>) -> Result<Source<'a>, Fault> {
    if !url.starts_with("data:") {
        return Ok(Source::Url(url));
    }
    let comma = url.find(',').filter(|comma| url[..*comma].ends_with(";base64"));
    let comma = comma.ok_or_else(|| Fault::new(at, "a data URL must hold base64"))?;
    let media_type = Text::Owned(url["data:".len()..comma].split(';').next().unwrap_or_default().to_owned());
    let data = match url {
        Text::Borrowed(url) => Text::Borrowed(&url[comma + 1..]),
        Text::Owned(url) => Text::Owned(url[comma + 1..].to_owned()),
    };
    Source::base64(at, media_type, data)
}

/// A file may also be bare base64, whose type its first bytes tell.
pub(crate) fn file_source<'a>(at: usize, data: Text<'a>) -> Result<Source<'a>, Fault> {
    if data.contains(':') {
        return source(at, data);
    }
    Source::base64(at, Text::default(), data)
}

fn tool_call<'a>(reader: &mut Reader<'a>) -> Result<Part<'a>, Fault> {
    reader.peek()?;
    let start = reader.at();
    let mut of_type = Text::Borrowed("function");
    let (mut id, mut name, mut arguments, mut cache) = (None, None, Text::default(), None);
    let mut others = Vec::new();
    reader.object(|reader, key| {
        match &*key.decode() {
            "id" => id = Some(reader.string()?),
            "type" => of_type = reader.string()?,
            "function" => reader.object(|reader, key| {
                match &*key.decode() {
                    "name" => name = Some(reader.string()?),
                    "arguments" => arguments = call_arguments(reader)?,
                    _ => reader.skip()?,
                }
                Ok::<(), Fault>(())
            })?,
            "cache_control" => cache = reader.optional(|reader| reader.raw().map(Raw))?,
            name => extra(reader, name, &mut others)?,
        }
        Ok::<(), Fault>(())
    })?;
    if of_type != "function" {
        return Ok(Part::Unknown {
            origin: Dialect::OpenAI,
            kind: of_type,
            is_call: true,
            value: Raw(reader.slice(start, reader.at())),
        });
    }
    let missing = |name: &str| Fault::new(start, format!("{name} is missing"));
    let id = id.ok_or_else(|| missing("id"))?;
    let name = name.ok_or_else(|| missing("function.name"))?;
    Ok(Part::ToolCall(ToolCall { id, name, arguments, cache, extra: others }))
}

/// JSON text in a string, checked to be an object; empty and null mean no arguments.
pub(crate) fn call_arguments<'a>(reader: &mut Reader<'a>) -> Result<Text<'a>, Fault> {
    reader.peek()?;
    let start = reader.at();
    let arguments = reader.optional(Reader::string)?.unwrap_or_default();
    let mut inner = Reader::of(&arguments);
    let is_object = |inner: &mut Reader<'_>| {
        inner.object(|reader, _| reader.skip())?;
        inner.end()
    };
    if !arguments.trim_ascii().is_empty() && is_object(&mut inner).is_err() {
        return Err(Fault::new(start, "arguments must be a JSON object in a string"));
    }
    Ok(arguments)
}
