//! A token bucket whose balance may be owed: what was reserved is settled later, for more or for less. Pure and exact: whole
//! numbers, so that no odd interval gains or loses anything.

use std::time::Duration;

use penstock_config::object::Rate;
use tokio::time::Instant;

/// In a millisecond.
const NANOS: u64 = 1_000_000;

/// What one proxy may give away of a limit that several share alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) rate: Rate,
    /// How many proxies there are, at least one.
    pub(crate) among: u32,
}

/// How much was taken and has not come back. A bucket that nothing was ever taken of is full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// Never less than nothing. One unit of the whole limit is as many of these as its window has nanoseconds, so in each
    /// nanosecond `limit` of them come back. It counts as if the share were the whole: what is taken weighs as many times as
    /// there are proxies, and when their number changes, a share that was half full stays so.
    spent: i128,
    /// What of it the store was not told of, where there is one: it was taken while it did not answer. Never more than all.
    untold: i128,
    /// The window that it is counted in, in nanoseconds.
    window: u64,
    at: Instant,
}

/// What the store of limits may not know of a bucket, in units times milliseconds of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// What was spent of it, should the store have forgotten.
    pub(crate) begin: u128,
    /// What was spent of it since, elsewhere.
    pub(crate) more: u128,
}

/// Why nothing can be taken now; the longer, the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Short {
    /// There will be enough after so long, if nobody takes anything before.
    For(Duration),
    /// There never will.
    Forever,
}

impl Share {
    /// In nanoseconds, of which there are enough for 584 years.
    fn window(&self) -> u64 {
        self.rate.window_ms.max(1).saturating_mul(NANOS)
    }

    fn weight(&self, amount: u64) -> i128 {
        let alone = product(amount, self.window());
        if self.among > 1 { alone.saturating_mul(self.among.into()) } else { alone }
    }

    /// Room for one unit at least, however many share the limit.
    fn full(&self) -> i128 {
        product(self.rate.burst, self.window()).max(self.weight(1))
    }

    fn time(&self, amount: i128) -> Duration {
        let limit = i128::from(self.rate.limit.max(1));
        let nanos = (amount.max(0) + limit - 1) / limit;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// Of numbers that are not negative, in one instruction where both are as short as here.
fn product(one: u64, other: u64) -> i128 {
    i128::try_from(u128::from(one) * u128::from(other)).unwrap_or(i128::MAX)
}

impl Bucket {
    pub(crate) fn full(share: &Share, now: Instant) -> Self {
        Self { spent: 0, untold: 0, window: share.window(), at: now }
    }

    /// One of which so much was taken, in units times milliseconds of the window, as the store counts.
    pub(super) fn stored(spent: u128, share: &Share, now: Instant) -> Self {
        let spent = i128::try_from(spent).unwrap_or(i128::MAX).saturating_mul(NANOS.into());
        Self { spent, ..Self::full(share, now) }
    }

    /// What the store is told. What is taken of a share weighs less there, and once it is told it is no news any more.
    pub(super) fn tell(&mut self, share: &Share) -> News {
        let in_store = |spent: i128| u128::try_from(spent).unwrap_or_default().div_ceil(NANOS.into());
        let untold = std::mem::take(&mut self.untold);
        News { begin: in_store(self.spent - untold), more: in_store(untold / i128::from(share.among.max(1))) }
    }

    /// The store did not hear it.
    pub(super) fn untell(&mut self, share: &Share, news: News) {
        let more = i128::try_from(news.more).unwrap_or(i128::MAX).saturating_mul(NANOS.into());
        self.untold = self.untold.saturating_add(more.saturating_mul(share.among.max(1).into())).min(self.spent);
    }

    /// It is as the store says, but for what that was not told.
    pub(super) fn learn(&mut self, stored: Self) {
        let untold = self.untold;
        *self = Self { spent: stored.spent.saturating_add(untold), untold, ..stored };
    }

    pub(super) fn has_news(&self) -> bool {
        self.untold > 0
    }

    /// What has come back by now. Time does not run backwards: a moment before the last adds nothing.
    pub(crate) fn refill(&mut self, share: &Share, now: Instant) {
        let window = share.window();
        if self.window != window {
            // The limit was changed: what was taken stays taken.
            let moved = |spent: i128| (spent / i128::from(self.window)).saturating_mul(window.into());
            (self.spent, self.untold, self.window) = (moved(self.spent), moved(self.untold), window);
        }
        let since = u64::try_from(now.saturating_duration_since(self.at).as_nanos()).unwrap_or(u64::MAX);
        self.spent = (self.spent - product(since, share.rate.limit)).max(0);
        self.untold = self.untold.min(self.spent);
        self.at = self.at.max(now);
    }

    /// Can so much be taken, after [`Bucket::refill`]? Nothing always can. More than a share, and not more than the whole limit at once, can if the
    /// share is full.
    ///
    /// # Errors
    /// How long not.
    pub(crate) fn look(&self, share: &Share, amount: u64) -> Result<(), Short> {
        match amount {
            0 => return Ok(()),
            _ if amount > share.rate.burst => return Err(Short::Forever),
            _ => {}
        }
        let lacking = share.weight(amount).min(share.full()) - (share.full() - self.spent);
        if lacking > 0 { Err(Short::For(share.time(lacking))) } else { Ok(()) }
    }

    /// Takes it, whatever is left.
    pub(crate) fn take(&mut self, share: &Share, amount: u64) {
        self.spent = self.spent.saturating_add(share.weight(amount));
    }

    /// The same while the store does not answer.
    pub(super) fn take_untold(&mut self, share: &Share, amount: u64) {
        self.take(share, amount);
        self.untold = self.untold.saturating_add(share.weight(amount));
    }

    /// Gives back what was taken so.
    pub(super) fn give_untold(&mut self, share: &Share, amount: u64) {
        self.give(share, amount);
        self.untold = self.untold.saturating_sub(share.weight(amount)).clamp(0, self.spent);
    }

    /// Sets right what was reserved, by what was used.
    pub(super) fn settle(&mut self, share: &Share, (reserved, used): (u64, u64), now: Instant) {
        // What is given back adds up with what comes in, whichever is first.
        if used > reserved || self.window != share.window() {
            self.refill(share, now);
        }
        match used.checked_sub(reserved) {
            Some(too_little) => self.take(share, too_little),
            None => self.give(share, reserved - used),
        }
    }

    /// The same for what was reserved while the store did not answer, after [`Bucket::refill`].
    pub(super) fn settle_untold(&mut self, share: &Share, (reserved, used): (u64, u64)) {
        match used.checked_sub(reserved) {
            Some(too_little) => self.take_untold(share, too_little),
            None => self.give_untold(share, reserved - used),
        }
    }

    /// Gives it back.
    pub(crate) fn give(&mut self, share: &Share, amount: u64) {
        self.spent = self.spent.saturating_sub(share.weight(amount)).max(0);
    }

    /// How much of it was taken: 1 is all.
    pub(super) fn used(&self, share: &Share) -> f64 {
        self.spent as f64 / share.full() as f64
    }

    pub(crate) fn is_full(&self) -> bool {
        self.spent == 0
    }

    /// Whole units that are left of the limit, if other proxies have given away as much.
    pub(crate) fn left(&self, share: &Share) -> u64 {
        let left = (share.full() - self.spent).max(0) / i128::from(share.window());
        u64::try_from(left).unwrap_or(u64::MAX).min(share.rate.burst)
    }

    /// Until it is full, if nothing is taken.
    pub(crate) fn full_in(&self, share: &Share) -> Duration {
        share.time(self.spent)
    }
}

#[cfg(test)]
mod tests;
