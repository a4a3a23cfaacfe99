//! A limit, built: whose requests it binds, and what they may take.

use std::{
    cell::OnceCell,
    rc::Rc,
    slice,
    sync::Arc,
    time::{Duration, SystemTime},
};

use penstock_config::{
    Hash, ObjectRef,
    object::{self, Rate},
};
use penstock_crds::{BudgetPeriod, StoreFailure};
use tokio::time::Instant;

use super::{
    Amounts,
    book::Book,
    period::Span,
    reservation::{Hold, Kept},
    store::lane::Lane,
    table::{Shares, Table},
};

/// Most names of subjects have room in so many bytes.
const NAME: usize = 96;
/// What a store keeps of a period that is over: requests may end after it, and clocks differ.
const AFTERWARDS: Duration = Duration::from_secs(86_400);

/// A RateLimit or a budget.
pub(crate) struct Rule {
    /// `namespace/name` of the RateLimit, or of the Consumer.
    pub(super) name: String,
    pub(super) of: Of,
    /// Sorted; empty: every model.
    models: Vec<String>,
    /// `namespace/name` of each, sorted; none: every caller.
    consumers: Option<Vec<String>>,
    per: Per,
    pub(super) rates: Amounts<Option<Rate>>,
    pub(super) on_store_failure: StoreFailure,
    pub(super) table: Arc<Table>,
}

/// All RateLimits, in the order of their names.
#[derive(Default)]
pub(crate) struct Rules {
    all: Vec<Arc<Rule>>,
    has_provider_s: bool,
    has_cost: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    RateLimit,
    /// Of a Consumer, or of each of its users. It begins anew with each period.
    Budget {
        period: BudgetPeriod,
        is_of_users: bool,
    },
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

/// When a request comes in, by both clocks.
pub(super) struct Moment {
    pub(super) now: Instant,
    /// Looked at where somebody asks for it.
    wall: OnceCell<SystemTime>,
}

/// Where buckets are kept.
#[derive(Clone, Copy)]
pub(super) struct Keeping<'a> {
    pub(super) lane: Option<&'a Rc<Lane>>,
    /// For budgets, where there is no store.
    pub(super) book: Option<&'a Arc<Book>>,
    /// How many proxies share them where there is no store, or it does not answer.
    pub(super) among: u32,
}

impl Per {
    /// There is one bucket for all.
    fn is_nobody(self) -> bool {
        !(self.consumer || self.user || self.model || self.provider)
    }
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { now: Instant::now(), wall: OnceCell::new() }
    }

    #[cfg(test)]
    pub(super) fn at(now: Instant, wall: SystemTime) -> Self {
        Self { now, wall: wall.into() }
    }

    pub(super) fn wall(&self) -> SystemTime {
        *self.wall.get_or_init(SystemTime::now)
    }
}

impl Rules {
    pub(crate) fn new(all: Vec<Arc<Rule>>) -> Self {
        let has_provider_s = all.iter().any(|rule| rule.is_of_providers());
        let has_cost = all.iter().any(|rule| rule.rates.cost.is_some());
        Self { all, has_provider_s, has_cost }
    }

    pub(crate) fn iter(&self) -> slice::Iter<'_, Arc<Rule>> {
        self.all.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Does any charge attempts?
    pub(crate) fn has_provider_s(&self) -> bool {
        self.has_provider_s
    }

    /// Does any bound what is paid?
    pub(crate) fn has_cost(&self) -> bool {
        self.has_cost
    }
}

impl Rule {
    pub(super) fn of_limit(name: &ObjectRef, limit: &object::Limit, table: Arc<Table>) -> Self {
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
        let (name, on_store_failure) = (name.to_string(), limit.on_store_failure);
        Self { name, of: Of::RateLimit, models, consumers, per, rates, on_store_failure, table }
    }

    pub(super) fn of_consumer(name: &ObjectRef, budget: &object::Budget, table: Arc<Table>) -> Self {
        Self::of_budget(name, budget.limit, Of::Budget { period: budget.period, is_of_users: false }, table)
    }

    pub(super) fn of_users(name: &ObjectRef, limit: u64, period: BudgetPeriod, table: Arc<Table>) -> Self {
        Self::of_budget(name, limit, Of::Budget { period, is_of_users: true }, table)
    }

    /// Nothing comes back in a period.
    fn of_budget(name: &ObjectRef, limit: u64, of: Of, table: Arc<Table>) -> Self {
        let is_of_users = matches!(of, Of::Budget { is_of_users: true, .. });
        Self {
            name: name.to_string(),
            of,
            models: Vec::new(),
            consumers: None,
            per: Per { consumer: true, user: is_of_users, model: false, provider: false },
            rates: Amounts { cost: Some(Rate { limit: 0, window_ms: 1, burst: limit }), ..Amounts::default() },
            on_store_failure: StoreFailure::Local,
            table,
        }
    }

    pub(super) fn binds(&self, subject: Subject<'_>) -> bool {
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

    /// Does it bound what requests cost, whoever answers them?
    pub(crate) fn is_of_cost(&self) -> bool {
        self.rates.cost.is_some() && !self.per.provider
    }

    /// Is there anything to tell the store? Requests are taken for good, the rest expires if it is not settled.
    pub(super) fn is_settled(&self, reserved: &Amounts<u64>, used: &Amounts<u64>) -> bool {
        let Amounts { requests, tokens, cost } = self.rates;
        requests.is_some() && reserved.requests != used.requests
            || tokens.is_some() && (reserved.tokens, used.tokens) != (0, 0)
            || cost.is_some() && (reserved.cost, used.cost) != (0, 0)
    }

    pub(super) fn shares(&self, among: u32) -> Shares<'_> {
        Shares { rates: &self.rates, among }
    }

    /// The day, week or month that it is about now; none for what has no such periods.
    pub(super) fn span(&self, moment: &Moment) -> Option<Span> {
        match self.of {
            Of::RateLimit => None,
            Of::Budget { period, .. } => Some(Span::of(period, moment.wall())),
        }
    }

    /// The subject's buckets. `name` is room for what it is called.
    pub(super) fn hold(
        self: &Arc<Self>,
        subject: Subject<'_>,
        Keeping { lane, book, among }: Keeping<'_>,
        moment: &Moment,
        name: &mut String,
    ) -> Hold {
        // A user is a Consumer's own: two of them may call theirs the same.
        let consumer = (self.per.consumer || self.per.user).then_some(subject.consumer.unwrap_or_default());
        let user = self.per.user.then_some(subject.user);
        let model = self.per.model.then_some(subject.model);
        name.clear();
        if !self.per.is_nobody() {
            name.reserve(NAME);
            for part in [consumer, user, model, subject.provider] {
                name.push_str(part.unwrap_or_default());
                // What stands between them is in no name.
                name.push('\0');
            }
        }
        let span = self.span(moment);
        let key = || match span {
            None => format!("limit:{}:{}", self.name, digest(name)),
            Some(span) => format!("budget:{}:{}:{}", self.name, span.first, digest(name)),
        };
        let kept = match (lane, book, span) {
            (Some(lane), ..) => Kept::There(lane.clone(), lane.key(&key())),
            (None, Some(book), Some(span)) => Kept::InBook(book.clone(), key(), span),
            _ => Kept::InMemory,
        };
        let shares = self.shares(among);
        let buckets = if self.per.is_nobody() {
            self.table.of_all(&shares, moment.now)
        } else {
            self.table.of(name, span, &shares, moment.now, || kept.spent())
        };
        let keep = span.map_or(Duration::ZERO, |span| span.left(moment.wall()) + AFTERWARDS);
        Hold { rule: self.clone(), buckets, among, kept, keep, span }
    }
}

/// Names of users do not rest in the store, and keys are short.
fn digest(name: &str) -> String {
    let mut digest = Hash::of(name.as_bytes()).to_string();
    digest.truncate(32);
    digest
}
