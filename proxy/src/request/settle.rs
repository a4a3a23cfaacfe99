//! Who pays for what, however a request ends: pure.

use penstock_llm::{
    call::Operation,
    classify::UpstreamError,
    estimate::{Size, tokens},
    facts::Facts,
    neutral::{Finish, Usage},
    price::Price,
    relay::Answer,
    seen::Seen,
};

use crate::limits::Amounts;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client was given a whole answer.
    Complete,
    /// It was given an error in place of one, whoever made it.
    Failed,
    /// The answer broke after its first content.
    Broken,
    /// The client left after that.
    ClientLeft,
    /// The client left before there was any content.
    Cancelled,
}

/// What is known of an answer, whole or as far as it came.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    /// As the provider reports it.
    pub(crate) usage: Usage,
    /// What the client is told of it and of what others gave of the answer before; none where they gave nothing.
    pub(crate) together: Option<Usage>,
    pub(crate) seen: Seen,
    /// Why the answer ended; a word that nobody knows is `unknown` here and `stop` to the client.
    pub(crate) finish: Option<Finish>,
    /// Nothing more would be said: what is reported is the last word.
    pub(crate) is_whole: bool,
}

/// What we make of a request and its answer ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    /// Tokens of the prompt.
    pub(crate) input: u64,
    /// Of the text and the calls that were seen; none of what has no words, such as vectors.
    pub(crate) said: Option<u64>,
    /// Of the thinking that was seen.
    pub(crate) thought: u64,
    /// Of the thinking that must have gone on while nothing was seen.
    pub(crate) unseen: u64,
}

/// What the client is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settlement {
    pub(crate) usage: Usage,
    /// Not all of it is as the provider reported it.
    pub(crate) estimated: bool,
    /// There are no words in the answer, whose tokens somebody would report: no price of words matters.
    pub(crate) wordless: bool,
}

/// What is left to say once a request is over.
#[derive(Clone, Copy)]
pub(crate) struct Settled {
    pub(crate) end: End,
    pub(crate) settlement: Settlement,
    /// In picodollars; none where a price is missing.
    pub(crate) cost: Option<u64>,
}

impl End {
    /// A stable word, for logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            End::Complete => "complete",
            End::Failed => "failed",
            End::Broken => "broken",
            End::ClientLeft => "client_left",
            End::Cancelled => "cancelled",
        }
    }
}

impl Told {
    /// Of a whole answer, or of one that could not be given.
    pub(crate) fn of(answer: &Result<Answer, UpstreamError>) -> Self {
        match answer {
            Ok(Answer { usage, seen, finish, .. }) => {
                Self { usage: *usage, seen: *seen, finish: *finish, is_whole: true, together: None }
            }
            Err(error) => Self { usage: error.usage.as_deref().copied().unwrap_or_default(), ..Self::default() },
        }
    }
}

impl Count {
    /// Of a request that a model of these facts was asked, which was silent for so many seconds. None where nothing costs.
    pub(crate) fn of(size: &Size, operation: Operation, facts: &Facts, seen: &Seen, silent: u64) -> Option<Self> {
        let (said, unseen) = match operation {
            Operation::Chat | Operation::Completions => (Some(size.said(seen, facts)), size.unseen(silent, facts)),
            Operation::Embeddings | Operation::BatchEmbeddings => (None, 0),
            Operation::CountTokens => return None,
        };
        Some(Self { input: size.input(facts), said, thought: tokens(seen.thought, facts), unseen })
    }
}

impl Settlement {
    fn nothing() -> Self {
        let usage = Usage { input: Some(0), output: Some(0), ..Usage::default() };
        Self { usage, estimated: false, wordless: false }
    }

    /// In picodollars; none where a price is missing.
    pub(crate) fn cost(&self, price: Option<&Price>) -> Option<u64> {
        if *self == Self::nothing() {
            return Some(0);
        }
        let output = self.usage.output.or(self.wordless.then_some(0));
        price?.cost(&Usage { output, ..self.usage })
    }
}

impl Settled {
    /// What limits are charged: nothing for an answer that was none.
    pub(crate) fn amounts(&self) -> Amounts<u64> {
        charge(u64::from(self.end != End::Failed), &self.settlement.usage, self.cost)
    }
}

/// What limits are charged for so many requests, and what they used; what has no price costs nothing there.
pub(crate) fn charge(requests: u64, usage: &Usage, cost: Option<u64>) -> Amounts<u64> {
    let tokens = usage.input.unwrap_or(0).saturating_add(usage.output.unwrap_or(0));
    Amounts { requests, tokens, cost: cost.unwrap_or(0) }
}

/// Settles a request. `count` is none where no provider was asked, or nothing costs.
///
/// What is reported of a whole answer counts as it is, and so does what is reported of the prompt of one that was cut. The
/// words of an answer that was cut are those that were seen, and no fewer than were reported by then.
pub(crate) fn settle(end: End, told: &Told, count: Option<Count>) -> Settlement {
    let (End::Complete | End::Broken | End::ClientLeft | End::Cancelled, Some(count)) = (end, count) else {
        return Settlement::nothing();
    };
    let reported = reliable(told.usage, count);
    let is_whole = end == End::Complete || told.is_whole;
    let usage = match (count.said, reported.output) {
        (None, _) => reported,
        (Some(_), Some(_)) if is_whole => reported,
        (Some(said), None) if is_whole => Usage { output: Some(said.saturating_add(count.thought)), ..reported },
        (Some(said), output) => {
            let thought = reported.reasoning.unwrap_or(0).max(count.thought);
            let thought = if thought == 0 { count.unseen } else { thought };
            let output = output.max(Some(said.saturating_add(thought)));
            Usage { output, reasoning: reported.reasoning.max(Some(thought)), ..reported }
        }
    };
    let usage = Usage { input: usage.input.or(Some(count.input)), ..usage };
    let is_cut = count.said.is_some() && !is_whole;
    Settlement { usage, estimated: is_cut || usage != reported, wordless: count.said.is_none() }
}

/// Some servers report zeros for what they did not count: no prompt is empty, and words that were seen are some.
fn reliable(reported: Usage, count: Count) -> Usage {
    let input = reported.input.filter(|input| *input > 0);
    let output = reported.output.filter(|output| *output > 0 || count.said.unwrap_or(0) == 0);
    Usage { input, output, ..reported }
}

#[cfg(test)]
mod tests;
