//! A token bucket whose balance may be owed: what was reserved is settled later, for more or for less. Pure and exact: whole
//! numbers, so that no odd interval gains or loses anything.

use std::time::Duration;

use penstock_config::object::Rate;
use tokio::time::Instant;

/// What one proxy may give away of a limit that several share alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) rate: Rate,
    /// How many proxies there are, at least one.
    pub(crate) among: u32,
}

/// How much is left. A bucket that nothing was ever taken of is full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// One unit of the whole limit is as many of these as its window has nanoseconds, so in each nanosecond `limit` of them
    /// come in. It counts what the share is full of: what is given away weighs as many times as there are proxies, and
    /// when their number changes, a share that was half full stays so.
    level: i128,
    /// The window that the level is counted in.
    window: i128,
    at: Instant,
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
    fn window(&self) -> i128 {
        i128::from(self.rate.window_ms.max(1)) * 1_000_000
    }

    fn weight(&self, amount: u64) -> i128 {
        i128::from(amount) * self.window() * i128::from(self.among.max(1))
    }

    /// Room for one unit at least, however many share the limit.
    fn full(&self) -> i128 {
        (i128::from(self.rate.burst) * self.window()).max(self.weight(1))
    }

    fn time(&self, level: i128) -> Duration {
        let limit = i128::from(self.rate.limit.max(1));
        let nanos = (level.max(0) + limit - 1) / limit;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Bucket {
    pub(crate) fn full(share: &Share, now: Instant) -> Self {
        Self { level: share.full(), window: share.window(), at: now }
    }

    /// What has come in by now. Time does not run backwards: a moment before the last adds nothing.
    pub(crate) fn refill(&mut self, share: &Share, now: Instant) {
        if self.window != share.window() {
            // The limit was changed: what is left of it stays.
            self.level = self.level / self.window * share.window();
            self.window = share.window();
        }
        let since = now.saturating_duration_since(self.at).as_nanos();
        let more = i128::try_from(since).unwrap_or(i128::MAX).saturating_mul(i128::from(share.rate.limit));
        self.level = self.level.saturating_add(more).min(share.full());
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
        let lacking = share.weight(amount).min(share.full()) - self.level;
        if lacking > 0 { Err(Short::For(share.time(lacking))) } else { Ok(()) }
    }

    /// Takes it, whatever is left.
    pub(crate) fn take(&mut self, share: &Share, amount: u64) {
        self.level = self.level.saturating_sub(share.weight(amount));
    }

    /// Gives it back.
    pub(crate) fn give(&mut self, share: &Share, amount: u64) {
        self.level = self.level.saturating_add(share.weight(amount)).min(share.full());
    }

    pub(crate) fn is_full(&self, share: &Share) -> bool {
        self.level >= share.full()
    }

    /// Whole units that are left of the limit, if other proxies have given away as much.
    pub(crate) fn left(&self, share: &Share) -> u64 {
        u64::try_from(self.level.max(0) / share.window()).unwrap_or(u64::MAX).min(share.rate.burst)
    }

    /// Until it is full, if nothing is taken.
    pub(crate) fn full_in(&self, share: &Share) -> Duration {
        share.time(share.full() - self.level)
    }
}

#[cfg(test)]
mod tests;
