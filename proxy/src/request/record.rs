//! What is known of a request when it ends, however it ends: counted and logged once, when it is dropped.

use std::{
    cell::{Cell, OnceCell, RefCell},
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use penstock_llm::{
    neutral::{Finish, Usage},
    scan::Scan,
};
use tokio::time::Instant;

use crate::{
    auth::Caller,
    data::Load,
    error::{Error, Expired},
    live::route::{Route, Target},
    metrics::{InFlight, Metrics, Outcome, Unrouted},
    serve::Worker,
};

/// What nginx made the word for a client that left before it was answered.
const CLIENT_LEFT: u16 = 499;

pub(super) struct Record {
    pub(super) started: Instant,
    caller: OnceCell<String>,
    route: OnceCell<Arc<Route>>,
    model: OnceCell<String>,
    stream: Cell<bool>,
    /// Who is being asked, or has answered.
    target: RefCell<Option<Arc<Target>>>,
    attempts: Cell<u32>,
    /// 0 until the client has been sent a head.
    status: Cell<u16>,
    error: RefCell<Option<String>>,
    /// How the answer of the target went.
    outcome: Cell<Outcome>,
    first_content: Cell<Option<Duration>>,
    usage: Cell<Usage>,
    /// Why the answer ended; a word that nobody knows is `unknown` here and `stop` to the client.
    finish: Cell<Option<Finish>>,
    load: Arc<Load>,
    metrics: Metrics,
    _in_flight: InFlight,
}

impl Record {
    pub(super) fn begin(worker: &Worker) -> Rc<Self> {
        worker.load.requests.fetch_add(1, Ordering::Relaxed);
        Rc::new(Self {
            started: Instant::now(),
            caller: OnceCell::new(),
            route: OnceCell::new(),
            model: OnceCell::new(),
            stream: Cell::new(false),
            target: RefCell::new(None),
            attempts: Cell::new(0),
            status: Cell::new(0),
            error: RefCell::new(None),
            outcome: Cell::new(Outcome::Cancelled),
            first_content: Cell::new(None),
            usage: Cell::new(Usage::default()),
            finish: Cell::new(None),
            load: worker.load.clone(),
            metrics: worker.shared.metrics.clone(),
            _in_flight: worker.shared.metrics.begin(),
        })
    }

    pub(super) fn caller(&self, caller: &Caller) {
        let _ = self.caller.set(caller.name().to_owned());
    }

    pub(super) fn route(&self, route: &Arc<Route>, scan: &Scan) {
        let _ = self.route.set(route.clone());
        let _ = self.model.set(scan.model.clone());
        self.stream.set(scan.stream);
    }

    /// An attempt is sent.
    pub(super) fn attempt(&self, target: &Arc<Target>) {
        self.attempts.set(self.attempts.get() + 1);
        *self.target.borrow_mut() = Some(target.clone());
    }

    /// It failed, and the client saw nothing of it.
    pub(super) fn attempt_failed(&self, outcome: Outcome) {
        if let Some(target) = self.target.take() {
            target.metrics.attempt(outcome);
        }
    }

    /// A whole answer goes to the client.
    pub(super) fn answered(&self, status: u16, usage: Usage, finish: Option<Finish>) {
        self.status.set(status);
        self.usage.set(usage);
        self.finish.set(finish);
        self.outcome.set(Outcome::Ok);
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
    pub(super) fn streamed(&self, outcome: Outcome, usage: Usage, finish: Option<Finish>) {
        self.outcome.set(outcome);
        self.usage.set(usage);
        self.finish.set(finish);
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

    /// The client gets an error.
    pub(super) fn failed(&self, error: &Error) {
        self.status.set(error.status());
        *self.error.borrow_mut() = Some(error.code().unwrap_or("rejected").to_owned());
        if self.route.get().is_none() {
            self.metrics.unrouted(match error {
                Error::NoKey | Error::UnknownKey => Unrouted::Unauthenticated,
                Error::UnknownModel(_) => Unrouted::UnknownModel,
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

    /// What the answer cost, in picodollars, as far as that is known.
    fn cost(&self) -> Option<u64> {
        self.target.borrow().as_ref()?.price.as_ref()?.cost(&self.usage.get())
    }

    fn count(&self, elapsed: Duration) {
        let Some(route) = self.route.get() else { return };
        let status = self.status();
        let target = self.target.borrow();
        let Some(target) = target.as_ref() else { return route.metrics.request(status) };
        let usage = self.usage.get();
        target.metrics.attempt(self.outcome.get());
        target.metrics.request(status, elapsed.as_secs_f64());
        target.metrics.tokens(usage.input.unwrap_or(0), usage.output.unwrap_or(0));
        if usage.is_reported() && self.cost().is_none() {
            target.metrics.unpriced();
        }
        if let Some(first) = self.first_content.get() {
            target.metrics.first_content(first.as_secs_f64());
        }
    }

    fn log(&self, elapsed: Duration) {
        let target = self.target.borrow();
        let usage = self.usage.get();
        let error = self.error.borrow();
        tracing::info!(
            target: "penstock::request",
            status = self.status(),
            route = self.route.get().map(|route| route.label.as_str()),
            consumer = self.caller.get().map(String::as_str),
            model = self.model.get().map(String::as_str),
            provider = target.as_ref().map(|target| target.provider.name.as_str()),
            upstream_model = target.as_ref().map(|target| target.model.as_str()),
            attempts = self.attempts.get(),
            stream = self.stream.get(),
            input_tokens = usage.input,
            output_tokens = usage.output,
            cost_picodollars = self.cost(),
            first_content_ms = self.first_content.get().map(|first| first.as_millis() as u64),
            ms = elapsed.as_millis() as u64,
            finish = self.finish.get().map(Finish::name),
            outcome = self.outcome.get().as_str(),
            error = error.as_deref(),
            "request"
        );
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.load.requests.fetch_sub(1, Ordering::Relaxed);
        let elapsed = self.started.elapsed();
        self.count(elapsed);
        self.log(elapsed);
    }
}
