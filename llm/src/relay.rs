//! An answer on its way to the client, unary or as a stream.
//!
//! Same dialect on both sides: bytes are looked at in place and forwarded as they came. Across dialects: one dialect's
//! stream parser feeds the other's emitter. Both know the commit point, the usage, and whether the answer is whole.

use crate::Dialect;
use crate::classify::UpstreamError;
use crate::neutral::{Finish, Usage};
use crate::openai;
use crate::sse::Event;
use crate::translate::Names;

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
    usage: Usage,
    choices: Choices,
    malformed: u8,
    over: bool,
    client: Client,
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
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The body for the client, or `None` if the provider's can go as it came.
    pub body: Option<Vec<u8>>,
    /// What it cost.
    pub usage: Usage,
    /// Why the first choice ended.
    pub finish: Option<Finish>,
    /// The model that answered, as the provider names it.
    pub model: Option<String>,
}

/// Which of the answers that run side by side are finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Choices {
    wanted: u64,
    finished: u128,
    last: Option<Finish>,
}

/// Reads a whole answer.
///
/// # Errors
/// What the provider says inside its 200, or that it does not parse.
pub fn answer(upstream: Dialect, client: &Client, names: &Names, body: &[u8]) -> Result<Answer, UpstreamError> {
    let _ = (upstream, names, client);
    openai::observe_answer(body)
}

impl Relay {
    /// For a stream that `upstream` sends; `names` is what translating the request gave, or the default.
    pub fn new(upstream: Dialect, client: Client, names: Names) -> Self {
        let _ = (upstream, names);
        let choices = Choices { wanted: client.choices, finished: 0, last: None };
        Self { usage: Usage::default(), choices, malformed: 0, over: false, client }
    }

    /// Takes the next event. What is written for the client is appended to `out`.
    pub fn push(&mut self, event: &Event, out: &mut Vec<u8>) -> Step {
        let _ = (event, out, &self.client, self.malformed, self.over);
        Step { forward: Forward::AsItCame, commits: false, finish: None, error: None, malformed: false, end: None }
    }

    /// The provider's bytes have ended. If the answer is whole, what the client still lacks is appended to `out`.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> End {
        let _ = out;
        End::Truncated
    }

    /// Every answer has finished: wait a moment for usage and end marker, then [`Relay::finish`].
    pub fn is_finished(&self) -> bool {
        u64::from(self.choices.finished.count_ones()) >= self.choices.wanted
    }

    /// What it cost so far.
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Why the latest finished answer ended.
    pub fn finish_reason(&self) -> Option<Finish> {
        self.choices.last
    }
}
