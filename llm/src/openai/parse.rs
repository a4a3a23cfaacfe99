//! A chat completion, whole or as a stream, read into the neutral form.
//!
//! Servers that call themselves compatible differ most in their answers, so what is odd here is passed over rather than
//! refused: a member of another kind than expected is not there.

mod calls;
mod said;
mod stream;

use super::request::extra;
use super::{finish, usage};
use crate::Dialect;
use crate::json::{Fault, Kind, Reader};
use crate::neutral::{Choice, Citation, Extra, Finish, Part, Raw, Response, Text, ToolCall};
use said::{Call, Said};

pub(crate) use calls::{made_up_id, seed};
pub(crate) use said::string;
pub(crate) use stream::StreamParser;

/// Reads a whole answer. One that holds an `error`, or says by its finish reason that the provider failed, is for
/// [`super::observe_answer`] to find first.
pub(crate) fn parse_response(body: &[u8]) -> Result<Response<'_>, Fault> {
    let mut reader = Reader::of_answer(body)?;
    let (mut id, mut model, mut terms) = (None, None, None);
    let mut response = Response::new(Dialect::OpenAI);
    reader.object(|reader, key| {
        match &*key.decode() {
            "id" => id = string(reader)?,
            "model" => model = string(reader)?,
            "created" => response.created = usage::count(reader)?,
            "choices" if reader.peek()? == Kind::Array => reader.array(|reader| {
                let position = response.choices.len();
                response.choices.push(choice(reader, position)?);
                Ok::<(), Fault>(())
            })?,
            "usage" if reader.peek()? == Kind::Object => {
                let raw = reader.raw()?;
                response.usage = usage::read(&mut Reader::of(raw))?.unwrap_or_default();
                response.raw_usage = Some(Raw(raw));
            }
            "service_tier" if reader.peek()? == Kind::String => {
                let raw = reader.raw()?;
                terms = usage::terms(&mut Reader::of(raw))?;
                response.extra.push(Extra { name: "service_tier".into(), value: Raw(raw) });
            }
            "object" | "usage" => reader.skip()?,
            name => extra(reader, name, &mut response.extra)?,
        }
        Ok::<(), Fault>(())
    })?;
    reader.end()?;
    if response.choices.is_empty() {
        return Err(Fault::new(0, "an answer without choices"));
    }
    (response.id, response.model) = (id.unwrap_or_default(), model.unwrap_or_default());
    response.usage.terms = terms;
    name_calls(&mut response.choices, &calls::seed(&response.id));
    Ok(response)
}

fn choice<'a>(reader: &mut Reader<'a>, position: usize) -> Result<Choice<'a>, Fault> {
    reader.peek()?;
    let start = reader.at();
    let (mut index, mut said, mut word, mut others) = (None, Said::default(), None, Vec::new());
    reader.object(|reader, key| {
        match &*key.decode() {
            "index" => index = usage::count(reader)?,
            "message" if reader.peek()? == Kind::Object => said = Said::read(reader)?,
            "finish_reason" => word = string(reader)?,
            name => extra(reader, name, &mut others)?,
        }
        Ok::<(), Fault>(())
    })?;
    let in_message = |it: Extra<'a>| Extra { name: format!("message.{}", it.name).into(), ..it };
    others.extend(std::mem::take(&mut said.extra).into_iter().map(in_message));
    let parts = parts(said, start)?;
    let finish = word.as_deref().map_or(Finish::Unknown, finish::read);
    let finish = calls::finish(finish, parts.iter().any(|part| matches!(part, Part::ToolCall(_))));
    let index = index.and_then(|index| u32::try_from(index).ok());
    let index = index.or(u32::try_from(position).ok()).unwrap_or(u32::MAX);
    Ok(Choice { index, word, extra: others, ..Choice::new(parts, finish) })
}

/// Thinking first, then what is said, then the calls. Blocks of thinking repeat the thinking that stands in a field of
/// its own, with what is needed to send it back.
fn parts(said: Said<'_>, at: usize) -> Result<Vec<Part<'_>>, Fault> {
    let Said { text, parts: content, refusal, thinking, blocks, calls, citations, extra: _ } = said;
    let repeated = blocks.iter().any(|block| matches!(block, Part::Reasoning { text, .. } if !text.is_empty()));
    let thinking = thinking.filter(|_| !repeated).map(|text| Part::Reasoning { text, signature: None });
    let mut parts: Vec<_> = thinking.into_iter().chain(blocks).chain(text.map(Part::text)).collect();
    parts.extend(content);
    cite(&mut parts, citations);
    parts.extend(refusal.map(Part::Refusal));
    for call in calls {
        parts.extend(call_part(call, at)?);
    }
    Ok(parts)
}

/// Annotations speak of the whole content, which is one text wherever a server gives them.
fn cite<'a>(parts: &mut [Part<'a>], found: Vec<Citation<'a>>) {
    let texts =
        parts.iter_mut().find_map(|it| if let Part::Text { citations, .. } = it { Some(citations) } else { None });
    if let Some(citations) = texts {
        *citations = found;
    }
}

/// Nothing for a call that says nothing. An id that is missing is given by [`name_calls`].
fn call_part(call: Call<'_>, at: usize) -> Result<Option<Part<'_>>, Fault> {
    let Call { index: _, id, name, arguments, cache, extra, other } = call;
    if let Some((kind, value)) = other {
        return Ok(Some(Part::Unknown { origin: Dialect::OpenAI, kind, is_call: true, value: Raw(value) }));
    }
    let Some(name) = name else {
        return if id.is_none() && arguments.is_none() { Ok(None) } else { Err(Fault::new(at, calls::NAMELESS)) };
    };
    let arguments = arguments.filter(|json| !json.trim_ascii().is_empty()).unwrap_or(Text::Borrowed("{}"));
    Ok(Some(Part::ToolCall(ToolCall { id: id.unwrap_or_default(), name, arguments, cache, extra })))
}

fn name_calls(choices: &mut [Choice<'_>], seed: &str) {
    let parts = choices.iter_mut().flat_map(|choice| &mut choice.parts);
    let calls = parts.filter_map(|part| if let Part::ToolCall(call) = part { Some(call) } else { None });
    for (number, call) in calls.enumerate().filter(|(_, call)| call.id.is_empty()) {
        call.id = Text::Owned(calls::made_up_id(seed, number));
    }
}

#[cfg(test)]
mod tests;
