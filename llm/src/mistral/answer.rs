//! Mistral's answers: read as OpenAI's, with the client's names put back.

use crate::json::Fault;
use crate::neutral::{Event, Part, Response};
use crate::translate::Names;
use crate::{Dialect, openai};

/// Reads a whole answer.
pub(crate) fn parse_response<'a>(body: &'a [u8], names: &Names) -> Result<Response<'a>, Fault> {
    let mut response = openai::parse_response(body)?;
    response.origin = Dialect::Mistral;
    for part in response.choices.iter_mut().flat_map(|choice| &mut choice.parts) {
        if let Part::ToolCall(call) = part {
            call.id = names.client_call(std::mem::take(&mut call.id));
            call.name = names.client_name(std::mem::take(&mut call.name));
        }
    }
    Ok(response)
}

/// Reads the chunks of a stream.
#[derive(Debug)]
pub(crate) struct StreamParser {
    chunks: openai::StreamParser,
    names: Names,
}

impl StreamParser {
    pub(crate) fn new(names: Names) -> Self {
        Self { chunks: openai::StreamParser::new(), names }
    }

    /// Reads the data of one event and hands what it means to `each`.
    pub(crate) fn push<'e>(&mut self, data: &'e [u8], each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        let names = &self.names;
        self.chunks.push(data, &mut |event| {
            each(match event {
                Event::ToolStart { index, id, name } => {
                    Event::ToolStart { index, id: names.client_call(id), name: names.client_name(name) }
                }
                event => event,
            });
        })
    }
}
