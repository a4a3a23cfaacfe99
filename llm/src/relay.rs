//! An answer on its way to the client, unary or as a stream.
//!
//! Same dialect on both sides: bytes are looked at in place and forwarded as they came. Across dialects: one dialect's
//! stream parser feeds the other's emitter. Both know the commit point, the usage, and whether the answer is whole.

mod choices;
mod continued;
mod ends;
mod in_place;
mod kept;
mod priced;

use crate::classify::UpstreamError;
use crate::json::Fault;
use crate::neutral::{self, Finish, Usage};
use crate::seen::Seen;
use crate::sse::Event;
use crate::translate::Names;
use crate::{Dialect, Error, anthropic, gemini, mistral, ollama, openai, responses};
use choices::Choices;
use continued::Continued;
pub(crate) use ends::{Emitter, Parser};
use kept::Kept;
pub use priced::Priced;

/// So many unreadable events in a row are a broken stream.
const MAX_MALFORMED: u8 = 3;

/// The side that reads the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its dialect.
    pub dialect: Dialect,
    /// It asked for usage at the end of its stream. If not, a chunk that holds nothing else is withheld.
    pub include_usage: bool,
    /// How many answers it asked for; a stream is whole when so many are finished.
    pub choices: u64,
    /// Seconds since 1970, for dialects whose provider does not say when the answer was made.
    pub now: u64,
}

/// The state of one stream between a provider and a client.
#[derive(Debug)]
pub struct Relay {
    path: Path,
    noted: Noted,
    include_usage: bool,
    /// The number of the next event, where the provider numbers them.
    sequence: u64,
    malformed: u8,
    over: bool,
    /// Where another target may have to go on.
    kept: Option<Box<Kept>>,
}

/// How the provider's events reach the client.
#[derive(Debug)]
enum Path {
    /// OpenAI to OpenAI: looked at in place, forwarded as they came.
    InPlace,
    /// The same for OpenAI's Responses API.
    Responses,
    /// Another dialect to the same one: read, forwarded as they came. With the end marker, should it be missing.
    Read(Box<Parser>, &'static [u8]),
    /// Across dialects.
    Translated(Box<(Parser, Emitter)>),
    /// What another target began.
    Continued(Box<Continued>),
}

/// The name and the data of an event.
type Named<'e> = (Option<&'e [u8]>, &'e [u8]);

/// What the events so far have told.
#[derive(Debug)]
struct Noted {
    usage: Usage,
    choices: Choices,
    seen: Seen,
    /// By what the client is told the cost, where it is.
    priced: Option<Priced>,
    /// Where the usage of the event that passes ends, if the client is told it.
    usage_end: Option<usize>,
}

/// What one event of the provider means.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What to send on.
    pub forward: Forward,
    /// The client sees it as content: no other target can answer from here on.
    pub commits: bool,
    /// An answer finished in it. Look at this before committing: a refusal without content may be tried elsewhere.
    pub finish: Option<Finish>,
    /// The provider failed; nothing of the event is forwarded, and nothing more may be asked of this relay.
    pub error: Option<UpstreamError>,
    /// The event did not parse and was withheld. Three in a row are an error.
    pub malformed: bool,
    /// The provider's end marker came, and what that means. What follows it is ignored.
    pub end: Option<End>,
}

/// What to send to the client for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// The event's own bytes.
    AsItCame,
    /// What was appended to the buffer; may be nothing.
    Written,
    /// Nothing.
    Nothing,
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Every answer finished, and the end marker came.
    Complete,
    /// Every answer finished; the provider forgot its end marker, and the client gets one.
    NoMarker,
    /// Cut: an error, never cached, no end marker.
    Truncated,
}

/// A whole answer, checked, and translated if need be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The body for the client, or `None` if the provider's can go as it came.
    pub body: Option<Vec<u8>>,
    /// What it cost.
    pub usage: Usage,
    /// How much it says.
    pub seen: Seen,
    /// Why the first choice ended.
    pub finish: Option<Finish>,
    /// A choice says something: text, a tool call, or whatever is not a refusal.
    pub has_content: bool,
    /// The model that answered, as the provider names it.
    pub model: Option<String>,
}

/// Reads a whole answer.
///
/// # Errors
/// What the provider says inside its 200, or that it does not parse.
pub fn answer(upstream: Dialect, client: &Client, names: &Names, body: &[u8]) -> Result<Answer, UpstreamError> {
    let response = match upstream {
        Dialect::OpenAI => {
            let seen = openai::observe_answer(body)?;
            if client.dialect == Dialect::OpenAI {
                return Ok(seen);
            }
            openai::parse_response(body).map(|mut response| {
                names.put_back(&mut response);
                response
            })
        }
        Dialect::Anthropic => anthropic::parse_response(body, names),
        Dialect::Gemini => gemini::parse_response(body, names),
        Dialect::Responses => {
            let seen = responses::observe_answer(body)?;
            if client.dialect == Dialect::Responses {
                return Ok(seen);
            }
            responses::parse_response(body)
        }
        Dialect::Mistral => {
            openai::observe_answer(body)?;
            mistral::parse_response(body, names)
        }
        Dialect::Ollama => ollama::parse_response(body),
    };
    let response = match response {
        Ok(response) if response.choices.iter().any(|choice| choice.finish == Finish::Failed) => {
            return Err(failed().after(response.usage));
        }
        Ok(response) => response,
        Err(_) if anthropic::is_error(body) || gemini::is_error(body) => return Err(crate::classify::in_band(body)),
        Err(fault) => return Err(UpstreamError::broken_answer(Error::in_answer(body, &fault).to_string())),
    };
    let written = || match client.dialect {
        // Nobody who speaks the last two asks: requests in them are refused.
        Dialect::OpenAI | Dialect::Mistral | Dialect::Ollama => openai::emit_response(&response, client.now),
        Dialect::Anthropic => anthropic::emit_response(&response),
        Dialect::Gemini => gemini::emit_response(&response),
        Dialect::Responses => responses::emit_response(&response, client.now, names),
    };
    Ok(Answer {
        body: (client.dialect != upstream).then(written),
        usage: response.usage,
        seen: Seen::of(&response),
        has_content: response.choices.iter().any(|choice| choice.parts.iter().any(neutral::Part::is_content)),
        finish: response.choices.first().map(|choice| choice.finish),
        model: Some(response.model.into_owned()),
    })
}

impl Relay {
    /// For a stream that `upstream` sends; `names` is what translating the request gave, or the default.
    pub fn new(upstream: Dialect, client: &Client, names: Names) -> Self {
        let path = match (upstream, client.dialect) {
            (Dialect::OpenAI, Dialect::OpenAI) => Path::InPlace,
            (Dialect::Responses, Dialect::Responses) => Path::Responses,
            (Dialect::Anthropic, Dialect::Anthropic) => {
                Path::Read(Box::new(Parser::new(upstream, names, client.choices)), anthropic::STOP)
            }
            (Dialect::Gemini, Dialect::Gemini) => {
                Path::Read(Box::new(Parser::new(upstream, names, client.choices)), gemini::END)
            }
            _ => {
                let emitter = Emitter::new(client, &names);
                Path::Translated(Box::new((Parser::new(upstream, names, client.choices), emitter)))
            }
        };
        // What reads Gemini's candidates tells when the last of them is finished.
        let wanted = if upstream == Dialect::Gemini { 1 } else { client.choices };
        let noted = Noted::new(wanted);
        Self { path, noted, include_usage: client.include_usage, sequence: 0, malformed: 0, over: false, kept: None }
    }

    /// Takes the next event. What is written for the client is appended to `out`.
    pub fn push(&mut self, event: &Event, out: &mut Vec<u8>) -> Step {
        let mut step = Step::default();
        if self.over {
            return step;
        }
        let passes = !matches!(self.path, Path::Translated(..) | Path::Continued(..));
        step.forward = if passes { Forward::AsItCame } else { Forward::Nothing };
        let data = event.data().unwrap_or_default();
        if data.is_empty() {
            return step;
        }
        let (before, seen) = (out.len(), self.noted.seen);
        match self.read((event.name(), &data), out, &mut step) {
            Ok(()) => self.malformed = 0,
            Err(fault) => self.malformed(&data, &fault, &mut step),
        }
        let cut = step.error.is_some() || step.malformed || step.end == Some(End::Truncated);
        self.over |= step.error.is_some() || step.end.is_some();
        step.forward = match (cut, passes) {
            (true, _) => Forward::Nothing,
            (false, true) => step.forward,
            (false, false) => Forward::Written,
        };
        if cut {
            self.noted.seen = seen;
            out.truncate(before);
            return step;
        }
        if let Some(kept) = &mut self.kept {
            kept.watch(event.name(), &data, &step);
        }
        if self.noted.say_cost(event, out) {
            step.forward = Forward::Written;
        }
        step
    }

    fn read(&mut self, (name, data): Named<'_>, out: &mut Vec<u8>, step: &mut Step) -> Result<(), Fault> {
        let Self { path, noted, kept, .. } = self;
        match (path, kept) {
            (Path::InPlace, _) => in_place::chunk(noted, name, data, self.include_usage, step),
            (Path::Responses, _) => in_place::response_event(noted, data, &mut self.sequence, step),
            (Path::Read(parser, _), _) => parser.push(name, data, &mut |event| noted.note(event, step)),
            (Path::Translated(ends), kept) => {
                let (parser, emitter) = &mut **ends;
                let read = parser.push(name, data, &mut |event| {
                    kept.iter_mut().for_each(|kept| kept.note(&event));
                    noted.pass(event, emitter, out, step);
                });
                emitter.flush(out);
                read
            }
            (Path::Continued(continued), Some(kept)) => {
                continued.push((name, data), (kept.memory_mut(), noted), (out, step))
            }
            // It is made with what it goes on from.
            (Path::Continued(_), None) => Ok(()),
        }
    }

    /// The provider's bytes have ended; push what [`crate::sse::Splitter::finish`] still has before. If the answer is whole, what the client still lacks is appended to `out`.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> End {
        if self.over || !self.is_finished() {
            return End::Truncated;
        }
        self.over = true;
        match &mut self.path {
            Path::InPlace => out.extend_from_slice(openai::DONE),
            // The event that says why it ended is its end.
            Path::Responses => {}
            Path::Read(_, end) => out.extend_from_slice(end),
            Path::Translated(ends) => self.noted.end(&mut ends.1, out),
            Path::Continued(continued) => {
                self.kept.iter().for_each(|kept| continued.end(kept.memory(), &self.noted, out))
            }
        }
        End::NoMarker
    }

    /// Every answer has finished: wait a moment for usage and end marker, then [`Relay::finish`].
    pub fn is_finished(&self) -> bool {
        self.noted.choices.all_wanted()
    }

    /// The number of the next event for the client, where events are numbered.
    pub fn sequence(&self) -> u64 {
        match &self.path {
            Path::Translated(ends) => ends.1.sequence(),
            Path::Continued(continued) => continued.emitter().sequence(),
            Path::InPlace | Path::Responses | Path::Read(..) => self.sequence,
        }
    }

    /// What it cost so far.
    pub fn usage(&self) -> &Usage {
        &self.noted.usage
    }

    /// How much of it the client was sent so far.
    pub fn seen(&self) -> Seen {
        self.noted.seen
    }

    /// Why the latest finished answer ended.
    pub fn finish_reason(&self) -> Option<Finish> {
        self.noted.choices.last()
    }

    fn malformed(&mut self, data: &[u8], fault: &Fault, step: &mut Step) {
        self.malformed += 1;
        *step = Step { malformed: true, ..Step::default() };
        if self.malformed == MAX_MALFORMED {
            step.error = Some(UpstreamError::broken_answer(Error::in_answer(data, fault).to_string()));
        }
    }
}

impl Default for Step {
    fn default() -> Self {
        Self { forward: Forward::Nothing, commits: false, finish: None, error: None, malformed: false, end: None }
    }
}

impl Noted {
    /// Of a stream of so many answers.
    fn new(choices: u64) -> Self {
        let (usage, seen) = (Usage::default(), Seen::default());
        Self { usage, choices: Choices::new(choices), seen, priced: None, usage_end: None }
    }

    /// Writes the end of an answer.
    fn end(&self, emitter: &mut Emitter, out: &mut Vec<u8>) {
        emitter.costs(self.cost());
        emitter.push(&neutral::Event::End, out);
    }

    /// Writes an event for the client, and notes it. The end marker is for a whole answer only.
    fn pass(&mut self, event: neutral::Event<'_>, emitter: &mut Emitter, out: &mut Vec<u8>, step: &mut Step) {
        match event {
            neutral::Event::End if self.choices.all_ended() => self.end(emitter, out),
            neutral::Event::End => {}
            _ => emitter.push(&event, out),
        }
        self.note(event, step);
    }

    fn note(&mut self, event: neutral::Event<'_>, step: &mut Step) {
        step.commits |= event.commits();
        self.seen.note(&event);
        match event {
            neutral::Event::Usage(usage) => self.usage.update(&usage),
            neutral::Event::Finish(Finish::Failed) => step.error = Some(failed()),
            neutral::Event::Finish(finish) => {
                step.finish = Some(finish);
                self.choices.finish(1, 1, Some(finish));
            }
            neutral::Event::Error(error) => step.error = Some(*error),
            neutral::Event::End => step.end = Some(self.choices.end()),
            _ => {}
        }
    }
}

fn failed() -> UpstreamError {
    UpstreamError::broken_answer("the provider's finish reason says that it failed")
}

#[cfg(test)]
mod tests;
