//! A message request, read into the neutral form.

mod blocks;
mod messages;
mod settings;
mod tools;

use crate::Dialect;
use crate::json::{Fault, Kind, Reader};
use crate::neutral::{Extra, Message, Part, Raw, Request, Role, Text};
use blocks::Place;
use messages::Messages;
use settings::Settings;

/// Reads a request. What is not known is kept in `extra`; members of objects that are known in part are kept by their
/// path, such as `output_config.effort`.
pub(crate) fn parse_request(body: &[u8]) -> Result<Request<'_>, Fault> {
    read(body, true)
}

/// Reads a request whose tokens are to be counted: there nobody says how many may be written.
pub(crate) fn parse_count(body: &[u8]) -> Result<Request<'_>, Fault> {
    read(body, false)
}

fn read(body: &[u8], bounded: bool) -> Result<Request<'_>, Fault> {
    let mut reader = Reader::new(body)?;
    let mut request = Request::new(Dialect::Anthropic);
    let (mut system, mut messages, mut settings) = (None, None, Settings::default());
    reader.peek()?;
    let start = reader.at();
    reader.object(|reader, key| {
        reader.peek()?;
        match &*key.decode() {
            "system" => system = self::system(reader)?,
            "messages" => messages = Some(Messages::read(reader)?),
            name => member(reader, name, &mut request, &mut settings)?,
        }
        Ok::<(), Fault>(())
    })?;
    reader.end()?;
    let missing = |name: &str| Fault::new(start, format!("{name} is missing"));
    if request.model.is_empty() {
        return Err(missing("model"));
    }
    if bounded && request.max_tokens.is_none() {
        return Err(missing("max_tokens"));
    }
    request.messages = messages.ok_or_else(|| missing("messages"))?.list;
    if let Some(system) = system {
        request.messages.insert(0, system);
    }
    settings.settle(&mut request);
    // Anthropic's streams always tell the usage.
    request.include_usage = Some(true);
    Ok(request)
}

fn member<'a>(
    reader: &mut Reader<'a>,
    name: &str,
    request: &mut Request<'a>,
    settings: &mut Settings<'a>,
) -> Result<(), Fault> {
    match name {
        "model" => request.model = reader.string()?,
        "max_tokens" => request.max_tokens = reader.optional(Reader::unsigned)?,
        "tools" => tools::read(reader, request)?,
        "tool_choice" => tools::choice(reader, request)?,
        "temperature" => request.sampling.temperature = reader.optional(Reader::number)?,
        "top_p" => request.sampling.top_p = reader.optional(Reader::number)?,
        "top_k" => request.sampling.top_k = reader.optional(Reader::number)?,
        "stop_sequences" => stop(reader, request)?,
        "stream" => request.stream = reader.optional(Reader::bool)?.unwrap_or(false),
        "metadata" => settings::metadata(reader, request)?,
        "thinking" => settings.thinking(reader, request)?,
        "output_config" => settings.output_config(reader, request)?,
        // The name that structured outputs had in their beta.
        "output_format" => request.output = reader.optional(settings::format)?,
        name if !reader.null()? => {
            request.extra.push(Extra { name: Text::Owned(name.to_owned()), value: Raw(reader.raw()?) });
        }
        _ => {}
    }
    Ok(())
}

/// A string or a list of blocks; an empty list is none.
fn system<'a>(reader: &mut Reader<'a>) -> Result<Option<Message<'a>>, Fault> {
    let mut parts = Vec::new();
    let plain = match reader.peek()? {
        Kind::Null => reader.skip().map(|()| false)?,
        Kind::String => {
            parts.push(Part::text(reader.string()?));
            true
        }
        Kind::Array => {
            reader.array(|reader| {
                parts.push(blocks::read(reader, 0, Place::Inner)?);
                Ok::<(), Fault>(())
            })?;
            false
        }
        _ => return Err(reader.fault("expected a string or a list of blocks")),
    };
    Ok((!parts.is_empty()).then(|| Message { role: Role::System, parts, plain, extra: Vec::new() }))
}

fn stop<'a>(reader: &mut Reader<'a>, request: &mut Request<'a>) -> Result<(), Fault> {
    if reader.null()? {
        return Ok(());
    }
    reader.array(|reader| {
        request.stop.push(reader.string()?);
        Ok(())
    })
}

#[cfg(test)]
mod tests;
