//! Gemini's embedContent and batchEmbedContents.

use super::resource;
use super::usage::Counts;
use crate::Error;
use crate::call::Operation;
use crate::classify::UpstreamError;
use crate::embeddings::{Input, Request, Vector, Vectors, Wanted};
use crate::json::{Fault, Kind, Reader, Writer, camel};
use crate::neutral::{Extra, Raw, Text};
use crate::translate::{Dropped, Target};

/// One of the requests of a batch.
#[derive(Default)]
struct One<'a> {
    text: Option<Text<'a>>,
    dimensions: Option<u64>,
}

/// Reads a request, or a batch of them.
pub(crate) fn parse_request(body: &[u8], batch: bool) -> Result<Request<'_>, Fault> {
    let mut reader = Reader::new(body)?;
    let mut request = Request::default();
    reader.peek()?;
    let start = reader.at();
    if batch {
        reader.object(|reader, key| match &*key.decode() {
            "requests" => reader.array(|reader| add(reader, &mut request)),
            // The path says it.
            "model" => reader.skip(),
            name => extra(reader, name, &mut request),
        })?;
        if request.inputs.is_empty() {
            return Err(Fault::new(start, "requests is missing"));
        }
    } else {
        add(&mut reader, &mut request)?;
    }
    reader.end()?;
    Ok(request)
}

/// Adds one request. No other dialect has settings for each input, so all must agree.
fn add<'a>(reader: &mut Reader<'a>, request: &mut Request<'a>) -> Result<(), Fault> {
    reader.peek()?;
    let start = reader.at();
    let mut one = One::default();
    reader.object(|reader, key| member(reader, &camel(key.decode()), &mut one, request))?;
    let text = one.text.ok_or_else(|| Fault::new(start, "content is missing"))?;
    if !request.inputs.is_empty() && one.dimensions != request.dimensions {
        return Err(Fault::unknown(start, "the target takes one outputDimensionality for all"));
    }
    request.dimensions = one.dimensions;
    request.inputs.push(Input::Text(text));
    Ok(())
}

fn member<'a>(reader: &mut Reader<'a>, name: &str, one: &mut One<'a>, request: &mut Request<'a>) -> Result<(), Fault> {
    reader.peek()?;
    match name {
        "model" => reader.skip(),
        "content" => content(reader).map(|text| one.text = Some(text)),
        "outputDimensionality" => {
            one.dimensions = reader.optional(Reader::unsigned)?;
            Ok(())
        }
        // The newer place of the same settings.
        "embedContentConfig" if !reader.null()? => {
            reader.object(|reader, key| member(reader, &camel(key.decode()), one, request))
        }
        name => extra(reader, name, request),
    }
}

/// Keeps a member that is not known once, unless it is null.
fn extra<'a>(reader: &mut Reader<'a>, name: &str, request: &mut Request<'a>) -> Result<(), Fault> {
    let value = Raw(reader.raw()?);
    if value.0 != "null" && !request.extra.iter().any(|extra| extra.name == name) {
        request.extra.push(Extra { name: Text::Owned(name.to_owned()), value });
    }
    Ok(())
}

/// The text of a content: that of all its parts makes one vector.
fn content<'a>(reader: &mut Reader<'a>) -> Result<Text<'a>, Fault> {
    let mut text = Text::default();
    reader.object(|reader, key| {
        if key.decode() != "parts" {
            return reader.skip();
        }
        reader.array(|reader| {
            reader.peek()?;
            let start = reader.at();
            let mut said = None;
            reader.object(|reader, key| match &*key.decode() {
                "text" => reader.string().map(|text| said = Some(text)),
                _ => reader.skip(),
            })?;
            let said = said.ok_or_else(|| Fault::unknown(start, "the target embeds texts only"))?;
            if text.is_empty() {
                text = said
            } else {
                text.to_mut().push_str(&said)
            }
            Ok(())
        })
    })?;
    Ok(text)
}

/// Writes a batch, of one if need be.
///
/// # Errors
/// [`Error::Unsupported`] for tokens in place of text.
pub(crate) fn emit_request(
    request: &Request<'_>,
    target: &Target<'_>,
    dropped: &mut Dropped,
) -> Result<Vec<u8>, Error> {
    let texts = request.texts()?;
    let model = resource(target.model);
    let mut body = Vec::with_capacity(256);
    Writer::new(&mut body).object(|w| {
        w.key("requests").array(|w| {
            for text in texts {
                w.object(|w| {
                    w.key("model").string(&model);
                    w.key("content").object(|w| {
                        w.key("parts").array(|w| {
                            w.object(|w| {
                                w.key("text").string(text);
                                Ok(())
                            })
                        })
                    })?;
                    if let Some(dimensions) = request.dimensions {
                        w.key("outputDimensionality").unsigned(dimensions);
                    }
                    Ok::<(), Error>(())
                })?;
            }
            Ok(())
        })
    })?;
    if request.user.is_some() {
        dropped.add("user");
    }
    request.extra.iter().for_each(|extra| dropped.add(&extra.name));
    Ok(body)
}

/// Reads an answer to either.
pub(crate) fn parse_answer(body: &[u8]) -> Result<Vectors<'_>, Fault> {
    let mut reader = Reader::of_answer(body)?;
    let mut vectors = Vectors::default();
    let mut counts = Counts::default();
    if reader.peek()? == Kind::Array {
        vectors.failed = super::is_error(body);
        return if vectors.failed { Ok(vectors) } else { Err(reader.fault("expected an object")) };
    }
    reader.object(|reader, key| {
        match (&*key.decode(), reader.peek()?) {
            ("embedding", Kind::Object) => vectors.list.extend(values(reader)?),
            ("embeddings", Kind::Array) => reader.array(|reader| {
                vectors.list.extend(values(reader)?);
                Ok::<(), Fault>(())
            })?,
            ("usageMetadata", _) => counts.update(reader)?,
            ("error", kind) => {
                vectors.failed |= kind != Kind::Null;
                reader.skip()?;
            }
            _ => reader.skip()?,
        }
        Ok::<(), Fault>(())
    })?;
    reader.end()?;
    vectors.usage = counts.usage();
    Ok(vectors)
}

fn values<'a>(reader: &mut Reader<'a>) -> Result<Option<Vector<'a>>, Fault> {
    let mut vector = None;
    reader.object(|reader, key| {
        if key.decode() == "values" && reader.peek()? == Kind::Array {
            let at = reader.at();
            vector = Some(Vector::Numbers(Raw(reader.raw()?), at));
            return Ok(());
        }
        reader.skip()
    })?;
    Ok(vector)
}

/// Writes an answer to the one that was called.
pub(crate) fn emit_answer(vectors: &Vectors<'_>, wanted: &Wanted<'_>) -> Result<Vec<u8>, UpstreamError> {
    let one = |w: &mut Writer<'_>, vector: &Vector<'_>| w.object(|w| vector.write(w.key("values"), false));
    let mut body = Vec::with_capacity(256);
    Writer::new(&mut body).object(|w| {
        match &*vectors.list {
            [vector] if wanted.call.operation == Operation::Embeddings => one(w.key("embedding"), vector)?,
            list => w.key("embeddings").array(|w| list.iter().try_for_each(|vector| one(w, vector)))?,
        }
        let Some(tokens) = vectors.usage.input else { return Ok(()) };
        w.key("usageMetadata").object(|w| {
            w.key("promptTokenCount").unsigned(tokens);
            w.key("totalTokenCount").unsigned(tokens);
            Ok(())
        })
    })?;
    Ok(body)
}
