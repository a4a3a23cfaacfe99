use super::chunk::{self, Said};
use super::response::GROUNDS;
use super::usage::Counts;
use super::{finish, grounding, id};
use crate::classify::in_band;
use crate::json::Fault;
use crate::neutral::{Event, Finish};
use crate::translate::Names;

/// Reads the events of a stream. Each is an answer of its own, of which only the new words are given.
///
/// Gemini has no end marker: the event that says why the answer ended, and what it cost, is the last one. Where the cost
/// comes later or never, the end of the bytes is the end.
#[derive(Debug, Default)]
pub(crate) struct StreamParser {
    names: Names,
    counts: Counts,
    started: bool,
    /// The provider's id of the answer.
    answer: String,
    /// Calls so far.
    calls: u32,
    /// Something was said apart from thoughts and calls.
    spoken: bool,
    /// How many candidates were asked for, and a bit for each that finished.
    wanted: u64,
    ended: u128,
    finished: bool,
    /// Some text was not ASCII.
    wide: bool,
}

impl StreamParser {
    /// `wanted`: how many candidates were asked for. The answer is finished when all of them are.
    pub(crate) fn new(names: Names, wanted: u64) -> Self {
        Self { names, wanted, ..Self::default() }
    }

    /// The same for an answer that others began: to say nothing more is to end it.
    pub(crate) fn going_on(self) -> Self {
        Self { spoken: true, ..self }
    }

    /// Reads the data of one event and hands what it means to `each`.
    pub(crate) fn push<'e>(&mut self, data: &'e [u8], each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        let mut chunk = chunk::read(data, &mut self.counts)?;
        if chunk.is_error {
            each(Event::Error(Box::new(in_band(data))));
            return Ok(());
        }
        if !self.started {
            self.started = true;
            self.answer = chunk.id.to_string();
            each(Event::Start { id: std::mem::take(&mut chunk.id), model: std::mem::take(&mut chunk.model) });
        }
        self.spoken |= chunk.says().0;
        chunk.parts.into_iter().for_each(|said| self.part(said, each));
        for extra in chunk.candidate.iter().filter(|extra| GROUNDS.contains(&&*extra.name)) {
            let found = grounding::read(extra.value.0).into_iter();
            found.for_each(|found| each(Event::Citation(Box::new(found.streamed(!self.wide)))));
        }
        if chunk.has_usage {
            each(Event::Usage(self.counts.usage()));
        }
        self.ended |= chunk.finished;
        let all = u64::from(self.ended.count_ones()) >= self.wanted;
        let finish = match chunk.finish {
            Some(_) if !all => None,
            Some(word) => Some(finish::of(&word, self.calls > 0, self.spoken)),
            None if chunk.is_blocked && !chunk.has_candidate => Some(Finish::ContentFilter),
            None => None,
        };
        if let Some(finish) = finish.filter(|_| !self.finished) {
            self.finished = true;
            each(Event::Finish(finish));
        }
        if self.finished && chunk.has_usage {
            each(Event::End);
        }
        Ok(())
    }

    fn part<'e>(&mut self, said: Said<'e>, each: &mut impl FnMut(Event<'e>)) {
        match said {
            Said::Text(text, _) if !text.is_empty() => {
                self.wide |= !text.is_ascii();
                each(Event::Text(text));
            }
            Said::Thought(text) if !text.is_empty() => each(Event::Reasoning(text)),
            Said::Text(..) | Said::Thought(_) | Said::Other { .. } => {}
            Said::Call { id, name, arguments, signature } => {
                let index = self.calls;
                self.calls += 1;
                let id = id::seen(id, signature.as_deref(), &self.answer, index);
                each(Event::ToolStart { index, id, name: self.names.client_name(name) });
                each(Event::ToolArguments { index, json: arguments.into() });
            }
        }
    }
}
