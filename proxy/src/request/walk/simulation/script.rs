//! What the providers of a simulated world do: each has its phases, one after the other.

use std::time::Duration;

use penstock_llm::{
    Dialect,
    classify::{UpstreamError, classify},
};
use rand::{RngExt, rngs::StdRng};
use tokio::time::Instant;

use super::{Failure, config::millis};

/// How an attempt fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Refused,
    Internal,
    /// 503, with the wait that it names.
    Overloaded(Option<Duration>),
    /// 429, likewise.
    Limited(Option<Duration>),
    Quota,
    Unauthorized,
    Missing,
    TooLong,
    Filtered,
    TooLarge,
    Blamed,
    /// A 200 that is cut before its content.
    Cut,
    /// Nothing came in time.
    Silent,
    /// There was no key to send it with.
    Unsent,
}

/// What becomes of an attempt.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Content after so long, and the rest after so long again; it may break then.
    Answers {
        first: Duration,
        rest: Duration,
        breaks: Option<Fault>,
    },
    Fails(Duration, Fault),
    Silent,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Healthy,
    /// Each call fails with this chance.
    Fails(Fault, f64),
    /// The first key that was configured, or what took its place, is not taken.
    RejectsOne(Fault),
    Silent,
    Slow,
    BreaksLater,
}

pub(super) struct Script {
    /// Of each provider, with the time that each begins at.
    phases: Vec<Vec<(Instant, Phase)>>,
}

impl Script {
    pub(super) fn draw(providers: usize, start: Instant, length: Duration, chance: &mut StdRng) -> Self {
        let mut phases = || {
            let (mut at, mut phases) = (start, Vec::new());
            while at < start + length {
                phases.push((at, Phase::draw(chance)));
                at += millis(chance, 1_000, 20_000);
            }
            phases
        };
        Self { phases: (0..providers).map(|_| phases()).collect() }
    }

    /// What a provider does with a call that comes now. `is_first`: with the first of its keys.
    pub(super) fn act(&self, provider: usize, is_first: bool, now: Instant, chance: &mut StdRng) -> Act {
        let phases = &self.phases[provider];
        let phase = phases[phases.partition_point(|(since, _)| *since <= now) - 1].1;
        let soon = millis(chance, 5, 300);
        let answers = |first, rest, breaks| Act::Answers { first, rest, breaks };
        let rest = millis(chance, 0, 3_000);
        match phase {
            Phase::Fails(fault, share) if chance.random_bool(share) => Act::Fails(soon, fault),
            Phase::RejectsOne(fault) if is_first => Act::Fails(soon, fault),
            Phase::Silent => Act::Silent,
            Phase::Slow => answers(millis(chance, 300, 12_000), rest, None),
            Phase::BreaksLater if chance.random_bool(0.7) => answers(soon, rest, Some(Fault::Cut)),
            Phase::Healthy | Phase::Fails(..) | Phase::RejectsOne(_) | Phase::BreaksLater => answers(soon, rest, None),
        }
    }
}

impl Phase {
    fn draw(chance: &mut StdRng) -> Self {
        match chance.random_range(0..12) {
            0..3 => Phase::Healthy,
            3..8 => {
                let share = [1.0, 0.8, 0.45, 0.2][chance.random_range(0..4)];
                Phase::Fails(Fault::draw(chance), share)
            }
            8 => Phase::RejectsOne([Fault::Unauthorized, Fault::Quota][chance.random_range(0..2)]),
            9 => Phase::Silent,
            10 => Phase::Slow,
            _ => Phase::BreaksLater,
        }
    }
}

impl Fault {
    fn draw(chance: &mut StdRng) -> Self {
        let wait = match chance.random_range(0..3) {
            0 => None,
            1 => Some(millis(chance, 200, 2_500)),
            _ => Some(millis(chance, 2_500, 40_000)),
        };
        match chance.random_range(0..16) {
            0..2 => Fault::Refused,
            2..6 => Fault::Internal,
            6..8 => Fault::Overloaded(wait),
            8..11 => Fault::Limited(wait),
            11 => Fault::Missing,
            12 => Fault::Cut,
            13 => [Fault::TooLong, Fault::Filtered][chance.random_range(0..2)],
            14 => Fault::TooLarge,
            _ => Fault::Blamed,
        }
    }

    /// In the words of a provider.
    pub(super) fn failure(self) -> Failure {
        let status =
            |status, wait, body: &str| Failure::Status(classify(Dialect::OpenAI, status, wait, body.as_bytes()));
        match self {
            Fault::Refused => Failure::Unreachable("refused".into()),
            Fault::Internal => status(500, None, ""),
            Fault::Overloaded(wait) => status(503, wait, ""),
            Fault::Limited(wait) => status(429, wait, ""),
            Fault::Quota => status(429, None, r#"{"error":{"code":"insufficient_quota"}}"#),
            Fault::Unauthorized => status(401, None, ""),
            Fault::Missing => status(404, None, ""),
            Fault::TooLong => status(400, None, r#"{"error":{"code":"context_length_exceeded"}}"#),
            Fault::Filtered => status(400, None, r#"{"error":{"code":"content_filter"}}"#),
            Fault::TooLarge => status(413, None, ""),
            Fault::Blamed => status(400, None, r#"{"error":{"message":"no such tool"}}"#),
            Fault::Cut => Failure::Broken(UpstreamError::broken_answer("cut")),
            Fault::Unsent => Failure::NoCredential,
            Fault::Silent => panic!("what is silent says nothing"),
        }
    }
}
