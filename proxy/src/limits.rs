//! How much may be asked for: reserved when a request comes in, settled when it is over.

use std::{
    array,
    collections::HashMap,
    rc::Rc,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use penstock_config::{
    Hash, ObjectRef,
    object::{self, Rate},
    protocol::Report,
};
use penstock_crds::StoreFailure;
use tokio::time::Instant;

use crate::metrics::Metrics;
use bucket::{Share, Short};
pub(crate) use refusal::Refusal;
use refusal::Why;
pub(crate) use reservation::Reservation;
use reservation::{Hold, Origin};
pub(crate) use store::Store;
pub use store::StoreConfig;
pub(crate) use store::lane::Lane;
use table::{Buckets, Shares, Table};

mod bucket;
mod refusal;
mod reservation;
mod store;
mod table;

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
    tables: Mutex<HashMap<ObjectRef, Arc<Table>>>,
    among: AtomicU32,
    store: OnceLock<Arc<Store>>,
    metrics: Metrics,
}

/// A limit, built.
pub(crate) struct Rule {
    /// `namespace/name` of the RateLimit.
    name: String,
    /// Sorted; empty: every model.
    models: Vec<String>,
    /// `namespace/name` of each, sorted; none: every caller.
    consumers: Option<Vec<String>>,
    per: Per,
    rates: Amounts<Option<Rate>>,
    on_store_failure: StoreFailure,
    table: Arc<Table>,
}

/// What has a bucket of its own.
#[derive(Clone, Copy)]
struct Per {
    consumer: bool,
    user: bool,
    model: bool,
    provider: bool,
}

/// Whose request it is, and for what.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// `namespace/name`; none where nobody says who they are.
    pub(crate) consumer: Option<&'a str>,
    pub(crate) user: &'a str,
    /// As the client writes it.
    pub(crate) model: &'a str,
    /// `namespace/name` of the provider that is to be asked; none as the request comes in.
    pub(crate) provider: Option<&'a str>,
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

/// As a RateLimit's fields are called.
const KINDS: Amounts<&str> = Amounts { requests: "requests", tokens: "tokens", cost: "cost" };

impl Limiter {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self { tables: Mutex::default(), among: AtomicU32::new(1), store: OnceLock::new(), metrics }
    }

    /// So many proxies share each limit from now on, this one among them.
    pub(crate) fn share_among(&self, proxies: u32) {
        self.among.store(proxies.max(1), Ordering::Relaxed);
    }

    /// Limits are shared there from now on. Only the first store is used.
    pub(crate) fn use_store(&self, store: Arc<Store>) {
        let _ = self.store.set(store);
    }

    /// Whether the store answers, where there is one.
    pub(crate) fn report(&self) -> Option<Report> {
        self.store.get().map(|store| Report::LimitStore { is_up: store.is_up() })
    }

    /// A way to the store for this thread, where there is one. Needs a `LocalSet`.
    pub(crate) fn lane(&self) -> Option<Rc<Lane>> {
        self.store.get().map(Lane::start)
    }

    /// A limit over the buckets that it had before, if it had some.
    pub(crate) fn rule(&self, name: &ObjectRef, limit: &object::Limit) -> Arc<Rule> {
        let mut tables = table::lock(&self.tables);
        let new = || Arc::new(Table::new(self.metrics.limited(&name.to_string())));
        let table = tables.entry(name.clone()).or_insert_with(new).clone();
        let mut models = limit.models.clone();
        models.sort_unstable();
        let consumers = limit.consumers.as_ref().map(|consumers| {
            let mut names: Vec<String> = consumers.iter().map(ToString::to_string).collect();
            names.sort_unstable();
            names
        });
        let per = Per {
            consumer: limit.per_consumer,
            user: limit.per_user,
            model: limit.per_model,
            provider: limit.per_provider,
        };
        let rates = Amounts { requests: limit.requests, tokens: limit.tokens, cost: limit.cost };
        let on_store_failure = limit.on_store_failure;
        Arc::new(Rule { name: name.to_string(), models, consumers, per, rates, on_store_failure, table })
    }

    /// Forgets the buckets of limits that are gone.
    pub(crate) fn prune(&self) {
        let mut tables = table::lock(&self.tables);
        tables.retain(|name, table| {
            let is_used = Arc::strong_count(table) > 1;
            if !is_used {
                self.metrics.forget_limit(&name.to_string());
            }
            is_used
        });
    }

    /// Takes the amounts of every bucket that binds the subject, or of none: of the store, where there is one and it answers,
    /// else of this proxy's share. `rules` are in the order of their names.
    ///
    /// # Errors
    /// Who refuses: of several the one that does so longest.
    pub(crate) async fn reserve(
        &self,
        rules: &[Arc<Rule>],
        lane: Option<&Rc<Lane>>,
        subject: Subject<'_>,
        need: Need,
    ) -> Result<(Reservation, Standing), Box<Refusal>> {
        let holds = self.holds(rules, lane, subject, Instant::now());
        match lane {
            Some(lane) if !holds.is_empty() => Box::pin(self.reserve_there(lane, holds, need)).await,
            _ => self.reserve_here(holds, need.amounts, Instant::now()),
        }
    }

    /// The buckets that bind the subject.
    fn holds(&self, rules: &[Arc<Rule>], lane: Option<&Rc<Lane>>, subject: Subject<'_>, now: Instant) -> Vec<Hold> {
        let among = self.among.load(Ordering::Relaxed);
        let mut name = String::new();
        let bound = rules.iter().filter(|rule| rule.binds(subject));
        bound.map(|rule| rule.hold(subject, lane, among, now, &mut name)).collect()
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
            if longest.0.is_none() {
                match hold.has_store() {
                    true => buckets.take_untold(&shares, &amounts),
                    false => buckets.take(&shares, &amounts),
                }
            }
            buckets.note(&shares, &mut standing);
        }
        drop(locked);
        match longest.0.take() {
            Some(refused) => Err(refused.refusal(standing)),
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
        match longest.0.take() {
            Some(refused) => Err(refused.refusal(standing)),
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
            let (rule, standing) = (hold.rule.name.clone(), Standing::default());
            return Err(Box::new(Refusal { rule, why: Why::StoreDown, standing }));
        }
        holds.retain(|hold| hold.rule.on_store_failure == StoreFailure::Local);
        self.reserve_here(holds, amounts, Instant::now())
    }
}

/// Of those who refuse, who does so longest.
#[derive(Default)]
struct Longest<'a>(Option<Refused<'a>>);

struct Refused<'a> {
    hold: &'a Hold,
    short: Short,
    rate: Rate,
    amount: u64,
    kind: &'static str,
}

impl<'a> Longest<'a> {
    fn look(&mut self, buckets: &Buckets, shares: &Shares, hold: &'a Hold, amounts: Amounts<u64>) {
        let short = buckets.look(shares, &amounts);
        let each = short.zip(hold.rule.rates).zip(amounts).zip(KINDS);
        let refused = each
            .map(|(((short, rate), amount), kind)| Some(Refused { hold, short: short?, rate: rate?, amount, kind }));
        let refused = [refused.requests, refused.tokens, refused.cost].into_iter().flatten();
        self.0 = self.0.take().into_iter().chain(refused).max_by_key(|refused| refused.short);
    }
}

impl Refused<'_> {
    fn refusal(self, standing: Standing) -> Box<Refusal> {
        let Self { hold, short, rate, amount, kind } = self;
        hold.rule.table.refused.inc();
        let wait = match short {
            Short::For(wait) => Some(wait),
            Short::Forever => None,
        };
        Box::new(Refusal { rule: hold.rule.name.clone(), why: Why::Short { kind, rate, amount, wait }, standing })
    }
}

impl Rule {
    fn binds(&self, subject: Subject<'_>) -> bool {
        if self.per.provider != subject.provider.is_some() {
            return false;
        }
        let has = |names: &[String], name: &str| names.binary_search_by(|each| each.as_str().cmp(name)).is_ok();
        let of_model = self.models.is_empty() || has(&self.models, subject.model);
        let of_consumer = self.consumers.as_ref();
        of_model && of_consumer.is_none_or(|names| subject.consumer.is_some_and(|consumer| has(names, consumer)))
    }

    /// Does it charge attempts?
    pub(crate) fn is_of_providers(&self) -> bool {
        self.per.provider
    }

    /// Is there anything to tell the store? Requests are taken for good, the rest expires if it is not settled.
    fn is_settled(&self, reserved: &Amounts<u64>, used: &Amounts<u64>) -> bool {
        let Amounts { requests, tokens, cost } = self.rates;
        requests.is_some() && reserved.requests != used.requests
            || tokens.is_some() && (reserved.tokens, used.tokens) != (0, 0)
            || cost.is_some() && (reserved.cost, used.cost) != (0, 0)
    }

    fn shares(&self, among: u32) -> Shares {
        Shares(self.rates.map(|rate| rate.map(|rate| Share { rate, among })))
    }

    /// The subject's buckets. `name` is room for what it is called.
    fn hold(
        self: &Arc<Self>,
        subject: Subject<'_>,
        lane: Option<&Rc<Lane>>,
        among: u32,
        now: Instant,
        name: &mut String,
    ) -> Hold {
        // A user is a Consumer's own: two of them may call theirs the same.
        let consumer = (self.per.consumer || self.per.user).then_some(subject.consumer.unwrap_or_default());
        let user = self.per.user.then_some(subject.user);
        let model = self.per.model.then_some(subject.model);
        name.clear();
        for part in [consumer, user, model, subject.provider] {
            name.push_str(part.unwrap_or_default());
            // What stands between them is in no name.
            name.push('\0');
        }
        let buckets = self.table.of(name, &self.shares(among), now);
        let there = lane.map(|lane| (lane.clone(), lane.key(&self.name, &digest(name))));
        Hold { rule: self.clone(), buckets, among, there }
    }
}

/// Names of users do not rest in the store, and keys are short.
fn digest(name: &str) -> String {
    let mut digest = Hash::of(name.as_bytes()).to_string();
    digest.truncate(32);
    digest
}

#[cfg(test)]
mod tests;
