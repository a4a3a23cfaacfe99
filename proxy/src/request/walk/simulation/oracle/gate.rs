//! What must be known of one key of a target, from the calls alone.

use std::time::Duration;

use penstock_crds::FallbackOn;
use tokio::time::Instant;

use super::table::Shown;

const SECOND: Duration = Duration::from_secs(1);

pub(super) struct Gate {
    cooling: Option<Cooling>,
    /// Cooldowns in a row.
    rests: u32,
    /// The second that is counted in, and each call of the ten last ones: in which it was, and whether it failed.
    second: Instant,
    calls: Vec<(Instant, bool)>,
    open: Option<Open>,
}

#[derive(Clone, Copy)]
struct Cooling {
    since: Instant,
    until: Instant,
    class: FallbackOn,
}

struct Open {
    until: Instant,
    /// Probes that failed.
    failures: u32,
    class: FallbackOn,
    probes: Vec<Probe>,
}

struct Probe {
    request: usize,
    /// It came when the time was up.
    due: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Cooling,
    Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Barred {
    pub(super) why: Why,
    pub(super) class: FallbackOn,
    pub(super) until: Instant,
}

impl Gate {
    pub(super) fn new(now: Instant) -> Self {
        Self { cooling: None, rests: 0, second: now, calls: Vec::new(), open: None }
    }

    /// Why one that comes now may not ask. One that has waited does not mind a cooldown.
    pub(super) fn barred(&self, has_waited: bool, now: Instant) -> Option<Barred> {
        let cooling = self.cooling.filter(|cooling| now < cooling.until && !has_waited);
        let cooling = cooling.map(|Cooling { until, class, .. }| Barred { why: Why::Cooling, class, until });
        let open = self.open.as_ref().filter(|open| now < open.until || !open.probes.is_empty());
        cooling.or(open.map(|open| Barred { why: Why::Open, class: open.class, until: open.until }))
    }

    /// One with nowhere else to go may ask.
    pub(super) fn admits_last(&self, now: Instant) -> bool {
        let is_cooling = self.cooling.is_some_and(|cooling| now < cooling.until);
        !is_cooling && self.open.as_ref().is_none_or(|open| open.probes.len() < 4)
    }

    /// True if it is a probe.
    pub(super) fn enter(&mut self, request: usize, now: Instant) -> bool {
        let Some(open) = &mut self.open else { return false };
        open.probes.push(Probe { request, due: now >= open.until });
        true
    }

    /// It has shown nothing.
    pub(super) fn leave(&mut self, request: usize) {
        self.take(request);
    }

    /// A call that came in at `since` has shown this. `request`: as the one that it came in as.
    pub(super) fn note(&mut self, request: Option<usize>, shown: Shown, since: Instant, now: Instant) {
        let probe = request.and_then(|request| self.take(request));
        match shown {
            Shown::Nothing => {}
            Shown::Works => {
                if self.cooling.is_some_and(|cooling| cooling.since <= since) {
                    (self.cooling, self.rests) = (None, 0);
                }
                if probe.is_some() {
                    *self = Self { cooling: self.cooling, rests: self.rests, ..Self::new(now) };
                } else {
                    self.count(false, now);
                }
            }
            Shown::Wants(time, class) => self.rest(time, class, now),
            Shown::Fails(class) => match (&mut self.open, probe) {
                (None, _) => self.fail(class, now),
                (Some(open), Some(Probe { due: true, .. })) => {
                    open.failures += 1;
                    open.until = now + Duration::from_secs([5, 10, 20, 30][open.failures.min(3) as usize]);
                }
                (Some(_), Some(Probe { due: false, .. }) | None) => {}
            },
        }
    }

    fn take(&mut self, request: usize) -> Option<Probe> {
        let open = self.open.as_mut()?;
        let index = open.probes.iter().position(|probe| probe.request == request)?;
        Some(open.probes.swap_remove(index))
    }

    fn fail(&mut self, class: FallbackOn, now: Instant) {
        self.count(true, now);
        let failed = self.calls.iter().filter(|(_, failed)| *failed).count();
        if self.calls.len() >= 10 && failed * 2 >= self.calls.len() {
            self.open = Some(Open { until: now + 5 * SECOND, failures: 0, class, probes: Vec::new() });
        }
    }

    /// Seconds are counted from the first call, and anew after ten without one.
    fn count(&mut self, failed: bool, now: Instant) {
        while self.second + SECOND <= now && now < self.second + 10 * SECOND {
            self.second += SECOND;
        }
        if self.second + SECOND <= now {
            (self.second, self.calls) = (now, Vec::new());
        }
        self.calls.push((self.second, failed));
        let oldest = self.second;
        self.calls.retain(|(second, _)| *second + 10 * SECOND > oldest);
    }

    fn rest(&mut self, time: Option<Duration>, class: FallbackOn, now: Instant) {
        let running = self.cooling.filter(|cooling| now < cooling.until).map(|cooling| cooling.until);
        let guessed = Duration::from_secs([5, 10, 20, 40, 60][self.rests.min(4) as usize]);
        let until = match (time, running) {
            (Some(time), _) => now + time.min(300 * SECOND),
            (None, Some(until)) => until,
            (None, None) => now + guessed,
        };
        self.rests += u32::from(running.is_none());
        let until = running.map_or(until, |running| running.max(until));
        self.cooling = Some(Cooling { since: now, until, class });
    }
}
