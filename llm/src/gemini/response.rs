use super::chunk::{self, Chunk, Said};
use super::usage::Counts;
use super::{finish, id};
use crate::Dialect;
use crate::json::Fault;
use crate::neutral::{Choice, Finish, Part, Response, ToolCall};
use crate::translate::Names;

/// Reads a whole answer.
pub(crate) fn parse_response<'a>(body: &'a [u8], names: &Names) -> Result<Response<'a>, Fault> {
    let mut counts = Counts::default();
    let chunk = chunk::read(body, &mut counts)?;
    if chunk.is_error || !(chunk.has_candidate || chunk.is_blocked) {
        return Err(Fault::new(0, "an answer without candidates"));
    }
    let (spoken, calls) = chunk.says();
    let finish = match &chunk.finish {
        _ if !chunk.has_candidate => Finish::ContentFilter,
        Some(word) => finish::of(word, calls, spoken),
        None if spoken || calls => Finish::Unknown,
        None => Finish::Failed,
    };
    let mut number = 0;
    let parts = chunk.parts.into_iter().map(|said| part(said, names, &chunk.id, &mut number)).collect();
    Ok(Response {
        id: chunk.id,
        model: chunk.model,
        choices: vec![Choice::new(parts, finish)],
        usage: counts.usage(),
        ..Response::new(Dialect::Gemini)
    })
}

fn part<'a>(said: Said<'a>, names: &Names, answer: &str, number: &mut u32) -> Part<'a> {
    match said {
        Said::Text(text) => Part::text(text),
        Said::Thought(text) => Part::Reasoning { text, signature: None },
        Said::Other { kind, value } => Part::Unknown { origin: Dialect::Gemini, kind, is_call: false, value },
        Said::Call { id, name, arguments, signature } => {
            let id = id::seen(id, signature.as_deref(), answer, *number);
            *number += 1;
            let name = names.client_name(name);
            Part::ToolCall(ToolCall { id, name, arguments: arguments.into(), cache: None, extra: Vec::new() })
        }
    }
}

impl Chunk<'_> {
    /// Whether it says something other than thoughts, and whether it calls a tool.
    pub(super) fn says(&self) -> (bool, bool) {
        let spoken = |said: &Said<'_>| match said {
            Said::Text(text) => !text.is_empty(),
            Said::Other { .. } => true,
            Said::Thought(_) | Said::Call { .. } => false,
        };
        let called = |said: &Said<'_>| matches!(said, Said::Call { .. });
        (self.parts.iter().any(spoken), self.parts.iter().any(called))
    }
}
