use super::finish;
use super::stream::Fields;
use super::usage::Counts;
use crate::Dialect;
use crate::json::{Fault, Kind, Reader};
use crate::neutral::{Choice, Finish, Part, Response, Text, ToolCall};
use crate::translate::Names;

/// Reads a whole message.
pub(crate) fn parse_response<'a>(body: &'a [u8], names: &Names) -> Result<Response<'a>, Fault> {
    let mut reader = Reader::of_answer(body)?;
    let mut counts = Counts::default();
    let (mut id, mut model) = (Text::default(), Text::default());
    let (mut parts, mut content, mut reason) = (Vec::new(), false, None);
    reader.object(|reader, key| {
        match &*key.decode() {
            "id" => id = reader.string()?,
            "model" => model = reader.string()?,
            "content" => {
                content = true;
                reader.array(|reader| block(reader, names, &mut parts))?;
            }
            "stop_reason" if reader.peek()? == Kind::String => reason = Some(finish::read(&reader.string()?)),
            "usage" => counts.update(reader)?,
            _ => reader.skip()?,
        }
        Ok::<(), Fault>(())
    })?;
    reader.end()?;
    if !content {
        return Err(Fault::new(0, "a message without content"));
    }
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let finish = names.finish(reason.unwrap_or(Finish::Unknown), calls);
    Ok(Response {
        id,
        model,
        choices: vec![Choice::new(parts, finish)],
        usage: counts.usage(),
        ..Response::new(Dialect::Anthropic)
    })
}

fn block<'a>(reader: &mut Reader<'a>, names: &Names, parts: &mut Vec<Part<'a>>) -> Result<(), Fault> {
    reader.peek()?;
    let start = reader.at();
    let block = Fields::of(reader)?;
    parts.push(match &*block.of_type {
        "text" => Part::text(block.text.unwrap_or_default()),
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
            extra: Vec::new(),
        }),
        _ => Part::Unknown {
            origin: Dialect::Anthropic,
            kind: block.of_type,
            is_call: false,
            value: crate::neutral::Raw(reader.slice(start, reader.at())),
        },
    });
    Ok(())
}
