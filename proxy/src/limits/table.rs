//! The buckets of one limit, one for each subject.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus::IntCounter;
use tokio::time::Instant;

use super::{
    Amounts,
    bucket::{Bucket, Share, Short},
};

/// So many subjects have buckets of their own. Any more share one, until others are full again and forgotten.
const MOST: usize = 65_536;
/// Between two looks for buckets that are full.
const SWEEP: Duration = Duration::from_secs(1);

/// Outside of snapshots: a change of the configuration fills no bucket.
pub(crate) struct Table {
    subjects: Mutex<Subjects>,
    /// Requests that were refused.
    pub(super) refused: IntCounter,
}

pub(super) struct Subjects {
    own: HashMap<Box<str>, Buckets>,
    /// Of all for whom there was no room.
    others: Option<Buckets>,
    swept: Option<Instant>,
    most: usize,
}

/// What a limit allows of each, where it bounds it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares(pub(super) Amounts<Option<Share>>);

#[derive(Clone, Copy)]
pub(super) struct Buckets(Amounts<Option<Bucket>>);

impl Table {
    pub(super) fn new(refused: IntCounter) -> Self {
        Self::of(MOST, refused)
    }

    fn of(most: usize, refused: IntCounter) -> Self {
        let subjects = Mutex::new(Subjects { own: HashMap::new(), others: None, swept: None, most });
        Self { subjects, refused }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Subjects> {
        self.subjects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subjects {
    /// The buckets of a subject, as they are now.
    pub(super) fn of(&mut self, subject: &str, shares: &Shares, now: Instant) -> &mut Buckets {
        if !self.own.contains_key(subject) {
            self.make_room(shares, now);
        }
        let buckets = if self.own.contains_key(subject) || self.own.len() < self.most {
            self.own.entry(subject.into()).or_insert_with(|| Buckets::full(shares, now))
        } else {
            self.others.get_or_insert_with(|| Buckets::full(shares, now))
        };
        buckets.refill(shares, now);
        buckets
    }

    /// Forgets buckets that are full: new ones are just like them.
    fn make_room(&mut self, shares: &Shares, now: Instant) {
        let was_swept = self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < SWEEP);
        if self.own.len() < self.most || was_swept {
            return;
        }
        self.swept = Some(now);
        self.own.retain(|_, buckets| {
            buckets.refill(shares, now);
            !buckets.are_full(shares)
        });
    }
}

impl Buckets {
    fn full(shares: &Shares, now: Instant) -> Self {
        Self(shares.0.map(|share| share.map(|share| Bucket::full(&share, now))))
    }

    fn refill(&mut self, shares: &Shares, now: Instant) {
        for (bucket, share) in self.0.iter_mut().zip(shares.0.iter()) {
            match (&mut *bucket, share) {
                (Some(bucket), Some(share)) => bucket.refill(share, now),
                (_, share) => *bucket = share.map(|share| Bucket::full(&share, now)),
            }
        }
    }

    fn are_full(&self, shares: &Shares) -> bool {
        self.each(shares).all(|(bucket, share)| bucket.is_full(share))
    }

    fn each<'a>(&'a self, shares: &'a Shares) -> impl Iterator<Item = (&'a Bucket, &'a Share)> {
        self.0.iter().zip(shares.0.iter()).filter_map(|(bucket, share)| bucket.as_ref().zip(share.as_ref()))
    }

    /// Can all of it be taken? For each kind of amount that the limit bounds, how long not.
    pub(super) fn look(&self, shares: &Shares, amounts: &Amounts<u64>) -> Amounts<Option<Short>> {
        let all = self.0.zip(shares.0).zip(*amounts);
        all.map(|((bucket, share), amount)| bucket.zip(share)?.0.look(&share?, amount).err())
    }

    pub(super) fn take(&mut self, shares: &Shares, amounts: &Amounts<u64>) {
        self.change(shares, amounts, Bucket::take);
    }

    pub(super) fn give(&mut self, shares: &Shares, amounts: &Amounts<u64>) {
        self.change(shares, amounts, Bucket::give);
    }

    fn change(&mut self, shares: &Shares, amounts: &Amounts<u64>, change: impl Fn(&mut Bucket, &Share, u64)) {
        for ((bucket, share), amount) in self.0.iter_mut().zip(shares.0.iter()).zip(amounts.iter()) {
            if let (Some(bucket), Some(share)) = (bucket, share) {
                change(bucket, share, *amount);
            }
        }
    }

    /// What is left of each, and until it is full again.
    pub(super) fn left(&self, shares: &Shares) -> Amounts<Option<(u64, Duration)>> {
        self.0.zip(shares.0).map(|(bucket, share)| {
            let (bucket, share) = bucket.zip(share)?;
            Some((bucket.left(&share), bucket.full_in(&share)))
        })
    }
}

#[cfg(test)]
mod tests {
    use penstock_config::object::Rate;

    use super::*;

    fn shares() -> Shares {
        let rate = Rate { limit: 2, window_ms: 2_000, burst: 2 };
        Shares(Amounts { requests: Some(Share { rate, among: 1 }), tokens: None, cost: None })
    }

    fn table(most: usize) -> anyhow::Result<Table> {
        Ok(Table::of(most, IntCounter::new("refused", "x")?))
    }

    const ONE: Amounts<u64> = Amounts { requests: 1, tokens: 0, cost: 0 };

    /// How much is left of a subject's requests after it has asked.
    fn asks(table: &Table, subject: &str, now: Instant) -> Option<u64> {
        let (mut subjects, shares) = (table.lock(), shares());
        let buckets = subjects.of(subject, &shares, now);
        buckets.look(&shares, &ONE).requests.is_none().then(|| buckets.take(&shares, &ONE))?;
        buckets.left(&shares).requests.map(|(left, _)| left)
    }

    #[test]
    fn each_subject_has_its_own_bucket_and_those_without_room_share_one() -> anyhow::Result<()> {
        let (table, now) = (table(2)?, Instant::now());
        assert_eq!(
            [asks(&table, "a", now), asks(&table, "b", now), asks(&table, "a", now)],
            [Some(1), Some(1), Some(0)]
        );
        let strangers = ["c", "d", "e"].map(|stranger| asks(&table, stranger, now));
        assert_eq!(strangers, [Some(1), Some(0), None], "new names bring no new buckets");
        assert_eq!(asks(&table, "a", now), None, "and push nobody out");
        Ok(())
    }

    #[test]
    fn only_buckets_that_are_full_again_are_forgotten() -> anyhow::Result<()> {
        let (table, start) = (table(2)?, Instant::now());
        asks(&table, "a", start);
        asks(&table, "b", start);
        asks(&table, "b", start);
        let later = start + Duration::from_millis(1_500);
        assert_eq!(asks(&table, "c", later), Some(1), "in the place of a");
        assert_eq!(asks(&table, "b", later), Some(0), "its second is not over");
        assert_eq!(table.lock().own.len(), 2);
        Ok(())
    }

    #[test]
    fn a_kind_that_is_bounded_from_now_on_begins_full() -> anyhow::Result<()> {
        let (table, now) = (table(2)?, Instant::now());
        asks(&table, "a", now);
        let both = Shares(Amounts { tokens: shares().0.requests, ..shares().0 });
        assert_eq!(table.lock().of("a", &both, now).left(&both).tokens.map(|(left, _)| left), Some(2));
        Ok(())
    }
}
