//! What is known of a request when it ends, however it ends: counted and logged once, when it is dropped.

use std::{
    cell::{Cell, OnceCell, RefCell},
    net::IpAddr,
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use penstock_llm::{
    call::{Call, Operation},
    estimate::Size,
    neutral::Usage,
    scan::Scan,
};
use tokio::time::Instant;

use super::settle::{Count, End, Settled, Settlement, Told, charge, settle};
use crate::{
    auth::Caller,
    bounds::Share,
    data::Load,
    error::{Error, Expired},
    limits::{Amounts, Refusal, Reservation, Standing},
    live::route::{Route, Target},
    metrics::{InFlight, Metrics, Outcome, Unrouted},
    serve::Worker,
};

mod log;

/// What nginx made the word for a client that left before it was answered.
const CLIENT_LEFT: u16 = 499;

pub(crate) struct Record {
    pub(super) started: Instant,
    /// Whom the connection leads to.
    pub(super) peer: IpAddr,
    caller: OnceCell<Caller>,
    route: OnceCell<Arc<Route>>,
    asked: OnceCell<Asked>,
    /// Who is being asked, or has answered.
    target: RefCell<Option<Arc<Target>>>,
    attempts: Cell<u32>,
    /// When the target was asked.
    since: Cell<Instant>,
    /// 0 until the client has been sent a head.
    status: Cell<u16>,
    error: RefCell<Option<String>>,
    /// How the answer of the target went.
    outcome: Cell<Outcome>,
    first_content: Cell<Option<Duration>>,
    told: Cell<Told>,
    /// Worked out once: when a whole answer goes to the client, which is told its cost, else when all is over.
    settled: OnceCell<Settled>,
    /// What was seen of the answer before others went on with it.
    parts: RefCell<Vec<Part>>,
    /// What answers cost that the client never saw, in picodollars; none once that of one is not known.
    lost: Cell<Option<u64>>,
    load: Arc<Load>,
    metrics: Metrics,
    _in_flight: InFlight,
    /// Its place among the requests of the process.
    place: OnceCell<Share>,
    /// What it has taken of limits.
    reservation: Cell<Option<Reservation>>,
    /// What it has taken on top, since a target may cost more.
    on_top: RefCell<Vec<Reservation>>,
    /// What the attempt that runs has taken of its provider's limits.
    of_attempt: Cell<Option<Reservation>>,
    standing: Cell<Standing>,
}

/// The part of an answer that one target gave.
struct Part {
    provider: String,
    usage: Usage,
    /// In picodollars; none where a price is missing.
    cost: Option<u64>,
}

/// What the client asks.
struct Asked {
    model: String,
    stream: bool,
    operation: Operation,
    size: Size,
}

impl Record {
    pub(crate) fn begin(worker: &Worker, peer: IpAddr) -> Rc<Self> {
        worker.load.requests.fetch_add(1, Ordering::Relaxed);
        let started = Instant::now();
        Rc::new(Self {
            started,
            peer,
            caller: OnceCell::new(),
            route: OnceCell::new(),
            asked: OnceCell::new(),
            target: RefCell::new(None),
            attempts: Cell::new(0),
            since: Cell::new(started),
            status: Cell::new(0),
            error: RefCell::new(None),
            outcome: Cell::new(Outcome::Cancelled),
            first_content: Cell::new(None),
            told: Cell::default(),
            settled: OnceCell::new(),
            parts: RefCell::default(),
            lost: Cell::new(Some(0)),
            load: worker.load.clone(),
            metrics: worker.shared.metrics.clone(),
            _in_flight: worker.shared.metrics.begin(),
            place: OnceCell::new(),
            reservation: Cell::default(),
            on_top: RefCell::default(),
            of_attempt: Cell::default(),
            standing: Cell::default(),
        })
    }

    /// There is room for it, until it ends.
    pub(super) fn admitted(&self, place: Share) {
        let _ = self.place.set(place);
    }

    /// What limits say of it. What they gave it is settled when it ends, however it ends.
    pub(super) fn reserved(&self, reserved: Result<(Reservation, Standing), Box<Refusal>>) -> Result<(), Box<Refusal>> {
        let (reservation, standing) = reserved.inspect_err(|refusal| self.standing.set(refusal.standing))?;
        self.standing.set(standing);
        self.reservation.set(Some(reservation));
        Ok(())
    }

    /// It has taken more of them.
    pub(super) fn topped_up(&self, more: Option<Reservation>) {
        self.on_top.borrow_mut().extend(more);
    }

    /// The same of limits on what is asked of a provider, for the attempt that comes next.
    pub(super) fn attempt_reserved(&self, reservation: Option<Reservation>) {
        self.of_attempt.set(reservation);
    }

    fn settle_attempt(&self, usage: &Usage, cost: Option<u64>) {
        if let Some(reservation) = self.of_attempt.take() {
            reservation.settle(charge(1, usage, cost), Instant::now());
        }
    }

    /// What is left of the limits that bind it.
    pub(super) fn standing(&self) -> Standing {
        self.standing.get()
    }

    pub(super) fn caller(&self, caller: &Caller) {
        let _ = self.caller.set(caller.clone());
    }

    pub(super) fn route(&self, route: &Arc<Route>, call: &Call, scan: &Scan) {
        let _ = self.route.set(route.clone());
        let (model, stream) = (scan.model.clone(), scan.stream);
        let _ = self.asked.set(Asked { model, stream, operation: call.operation, size: Size::of(scan) });
    }

    /// An attempt is sent.
    pub(super) fn attempt(&self, target: &Arc<Target>) {
        self.attempts.set(self.attempts.get() + 1);
        self.since.set(Instant::now());
        self.take();
        *self.target.borrow_mut() = Some(target.clone());
    }

    /// What is known by now of the answer that it brings.
    pub(super) fn told(&self, told: Told) {
        self.told.set(told);
    }

    /// What is known of the answer of one target, which is the past now. What the client was told until then stays.
    fn take(&self) -> Told {
        let told = self.told.get();
        self.told.set(Told { together: told.together, ..Told::default() });
        told
    }

    /// It failed, and the client saw nothing of it. The client does not pay for it.
    pub(super) fn attempt_failed(&self, outcome: Outcome) {
        let Told { usage, .. } = self.take();
        if let Some(target) = self.target.take() {
            target.metrics.attempt(outcome);
            let cost = if usage.is_reported() { target.spent(&usage) } else { Some(0) };
            self.settle_attempt(&usage, cost);
            if usage.is_reported() {
                self.lost.set(self.lost.get().zip(cost).map(|(lost, cost)| lost.saturating_add(cost)));
            }
        }
    }

    /// A whole answer goes to the client. Returns what it is charged, in picodollars; none where a price is missing.
    pub(super) fn answered(&self, status: u16) -> Option<u64> {
        self.status.set(status);
        self.outcome.set(Outcome::Ok);
        self.settled.get_or_init(|| self.settle(self.started.elapsed())).cost
    }

    /// What others took for the answer before the target that is asked, in picodollars; none where a price is missing.
    pub(super) fn cost_before(&self) -> Option<u64> {
        self.parts.borrow().iter().map(|part| part.cost).sum()
    }

    /// A stream's client gets a head, and no content yet.
    pub(super) fn head_sent(&self) {
        self.status.set(200);
    }

    /// The first content of a stream goes to the client.
    pub(super) fn committed(&self, status: u16) {
        self.status.set(status);
        self.first_content.set(Some(self.started.elapsed()));
    }

    /// A stream is over, or was left by its client if the outcome is [`Outcome::Cancelled`].
    pub(super) fn streamed(&self, outcome: Outcome) {
        self.outcome.set(outcome);
    }

    /// The answer broke, and what its target has given is paid; another target is asked to go on.
    pub(super) fn broke(&self, usage: Usage) {
        self.take();
        if let Some(target) = self.target.take() {
            target.metrics.attempt(Outcome::Broken);
            let cost = target.spent(&usage);
            self.settle_attempt(&usage, cost);
            self.parts.borrow_mut().push(Part { provider: target.provider.name.clone(), usage, cost });
        }
    }

    /// A limit of time has ended the stream of the target that answers.
    pub(super) fn expired(&self, limit: Expired) {
        if let Some(target) = &*self.target.borrow() {
            target.metrics.expired(limit);
        }
    }

    pub(super) fn withheld(&self, events: u32) {
        for _ in 0..events {
            self.metrics.withheld_event();
        }
    }

    pub(super) fn large_answer(&self) {
        self.metrics.large_answer();
    }

    /// The client gets an error: in place of an answer, or in band if it has a head already.
    pub(super) fn failed(&self, error: &Error) {
        if self.status.get() == 0 {
            self.status.set(error.status());
        }
        *self.error.borrow_mut() = Some(error.code().unwrap_or("rejected").to_owned());
        if let Error::Overloaded(bound) = error {
            self.metrics.overloaded(*bound);
        }
        if self.route.get().is_none() {
            self.metrics.unrouted(match error {
                error if error.is_about_the_caller() => Unrouted::Unauthenticated,
                Error::UnknownModel(_) => Unrouted::UnknownModel,
                Error::Overloaded(_) => Unrouted::Overloaded,
                _ => Unrouted::BadRequest,
            });
        }
    }

    pub(super) fn attempts(&self) -> u32 {
        self.attempts.get()
    }

    fn status(&self) -> u16 {
        match self.status.get() {
            0 => CLIENT_LEFT,
            status => status,
        }
    }

    fn end(&self) -> End {
        if self.error.borrow().is_some() {
            return End::Failed;
        }
        match self.outcome.get() {
            Outcome::Ok => End::Complete,
            Outcome::Broken => End::Broken,
            Outcome::Cancelled if self.first_content.get().is_some() => End::ClientLeft,
            Outcome::Cancelled => End::Cancelled,
            Outcome::RateLimit
            | Outcome::Timeout
            | Outcome::ServerError
            | Outcome::Auth
            | Outcome::ContextLength
            | Outcome::ContentFilter
            | Outcome::Client => End::Failed,
        }
    }

    /// What the client is charged, and in picodollars as far as that is known.
    fn settle(&self, elapsed: Duration) -> Settled {
        let end = self.end();
        let settlement = self.settlement(end, &self.told.get(), elapsed);
        let target = self.target.borrow();
        let cost = settlement.cost(target.as_ref().and_then(|target| target.price.as_deref()));
        Settled { end, settlement, cost }
    }

    fn settlement(&self, end: End, told: &Told, elapsed: Duration) -> Settlement {
        let target = self.target.borrow();
        let count = self.asked.get().zip(target.as_ref()).and_then(|(Asked { size, operation, .. }, target)| {
            let until = self.started + self.first_content.get().unwrap_or(elapsed);
            let silent = until.saturating_duration_since(self.since.get()).as_secs();
            Count::of(size, *operation, &target.facts, &told.seen, silent)
        });
        settle(end, told, count)
    }

    /// What the target that is asked has given by now, should it break off.
    pub(super) fn took(&self, told: &Told) -> Usage {
        self.settlement(End::Broken, told, self.started.elapsed()).usage
    }

    /// The same with what other targets gave of the answer: the first prompt, all that was seen, and each part at its price,
    /// also of what one of them repeated.
    fn together(&self, last: &Settled) -> Settled {
        let parts = self.parts.borrow();
        let Some(first) = parts.first() else { return *last };
        let cost = parts.iter().map(|part| part.cost).chain([last.cost]).sum();
        let output = match self.told.get().together {
            Some(together) => together.output,
            // Nobody has gone on.
            None => Some(parts.iter().filter_map(|part| part.usage.output).sum()),
        };
        let usage = Usage { input: first.usage.input, output, ..Usage::default() };
        Settled { end: last.end, settlement: Settlement { usage, estimated: true, wordless: false }, cost }
    }

    fn count(&self, elapsed: Duration, settled: &Settled) {
        let status = self.status();
        let Some(route) = self.route.get() else {
            // What was refused is counted by why it was.
            if status == CLIENT_LEFT {
                self.metrics.unrouted(Unrouted::ClientLeft);
            }
            return;
        };
        let target = self.target.borrow();
        let Some(target) = target.as_ref() else { return route.metrics.request(status) };
        target.metrics.attempt(self.outcome.get());
        target.metrics.request(status, elapsed.as_secs_f64());
        target.metrics.spent(&settled.settlement.usage, settled.cost);
        if let Some(first) = self.first_content.get() {
            target.metrics.first_content(first.as_secs_f64());
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.load.requests.fetch_sub(1, Ordering::Relaxed);
        let elapsed = self.started.elapsed();
        let settled = *self.settled.get_or_init(|| self.settle(elapsed));
        self.count(elapsed, &settled);
        self.settle_attempt(&settled.settlement.usage, settled.cost);
        let together = self.together(&settled);
        if let Some(reservation) = self.reservation.take() {
            reservation.settle(together.amounts(), self.started + elapsed);
        }
        // All that was used is of the first.
        for reservation in self.on_top.take() {
            reservation.settle(Amounts::default(), self.started + elapsed);
        }
        self.log(elapsed, &together);
    }
}
