//! The targets of a route, one after the other, until one has answered.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use penstock_crds::FallbackOn;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    ask::Ask,
    attempt::{Answered, Attempt},
    plan::{Budget, Circumstances, Failure, Step, verdict},
    prepare::{Prepared, prepare},
    record::Record,
};
use crate::{
    error::Error,
    live::{
        credential::{Credential, Pick},
        route::{Forward, Target},
    },
    upstream::Upstream,
};

/// So many keys are tried at one target, however often they are replaced meanwhile.
const MAX_CREDENTIALS: usize = 8;

struct Way<'a> {
    ask: &'a Ask<'a>,
    forward: &'a Forward,
    upstream: &'a Rc<Upstream>,
    record: &'a Rc<Record>,
    /// The last failure of each target that was left.
    ends: Vec<Failure>,
}

/// Asks the targets in their order. The deadline is over all of it.
pub(super) async fn answer(
    ask: &Ask<'_>,
    forward: &Forward,
    upstream: &Rc<Upstream>,
    record: &Rc<Record>,
) -> Result<Answered, Error> {
    let mut way = Way { ask, forward, upstream, record, ends: Vec::new() };
    if let Ok(answered) = timeout_at(ask.deadline, way.walk()).await {
        return answered.ok_or_else(|| verdict(way.ends));
    }
    record.attempt_failed(Failure::Silent.outcome());
    way.ends.push(Failure::Silent);
    Err(verdict(way.ends))
}

impl Way<'_> {
    async fn walk(&mut self) -> Option<Answered> {
        let mut targets = order(&self.forward.targets).into_iter().peekable();
        while let Some(target) = targets.next() {
            let is_last = targets.peek().is_none();
            let (failure, step) = match self.at(target, is_last).await {
                Ok(answered) => return Some(answered),
                Err(failed) => failed,
            };
            let goes_on = step == Step::NextTarget && !is_last;
            if goes_on {
                target.metrics.fallback(failure.outcome());
            }
            self.ends.push(failure);
            if !goes_on {
                return None;
            }
        }
        None
    }

    /// All attempts at one target. Leaves it with its last failure.
    async fn at(&self, target: &Arc<Target>, is_last: bool) -> Result<Answered, (Failure, Step)> {
        let mut budget = Budget::new(target.provider.retries);
        let mut tried: Vec<Arc<Credential>> = Vec::new();
        let mut prepared = None;
        let mut ask_for_usage = target.provider.takes_stream_options();
        loop {
            let ready = match prepared.take() {
                Some(ready) => Ok(ready),
                None => prepare(self.ask, target, self.forward.on_unsupported, ask_for_usage).await,
            };
            let (failure, used) = match ready {
                Err(failure) => (failure, Pick::None),
                Ok(ready) => match self.attempt(target, &ready, &tried, is_last).await {
                    (Ok(answered), _) => {
                        // Every thread reads that flag, so it is written only when it changes.
                        if !ask_for_usage && target.provider.takes_stream_options() {
                            target.provider.refused_stream_options();
                        }
                        return Ok(answered);
                    }
                    (Err(failure), _) if ready.asks_for_usage && failure.blames("stream_options") => {
                        // Our addition may be at fault; it is, if the same request is answered without it.
                        ask_for_usage = false;
                        continue;
                    }
                    (Err(failure), used) => {
                        prepared = Some(ready);
                        (failure, used)
                    }
                },
            };
            tracing::warn!(provider = target.provider.name, model = target.model, %failure, "a target failed");
            let other = self.other_credential(target, used, &mut tried, &failure);
            match budget.decide(&failure, self.around(other)) {
                Step::NextCredential => {}
                Step::Again(wait) => {
                    tried.pop();
                    sleep(wait).await;
                }
                step @ (Step::NextTarget | Step::Stop) => return Err((failure, step)),
            }
        }
    }

    /// Notes that a credential was used in vain. True if there is another: a second one, or one that has replaced it.
    fn other_credential(
        &self,
        target: &Target,
        used: Pick,
        tried: &mut Vec<Arc<Credential>>,
        failure: &Failure,
    ) -> bool {
        let credentials = &target.provider.credentials;
        if let Pick::Key(used) = used {
            if failure.rejects_credential() {
                credentials.reject(&used);
            }
            tried.push(used);
        }
        tried.len() < MAX_CREDENTIALS && matches!(credentials.pick(tried), Pick::Key(_))
    }

    /// One attempt, cut at the moment to try elsewhere if there is an elsewhere, and the credential that it was sent with.
    async fn attempt(
        &self,
        target: &Arc<Target>,
        prepared: &Prepared,
        tried: &[Arc<Credential>],
        is_last: bool,
    ) -> (Result<Answered, Failure>, Pick) {
        if matches!(target.provider.credentials.pick(tried), Pick::None) {
            return (Err(Failure::NoCredential), Pick::None);
        }
        let refusal_fails = !is_last && self.forward.fallback_on.contains(&FallbackOn::ContentFilter);
        let used = RefCell::new(Pick::None);
        let attempt = Attempt { ask: self.ask, target, prepared, tried, used: &used, refusal_fails };
        self.record.attempt(target);
        let sent = attempt.send(self.upstream, self.record);
        let answered = if is_last || !self.forward.fallback_on.contains(&FallbackOn::Timeout) {
            sent.await
        } else {
            let moment = Instant::now() + self.ask.patience(target);
            timeout_at(moment, sent).await.unwrap_or(Err(Failure::Silent))
        };
        if let Err(failure) = &answered {
            self.record.attempt_failed(failure.outcome());
        }
        (answered, used.into_inner())
    }

    fn around(&self, other_credential: bool) -> Circumstances<'_> {
        Circumstances {
            other_credential,
            fallback_on: &self.forward.fallback_on,
            time_left: self.ask.deadline.saturating_duration_since(Instant::now()),
            random: rand::random(),
        }
    }
}

/// By priority; within one, each place is drawn by weight.
fn order(targets: &[Arc<Target>]) -> Vec<&Arc<Target>> {
    let mut order: Vec<_> = targets.iter().collect();
    for group in order.chunk_by_mut(|one, other| one.priority == other.priority) {
        for place in 0..group.len() {
            let drawn = draw(group[place..].iter().map(|target| target.weight), rand::random());
            group[place..=place + drawn].rotate_right(1);
        }
    }
    order
}

/// The index that a number between 0 and 1 draws from weights. Without any weight, the first.
fn draw(weights: impl Iterator<Item = u32> + Clone, random: f64) -> usize {
    let total: f64 = weights.clone().map(f64::from).sum();
    let mut left = random * total;
    let drawn = weights.into_iter().position(|weight| {
        left -= f64::from(weight);
        left < 0.0
    });
    drawn.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_drawn_by_weight() {
        let drawn = |random| draw([80, 20].into_iter(), random);
        assert_eq!([drawn(0.0), drawn(0.79), drawn(0.81), drawn(0.99)], [0, 0, 1, 1]);
        assert_eq!(draw([0, 5].into_iter(), 0.0), 1, "no weight, no turn");
        assert_eq!(draw([0, 0].into_iter(), 0.5), 0);
    }
}
