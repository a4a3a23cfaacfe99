//! Streams that pass as they came, and are looked at in place.

use super::{Forward, Noted, Step, failed};
use crate::json::Fault;
use crate::neutral::Finish;
use crate::{openai, responses};

/// One chunk of OpenAI's for a client of OpenAI's.
pub(super) fn chunk(
    noted: &mut Noted,
    name: Option<&[u8]>,
    data: &[u8],
    include_usage: bool,
    step: &mut Step,
) -> Result<(), Fault> {
    if data.trim_ascii() == b"[DONE]" {
        step.end = Some(noted.choices.end());
        return Ok(());
    }
    let chunk = openai::chunk(data)?;
    step.commits = chunk.commits;
    step.finish = chunk.finish;
    step.error = match (chunk.error, chunk.finish) {
        (Some(error), _) => Some(error),
        (None, _) if name == Some(b"error") => Some(crate::classify::in_band(data)),
        (None, Some(Finish::Failed)) => Some(failed()),
        (None, _) => None,
    };
    noted.seen += chunk.words;
    noted.choices.finish(chunk.seen, chunk.finished, chunk.finish);
    noted.usage.terms = chunk.terms.or(noted.usage.terms);
    if let Some(usage) = chunk.usage {
        noted.usage.update(&usage);
        noted.usage_end = chunk.usage_end.filter(|_| include_usage);
        if chunk.choices == 0 && !include_usage {
            step.forward = Forward::Nothing;
        }
    }
    Ok(())
}

/// One event of a response for a client of the Responses API.
pub(super) fn response_event(noted: &mut Noted, data: &[u8], sequence: &mut u64, step: &mut Step) -> Result<(), Fault> {
    // Some servers send it all the same.
    if data.trim_ascii() == b"[DONE]" {
        step.end = Some(noted.choices.end());
        return Ok(());
    }
    let event = responses::look(data)?;
    *sequence = event.sequence.map_or(*sequence, |number| number.saturating_add(1));
    (step.commits, step.finish, step.error) = (event.commits, event.finish, event.error);
    noted.seen += event.words;
    event.usage.iter().for_each(|usage| noted.usage.update(usage));
    if let Some(finish) = event.finish {
        noted.choices.finish(1, 1, Some(finish));
        step.end = Some(noted.choices.end());
    }
    Ok(())
}
