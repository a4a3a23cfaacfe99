//! How much may be asked for: reserved when a request comes in, settled when it is over.

use std::{
    array,
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use penstock_config::{
    ObjectRef,
    object::{self, Rate},
};
use penstock_llm::price::Dollars;
use tokio::time::Instant;

use crate::metrics::Metrics;
use bucket::{Share, Short};
use table::{Buckets, Shares, Table};

mod bucket;
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

/// What was taken of the buckets that bind a request, until it is known what it took.
pub(crate) struct Reservation {
    holds: Vec<Hold>,
    amounts: Amounts<u64>,
}

struct Hold {
    rule: Arc<Rule>,
    buckets: Arc<Mutex<Buckets>>,
    among: u32,
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

/// Why a request may not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// `namespace/name` of the RateLimit.
    pub(crate) rule: String,
    pub(crate) kind: &'static str,
    rate: Rate,
    amount: u64,
    /// Until it may; none: it is more than the limit ever has.
    pub(crate) wait: Option<Duration>,
    pub(crate) standing: Standing,
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
        Self { tables: Mutex::default(), among: AtomicU32::new(1), metrics }
    }

    /// So many proxies share each limit from now on, this one among them.
    pub(crate) fn share_among(&self, proxies: u32) {
        self.among.store(proxies.max(1), Ordering::Relaxed);
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
        Arc::new(Rule { name: name.to_string(), models, consumers, per, rates, table })
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

    /// Takes the amounts of every bucket that binds the subject, or of none. `rules` are in the order of their names.
    ///
    /// # Errors
    /// Who refuses: of several the one that does so longest.
    pub(crate) fn reserve(
        &self,
        rules: &[Arc<Rule>],
        subject: Subject<'_>,
        amounts: Amounts<u64>,
        now: Instant,
    ) -> Result<(Reservation, Standing), Box<Refusal>> {
        let among = self.among.load(Ordering::Relaxed);
        let mut name = String::new();
        let bound = rules.iter().filter(|rule| rule.binds(subject));
        let holds: Vec<Hold> = bound.map(|rule| rule.hold(subject, among, now, &mut name)).collect();
        // All wait for each other in this order, so nobody waits in a circle.
        let mut locked: Vec<_> = holds.iter().map(|hold| (table::lock(&hold.buckets), hold)).collect();
        let (mut longest, mut standing) = (None, Standing::default());
        for (buckets, hold) in &mut locked {
            let shares = hold.rule.shares(among);
            let short = buckets.at(&shares, now).look(&shares, &amounts);
            let refused = short.zip(hold.rule.rates).zip(amounts).zip(KINDS);
            let refused = refused.map(|(((short, rate), amount), kind)| Some((*hold, short?, rate?, amount, kind)));
            let refused = [refused.requests, refused.tokens, refused.cost].into_iter().flatten();
            longest = longest.into_iter().chain(refused).max_by_key(|(_, short, ..)| *short);
        }
        for (buckets, hold) in &mut locked {
            let shares = hold.rule.shares(among);
            if longest.is_none() {
                buckets.take(&shares, &amounts);
            }
            buckets.note(&shares, &mut standing);
        }
        if let Some((hold, short, rate, amount, kind)) = longest {
            hold.rule.table.refused.inc();
            let wait = match short {
                Short::For(wait) => Some(wait),
                Short::Forever => None,
            };
            return Err(Box::new(Refusal { rule: hold.rule.name.clone(), kind, rate, amount, wait, standing }));
        }
        drop(locked);
        Ok((Reservation { holds, amounts }, standing))
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

    fn shares(&self, among: u32) -> Shares {
        Shares(self.rates.map(|rate| rate.map(|rate| Share { rate, among })))
    }

    /// The subject's buckets. `name` is room for what it is called.
    fn hold(self: &Arc<Self>, subject: Subject<'_>, among: u32, now: Instant, name: &mut String) -> Hold {
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
        Hold { rule: self.clone(), buckets: self.table.of(name, &self.shares(among), now), among }
    }
}

impl Reservation {
    /// The request is over, and has taken so much.
    pub(crate) fn settle(self, used: Amounts<u64>, now: Instant) {
        let both = self.amounts.zip(used);
        let too_much = both.map(|(reserved, used)| reserved.saturating_sub(used));
        let too_little = both.map(|(reserved, used)| used.saturating_sub(reserved));
        for Hold { rule, buckets, among } in &self.holds {
            let shares = rule.shares(*among);
            let mut buckets = table::lock(buckets);
            let buckets = buckets.at(&shares, now);
            buckets.give(&shares, &too_much);
            buckets.take(&shares, &too_little);
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rule, kind, rate, amount, wait, .. } = self;
        let window = humantime::format_duration(Duration::from_millis(rate.window_ms));
        match *kind {
            "cost" => write!(f, "RateLimit {rule} allows {} US dollars in {window}", Dollars(rate.limit))?,
            kind => write!(f, "RateLimit {rule} allows {} {kind} in {window}", rate.limit)?,
        }
        match (wait, *kind) {
            (Some(wait), _) => {
                let seconds = wait.as_secs_f64().ceil();
                write!(f, ": try again in {seconds} s")
            }
            (None, "cost") => write!(
                f,
                ", {} at once: this request may cost {}; ask for a shorter answer",
                Dollars(rate.burst),
                Dollars(*amount)
            ),
            (None, kind) => {
                write!(f, ", {} at once: this request may take {amount} {kind}; make it shorter", rate.burst)
            }
        }
    }
}

#[cfg(test)]
mod tests;
