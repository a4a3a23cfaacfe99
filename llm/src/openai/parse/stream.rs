use super::calls::{self, Calls};
use super::said::{Said, string};
use crate::classify::{UpstreamError, in_band};
use crate::json::{Fault, Kind, Reader};
use crate::neutral::{Event, Finish, Part, Terms, Text, Usage};
use crate::openai::observe::{is_empty, is_error, reason};
use crate::openai::usage;
use crate::translate::Names;

/// Reads the chunks of a chat completion stream: its first choice, since only OpenAI's own dialect has more.
#[derive(Debug, Default)]
pub(crate) struct StreamParser {
    started: bool,
    finished: bool,
    /// Thinking comes in a field of its own; what blocks say of it is a repetition.
    plain_thinking: bool,
    terms: Option<Terms>,
    calls: Calls,
}

/// What matters of a chunk.
#[derive(Default)]
struct Chunk<'e> {
    id: Option<Text<'e>>,
    model: Option<Text<'e>>,
    /// What the first choice says.
    said: Option<Said<'e>>,
    finish: Option<Finish>,
    usage: Option<Usage>,
    terms: Option<Terms>,
    failed: bool,
}

impl StreamParser {
    pub(crate) fn new(names: Names) -> Self {
        Self { calls: Calls::new(names), ..Self::default() }
    }

    /// Reads the data of one event and hands what it means to `each`. A finish comes at most once and ends the first
    /// choice: only usage, an error and the end follow it.
    pub(crate) fn push<'e>(&mut self, data: &'e [u8], each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        if data.trim_ascii() == b"[DONE]" {
            each(Event::End);
            return Ok(());
        }
        let chunk = Chunk::read(data)?;
        if chunk.failed {
            each(Event::Error(Box::new(in_band(data))));
            return Ok(());
        }
        let Chunk { id, model, said, finish, usage, terms, failed: _ } = chunk;
        self.terms = terms.or(self.terms);
        // Azure's first chunk has neither id nor model nor choices.
        if !self.started && (id.is_some() || model.is_some() || said.is_some()) {
            self.started = true;
            self.calls.start(id.as_deref().unwrap_or_default());
            each(Event::Start { id: id.unwrap_or_default(), model: model.unwrap_or_default() });
        }
        if let Some(said) = said.filter(|_| !self.finished) {
            self.say(said, each)?;
        }
        usage.map(|usage| Event::Usage(Usage { terms: self.terms, ..usage })).into_iter().for_each(&mut *each);
        finish.map_or(Ok(()), |finish| self.finish(finish, each))
    }

    fn say<'e>(&mut self, said: Said<'e>, each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        let Said { text, parts, refusal, thinking, blocks, calls, citations, extra: _ } = said;
        self.plain_thinking |= thinking.is_some();
        thinking.map(Event::Reasoning).into_iter().for_each(&mut *each);
        blocks.into_iter().for_each(|block| part(block, !self.plain_thinking, each));
        text.map(Event::Text).into_iter().for_each(&mut *each);
        parts.into_iter().for_each(|it| part(it, true, each));
        citations.into_iter().for_each(|citation| each(Event::Citation(Box::new(citation))));
        refusal.map(Event::Refusal).into_iter().for_each(&mut *each);
        calls.into_iter().try_for_each(|call| self.calls.push(call, each))
    }

    fn finish<'e>(&mut self, finish: Finish, each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        if self.finished {
            return Ok(());
        }
        if finish == Finish::Failed {
            let error = UpstreamError::broken_answer("the provider's finish reason says that it failed");
            each(Event::Error(Box::new(error)));
            return Ok(());
        }
        self.calls.finish(each)?;
        self.finished = true;
        each(Event::Finish(calls::finish(finish, self.calls.any())));
        Ok(())
    }
}

/// A piece of a list. What no event tells is left out.
fn part<'e>(part: Part<'e>, with_thinking: bool, each: &mut impl FnMut(Event<'e>)) {
    match part {
        Part::Text { text, .. } => each(Event::Text(text)),
        Part::Refusal(text) => each(Event::Refusal(text)),
        Part::Reasoning { text, signature } => {
            if with_thinking && !text.is_empty() {
                each(Event::Reasoning(text));
            }
            signature.map(Event::Signature).into_iter().for_each(each);
        }
        Part::RedactedReasoning(data) => each(Event::RedactedReasoning(data)),
        Part::Media(_) | Part::ToolCall(_) | Part::ToolResult { .. } | Part::Unknown { .. } => {}
    }
}

impl<'e> Chunk<'e> {
    fn read(data: &'e [u8]) -> Result<Self, Fault> {
        let mut reader = Reader::of_answer(data)?;
        let mut chunk = Self::default();
        reader.object(|reader, key| {
            match &*key.decode() {
                "id" => chunk.id = string(reader)?,
                "model" => chunk.model = string(reader)?,
                "choices" if reader.peek()? == Kind::Array => reader.array(|reader| chunk.choice(reader))?,
                "usage" => chunk.usage = usage::read(reader)?,
                "service_tier" => chunk.terms = usage::terms(reader)?,
                "error" => chunk.failed |= !is_empty(reader)?,
                "object" => chunk.failed |= is_error(reader)?,
                _ => reader.skip()?,
            }
            Ok::<(), Fault>(())
        })?;
        reader.end()?;
        Ok(chunk)
    }

    fn choice(&mut self, reader: &mut Reader<'e>) -> Result<(), Fault> {
        let (mut index, mut said, mut finish) = (0, Said::default(), None);
        reader.object(|reader, key| {
            match &*key.decode() {
                "index" => index = usage::count(reader)?.unwrap_or(0),
                "delta" if reader.peek()? == Kind::Object => said = Said::read(reader)?,
                "finish_reason" => finish = reason(reader)?,
                _ => reader.skip()?,
            }
            Ok::<(), Fault>(())
        })?;
        if index == 0 {
            self.said = Some(said);
            self.finish = finish.or(self.finish);
        }
        Ok(())
    }
}
