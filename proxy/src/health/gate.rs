//! Whether one model of a provider may be asked with one credential: what the provider said (cooldown), and what we guess
//! (breaker). Pure: it is told the time.

use std::time::Duration;

use penstock_config::{ObjectRef, protocol::Report};
use penstock_crds::FallbackOn;
use tokio::time::Instant;

use super::window::{Tally, Window};
use crate::pace::Pace;

/// A cooldown where the provider names no time: it doubles with each that follows on another.
const COOLDOWN: Duration = Duration::from_secs(5);
const MAX_GUESSED: Duration = Duration::from_secs(60);
/// No provider keeps requests away for longer.
const MAX_COOLDOWN: Duration = Duration::from_secs(300);
/// The breaker looks back so far,
const WINDOW: Duration = Duration::from_secs(10);
/// opens only over so many calls, when half of them failed,
const VOLUME: u32 = 10;
/// and stays open so long; it doubles with each probe that fails.
const OPEN: Duration = Duration::from_secs(5);
const MAX_OPEN: Duration = Duration::from_secs(30);
/// Trouble is reported for so long after it: what comes and goes is one trouble, and not a report a second.
const REPORTED_FOR: Duration = Duration::from_secs(60);
/// So many requests at once go to a target that is open, where there is no other.
const LAST_PROBES: u8 = 4;

#[derive(Debug)]
pub(super) struct Gate {
    pace: Pace,
    cooldown: Option<Cooldown>,
    /// Cooldowns in a row.
    rests: u32,
    window: Window,
    breaker: Breaker,
    /// How often the breaker has opened.
    openings: u32,
    reported: Reported,
}

/// Until when people are told of trouble.
#[derive(Clone, Copy, Debug, Default)]
struct Reported {
    failing: Option<Instant>,
    cooling_down: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Cooldown {
    since: Instant,
    until: Instant,
    class: FallbackOn,
}

#[derive(Clone, Copy, Debug)]
enum Breaker {
    Closed,
    /// Half-open from `until` on.
    Open {
        until: Instant,
        /// Probes that failed in a row.
        failures: u32,
        /// Probes on their way.
        probes: u8,
        class: FallbackOn,
    },
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    /// A request that comes to this target.
    First,
    /// One that has waited out what the provider said to it.
    Again,
    /// One that has no other target left.
    LastResort,
}

/// How one came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Ordinary,
    /// The breaker waits for how it goes. True: it was half-open, so its failure opens it for longer.
    Probe {
        due: bool,
        /// Which time it was that the breaker had opened.
        opening: u32,
    },
}

/// Why it may not be asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) why: Why,
    /// The failure that it goes back to.
    pub(crate) class: FallbackOn,
    pub(crate) until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    CoolingDown,
    BreakerOpen,
}

/// What an attempt showed of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The provider works.
    Answered,
    /// It does not.
    Failed(FallbackOn),
    /// It said that it wants to be left alone, perhaps for how long.
    Wait(Option<Duration>, FallbackOn),
}

/// What people are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// The breaker opened.
    Failing,
    CoolingDown,
}

/// What a gate is, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Closed,
    HalfOpen,
    Open,
}

impl Gate {
    pub(super) fn new(pace: Pace, now: Instant) -> Self {
        let window = Window::new(pace.of(WINDOW), now);
        Self {
            pace,
            cooldown: None,
            rests: 0,
            window,
            breaker: Breaker::Closed,
            openings: 0,
            reported: Reported::default(),
        }
    }

    /// Lets one in, or says why not. A probe is to be given back by [`Gate::note`] or [`Gate::release`].
    pub(super) fn enter(&mut self, asking: Asking, now: Instant) -> Result<Entry, Closed> {
        let entry = self.entry(asking, now)?;
        if let (Entry::Probe { .. }, Breaker::Open { probes, .. }) = (entry, &mut self.breaker) {
            *probes += 1;
        }
        Ok(entry)
    }

    /// What [`Gate::enter`] would say.
    pub(super) fn entry(&self, asking: Asking, now: Instant) -> Result<Entry, Closed> {
        if asking != Asking::Again
            && let Some(Cooldown { until, class, .. }) = self.cooling(now)
        {
            return Err(Closed { why: Why::CoolingDown, class, until });
        }
        let Breaker::Open { until, probes, class, .. } = self.breaker else { return Ok(Entry::Ordinary) };
        let due = now >= until;
        let most = if asking == Asking::LastResort { LAST_PROBES } else { u8::from(due) };
        if probes < most {
            Ok(Entry::Probe { due, opening: self.openings })
        } else {
            Err(Closed { why: Why::BreakerOpen, class, until })
        }
    }

    /// Notes how an attempt went that came in like that at `since`.
    pub(super) fn note(&mut self, entry: Entry, effect: Effect, since: Instant, now: Instant) {
        match effect {
            Effect::Answered => {
                if self.cooldown.is_some_and(|cooldown| cooldown.since <= since) {
                    (self.cooldown, self.rests) = (None, 0);
                }
                if self.is_awaited(entry) {
                    self.close(now);
                } else {
                    self.window.answered(now);
                }
            }
            Effect::Failed(class) => self.failed(entry, class, now),
            Effect::Wait(time, class) => {
                self.rest(time, class, now);
                self.release(entry);
            }
        }
    }

    /// One that came in has shown nothing: its client left, or it was not the provider's fault.
    pub(super) fn release(&mut self, entry: Entry) {
        if self.is_awaited(entry)
            && let Breaker::Open { probes, .. } = &mut self.breaker
        {
            *probes = probes.saturating_sub(1);
        }
    }

    /// The breaker is open, and this is one of its probes: not one of an earlier time.
    fn is_awaited(&self, entry: Entry) -> bool {
        let is_open = matches!(self.breaker, Breaker::Open { .. });
        is_open && matches!(entry, Entry::Probe { opening, .. } if opening == self.openings)
    }

    pub(super) fn cooling_until(&self, now: Instant) -> Option<Instant> {
        self.cooling(now).map(|cooldown| cooldown.until)
    }

    /// What there is to report, now or a moment ago.
    pub(super) fn troubles(&self, now: Instant) -> impl Iterator<Item = Trouble> + use<> {
        let all = [(self.reported.failing, Trouble::Failing), (self.reported.cooling_down, Trouble::CoolingDown)];
        all.into_iter().filter(move |(until, _)| until.is_some_and(|until| now < until)).map(|(_, trouble)| trouble)
    }

    pub(super) fn phase(&self, now: Instant) -> (Phase, Option<Instant>) {
        match self.breaker {
            Breaker::Closed => (Phase::Closed, None),
            Breaker::Open { until, .. } if now >= until => (Phase::HalfOpen, None),
            Breaker::Open { until, .. } => (Phase::Open, Some(until)),
        }
    }

    /// Calls in the window.
    #[cfg(test)]
    pub(super) fn counted(&mut self, now: Instant) -> u32 {
        let tally = self.window.tally(now);
        tally.answered + tally.failed
    }

    fn cooling(&self, now: Instant) -> Option<Cooldown> {
        self.cooldown.filter(|cooldown| now < cooldown.until)
    }

    fn failed(&mut self, entry: Entry, class: FallbackOn, now: Instant) {
        let is_awaited = self.is_awaited(entry);
        self.release(entry);
        match (&mut self.breaker, entry) {
            (Breaker::Closed, _) => {
                self.window.failed(now);
                if is_bad(self.window.tally(now)) {
                    self.openings = self.openings.wrapping_add(1);
                    let until = now + self.pace.of(OPEN);
                    self.breaker = Breaker::Open { until, failures: 0, probes: 0, class };
                    self.reported.failing = Some(until + self.pace.of(REPORTED_FOR));
                }
            }
            (Breaker::Open { until, failures, .. }, Entry::Probe { due: true, .. }) if is_awaited => {
                *failures += 1;
                *until = now + self.pace.of(doubled(OPEN, *failures, MAX_OPEN));
                self.reported.failing = Some(*until + self.pace.of(REPORTED_FOR));
            }
            // It came in before the breaker opened, or had no other place to go: nothing new.
            (Breaker::Open { .. }, Entry::Ordinary | Entry::Probe { .. }) => {}
        }
    }

    fn close(&mut self, now: Instant) {
        self.breaker = Breaker::Closed;
        self.window = Window::new(self.pace.of(WINDOW), now);
    }

    /// Each cooldown that is set while another runs is part of it.
    fn rest(&mut self, time: Option<Duration>, class: FallbackOn, now: Instant) {
        let running = self.cooling(now);
        let guessed = || self.pace.of(doubled(COOLDOWN, self.rests, MAX_GUESSED));
        let time = match (time, running) {
            (Some(time), _) => time.min(self.pace.of(MAX_COOLDOWN)),
            (None, Some(_)) => Duration::ZERO,
            (None, None) => guessed(),
        };
        if running.is_none() {
            self.rests = self.rests.saturating_add(1);
        }
        let until = running.map_or(now + time, |running| running.until.max(now + time));
        self.cooldown = Some(Cooldown { since: now, until, class });
        self.reported.cooling_down = Some(until + self.pace.of(REPORTED_FOR));
    }
}

impl Trouble {
    pub(super) fn report(self, provider: ObjectRef, model: String) -> Report {
        match self {
            Trouble::Failing => Report::Failing { provider, model },
            Trouble::CoolingDown => Report::CoolingDown { provider, model },
        }
    }
}

impl Phase {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Phase::Closed => "closed",
            Phase::HalfOpen => "half_open",
            Phase::Open => "open",
        }
    }
}

fn is_bad(tally: Tally) -> bool {
    let volume = tally.answered + tally.failed;
    volume >= VOLUME && tally.failed * 2 >= volume
}

fn doubled(time: Duration, times: u32, most: Duration) -> Duration {
    time.saturating_mul(1 << times.min(10)).min(most)
}

#[cfg(test)]
mod tests;
