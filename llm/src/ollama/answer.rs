use super::chunk::{self, Call, Chunk};
use super::finish;
use crate::Dialect;
use crate::classify::in_band;
use crate::json::Fault;
use crate::neutral::{Choice, Event, Part, Response, Text, ToolCall};
use crate::openai::{made_up_id, seed};

/// Reads a whole answer.
pub(crate) fn parse_response(body: &[u8]) -> Result<Response<'_>, Fault> {
    let chunk = chunk::read(body)?;
    if chunk.is_error || !chunk.has_message || !chunk.done {
        return Err(Fault::new(0, "an answer that is not done"));
    }
    let Chunk { model, created_at, thinking, content, calls, reason, usage, .. } = chunk;
    let finish = finish::of(reason.as_deref(), !calls.is_empty());
    let seed = seed(&created_at);
    let thinking = thinking.map(|text| Part::Reasoning { text, signature: None });
    let calls = calls.into_iter().enumerate().map(|(number, call)| Part::ToolCall(tool_call(call, &seed, number)));
    let parts = thinking.into_iter().chain(content.map(Part::text)).chain(calls).collect();
    Ok(Response {
        id: answer_id(&seed),
        model,
        choices: vec![Choice::new(parts, finish)],
        usage,
        ..Response::new(Dialect::Ollama)
    })
}

fn tool_call<'a>(call: Call<'a>, seed: &str, number: usize) -> ToolCall<'a> {
    let Call { id, name, arguments } = call;
    ToolCall { id: call_id(id, seed, number), name, arguments, cache: None, extra: Vec::new() }
}

/// Ollama's answers have no ids; the moment of its first bytes tells one from the other.
fn answer_id(seed: &str) -> Text<'static> {
    if seed.is_empty() { Text::default() } else { format!("ollama-{seed}").into() }
}

fn call_id<'a>(given: Option<Text<'a>>, seed: &str, number: usize) -> Text<'a> {
    given.unwrap_or_else(|| made_up_id(seed, number).into())
}

/// Reads the lines of a stream. The one that is `done` is the last.
#[derive(Debug, Default)]
pub(crate) struct StreamParser {
    started: bool,
    /// Of ids that are made up.
    seed: String,
    /// Calls so far.
    calls: u32,
}

impl StreamParser {
    /// Reads one line and hands what it means to `each`.
    pub(crate) fn push<'e>(&mut self, data: &'e [u8], each: &mut impl FnMut(Event<'e>)) -> Result<(), Fault> {
        let chunk = chunk::read(data)?;
        if chunk.is_error {
            each(Event::Error(Box::new(in_band(data))));
            return Ok(());
        }
        let Chunk { model, created_at, thinking, content, calls, done, reason, usage, .. } = chunk;
        if !self.started {
            self.started = true;
            self.seed = seed(&created_at);
            each(Event::Start { id: answer_id(&self.seed), model });
        }
        thinking.map(Event::Reasoning).into_iter().for_each(&mut *each);
        content.map(Event::Text).into_iter().for_each(&mut *each);
        calls.into_iter().for_each(|call| self.call(call, each));
        if usage.is_reported() {
            each(Event::Usage(usage));
        }
        if done {
            each(Event::Finish(finish::of(reason.as_deref(), self.calls > 0)));
            each(Event::End);
        }
        Ok(())
    }

    fn call<'e>(&mut self, call: Call<'e>, each: &mut impl FnMut(Event<'e>)) {
        let index = self.calls;
        self.calls += 1;
        let id = call_id(call.id, &self.seed, index as usize);
        each(Event::ToolStart { index, id, name: call.name });
        each(Event::ToolArguments { index, json: call.arguments });
    }
}
