//! How calls went lately.

use std::time::Duration;

use tokio::time::Instant;

/// Slots of the window. One that is left behind is empty again.
const SLOTS: usize = 10;

/// Counts over a rolling window, in slots of equal length.
#[derive(Debug)]
pub(super) struct Window {
    slot: Duration,
    slots: [Tally; SLOTS],
    /// Of the latest slot, and when that began.
    at: usize,
    since: Instant,
}

/// Calls, by how they went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) answered: u32,
    pub(super) failed: u32,
}

impl Window {
    pub(super) fn new(length: Duration, now: Instant) -> Self {
        Self { slot: length / SLOTS as u32, slots: Default::default(), at: 0, since: now }
    }

    pub(super) fn answered(&mut self, now: Instant) {
        self.turn(now);
        self.slots[self.at].answered += 1;
    }

    pub(super) fn failed(&mut self, now: Instant) {
        self.turn(now);
        self.slots[self.at].failed += 1;
    }

    pub(super) fn tally(&mut self, now: Instant) -> Tally {
        self.turn(now);
        self.slots.iter().fold(Tally::default(), |sum, slot| Tally {
            answered: sum.answered + slot.answered,
            failed: sum.failed + slot.failed,
        })
    }

    /// Moves on to the slot of `now`.
    fn turn(&mut self, now: Instant) {
        let slot = self.slot.as_nanos().max(1);
        let passed = now.saturating_duration_since(self.since).as_nanos() / slot;
        for _ in 0..passed.min(SLOTS as u128) {
            self.at = (self.at + 1) % SLOTS;
            self.slots[self.at] = Tally::default();
        }
        self.since +=
            if passed < SLOTS as u128 { self.slot * passed as u32 } else { now.saturating_duration_since(self.since) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_window_is_forgotten_slot_by_slot() {
        let start = Instant::now();
        let at = |tenths: u64| start + Duration::from_millis(tenths * 100);
        let mut window = Window::new(Duration::from_secs(10), start);
        window.failed(at(0));
        window.failed(at(9));
        window.answered(at(15));
        assert_eq!(window.tally(at(99)), Tally { answered: 1, failed: 2 });
        assert_eq!(window.tally(at(100)), Tally { answered: 1, failed: 0 });
        assert_eq!(window.tally(at(110)), Tally::default());
        window.failed(at(10_000));
        assert_eq!(window.tally(at(10_099)), Tally { answered: 0, failed: 1 });
    }
}
