//! What was taken of the buckets that bind a request, until it is known what it took.

use std::{
    rc::Rc,
    sync::{Arc, Mutex},
};

use tokio::time::Instant;

use super::{
    Amounts, Rule,
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
    /// The way to the store, and their name there.
    pub(super) there: Option<(Rc<Lane>, String)>,
}

/// Where it was taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Of this proxy's share.
    Here,
    /// Of the store, where it expires at this moment of the store's clock.
    There(u64),
}

impl Hold {
    pub(super) fn has_store(&self) -> bool {
        self.there.is_some()
    }

    pub(super) fn shares(&self) -> Shares {
        self.rule.shares(self.among)
    }

    fn place(&self, key: &str) -> Place {
        Place { key: key.to_owned(), shares: self.rule.shares(1), keep: 0 }
    }

    /// What is asked of the store.
    pub(super) fn wanted(&self, now: Instant) -> Wanted {
        let key = self.there.as_ref().map_or("", |(_, key)| key);
        let shares = self.shares();
        let news = table::lock(&self.buckets).at(&shares, now).tell(&shares);
        Wanted { place: self.place(key), news, buckets: self.buckets.clone(), shares }
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
            let buckets = buckets.at(&shares, now);
            // What this proxy took by itself the store learns of with the next request, or has learnt of by now.
            let is_told = if is_there || hold.there.is_none() {
                buckets.settle(&shares, &self.amounts, &used);
                true
            } else {
                buckets.settle_untold(&shares, &self.amounts, &used)
            };
            if let Some((lane, key)) = &hold.there
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
