//! A whole answer, or one line of a stream of it: Ollama gives both the same form.

use crate::json::{Fault, Kind, Reader};
use crate::neutral::{Text, Usage};
use crate::openai::{count, string};

#[derive(Default)]
pub(super) struct Chunk<'e> {
    pub(super) model: Text<'e>,
    /// RFC 3339; of each line its own.
    pub(super) created_at: Text<'e>,
    pub(super) has_message: bool,
    pub(super) thinking: Option<Text<'e>>,
    pub(super) content: Option<Text<'e>>,
    pub(super) calls: Vec<Call<'e>>,
    /// Nothing follows.
    pub(super) done: bool,
    pub(super) reason: Option<Text<'e>>,
    /// A count of zero is left out by Ollama, and so is one that it does not know.
    pub(super) usage: Usage,
    pub(super) is_error: bool,
}

/// A tool call, which always comes in one piece.
#[derive(Default)]
pub(super) struct Call<'e> {
    /// Older servers give none.
    pub(super) id: Option<Text<'e>>,
    pub(super) name: Text<'e>,
    /// A JSON object.
    pub(super) arguments: Text<'e>,
}

pub(super) fn read(data: &[u8]) -> Result<Chunk<'_>, Fault> {
    let mut reader = Reader::of_answer(data)?;
    let mut chunk = Chunk::default();
    reader.object(|reader, key| {
        let kind = reader.peek()?;
        match &*key.decode() {
            "model" => chunk.model = string(reader)?.unwrap_or_default(),
            "created_at" => chunk.created_at = string(reader)?.unwrap_or_default(),
            "message" if kind == Kind::Object => message(reader, &mut chunk)?,
            "done" if kind == Kind::Bool => chunk.done = reader.bool()?,
            "done_reason" => chunk.reason = string(reader)?,
            "prompt_eval_count" => chunk.usage.input = count(reader)?,
            "eval_count" => chunk.usage.output = count(reader)?,
            "error" => chunk.is_error = !matches!(reader.raw()?, "null" | "\"\""),
            _ => reader.skip()?,
        }
        Ok::<(), Fault>(())
    })?;
    reader.end()?;
    Ok(chunk)
}

fn message<'e>(reader: &mut Reader<'e>, chunk: &mut Chunk<'e>) -> Result<(), Fault> {
    chunk.has_message = true;
    reader.object(|reader, key| {
        let kind = reader.peek()?;
        match &*key.decode() {
            "thinking" => chunk.thinking = string(reader)?,
            "content" => chunk.content = string(reader)?,
            "tool_calls" if kind == Kind::Array => reader.array(|reader| {
                chunk.calls.push(call(reader)?);
                Ok::<(), Fault>(())
            })?,
            _ => reader.skip()?,
        }
        Ok::<(), Fault>(())
    })
}

fn call<'e>(reader: &mut Reader<'e>) -> Result<Call<'e>, Fault> {
    reader.peek()?;
    let start = reader.at();
    let mut call = Call { arguments: "{}".into(), ..Call::default() };
    reader.object(|reader, key| {
        let kind = reader.peek()?;
        match &*key.decode() {
            "id" => call.id = string(reader)?,
            "function" if kind == Kind::Object => reader.object(|reader, key| {
                let kind = reader.peek()?;
                match &*key.decode() {
                    "name" => call.name = string(reader)?.unwrap_or_default(),
                    "arguments" if kind == Kind::Object => call.arguments = reader.raw()?.into(),
                    _ => reader.skip()?,
                }
                Ok::<(), Fault>(())
            })?,
            _ => reader.skip()?,
        }
        Ok::<(), Fault>(())
    })?;
    if call.name.is_empty() {
        return Err(Fault::new(start, "a tool call without a name"));
    }
    Ok(call)
}
