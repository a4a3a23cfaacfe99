//! What a client asks, read once and used by every attempt.

use std::{
    cell::Cell,
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use penstock_llm::{call::Call, relay::Client, scan::Scan};
use tokio::time::Instant;

use crate::{
    auth::Caller,
    bounds::Share,
    error::Expired,
    limits::{Amounts, Lane, Limiter, Need, Refusal, Reservation, Rule, Rules, Subject},
    live::route::{Forward, Target},
    pace::Pace,
};

/// For whom providers are asked, and the limits that bind that: each provider's own, and those of cost where it may be more
/// than was reserved.
pub(super) struct Charged {
    pub(super) limiter: Arc<Limiter>,
    pub(super) lane: Option<Rc<Lane>>,
    pub(super) limits: Arc<Rules>,
    pub(super) caller: Caller,
    pub(super) user: String,
    /// Does a limit or a budget bound what is paid?
    pub(super) has_cost: bool,
    /// Reserved so far, in picodollars.
    pub(super) cost: Cell<u64>,
}

/// What was taken, if there was something to take.
type Taken = Option<Reservation>;

pub(super) struct Ask {
    pub(super) call: Call,
    pub(super) headers: HeaderMap,
    /// Which gateways it has passed, this one included.
    pub(super) hops: HeaderValue,
    pub(super) body: Bytes,
    /// The body's room in memory.
    pub(super) held: Share,
    /// Boxed: a future would hold it more than once.
    pub(super) scan: Box<Scan>,
    pub(super) forward: Arc<Forward>,
    /// Who reads the answer.
    pub(super) client: Client,
    /// Of the whole request.
    pub(super) deadline: Instant,
    pub(super) pace: Pace,
    /// None where no limit is a provider's.
    pub(super) charged: Option<Charged>,
}

impl Charged {
    /// Takes what an attempt will probably take of the limits of this provider.
    pub(super) async fn reserve(&self, model: &str, provider: &str, need: Need) -> Result<Taken, Box<Refusal>> {
        if !self.limits.has_provider_s() {
            return Ok(None);
        }
        self.take(|rule| rule.is_of_providers(), model, Some(provider), need).await
    }

    /// Takes what an attempt may cost above what is reserved for the request.
    pub(super) async fn top_up(&self, model: &str, need: Need) -> Result<Taken, Box<Refusal>> {
        let more = need.amounts.cost.saturating_sub(self.cost.get());
        if more == 0 {
            return Ok(None);
        }
        let need = Need { amounts: Amounts { cost: more, ..Amounts::default() }, ..need };
        let taken = self.take(|rule| rule.is_of_cost(), model, None, need).await?;
        self.cost.set(self.cost.get() + more);
        Ok(taken)
    }

    async fn take(
        &self,
        wanted: impl Fn(&Rule) -> bool,
        model: &str,
        provider: Option<&str>,
        need: Need,
    ) -> Result<Taken, Box<Refusal>> {
        let subject = Subject { consumer: self.caller.consumer(), user: &self.user, model, provider };
        let rules = self.limits.iter().chain(self.caller.budgets()).filter(|rule| wanted(rule));
        let reserved = self.limiter.reserve(rules, self.lane.as_ref(), subject, need).await;
        reserved.map(|(reservation, _)| Some(reservation))
    }
}

impl Ask {
    /// Who reads the answer of a call that was read as `scan`.
    pub(super) fn client(call: &Call, scan: &Scan) -> Client {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Client {
            dialect: call.dialect,
            include_usage: scan.include_usage == Some(true),
            choices: scan.choices,
            now: now.as_secs(),
        }
    }

    /// How long a target may be silent while there is another, and the name of that limit.
    pub(super) fn patience(&self, target: &Target) -> (Expired, Duration) {
        let timeouts = &target.timeouts;
        match (self.scan.stream, self.scan.reasons || target.facts.thinks_unasked) {
            (false, _) => (Expired::Answer, timeouts.answer),
            (true, false) => (Expired::FirstToken, timeouts.first_token),
            (true, true) => (Expired::FirstToken, timeouts.first_token_reasoning),
        }
    }
}
