//! How fast a target is.

use std::time::Duration;

use tokio::time::Instant;

/// A peak-sensitive moving average: it takes a slow answer at its word at once, and forgets it in about this time. What is
/// not asked any more is forgotten too, so that it gets another chance. The idea is that of Finagle's `PeakEwma`.
const FORGETS: Duration = Duration::from_secs(10);
/// What a request in flight stands for while nothing is known.
const UNKNOWN: f64 = 1.0;

/// Time to the first content.
#[derive(Debug, Default)]
pub(super) struct Latency(Option<Seen>);

#[derive(Clone, Copy, Debug)]
struct Seen {
    seconds: f64,
    at: Instant,
}

impl Latency {
    pub(super) fn note(&mut self, time: Duration, now: Instant) {
        let sample = time.as_secs_f64();
        let seconds = match self.0 {
            Some(seen) if seen.seconds > sample => {
                let kept = kept(seen.at, now);
                seen.seconds * kept + sample * (1.0 - kept)
            }
            Some(_) | None => sample,
        };
        self.0 = Some(Seen { seconds, at: now });
    }

    /// What it costs to ask now, in seconds: the time that is expected, for everyone who waits already and for one more.
    pub(super) fn cost(&self, in_flight: usize, now: Instant) -> f64 {
        match self.0 {
            None => UNKNOWN * in_flight as f64,
            Some(seen) => seen.seconds * kept(seen.at, now) * (in_flight + 1) as f64,
        }
    }
}

/// How much of what was known then still counts.
fn kept(then: Instant, now: Instant) -> f64 {
    (-now.saturating_duration_since(then).as_secs_f64() / FORGETS.as_secs_f64()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_counts_at_once_and_fast_ones_make_it_forgotten_slowly() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut latency = Latency::default();
        latency.note(Duration::from_millis(100), at(0));
        latency.note(Duration::from_secs(5), at(0));
        assert_eq!(latency.cost(0, at(0)), 5.0);
        latency.note(Duration::from_millis(100), at(1));
        assert!(latency.cost(0, at(1)) > 4.0);
        latency.note(Duration::from_millis(100), at(60));
        assert!(latency.cost(0, at(60)) < 0.2);
    }

    #[test]
    fn what_is_busy_or_was_not_asked_for_long_changes_what_it_costs() {
        let start = Instant::now();
        let mut latency = Latency::default();
        assert!(latency.cost(0, start) < latency.cost(1, start), "not all try the unknown one at once");
        latency.note(Duration::from_secs(2), start);
        assert_eq!(latency.cost(3, start), 8.0);
        assert!(latency.cost(0, start + Duration::from_secs(60)) < 0.01, "it may be better by now");
    }
}
