//! A request, read as the chat request of OpenAI's that means the same.

mod content;
mod items;
pub(super) mod settings;
pub(super) mod tools;

use crate::Dialect;
use crate::json::{Fault, Kind, Reader};
use crate::neutral::{Extra, Message, Part, Raw, Request, Role, Text};
use crate::translate::Dropped;
use items::Conversation;
pub(super) use items::role;
use tools::Allowed;

/// What a request says in chat's words, and what of it has none.
pub(super) struct Parsed<'a> {
    pub(super) request: Request<'a>,
    /// Hints by the client's names for them.
    pub(super) dropped: Dropped,
    /// The only tools that may be called, where not all may.
    allowed: Option<Allowed<'a>>,
}

const NO_STATE: &str = "the target keeps no state";

/// Reads a request. What changes the meaning and has no word in chat is a fault that others may know better: built-in
/// tools, their items, and references to state.
pub(super) fn read(body: &[u8]) -> Result<Parsed<'_>, Fault> {
    let mut reader = Reader::new(body)?;
    let request = Request::new(Dialect::OpenAI);
    let mut parsed = Parsed { request, dropped: Dropped::default(), allowed: None };
    let (mut input, mut instructions) = (None, None);
    reader.peek()?;
    let start = reader.at();
    reader.object(|reader, key| {
        reader.peek()?;
        match &*key.decode() {
            "input" => input = Some(Conversation::read(reader, &mut parsed.dropped)?),
            "instructions" => instructions = reader.optional(Reader::string)?,
            name => parsed.member(reader, name)?,
        }
        Ok::<(), Fault>(())
    })?;
    reader.end()?;
    let conversation = input.ok_or_else(|| Fault::new(start, "input is missing"))?;
    let instructions = instructions.into_iter().filter(|text: &Text<'_>| !text.is_empty()).map(instruction);
    parsed.request.messages = instructions.chain(conversation.messages()).collect();
    if let Some(allowed) = parsed.allowed.take() {
        allowed.apply(&mut parsed.request);
    }
    Ok(parsed)
}

fn instruction(text: Text<'_>) -> Message<'_> {
    Message { role: Role::System, parts: vec![Part::text(text)], plain: true, extra: Vec::new() }
}

/// Reads a member that means the same in every dialect, if it is one.
pub(super) fn simple<'a>(reader: &mut Reader<'a>, name: &str, request: &mut Request<'a>) -> Result<bool, Fault> {
    match name {
        "model" => request.model = reader.string()?,
        "parallel_tool_calls" => request.parallel_tool_calls = reader.optional(Reader::bool)?,
        "max_output_tokens" => request.max_tokens = reader.optional(Reader::unsigned)?,
        "temperature" => request.sampling.temperature = reader.optional(Reader::number)?,
        "top_p" => request.sampling.top_p = reader.optional(Reader::number)?,
        "stream" => request.stream = reader.optional(Reader::bool)?.unwrap_or(false),
        "user" => request.user = reader.optional(Reader::string)?,
        "safety_identifier" => request.safety_identifier = reader.optional(Reader::string)?,
        _ => return Ok(false),
    }
    Ok(true)
}

impl<'a> Parsed<'a> {
    fn member(&mut self, reader: &mut Reader<'a>, name: &str) -> Result<(), Fault> {
        let request = &mut self.request;
        if simple(reader, name, request)? {
            return Ok(());
        }
        match name {
            "tools" => tools::read(reader, request, &mut self.dropped)?,
            "tool_choice" => self.allowed = tools::choice(reader, request)?,
            "text" => settings::text(reader, request, &mut self.dropped)?,
            "reasoning" => settings::reasoning(reader, request, &mut self.dropped)?,
            "stream_options" => settings::stream(reader, &mut self.dropped)?,
            "include" => settings::include(reader, &mut self.dropped)?,
            // Chat has these by the same names.
            "service_tier" | "prompt_cache_key" if reader.peek()? != Kind::Null => {
                request.extra.push(Extra { name: Text::Owned(name.to_owned()), value: Raw(reader.raw()?) });
            }
            _ => self.other(reader, name)?,
        }
        Ok(())
    }

    /// What chat has no word for.
    fn other(&mut self, reader: &mut Reader<'a>, name: &str) -> Result<(), Fault> {
        let start = reader.at();
        let value = reader.raw()?;
        let says_nothing = matches!(value, "null" | "false" | "0" | "{}" | "[]" | "\"\"");
        match name {
            _ if says_nothing => {}
            "previous_response_id" | "conversation" | "prompt" | "background" => {
                return Err(Fault::unknown(start, NO_STATE));
            }
            "moderation" => return Err(Fault::unknown(start, "the target moderates nothing on demand")),
            // The answer says it again. It bounds built-in tools, of which there are none.
            "metadata" | "max_tool_calls" => {}
            "truncation" if value == r#""disabled""# => {}
            // Among others `store`: what is translated is stored nowhere.
            name => self.dropped.add(name),
        }
        Ok(())
    }
}
