//! A generateContent request, read into the neutral form.
//!
//! It is protobuf's JSON: names in camel or in snake case, and one item where a list of them is due.

mod calls;
mod config;
mod contents;
mod parts;
mod schemas;
mod settle;
mod tools;

use crate::Dialect;
use crate::json::{Fault, Kind, Members, Reader, camel};
use crate::neutral::{Extra, Message, Raw, Request, Role, Text};
use contents::Conversation;
pub(crate) use parts::is_kept;
pub(crate) use schemas::Schemas;
pub(crate) use settle::settle;

/// Reads a request. Model and stream are said by the path and not here. What is not known is kept in `extra`; members of
/// objects that are known in part are kept by their path, such as `generationConfig.seed`.
///
/// `schemas` are those of this very body.
pub(crate) fn parse_request<'a>(body: &'a [u8], schemas: &'a Schemas) -> Result<Request<'a>, Fault> {
    let mut reader = Reader::new(body)?;
    let mut request = Request::new(Dialect::Gemini);
    let (mut system, mut conversation) = (None, None);
    reader.peek()?;
    let start = reader.at();
    reader.object(|reader, key| {
        let is_null = reader.peek()? == Kind::Null;
        match &*camel(key.decode()) {
            _ if is_null => reader.skip()?,
            "contents" => conversation = Some(Conversation::read(reader)?),
            "systemInstruction" => system = Some(self::system(reader)?),
            "tools" => tools::read(reader, &mut request, schemas)?,
            "toolConfig" => tools::config(reader, &mut request)?,
            "generationConfig" => config::read(reader, &mut request, schemas)?,
            "model" => reader.skip()?,
            name => request.extra.push(Extra { name: Text::Owned(name.to_owned()), value: Raw(reader.raw()?) }),
        }
        Ok::<(), Fault>(())
    })?;
    reader.end()?;
    request.messages = conversation.ok_or_else(|| Fault::new(start, "contents is missing"))?.list;
    if let Some(system) = system {
        request.messages.insert(0, system);
    }
    // Gemini's streams always tell the usage.
    request.include_usage = Some(true);
    Ok(request)
}

fn system<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>, Fault> {
    let mut content = Members::read_camel(reader, 0)?;
    let mut parts = Vec::new();
    if let Some(said) = content.take("parts") {
        said.each(|reader, base| {
            parts.push(parts::read(reader, base, &mut calls::Calls::default())?);
            Ok(())
        })?;
    }
    Ok(Message { role: Role::System, parts, plain: false, extra: content.rest() })
}

#[cfg(test)]
mod tests;
