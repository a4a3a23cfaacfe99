//! The buckets of one limit, one for each subject.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use penstock_config::object::Rate;
use prometheus::IntCounter;
use tokio::time::Instant;

use super::{
    Amounts, Left, Standing,
    bucket::{Bucket, News, Share, Short},
    period::Span,
};

/// So many subjects have buckets of their own. Any more share one, until others are full again and forgotten.
const MOST: usize = 65_536;
/// Between two looks for buckets that are full.
const SWEEP: Duration = Duration::from_secs(1);

/// Outside of snapshots: a change of the configuration fills no bucket.
pub(crate) struct Table {
    subjects: Mutex<Subjects>,
    /// Of all subjects together, where none has its own.
    all: OnceLock<Shared>,
    /// Requests that were refused.
    pub(super) refused: IntCounter,
}

pub(super) struct Subjects {
    own: HashMap<Box<str>, Shared>,
    /// Of all for whom there was no room.
    others: Option<Shared>,
    swept: Option<Instant>,
    most: usize,
    /// The period that they are about, if they begin anew with each.
    span: Option<Span>,
}

/// What a limit allows of each, where it bounds it, and how many proxies have a share of that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares<'a> {
    pub(super) rates: &'a Amounts<Option<Rate>>,
    pub(super) among: u32,
}

pub(super) struct Buckets {
    all: Amounts<Option<Bucket>>,
    /// Of all who have none of their own: nothing is known of each.
    are_common: bool,
}

/// Held by requests until they are settled, so that they need not be looked for again.
type Shared = Arc<Mutex<Buckets>>;

impl Table {
    pub(super) fn new(refused: IntCounter) -> Self {
        Self::with_room(MOST, refused)
    }

    fn with_room(most: usize, refused: IntCounter) -> Self {
        let subjects = Mutex::new(Subjects { own: HashMap::new(), others: None, swept: None, most, span: None });
        Self { subjects, all: OnceLock::new(), refused }
    }

    /// The buckets that all subjects share.
    pub(super) fn of_all(&self, shares: &Shares<'_>, now: Instant) -> Shared {
        self.all.get_or_init(|| Arc::new(Mutex::new(Buckets::full(shares, now)))).clone()
    }

    /// The buckets of a subject. Those of an older period are forgotten. `spent` says what new ones begin with.
    pub(super) fn of(
        &self,
        subject: &str,
        span: Option<Span>,
        shares: &Shares<'_>,
        now: Instant,
        spent: impl FnOnce() -> Amounts<u64>,
    ) -> Shared {
        let mut subjects = lock(&self.subjects);
        subjects.enter(span);
        subjects.of(subject, shares, now, spent)
    }
}

impl Subjects {
    /// A period begins: who still has buckets of the old one settles them there. Clocks that go back change nothing.
    fn enter(&mut self, span: Option<Span>) {
        if span > self.span {
            self.span = span;
            self.own.clear();
            self.others = None;
        }
    }

    /// The buckets of a subject, which may be new.
    fn of(&mut self, subject: &str, shares: &Shares<'_>, now: Instant, spent: impl FnOnce() -> Amounts<u64>) -> Shared {
        if let Some(buckets) = self.own.get(subject) {
            return buckets.clone();
        }
        self.make_room(shares, now);
        if self.own.len() >= self.most {
            let common = || Arc::new(Mutex::new(Buckets { are_common: true, ..Buckets::full(shares, now) }));
            return self.others.get_or_insert_with(common).clone();
        }
        let mut buckets = Buckets::full(shares, now);
        buckets.take(shares, &spent());
        self.own.entry(subject.into()).or_insert(Arc::new(Mutex::new(buckets))).clone()
    }

    /// Forgets buckets that are full, and that nobody has taken anything of: new ones are just like them.
    fn make_room(&mut self, shares: &Shares<'_>, now: Instant) {
        let was_swept = self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < SWEEP);
        if self.own.len() < self.most || was_swept {
            return;
        }
        self.swept = Some(now);
        self.own.retain(|_, shared| Arc::strong_count(shared) > 1 || !lock(shared).at(shares, now).are_full());
    }
}

/// A panic in between leaves numbers, which are good.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shares<'_> {
    fn iter(&self) -> impl Iterator<Item = Option<Share>> {
        let among = self.among;
        self.rates.iter().map(move |rate| rate.map(|rate| Share { rate, among }))
    }

    fn all(&self) -> Amounts<Option<Share>> {
        self.rates.map(|rate| rate.map(|rate| Share { rate, among: self.among }))
    }
}

impl Buckets {
    pub(super) fn full(shares: &Shares<'_>, now: Instant) -> Self {
        Self::of(shares.all().map(|share| share.map(|share| Bucket::full(&share, now))))
    }

    fn of(all: Amounts<Option<Bucket>>) -> Self {
        Self { all, are_common: false }
    }

    /// As the store has them, by what it says is spent.
    pub(super) fn stored(spent: Amounts<Option<u128>>, shares: &Shares<'_>, now: Instant) -> Self {
        let each = spent.zip(shares.all());
        Self::of(each.map(|(spent, share)| share.map(|share| Bucket::stored(spent.unwrap_or(0), &share, now))))
    }

    /// As they are at a moment.
    pub(super) fn at(&mut self, shares: &Shares<'_>, now: Instant) -> &mut Self {
        for (bucket, share) in self.all.iter_mut().zip(shares.iter()) {
            match (&mut *bucket, share) {
                (Some(bucket), Some(share)) => bucket.refill(&share, now),
                (None, None) => {}
                (_, share) => *bucket = share.map(|share| Bucket::full(&share, now)),
            }
        }
        self
    }

    /// What the store may not know of them, which is no news any more.
    pub(super) fn tell(&mut self, shares: &Shares<'_>) -> Amounts<News> {
        if self.are_common {
            return Amounts::default();
        }
        let mut news = Amounts::default();
        for ((bucket, share), news) in self.all.iter_mut().zip(shares.iter()).zip(news.iter_mut()) {
            if let (Some(bucket), Some(share)) = (bucket, share) {
                *news = bucket.tell(&share);
            }
        }
        news
    }

    /// The store did not hear it.
    pub(super) fn untell(&mut self, shares: &Shares<'_>, news: &Amounts<News>) {
        change(&mut self.all, shares, news, Bucket::untell);
    }

    /// They are as the store says.
    pub(super) fn learn(&mut self, stored: &Buckets) {
        if self.are_common {
            return;
        }
        for (bucket, stored) in self.all.iter_mut().zip(stored.all.iter()) {
            match (&mut *bucket, stored) {
                (Some(bucket), Some(stored)) => bucket.learn(*stored),
                (bucket, stored) => *bucket = *stored,
            }
        }
    }

    /// How much of its cost is spent: 1 is all of it.
    pub(super) fn used(&self, shares: &Shares<'_>) -> f64 {
        self.all.cost.zip(shares.all().cost).map_or(0.0, |(bucket, share)| bucket.used(&share))
    }

    fn are_full(&self) -> bool {
        self.all.iter().flatten().all(Bucket::is_full)
    }

    /// Can all of it be taken?
    pub(super) fn have(&self, shares: &Shares<'_>, amounts: &Amounts<u64>) -> bool {
        let mut all = self.all.iter().zip(shares.iter()).zip(amounts.iter());
        all.all(|((bucket, share), amount)| match (bucket, share) {
            (Some(bucket), Some(share)) => bucket.look(&share, *amount).is_ok(),
            _ => true,
        })
    }

    /// For each kind of amount that the limit bounds, how long it can't be taken.
    pub(super) fn look(&self, shares: &Shares<'_>, amounts: &Amounts<u64>) -> Amounts<Option<Short>> {
        let all = self.all.zip(shares.all()).zip(*amounts);
        all.map(|((bucket, share), amount)| bucket.zip(share)?.0.look(&share?, amount).err())
    }

    pub(super) fn take(&mut self, shares: &Shares<'_>, amounts: &Amounts<u64>) {
        change(&mut self.all, shares, amounts, Bucket::take);
    }

    /// The same while the store does not answer.
    pub(super) fn take_untold(&mut self, shares: &Shares<'_>, amounts: &Amounts<u64>) {
        change(&mut self.all, shares, amounts, Bucket::take_untold);
    }

    /// Sets right what was reserved.
    pub(super) fn settle(&mut self, shares: &Shares<'_>, reserved: &Amounts<u64>, used: &Amounts<u64>, now: Instant) {
        change(&mut self.all, shares, &reserved.zip(*used), |bucket, share, both| bucket.settle(share, both, now));
    }

    /// The same for what was reserved while the store did not answer. Returns whether it has been told of that by now.
    pub(super) fn settle_untold(
        &mut self,
        shares: &Shares<'_>,
        reserved: &Amounts<u64>,
        used: &Amounts<u64>,
        now: Instant,
    ) -> bool {
        if !self.at(shares, now).all.iter().flatten().any(Bucket::has_news) {
            self.settle(shares, reserved, used, now);
            return true;
        }
        change(&mut self.all, shares, &reserved.zip(*used), Bucket::settle_untold);
        false
    }

    /// Notes what is left of each, where others have more.
    pub(super) fn note(&self, shares: &Shares<'_>, least: &mut Standing) {
        for ((bucket, share), least) in self.all.iter().zip(shares.iter()).zip(least.0.iter_mut()) {
            let (Some(bucket), Some(share)) = (bucket, share) else { continue };
            let remaining = bucket.left(&share);
            if least.is_none_or(|least: Left| remaining < least.remaining) {
                *least = Some(Left { limit: share.rate.limit, remaining, reset: bucket.full_in(&share) });
            }
        }
    }
}

fn change<T: Copy>(
    all: &mut Amounts<Option<Bucket>>,
    shares: &Shares<'_>,
    amounts: &Amounts<T>,
    change: impl Fn(&mut Bucket, &Share, T),
) {
    for ((bucket, share), amount) in all.iter_mut().zip(shares.iter()).zip(amounts.iter()) {
        if let (Some(bucket), Some(share)) = (bucket, share) {
            change(bucket, &share, *amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { limit: 2, window_ms: 2_000, burst: 2 };
    const RATES: Amounts<Option<Rate>> = Amounts { requests: Some(RATE), tokens: None, cost: None };

    fn shares() -> Shares<'static> {
        Shares { rates: &RATES, among: 1 }
    }

    fn table(most: usize) -> anyhow::Result<Table> {
        Ok(Table::with_room(most, IntCounter::new("refused", "x")?))
    }

    const ONE: Amounts<u64> = Amounts { requests: 1, tokens: 0, cost: 0 };

    /// How much is left of a subject's requests after it has asked.
    fn asks(table: &Table, subject: &str, now: Instant) -> Option<u64> {
        let shares = shares();
        let shared = table.of(subject, None, &shares, now, Amounts::default);
        let mut buckets = lock(&shared);
        let buckets = buckets.at(&shares, now);
        buckets.look(&shares, &ONE).requests.is_none().then(|| buckets.take(&shares, &ONE))?;
        left(buckets, &shares).requests
    }

    fn left(buckets: &Buckets, shares: &Shares<'_>) -> Amounts<Option<u64>> {
        let mut standing = Standing::default();
        buckets.note(shares, &mut standing);
        standing.0.map(|left| left.map(|left| left.remaining))
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
        assert_eq!(lock(&table.subjects).own.len(), 2);
        Ok(())
    }

    #[test]
    fn a_kind_that_is_bounded_from_now_on_begins_full() -> anyhow::Result<()> {
        let (table, now) = (table(2)?, Instant::now());
        asks(&table, "a", now);
        let rates = Amounts { tokens: Some(RATE), ..RATES };
        let both = Shares { rates: &rates, among: 1 };
        let shared = table.of("a", None, &both, now, Amounts::default);
        assert_eq!(
            left(lock(&shared).at(&both, now), &both),
            Amounts { requests: Some(1), tokens: Some(2), cost: None }
        );
        Ok(())
    }
}
