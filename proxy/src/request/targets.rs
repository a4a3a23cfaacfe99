//! Asks the targets of a route, as the walk says, until one has answered.

use std::{cell::RefCell, pin::pin, rc::Rc, sync::Arc};

use penstock_crds::{FallbackOn, OnStreamBreak};
use penstock_llm::resume::{Manner, Resume};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    ask::Ask,
    attempt::{Answered, Attempt},
    balance,
    plan::Failure,
    prepare::{Prepared, prepare, rest},
    record::Record,
    walk::{Ended, Next, Turn, Walk},
};
use crate::{
    error::Error,
    limits::Need,
    live::{credential::Pick, route::Target},
    upstream::Upstream,
};

struct Way<'a> {
    ask: &'a Rc<Ask>,
    upstream: &'a Rc<Upstream>,
    record: &'a Rc<Record>,
    walk: Walk<'a>,
    /// What they are to go on with, if another has begun.
    resume: Option<&'a Resume>,
    /// What the target that failed last was sent, should it be asked again.
    ready: Option<Ready>,
}

/// The request in a target's words.
struct Ready {
    target: Arc<Target>,
    prepared: Prepared,
    /// It refused `stream_options`, and is asked without.
    without_options: bool,
    /// How it is asked to go on.
    manner: Manner,
}

/// What another target needs to finish a stream that breaks.
pub(super) struct GoOn {
    pub(super) ask: Rc<Ask>,
    upstream: Rc<Upstream>,
    /// Whom it would ask.
    left: Vec<Arc<Target>>,
}

/// Asks the targets in their order. The request's deadline is over all of it.
pub(super) async fn answer(ask: &Rc<Ask>, upstream: &Rc<Upstream>, record: &Rc<Record>) -> Result<Answered, Error> {
    let order = balance::order(&ask.forward, &ask.call, &ask.scan, Instant::now(), rand::random);
    Way::new(ask, upstream, record, order, None).answer().await
}

impl GoOn {
    /// Has another target go on with a stream that broke.
    pub(super) async fn answer(&self, resume: &Resume, record: &Rc<Record>) -> Result<Answered, Error> {
        let order = self.left.iter().collect();
        Way::new(&self.ask, &self.upstream, record, order, Some(resume)).answer().await
    }
}

impl<'a> Way<'a> {
    fn new(
        ask: &'a Rc<Ask>,
        upstream: &'a Rc<Upstream>,
        record: &'a Rc<Record>,
        order: Vec<&'a Arc<Target>>,
        resume: Option<&'a Resume>,
    ) -> Self {
        let walk = Walk::new(&ask.forward, order, ask.deadline, ask.pace);
        Self { ask, upstream, record, walk, resume, ready: None }
    }

    async fn answer(mut self) -> Result<Answered, Error> {
        let answered = self.go().await;
        self.walk.passed_by().for_each(|(target, why)| target.metrics.passed_by(why));
        answered.ok_or_else(|| self.walk.verdict(Instant::now()))
    }

    async fn go(&mut self) -> Option<Answered> {
        loop {
            match self.walk.next(Instant::now()) {
                Next::Ask(turn) => {
                    if let Some(answered) = self.turn(turn).await {
                        return Some(answered);
                    }
                }
                Next::Wait(until) => sleep_until(until).await,
                Next::Queue(ticket, until) => {
                    let room = timeout_at(until, ticket.wait()).await.ok().flatten();
                    self.walk.let_in(room);
                }
                Next::Over => return None,
            }
        }
    }

    /// One turn of a target. What is noted of it is in the walk.
    async fn turn(&mut self, mut turn: Turn<'a>) -> Option<Answered> {
        let target = turn.target;
        let (failure, sent_with) = match self.may_ask(target).await {
            Err(failure) => (failure, None),
            Ok(ready) => match self.attempts(&turn, ready).await {
                Ok((mut answered, sent_with)) => {
                    turn.permit.answered(sent_with.fingerprint(), Instant::now());
                    answered.hold(turn.permit, self.go_on());
                    return Some(answered);
                }
                Err(failed) => failed,
            },
        };
        tracing::warn!(provider = target.provider.name, model = target.model, %failure, "a target failed");
        let outcome = failure.outcome();
        if self.walk.failed(Ended { turn, failure, sent_with, random: rand::random() }, Instant::now()) {
            target.metrics.fallback(outcome);
        }
        None
    }

    /// The request in the target's words, if no limit keeps it from being asked.
    async fn may_ask(&mut self, target: &Arc<Target>) -> Result<Ready, Failure> {
        let ready = self.ready(target).await?;
        if let Some(charged) = &self.ask.charged {
            let (forward, call, scan) = (&self.ask.forward, &self.ask.call, &self.ask.scan);
            let amounts = balance::estimate_at(target, forward, call, scan, charged.has_cost);
            let need = Need { amounts, time: self.ask.deadline.saturating_duration_since(Instant::now()) };
            let model = &scan.model;
            self.record.topped_up(charged.top_up(model, need).await.map_err(Failure::Limited)?);
            let reserved = charged.reserve(model, &target.provider.name, need).await;
            self.record.attempt_reserved(reserved.map_err(Failure::Limited)?);
        }
        Ok(ready)
    }

    async fn ready(&mut self, target: &Arc<Target>) -> Result<Ready, Failure> {
        if let Some(ready) = self.ready.take()
            && Arc::ptr_eq(&ready.target, target)
        {
            return Ok(ready);
        }
        let manner = Manner::first(&target.facts);
        let prepared = self.prepared(target, manner, target.provider.takes_stream_options()).await?;
        Ok(Ready { target: target.clone(), prepared, without_options: false, manner })
    }

    async fn prepared(&self, target: &Arc<Target>, manner: Manner, ask_for_usage: bool) -> Result<Prepared, Failure> {
        match self.resume {
            None => prepare(self.ask, target, ask_for_usage).await,
            Some(resume) => rest(self.ask, target, (resume, manner), ask_for_usage),
        }
    }

    /// Who would finish the stream of the target whose turn it is, where the route wants that.
    fn go_on(&self) -> Option<GoOn> {
        let wanted = self.ask.scan.stream && self.ask.forward.on_stream_break == OnStreamBreak::Continue;
        wanted.then(|| GoOn { ask: self.ask.clone(), upstream: self.upstream.clone(), left: self.walk.rest() })
    }

    /// Attempts at a target: more than one, if it refuses what was added to the request.
    async fn attempts(
        &mut self,
        turn: &Turn<'a>,
        mut ready: Ready,
    ) -> Result<(Answered, Pick), (Failure, Option<Pick>)> {
        let target = turn.target;
        loop {
            match self.attempt(turn, &ready.prepared).await {
                (Ok(answered), Some(sent_with)) => {
                    // Every thread reads that flag, so it is written only when it changes.
                    if ready.without_options && target.provider.takes_stream_options() {
                        target.provider.refused_stream_options();
                    }
                    return Ok((answered, sent_with));
                }
                (Err(failure), _) if ready.prepared.asks_for_usage && failure.blames("stream_options") => {
                    // Our addition may be at fault; it is, if the same request is answered without it.
                    ready.without_options = true;
                    ready.prepared = self.again(target, &ready).await?;
                }
                // It does not take the beginning of an answer; it may take the same as a turn of the conversation.
                (Err(failure), _) if let Some(other) = self.other_manner(&ready, &failure) => {
                    ready.manner = other;
                    ready.prepared = self.again(target, &ready).await?;
                }
                (Err(failure), sent_with) => {
                    self.ready = Some(ready);
                    return Err((failure, sent_with));
                }
                (Ok(_), None) => return Err((Failure::NoCredential, None)),
            }
        }
    }

    async fn again(&self, target: &Arc<Target>, ready: &Ready) -> Result<Prepared, (Failure, Option<Pick>)> {
        let ask_for_usage = !ready.without_options && target.provider.takes_stream_options();
        self.prepared(target, ready.manner, ask_for_usage).await.map_err(|failure| (failure, None))
    }

    fn other_manner(&self, ready: &Ready, failure: &Failure) -> Option<Manner> {
        self.resume.filter(|_| failure.is_bad_request()).and(ready.manner.other())
    }

    /// One attempt, and the credential that it was sent with.
    async fn attempt(&self, turn: &Turn<'a>, prepared: &Prepared) -> (Result<Answered, Failure>, Option<Pick>) {
        let used = RefCell::new(None);
        let attempt = Attempt {
            ask: self.ask,
            target: turn.target,
            prepared,
            pick: &turn.pick,
            tried: self.walk.tried(),
            used: &used,
            resume: self.resume,
            refusal_fails: self.walk.has_elsewhere(FallbackOn::ContentFilter, Instant::now()),
        };
        self.record.attempt(turn.target);
        let answered = self.in_time(turn.target, attempt.send(self.upstream, self.record)).await;
        let answered = answered.map_err(|failure| failure.at(self.ask.pace));
        if let Err(failure) = &answered {
            if let Failure::Silent(limit) = failure {
                turn.target.metrics.expired(*limit);
            }
            self.record.attempt_failed(failure.outcome());
        }
        (answered, used.into_inner())
    }

    /// Cut at the request's deadline, or at the moment to try elsewhere if there is an elsewhere then.
    async fn in_time(
        &self,
        target: &Target,
        sending: impl Future<Output = Result<Answered, Failure>>,
    ) -> Result<Answered, Failure> {
        let mut sending = pin!(sending);
        let (limit, patience) = self.ask.patience(target);
        let mut moment = self.walk.patient_until(patience, Instant::now());
        loop {
            match timeout_at(moment, sending.as_mut()).await {
                Ok(answered) => return answered,
                Err(_) => moment = self.walk.silent(moment, limit, patience)?,
            }
        }
    }
}
