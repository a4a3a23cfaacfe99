use super::chunk::{self, Chunk, Said};
use super::usage::Counts;
use super::{finish, grounding, id};
use crate::Dialect;
use crate::json::Fault;
use crate::neutral::{Choice, Extra, Finish, Part, Response, ToolCall};
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
    let mut parts: Vec<_> = chunk.parts.into_iter().map(|said| part(said, names, &chunk.id, &mut number)).collect();
    cite(&mut parts, &chunk.candidate);
    Ok(Response {
        id: chunk.id,
        model: chunk.model,
        choices: vec![Choice { word: chunk.finish, extra: chunk.candidate, ..Choice::new(parts, finish) }],
        raw_usage: chunk.usage,
        extra: chunk.extra,
        usage: counts.usage(),
        ..Response::new(Dialect::Gemini)
    })
}

/// The member of a text's part that proves what the model thought.
pub(super) const SIGNATURE: &str = "thoughtSignature";

/// Members of a candidate that say what its texts rest on.
pub(super) const GROUNDS: [&str; 2] = ["groundingMetadata", "citationMetadata"];

fn cite(parts: &mut [Part<'_>], candidate: &[Extra<'_>]) {
    let metadata = candidate.iter().filter(|extra| GROUNDS.contains(&&*extra.name));
    for found in metadata.flat_map(|extra| grounding::read(extra.value.0)) {
        if let Some((at, citation)) = found.settle(parts)
            && let Part::Text { citations, .. } = &mut parts[at]
        {
            citations.push(citation);
        }
    }
}

fn part<'a>(said: Said<'a>, names: &Names, answer: &str, number: &mut u32) -> Part<'a> {
    match said {
        Said::Text(text, signed) => Part::Text {
            text,
            cache: None,
            citations: Vec::new(),
            extra: signed.map(|value| Extra { name: SIGNATURE.into(), value }).into_iter().collect(),
        },
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
            Said::Text(text, _) => !text.is_empty(),
            Said::Other { .. } => true,
            Said::Thought(_) | Said::Call { .. } => false,
        };
        let called = |said: &Said<'_>| matches!(said, Said::Call { .. });
        (self.parts.iter().any(spoken), self.parts.iter().any(called))
    }
}
