use super::End;
use crate::neutral::Finish;

/// Which of the answers that run side by side are finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choices {
    wanted: u64,
    seen: u128,
    finished: u128,
    last: Option<Finish>,
}

impl Choices {
    pub(super) fn new(wanted: u64) -> Self {
        Self { wanted, seen: 0, finished: 0, last: None }
    }

    /// Notes the choices, a bit each, that an event speaks of and finishes.
    pub(super) fn finish(&mut self, seen: u128, finished: u128, last: Option<Finish>) {
        self.seen |= seen | finished;
        self.finished |= finished;
        self.last = last.or(self.last);
    }

    /// As many finished as the client asked for.
    pub(super) fn all_wanted(&self) -> bool {
        u64::from(self.finished.count_ones()) >= self.wanted
    }

    /// All that began have finished. A server that does not know `n` gives one answer and ends properly.
    pub(super) fn all_ended(&self) -> bool {
        self.finished != 0 && self.finished == self.seen
    }

    /// What the provider's end marker means now.
    pub(super) fn end(&self) -> End {
        if self.all_ended() { End::Complete } else { End::Truncated }
    }

    pub(super) fn last(&self) -> Option<Finish> {
        self.last
    }
}
