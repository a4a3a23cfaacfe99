//! A chat completion request, read into the neutral form.

mod message;
mod tools;

use crate::Dialect;
use crate::json::{Fault, Kind, Reader};
use crate::neutral::{Extra, Output, Raw, Reasoning, Request, Text};

pub(crate) use message::{call_arguments, file_source, source};

/// Reads a request. What is not known is kept in `extra`.
pub(crate) fn parse_request(body: &[u8]) -> Result<Request<'_>, Fault> {
    let mut reader = Reader::new(body)?;
    let mut request = Request::new(Dialect::OpenAI);
    let mut older_max = None;
    let mut messages = false;
    reader.peek()?;
    reader.object(|reader, key| {
        reader.peek()?;
        match &*key.decode() {
            "model" => request.model = reader.string()?,
            "messages" => {
                messages = true;
                reader.array(|reader| {
                    request.messages.push(message::read(reader)?);
                    Ok::<(), Fault>(())
                })?;
            }
            "tools" => tools::read(reader, &mut request)?,
            "tool_choice" => request.tool_choice = reader.optional(tools::choice)?,
            "parallel_tool_calls" => request.parallel_tool_calls = reader.optional(Reader::bool)?,
            "max_tokens" => older_max = reader.optional(Reader::unsigned)?,
            "max_completion_tokens" => request.max_tokens = reader.optional(Reader::unsigned)?,
            "temperature" => request.sampling.temperature = reader.optional(Reader::number)?,
            "top_p" => request.sampling.top_p = reader.optional(Reader::number)?,
            "top_k" => request.sampling.top_k = reader.optional(Reader::number)?,
            "stop" => stop(reader, &mut request)?,
            "n" => request.n = reader.optional(Reader::unsigned)?,
            "stream" => request.stream = reader.optional(Reader::bool)?.unwrap_or(false),
            "stream_options" => stream_options(reader, &mut request)?,
            "response_format" => request.output = reader.optional(output)?,
            "reasoning_effort" => request.reasoning = reader.optional(Reader::string)?.map(effort),
            "user" => request.user = reader.optional(Reader::string)?,
            "safety_identifier" => request.safety_identifier = reader.optional(Reader::string)?,
            name => extra(reader, name, &mut request.extra)?,
        }
        Ok::<(), Fault>(())
    })?;
    reader.end()?;
    if !messages {
        return Err(Fault::new(0, "messages is missing"));
    }
    // The newer spelling wins where both are given.
    request.max_tokens = request.max_tokens.or(older_max);
    Ok(request)
}

/// Keeps a member that is not known, unless it is null, which says nothing.
pub(crate) fn extra<'a>(reader: &mut Reader<'a>, name: &str, into: &mut Vec<Extra<'a>>) -> Result<(), Fault> {
    if !reader.null()? {
        into.push(Extra { name: Text::Owned(name.to_owned()), value: Raw(reader.raw()?) });
    }
    Ok(())
}

/// A word of OpenAI's for how much to think.
pub(crate) fn effort(word: Text<'_>) -> Reasoning<'_> {
    if word == "none" { Reasoning::Off } else { Reasoning::Effort(word) }
}

fn stop<'a>(reader: &mut Reader<'a>, request: &mut Request<'a>) -> Result<(), Fault> {
    match reader.peek()? {
        Kind::Null => reader.skip(),
        Kind::Array => reader.array(|reader| {
            request.stop.push(reader.string()?);
            Ok(())
        }),
        _ => {
            request.stop_is_text = true;
            request.stop.push(reader.string()?);
            Ok(())
        }
    }
}

fn stream_options<'a>(reader: &mut Reader<'a>, request: &mut Request<'a>) -> Result<(), Fault> {
    if reader.null()? {
        return Ok(());
    }
    reader.object(|reader, key| match &*key.decode() {
        "include_usage" => {
            request.include_usage = reader.optional(Reader::bool)?;
            Ok(())
        }
        name => extra(reader, name, &mut request.stream_options),
    })
}

/// Reads a `response_format`.
pub(super) fn output<'a>(reader: &mut Reader<'a>) -> Result<Output<'a>, Fault> {
    let start = reader.at();
    let mut of_type = None;
    let (mut name, mut description, mut schema, mut strict) = (Text::default(), None, None, None);
    reader.object(|reader, key| {
        match &*key.decode() {
            "type" => of_type = Some(reader.string()?),
            "json_schema" => reader.object(|reader, key| {
                match &*key.decode() {
                    "name" => name = reader.string()?,
                    "description" => description = reader.optional(Reader::string)?,
                    "schema" => schema = reader.optional(|reader| reader.raw().map(Raw))?,
                    "strict" => strict = reader.optional(Reader::bool)?,
                    _ => reader.skip()?,
                }
                Ok::<(), Fault>(())
            })?,
            _ => reader.skip()?,
        }
        Ok::<(), Fault>(())
    })?;
    match of_type.as_deref() {
        Some("text") => Ok(Output::Text),
        Some("json_object") => Ok(Output::JsonObject),
        Some("json_schema") => Ok(Output::JsonSchema { name, description, schema, strict }),
        Some(other) => Err(Fault::unknown(start, format!("the type {other:?} is not known"))),
        None => Err(Fault::new(start, "type is missing")),
    }
}
