use super::stream::{Fields, string};
use super::usage::Counts;
use super::{citations, finish};
use crate::Dialect;
use crate::json::{Fault, Kind, Reader};
use crate::neutral::{Choice, Finish, Part, Raw, Response, Text, ToolCall};
use crate::openai::extra;
use crate::translate::Names;

/// Reads a whole message.
pub(crate) fn parse_response<'a>(body: &'a [u8], names: &Names) -> Result<Response<'a>, Fault> {
    let mut reader = Reader::of_answer(body)?;
    let mut counts = Counts::default();
    let (mut id, mut model) = (Text::default(), Text::default());
    let (mut parts, mut content, mut word) = (Vec::new(), false, None);
    let mut response = Response::new(Dialect::Anthropic);
    let mut stop_sequence = None;
    reader.object(|reader, key| {
        match &*key.decode() {
            "id" => id = reader.string()?,
            "model" => model = reader.string()?,
            "content" => {
                content = true;
                reader.array(|reader| block(reader, names, &mut parts))?;
            }
            "stop_reason" => word = string(reader)?,
            "stop_sequence" => stop_sequence = string(reader)?,
            "usage" if reader.peek()? == Kind::Object => {
                let raw = reader.raw()?;
                counts.update(&mut Reader::of(raw))?;
                response.raw_usage = Some(Raw(raw));
            }
            "type" | "role" | "usage" => reader.skip()?,
            name => extra(reader, name, &mut response.extra)?,
        }
        Ok::<(), Fault>(())
    })?;
    reader.end()?;
    if !content {
        return Err(Fault::new(0, "a message without content"));
    }
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let finish = names.finish(word.as_deref().map_or(Finish::Unknown, finish::read), calls);
    response.choices.push(Choice { word, stop_sequence, ..Choice::new(parts, finish) });
    (response.id, response.model, response.usage) = (id, model, counts.usage());
    Ok(response)
}

fn block<'a>(reader: &mut Reader<'a>, names: &Names, parts: &mut Vec<Part<'a>>) -> Result<(), Fault> {
    reader.peek()?;
    let start = reader.at();
    let block = Fields::of(reader)?;
    parts.push(match &*block.of_type {
        "text" => Part::Text {
            text: block.text.unwrap_or_default(),
            cache: None,
            citations: block.citations.map_or(Ok(Vec::new()), citations::list)?,
            extra: block.extra,
        },
        "thinking" => Part::Reasoning { text: block.thinking.unwrap_or_default(), signature: block.signature },
        "redacted_thinking" => Part::RedactedReasoning(block.data.unwrap_or_default()),
        "tool_use" if block.name.as_deref().is_some_and(|name| names.is_answer_tool(name)) => {
            Part::text(block.input.unwrap_or("{}").into())
        }
        "tool_use" => Part::ToolCall(ToolCall {
            id: block.id.unwrap_or_default(),
            name: names.client_name(block.name.unwrap_or_default()),
            arguments: block.input.unwrap_or("{}").into(),
            cache: None,
            extra: block.extra,
        }),
        _ => Part::Unknown {
            origin: Dialect::Anthropic,
            kind: block.of_type,
            is_call: false,
            value: Raw(reader.slice(start, reader.at())),
        },
    });
    Ok(())
}
