//! How much may be asked for: reserved when a request comes in, settled when it is over.

use std::{
    array,
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    rc::Rc,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use penstock_config::{ObjectRef, object, protocol::Report};
use penstock_crds::StoreFailure;
use tokio::time::Instant;

use crate::{metrics::Metrics, pace::Pace};
use book::Book;
pub(crate) use refusal::Refusal;
use refusal::{Longest, Why};
pub(crate) use reservation::Reservation;
use reservation::{Hold, Origin};
use rule::{Keeping, Moment};
pub(crate) use rule::{Rule, Rules, Subject};
pub(crate) use store::Store;
pub use store::StoreConfig;
pub(crate) use store::lane::Lane;
use table::{Buckets, Table};

mod book;
mod bucket;
mod period;
mod refusal;
mod reservation;
mod rule;
mod store;
mod table;

/// Percent of a budget that are told of.
const THRESHOLDS: [u32; 3] = [50, 80, 100];

/// One for each kind of amount that a limit may bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amounts<T> {
    pub(crate) requests: T,
    /// Prompt and answer together.
    pub(crate) tokens: T,
    /// In picodollars.
    pub(crate) cost: T,
}

/// What outlives every snapshot: the buckets by the names of their limits, and how many proxies share them.
pub(crate) struct Limiter {
    tables: Mutex<HashMap<Owner, Arc<Table>>>,
    among: AtomicU32,
    store: OnceLock<Arc<Store>>,
    /// Where budgets are kept if there is no store; none where they are in memory alone.
    file: OnceLock<PathBuf>,
    book: OnceLock<Option<Arc<Book>>>,
    /// Those of Consumers.
    budgets: Mutex<BTreeMap<ObjectRef, Weak<Rule>>>,
    metrics: Metrics,
}

/// Whose buckets they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Owner {
    Limit(ObjectRef),
    /// Its budget.
    Consumer(ObjectRef),
    /// The budgets of its users.
    Users(ObjectRef),
}

/// What a client is told of the limits that bind it: of each kind, of the one with the least left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing(pub(crate) Amounts<Option<Left>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    /// Until all of it is there again.
    pub(crate) reset: Duration,
}

/// What a request will probably take, and for how long at most.
#[derive(Clone, Copy)]
pub(crate) struct Need {
    pub(crate) amounts: Amounts<u64>,
    pub(crate) time: Duration,
}

impl<T> Amounts<T> {
    pub(crate) fn map<U>(self, mut each: impl FnMut(T) -> U) -> Amounts<U> {
        Amounts { requests: each(self.requests), tokens: each(self.tokens), cost: each(self.cost) }
    }

    pub(crate) fn zip<U>(self, other: Amounts<U>) -> Amounts<(T, U)> {
        Amounts {
            requests: (self.requests, other.requests),
            tokens: (self.tokens, other.tokens),
            cost: (self.cost, other.cost),
        }
    }

    fn iter(&self) -> array::IntoIter<&T, 3> {
        [&self.requests, &self.tokens, &self.cost].into_iter()
    }

    fn iter_mut(&mut self) -> array::IntoIter<&mut T, 3> {
        [&mut self.requests, &mut self.tokens, &mut self.cost].into_iter()
    }
}

impl Limiter {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self {
            tables: Mutex::default(),
            among: AtomicU32::new(1),
            store: OnceLock::new(),
            file: OnceLock::new(),
            book: OnceLock::new(),
            budgets: Mutex::default(),
            metrics,
        }
    }

    /// So many proxies share each limit from now on, this one among them.
    pub(crate) fn share_among(&self, proxies: u32) {
        self.among.store(proxies.max(1), Ordering::Relaxed);
    }

    /// Limits are shared there from now on. Only the first store is used.
    pub(crate) fn use_store(&self, store: Arc<Store>) {
        let _ = self.store.set(store);
    }

    /// Budgets are kept in this file, where there is no store; it is opened when there are budgets. Only the first is used.
    pub(crate) fn keep_budgets_in(&self, file: PathBuf) {
        let _ = self.file.set(file);
    }

    /// Waits until what budgets have spent is in their file.
    pub(crate) async fn finish(&self) {
        if let Some(book) = self.book() {
            book.finish().await;
        }
    }

    fn book(&self) -> Option<&Arc<Book>> {
        self.book.get()?.as_ref()
    }

    fn open_book(&self) {
        if self.store.get().is_some() {
            return;
        }
        self.book.get_or_init(|| {
            let opened = self.file.get().ok_or("there is neither a Redis nor a file for them".to_owned());
            let opened = opened.and_then(|file| Book::open(file.clone()));
            opened.inspect_err(|why| tracing::warn!("budgets begin anew whenever this process does: {why}")).ok()
        });
    }

    /// Whether the store answers, where there is one, and which budgets are spent how far.
    pub(crate) fn reports(&self) -> impl Iterator<Item = Report> {
        let store = self.store.get().map(|store| Report::LimitStore { is_up: store.is_up() });
        let moment = Moment::now();
        let budgets = self.spending(&moment).into_iter().filter_map(move |(consumer, used, rule)| {
            let percent = THRESHOLDS.into_iter().rfind(|percent| used * 100.0 >= f64::from(*percent))?;
            Some(Report::BudgetSpent { consumer, percent, until: rule.span(&moment)?.next.to_string() })
        });
        store.into_iter().chain(budgets)
    }

    /// How much of each Consumer's budget is spent, as far as this proxy knows: 1 is all of it.
    fn spending(&self, moment: &Moment) -> Vec<(ObjectRef, f64, Arc<Rule>)> {
        let mut budgets = table::lock(&self.budgets);
        budgets.retain(|_, rule| rule.strong_count() > 0);
        let rules = budgets.iter().filter_map(|(name, rule)| Some((name.clone(), rule.upgrade()?)));
        let used = rules.map(|(name, rule)| {
            let subject = Subject { consumer: Some(&rule.name), user: "", model: "", provider: None };
            let used = self.holds([&rule], None, subject, moment).iter().map(|hold| hold.used(moment.now)).sum();
            (name, used, rule)
        });
        used.collect()
    }

    /// The same by name.
    pub(crate) fn budgets_used(&self) -> Vec<(ObjectRef, f64)> {
        self.spending(&Moment::now()).into_iter().map(|(name, used, _)| (name, used)).collect()
    }

    /// A way to the store for this thread, where there is one. Needs a `LocalSet`.
    pub(crate) fn lane(&self, pace: Pace) -> Option<Rc<Lane>> {
        self.store.get().map(|store| Lane::start(store, pace))
    }

    /// A RateLimit over the buckets that it had before, if it had some.
    pub(crate) fn rule(&self, name: &ObjectRef, limit: &object::Limit) -> Arc<Rule> {
        Arc::new(Rule::of_limit(name, limit, self.table(Owner::Limit(name.clone()))))
    }

    /// The budgets of a Consumer, likewise.
    pub(crate) fn budgets(&self, name: &ObjectRef, budget: &object::Budget) -> Vec<Arc<Rule>> {
        self.open_book();
        let all = Arc::new(Rule::of_consumer(name, budget, self.table(Owner::Consumer(name.clone()))));
        table::lock(&self.budgets).insert(name.clone(), Arc::downgrade(&all));
        let each = budget.user_limit.map(|limit| {
            let table = self.table(Owner::Users(name.clone()));
            Arc::new(Rule::of_users(name, limit, budget.period, table))
        });
        [all].into_iter().chain(each).collect()
    }

    fn table(&self, owner: Owner) -> Arc<Table> {
        let new = |owner: &Owner| {
            let refused = match owner {
                Owner::Limit(name) => self.metrics.limited(&name.to_string()),
                Owner::Consumer(name) | Owner::Users(name) => self.metrics.over_budget(&name.to_string()),
            };
            Arc::new(Table::new(refused))
        };
        table::lock(&self.tables).entry(owner).or_insert_with_key(new).clone()
    }

    /// Forgets the buckets of limits that are gone.
    pub(crate) fn prune(&self) {
        let mut tables = table::lock(&self.tables);
        tables.retain(|owner, table| {
            let is_used = Arc::strong_count(table) > 1;
            match owner {
                _ if is_used => {}
                Owner::Limit(name) => self.metrics.forget_limit(&name.to_string()),
                Owner::Consumer(name) => self.metrics.forget_budget(&name.to_string()),
                Owner::Users(_) => {}
            }
            is_used
        });
    }

    /// Takes the amounts of every bucket that binds the subject, or of none: of the store, where there is one and it answers,
    /// else of this proxy's share. `rules` are in the order of their names.
    ///
    /// # Errors
    /// Who refuses: of several the one that does so longest.
    pub(crate) async fn reserve<'a>(
        &self,
        rules: impl IntoIterator<Item = &'a Arc<Rule>>,
        lane: Option<&Rc<Lane>>,
        subject: Subject<'_>,
        need: Need,
    ) -> Result<(Reservation, Standing), Box<Refusal>> {
        let moment = Moment::now();
        let holds = self.holds(rules, lane, subject, &moment);
        match lane {
            Some(lane) if !holds.is_empty() => Box::pin(self.reserve_there(lane, holds, need)).await,
            _ => self.reserve_here(holds, need.amounts, moment.now),
        }
    }

    /// The buckets that bind the subject.
    fn holds<'a>(
        &self,
        rules: impl IntoIterator<Item = &'a Arc<Rule>>,
        lane: Option<&Rc<Lane>>,
        subject: Subject<'_>,
        moment: &Moment,
    ) -> Vec<Hold> {
        let among = self.among.load(Ordering::Relaxed);
        let keeping = Keeping { lane, book: self.book(), among };
        let mut name = String::new();
        let bound = rules.into_iter().filter(|rule| rule.binds(subject));
        bound.map(|rule| rule.hold(subject, keeping, moment, &mut name)).collect()
    }

    fn reserve_here(
        &self,
        holds: Vec<Hold>,
        amounts: Amounts<u64>,
        now: Instant,
    ) -> Result<(Reservation, Standing), Box<Refusal>> {
        // All wait for each other in this order, so nobody waits in a circle.
        let mut locked: Vec<_> = holds.iter().map(|hold| (table::lock(&hold.buckets), hold)).collect();
        let (mut longest, mut standing) = (Longest::default(), Standing::default());
        for (buckets, hold) in &mut locked {
            let shares = hold.shares();
            longest.look(buckets.at(&shares, now), &shares, hold, amounts);
        }
        for (buckets, hold) in &mut locked {
            let shares = hold.shares();
            if longest.is_none() {
                match hold.has_store() {
                    true => buckets.take_untold(&shares, &amounts),
                    false => buckets.take(&shares, &amounts),
                }
            }
            buckets.note(&shares, &mut standing);
        }
        drop(locked);
        match longest.into_refusal(standing) {
            Some(refusal) => Err(refusal),
            None => Ok((Reservation::new(holds, amounts, Origin::Here), standing)),
        }
    }

    /// One call for all of them.
    async fn reserve_there(
        &self,
        lane: &Rc<Lane>,
        holds: Vec<Hold>,
        Need { amounts, time }: Need,
    ) -> Result<(Reservation, Standing), Box<Refusal>> {
        let wanted = holds.iter().map(|hold| hold.wanted(Instant::now())).collect();
        let Ok(reply) = lane.reserve(wanted, amounts, time).await else { return self.without_store(holds, amounts) };
        let now = Instant::now();
        let (mut longest, mut standing) = (Longest::default(), Standing::default());
        for (hold, spent) in holds.iter().zip(reply.spent) {
            let shares = hold.rule.shares(1);
            let stored = Buckets::stored(spent, &shares, now);
            if !reply.is_taken {
                longest.look(&stored, &shares, hold, amounts);
            }
            stored.note(&shares, &mut standing);
            table::lock(&hold.buckets).learn(&stored);
        }
        match longest.into_refusal(standing) {
            Some(refusal) => Err(refusal),
            None => Ok((Reservation::new(holds, amounts, Origin::There(reply.until)), standing)),
        }
    }

    /// What each limit wants while the store does not answer.
    fn without_store(
        &self,
        mut holds: Vec<Hold>,
        amounts: Amounts<u64>,
    ) -> Result<(Reservation, Standing), Box<Refusal>> {
        if let Some(hold) = holds.iter().find(|hold| hold.rule.on_store_failure == StoreFailure::Deny) {
            hold.rule.table.refused.inc();
            let (rule, of, standing) = (hold.rule.name.clone(), hold.rule.of, Standing::default());
            return Err(Box::new(Refusal { rule, of, why: Why::StoreDown, standing }));
        }
        holds.retain(|hold| hold.rule.on_store_failure == StoreFailure::Local);
        self.reserve_here(holds, amounts, Instant::now())
    }
}

#[cfg(test)]
mod tests;
