//! What is counted. Labels come from closed sets: names of configured objects, classes, directions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use prometheus::{
    Encoder, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
    core::Collector,
};
use tokio::time::Instant;

use budgets::Budgets;
use dollars::Dollars;
pub(crate) use handles::{RouteMetrics, TargetMetrics};
pub(crate) use outcome::{Outcome, Unrouted};
pub(crate) use store::{Miss, StoreMetrics};
use targets::Targets;

use crate::{bounds::Limit, health::Seats, limits::Limiter};

mod budgets;
mod dollars;
mod handles;
mod outcome;
mod store;
mod targets;

/// From 5 ms to 10 min: answers of models take from a cache hit's time to minutes.
const SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// The registry of a process and the families of the data plane. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Families>);

struct Families {
    registry: Registry,
    started: Instant,
    /// Milliseconds from `started` to the last moment at which the snapshot was known to be current: before it, for one
    /// that was stored; MAX while there is none.
    current_at: AtomicI64,
    snapshot_age: Gauge,
    in_flight: IntGauge,
    requests: IntCounterVec,
    seconds: HistogramVec,
    first_content: HistogramVec,
    tokens: IntCounterVec,
    cost: Dollars,
    unpriced: IntCounterVec,
    attempts: IntCounterVec,
    fallbacks: IntCounterVec,
    timeouts: IntCounterVec,
    passed_by: IntCounterVec,
    targets: Targets,
    budgets: Budgets,
    refused: IntCounterVec,
    overloaded: IntCounterVec,
    limited: IntCounterVec,
    large_answers: IntCounter,
    withheld_events: IntCounter,
    jwks_failures: IntCounter,
    throttled_failures: IntCounter,
}

/// Counts a request as in flight until it is dropped.
pub(crate) struct InFlight(IntGauge);

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry with the families of the data plane.
    pub fn new() -> Self {
        let registry = Registry::new();
        let target = &["route", "provider", "model"];
        let families = Families {
            snapshot_age: register(
                &registry,
                Gauge::new(
                    "penstock_snapshot_age_seconds",
                    "Seconds since the live snapshot was last known to be current; NaN before the first.",
                ),
            ),
            in_flight: register(&registry, IntGauge::new("penstock_requests_in_flight", "Requests being answered.")),
            requests: counters(
                &registry,
                "penstock_requests_total",
                "Requests by who answered and the class of the status; no provider where none did.",
                &["route", "provider", "model", "status"],
            ),
            seconds: histograms(
                &registry,
                "penstock_request_seconds",
                "Time from a request's head to the end of its answer.",
                target,
            ),
            first_content: histograms(
                &registry,
                "penstock_first_content_seconds",
                "Time from a request's head to the first content of its streamed answer.",
                target,
            ),
            tokens: counters(
                &registry,
                "penstock_tokens_total",
                "Tokens as providers report them, and estimated where they do not.",
                &["route", "provider", "model", "direction"],
            ),
            cost: register(
                &registry,
                IntCounterVec::new(
                    Opts::new(
                        "penstock_cost_usd_total",
                        "Dollars that providers take for these tokens, as far as prices are known.",
                    ),
                    target,
                )
                .map(Dollars),
            ),
            unpriced: counters(
                &registry,
                "penstock_unpriced_requests_total",
                "Requests to providers, failed ones included, whose cost is unknown: a price is missing.",
                target,
            ),
            attempts: counters(
                &registry,
                "penstock_attempts_total",
                "Requests sent to providers, by how they ended.",
                &["route", "provider", "model", "outcome"],
            ),
            fallbacks: counters(
                &registry,
                "penstock_fallbacks_total",
                "Times that a request left a target for the next, by reason.",
                &["route", "provider", "model", "reason"],
            ),
            timeouts: counters(
                &registry,
                "penstock_timeouts_total",
                "Limits of time that passed, by their names in `timeouts`.",
                &["route", "provider", "model", "timeout"],
            ),
            passed_by: counters(
                &registry,
                "penstock_passed_by_total",
                "Times that a target was not asked though it was its turn: it cools down, its breaker is open, or its provider is full.",
                &["route", "provider", "model", "reason"],
            ),
            targets: Targets::new(&registry),
            budgets: Budgets::new(&registry),
            refused: counters(
                &registry,
                "penstock_unrouted_requests_total",
                "Requests that ended before they met a route, by reason.",
                &["reason"],
            ),
            overloaded: counters(
                &registry,
                "penstock_overloaded_total",
                "Requests and connections refused at once since there was no room for them, by the bound that they met.",
                &["bound"],
            ),
            limited: counters(
                &registry,
                "penstock_limited_requests_total",
                "Requests that a RateLimit refused.",
                &["limit"],
            ),
            large_answers: counter(
                &registry,
                "penstock_large_answers_total",
                "Unary answers too large to be held whole, streamed through instead.",
            ),
            withheld_events: counter(
                &registry,
                "penstock_withheld_events_total",
                "Events of streams that did not parse and were left out.",
            ),
            jwks_failures: counter(
                &registry,
                "penstock_jwks_failures_total",
                "Fetches of the keys of token issuers that failed.",
            ),
            throttled_failures: counter(
                &registry,
                "penstock_throttled_failures_total",
                "Requests that showed no good key or token, from addresses of which too many did.",
            ),
            registry,
            started: Instant::now(),
            current_at: AtomicI64::new(i64::MAX),
        };
        families.snapshot_age.set(f64::NAN);
        Self(Arc::new(families))
    }

    /// Where other parts of the process register theirs.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// All families in Prometheus' text format.
    pub fn render(&self) -> String {
        if let Some(age) = self.snapshot_age() {
            self.0.snapshot_age.set(age);
        }
        self.0.targets.look();
        self.0.budgets.look();
        let mut text = Vec::new();
        let encoded = TextEncoder::new().encode(&self.0.registry.gather(), &mut text);
        encoded.expect("metrics must encode: writing to memory does not fail");
        String::from_utf8(text).expect("the text format must be UTF-8")
    }

    /// Notes that the live snapshot was the current one this long ago: when it was applied, or its source last said so.
    pub fn snapshot_was_current(&self, ago: Duration) {
        let milliseconds = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 2);
        let at = milliseconds(self.0.started.elapsed()) - milliseconds(ago);
        self.0.current_at.store(at, Ordering::Relaxed);
    }

    /// Seconds since the live snapshot was last known to be current; none before the first.
    pub fn snapshot_age(&self) -> Option<f64> {
        let at = self.0.current_at.load(Ordering::Relaxed);
        (at != i64::MAX).then(|| self.0.started.elapsed().as_secs_f64() - at as f64 / 1000.0)
    }

    /// Shows what is known of these from now on.
    pub(crate) fn watch_targets(&self, seats: &Arc<Seats>) {
        self.0.targets.watch(seats);
    }

    pub(crate) fn begin(&self) -> InFlight {
        self.0.in_flight.inc();
        InFlight(self.0.in_flight.clone())
    }

    pub(crate) fn unrouted(&self, why: Unrouted) {
        self.0.refused.with_label_values(&[why.as_str()]).inc();
    }

    pub(crate) fn overloaded(&self, bound: Limit) {
        self.0.overloaded.with_label_values(&[bound.as_str()]).inc();
    }

    /// Counts what a RateLimit refuses.
    pub(crate) fn limited(&self, limit: &str) -> IntCounter {
        self.0.limited.with_label_values(&[limit])
    }

    /// Counts what a Consumer's budget refuses, its users' too.
    pub(crate) fn over_budget(&self, consumer: &str) -> IntCounter {
        self.0.budgets.refused(consumer)
    }

    /// There is none any more.
    pub(crate) fn forget_budget(&self, consumer: &str) {
        self.0.budgets.forget(consumer);
    }

    /// Shows how far budgets are spent from now on.
    pub(crate) fn watch_budgets(&self, limits: &Arc<Limiter>) {
        self.0.budgets.watch(limits);
    }

    /// It is gone.
    pub(crate) fn forget_limit(&self, limit: &str) {
        // There is nothing to remove where it was removed before.
        let _ = self.0.limited.remove_label_values(&[limit]);
    }

    pub(crate) fn large_answer(&self) {
        self.0.large_answers.inc();
    }

    pub(crate) fn withheld_event(&self) {
        self.0.withheld_events.inc();
    }

    /// The keys of an issuer could not be fetched.
    pub(crate) fn jwks_failed(&self) {
        self.0.jwks_failures.inc();
    }

    /// Somebody is nobody, as others from the same address were.
    pub(crate) fn throttled_failure(&self) {
        self.0.throttled_failures.inc();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    register(registry, IntCounter::new(name, help))
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    register(registry, IntCounterVec::new(Opts::new(name, help), labels))
}

fn histograms(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
    let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
    register(registry, HistogramVec::new(options, labels))
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, family: prometheus::Result<C>) -> C {
    let family = family.expect("a family's name and labels must be well formed");
    registry.register(Box::new(family.clone())).expect("a family must be registered once");
    family
}

#[cfg(test)]
mod tests {
    use penstock_llm::neutral::Usage;

    use super::*;

    #[test]
    fn series_appear_with_their_first_value() {
        let metrics = Metrics::new();
        let target = metrics.target("default/chat", "default/openai", "gpt-4o");
        assert!(!metrics.render().contains("penstock_requests_total{"));
        target.request(200, 0.3);
        target.spent(&Usage { input: Some(7), output: Some(9), ..Usage::default() }, Some(1_250_000_000));
        target.spent(&Usage::default(), None);
        target.attempt(Outcome::RateLimit);
        let text = metrics.render();
        for line in [
            "penstock_requests_total{model=\"gpt-4o\",provider=\"default/openai\",route=\"default/chat\",status=\"2xx\"} 1",
            "penstock_tokens_total{direction=\"output\",model=\"gpt-4o\",provider=\"default/openai\",route=\"default/chat\"} 9",
            "penstock_cost_usd_total{model=\"gpt-4o\",provider=\"default/openai\",route=\"default/chat\"} 0.00125",
            "penstock_unpriced_requests_total{model=\"gpt-4o\",provider=\"default/openai\",route=\"default/chat\"} 1",
            "penstock_attempts_total{model=\"gpt-4o\",outcome=\"rate_limit\",provider=\"default/openai\",route=\"default/chat\"} 1",
        ] {
            assert!(text.contains(line), "{line} must be in\n{text}");
        }
    }

    #[test]
    fn a_request_in_flight_is_counted_until_it_is_dropped() {
        let metrics = Metrics::new();
        let request = metrics.begin();
        assert!(metrics.render().contains("penstock_requests_in_flight 1"));
        drop(request);
        assert!(metrics.render().contains("penstock_requests_in_flight 0"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_snapshot_ages_until_its_source_confirms_it() {
        let metrics = Metrics::new();
        assert!(metrics.render().contains("penstock_snapshot_age_seconds NaN"));
        metrics.snapshot_was_current(Duration::ZERO);
        tokio::time::advance(Duration::from_secs(7)).await;
        assert!(metrics.render().contains("penstock_snapshot_age_seconds 7"));
        metrics.snapshot_was_current(Duration::ZERO);
        assert!(metrics.render().contains("penstock_snapshot_age_seconds 0"));
        metrics.snapshot_was_current(Duration::from_secs(90));
        assert!(metrics.render().contains("penstock_snapshot_age_seconds 90"), "one that was stored");
    }
}
