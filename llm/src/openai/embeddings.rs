//! OpenAI's `/v1/embeddings`.

use std::convert::Infallible;

use super::observe::{is_empty, is_error};
use super::request::extra;
use super::usage;
use crate::classify::UpstreamError;
use crate::embeddings::{Input, Request, Vector, Vectors, Wanted};
use crate::json::{Fault, Kind, Reader, Writer};
use crate::neutral::Raw;
use crate::translate::{Dropped, Target};

/// Reads a request. How the vectors are to be encoded is the answer's matter.
pub(crate) fn parse_request(body: &[u8]) -> Result<Request<'_>, Fault> {
    let mut reader = Reader::new(body)?;
    let mut request = Request::default();
    reader.peek()?;
    let start = reader.at();
    reader.object(|reader, key| {
        reader.peek()?;
        match &*key.decode() {
            "model" | "encoding_format" => reader.skip()?,
            "input" => request.inputs = inputs(reader)?,
            "dimensions" => request.dimensions = reader.optional(Reader::unsigned)?,
            "user" => request.user = reader.optional(Reader::string)?,
            name => extra(reader, name, &mut request.extra)?,
        }
        Ok::<(), Fault>(())
    })?;
    reader.end()?;
    if request.inputs.is_empty() {
        return Err(Fault::new(start, "input is missing"));
    }
    Ok(request)
}

/// A text, a list of tokens, or a list of either.
fn inputs<'a>(reader: &mut Reader<'a>) -> Result<Vec<Input<'a>>, Fault> {
    if reader.peek()? == Kind::String {
        return Ok(vec![Input::Text(reader.string()?)]);
    }
    let start = reader.at();
    let (mut inputs, mut tokens) = (Vec::new(), 0);
    reader.array(|reader| {
        let kind = reader.peek()?;
        let at = reader.at();
        match kind {
            Kind::String => inputs.push(Input::Text(reader.string()?)),
            Kind::Array => {
                reader.array(|reader| reader.unsigned().map(drop))?;
                inputs.push(Input::Tokens(Raw(reader.slice(at, reader.at()))));
            }
            _ => {
                reader.unsigned()?;
                tokens += 1;
            }
        }
        if tokens > 0 && !inputs.is_empty() {
            return Err(Fault::new(at, "texts, lists of tokens and tokens cannot be mixed"));
        }
        Ok(())
    })?;
    if tokens > 0 {
        inputs.push(Input::Tokens(Raw(reader.slice(start, reader.at()))));
    }
    if inputs.is_empty() {
        return Err(Fault::new(start, "expected a text, a list of tokens, or a list of either"));
    }
    Ok(inputs)
}

pub(crate) fn emit_request(request: &Request<'_>, target: &Target<'_>, dropped: &mut Dropped) -> Vec<u8> {
    let mut body = Vec::with_capacity(256);
    let Ok(()) = Writer::new(&mut body).object(|w| {
        w.key("model").string(target.model);
        w.key("input").array(|w| {
            request.inputs.iter().for_each(|input| match input {
                Input::Text(text) => w.string(text),
                Input::Tokens(list) => w.raw(list.0),
            });
            Ok::<(), Infallible>(())
        })?;
        if let Some(dimensions) = request.dimensions {
            w.key("dimensions").unsigned(dimensions);
        }
        w.key("encoding_format").string("float");
        if let Some(user) = &request.user {
            w.key("user").string(user);
        }
        Ok::<(), Infallible>(())
    });
    request.extra.iter().for_each(|extra| dropped.add(&extra.name));
    body
}

/// Reads an answer, OpenAI's or one of its shape.
pub(crate) fn parse_answer(body: &[u8]) -> Result<Vectors<'_>, Fault> {
    let mut reader = Reader::of_answer(body)?;
    let mut vectors = Vectors::default();
    let mut list = Vec::new();
    reader.object(|reader, key| {
        match &*key.decode() {
            "data" if reader.peek()? == Kind::Array => reader.array(|reader| {
                list.push(datum(reader, list.len())?);
                Ok::<(), Fault>(())
            })?,
            "model" if reader.peek()? == Kind::String => vectors.model = Some(reader.string()?),
            "usage" => vectors.usage = usage::read(reader)?.unwrap_or_default(),
            "error" => vectors.failed |= !is_empty(reader)?,
            "object" => vectors.failed |= is_error(reader)?,
            _ => reader.skip()?,
        }
        Ok::<(), Fault>(())
    })?;
    reader.end()?;
    list.sort_by_key(|(index, _)| *index);
    vectors.list = list.into_iter().map(|(_, vector)| vector).collect();
    Ok(vectors)
}

/// A vector and its index; the one that its place says, where it says none.
fn datum<'a>(reader: &mut Reader<'a>, place: usize) -> Result<(u64, Vector<'a>), Fault> {
    reader.peek()?;
    let start = reader.at();
    let (mut index, mut vector) = (place as u64, None);
    reader.object(|reader, key| {
        match (&*key.decode(), reader.peek()?) {
            ("index", _) => index = usage::count(reader)?.unwrap_or(index),
            ("embedding", Kind::String) => vector = Some(Vector::Base64(reader.string()?)),
            ("embedding", Kind::Array) => {
                let at = reader.at();
                vector = Some(Vector::Numbers(Raw(reader.raw()?), at));
            }
            _ => reader.skip()?,
        }
        Ok::<(), Fault>(())
    })?;
    Ok((index, vector.ok_or_else(|| Fault::new(start, "embedding is missing"))?))
}

/// Writes an answer. OpenAI's SDKs demand the usage, so tokens that nobody counted are none there.
pub(crate) fn emit_answer(vectors: &Vectors<'_>, wanted: &Wanted<'_>) -> Result<Vec<u8>, UpstreamError> {
    let mut body = Vec::with_capacity(256);
    Writer::new(&mut body).object(|w| {
        w.key("object").string("list");
        w.key("data").array(|w| {
            vectors.list.iter().enumerate().try_for_each(|(index, vector)| {
                w.object(|w| {
                    w.key("object").string("embedding");
                    w.key("index").unsigned(index as u64);
                    vector.write(w.key("embedding"), wanted.base64)
                })
            })
        })?;
        w.key("model").string(vectors.model.as_deref().unwrap_or(wanted.model));
        let tokens = vectors.usage.input.unwrap_or(0);
        w.key("usage").object(|w| {
            w.key("prompt_tokens").unsigned(tokens);
            w.key("total_tokens").unsigned(tokens);
            Ok(())
        })
    })?;
    Ok(body)
}
