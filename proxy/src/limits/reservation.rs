//! What was taken of the buckets that bind a request, until it is known what it took.

use std::{
    rc::Rc,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Amounts,
    book::Book,
    period::Span,
    rule::Rule,
    store::{
        lane::Lane,
        script::{Place, Settling, Wanted},
    },
    table::{self, Buckets, Shares},
};

pub(crate) struct Reservation {
    holds: Vec<Hold>,
    amounts: Amounts<u64>,
    origin: Origin,
}

/// Buckets of one limit that bind a request.
pub(super) struct Hold {
    pub(super) rule: Arc<Rule>,
    pub(super) buckets: Arc<Mutex<Buckets>>,
    /// How many proxies share them, where there is no store or it does not answer.
    pub(super) among: u32,
    pub(super) kept: Kept,
    /// How long the store keeps them at least.
    pub(super) keep: Duration,
    /// The period that they are about, if they begin anew with each.
    pub(super) span: Option<Span>,
}

/// Where buckets are kept beside memory, and their name there.
pub(super) enum Kept {
    InMemory,
    /// In the store, by this way.
    There(Rc<Lane>, String),
    InBook(Arc<Book>, String, Span),
}

/// Where it was taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Of this proxy's share.
    Here,
    /// Of the store, where it expires at this moment of the store's clock.
    There(u64),
}

impl Kept {
    /// What a new bucket begins with.
    pub(super) fn spent(&self) -> Amounts<u64> {
        match self {
            Kept::InMemory | Kept::There(..) => Amounts::default(),
            Kept::InBook(book, key, _) => Amounts { cost: book.spent(key), ..Amounts::default() },
        }
    }

    fn there(&self) -> Option<(&Rc<Lane>, &str)> {
        match self {
            Kept::There(lane, key) => Some((lane, key)),
            Kept::InMemory | Kept::InBook(..) => None,
        }
    }
}

impl Hold {
    pub(super) fn shares(&self) -> Shares<'_> {
        self.rule.shares(self.among)
    }

    pub(super) fn has_store(&self) -> bool {
        self.kept.there().is_some()
    }

    /// How much of its cost is spent: 1 is all of it.
    pub(super) fn used(&self, now: Instant) -> f64 {
        let shares = self.shares();
        table::lock(&self.buckets).at(&shares, now).used(&shares)
    }

    fn place(&self, key: &str) -> Place {
        let keep = u64::try_from(self.keep.as_millis()).unwrap_or(u64::MAX);
        Place { key: key.to_owned(), rates: self.rule.rates, keep }
    }

    /// What is asked of the store.
    pub(super) fn wanted(&self, now: Instant) -> Wanted {
        let key = self.kept.there().map_or("", |(_, key)| key);
        let shares = self.shares();
        let news = table::lock(&self.buckets).at(&shares, now).tell(&shares);
        Wanted { place: self.place(key), news, buckets: self.buckets.clone(), among: self.among }
    }
}

impl Reservation {
    pub(super) fn new(holds: Vec<Hold>, amounts: Amounts<u64>, origin: Origin) -> Self {
        Self { holds, amounts, origin }
    }

    /// The request is over, and has taken so much.
    pub(crate) fn settle(self, used: Amounts<u64>, now: Instant) {
        let is_there = self.origin != Origin::Here;
        let mut places = Vec::new();
        for hold in &self.holds {
            let shares = if is_there { hold.rule.shares(1) } else { hold.shares() };
            let mut buckets = table::lock(&hold.buckets);
            // What this proxy took by itself the store learns of with the next request, or has learnt of by now.
            if let Kept::InBook(book, key, span) = &hold.kept {
                book.add(key, used.cost, span);
            }
            let is_told = if is_there || !hold.has_store() {
                buckets.settle(&shares, &self.amounts, &used, now);
                true
            } else {
                buckets.settle_untold(&shares, &self.amounts, &used, now)
            };
            if let Some((lane, key)) = hold.kept.there()
                && is_told
                && hold.rule.is_settled(&self.amounts, &used)
            {
                places.push((lane, hold.place(key)));
            }
        }
        let Some((lane, _)) = places.first() else { return };
        let lane = Rc::clone(lane);
        let until = match self.origin {
            Origin::Here => 0,
            Origin::There(until) => until,
        };
        let places = places.into_iter().map(|(_, place)| place).collect();
        lane.settle(Settling { places, until, reserved: self.amounts, used });
    }
}
