//! Handles of routes and targets, resolved when a route is built: a request counts, it looks nothing up.

use std::sync::OnceLock;

use penstock_llm::neutral::Usage;
use prometheus::{Histogram, IntCounter};

use super::{Metrics, Outcome};
use crate::{error::Expired, health::Skipped};

/// Handles of a route, resolved when it is built.
pub(crate) struct RouteMetrics {
    unanswered: ByStatus,
    families: Metrics,
}

/// Handles of a target of a route. Series appear with their first value.
pub(crate) struct TargetMetrics {
    answered: ByStatus,
    seconds: Lazy<Histogram>,
    first_content: Lazy<Histogram>,
    tokens: [Lazy<IntCounter>; 2],
    cost: Lazy<IntCounter>,
    unpriced: Lazy<IntCounter>,
    attempts: [Lazy<IntCounter>; 10],
    fallbacks: [Lazy<IntCounter>; 10],
    expired: [Lazy<IntCounter>; 5],
    passed_by: [Lazy<IntCounter>; 3],
    labels: Labels,
    families: Metrics,
}

struct ByStatus {
    classes: [Lazy<IntCounter>; 3],
    labels: Labels,
}

struct Labels {
    route: String,
    provider: String,
    model: String,
}

type Lazy<T> = OnceLock<T>;

impl Metrics {
    pub(crate) fn route(&self, route: &str) -> RouteMetrics {
        let labels = Labels { route: route.into(), provider: String::new(), model: String::new() };
        RouteMetrics { unanswered: ByStatus::new(labels), families: self.clone() }
    }

    pub(crate) fn target(&self, route: &str, provider: &str, model: &str) -> TargetMetrics {
        let labels = || Labels { route: route.into(), provider: provider.into(), model: model.into() };
        TargetMetrics {
            answered: ByStatus::new(labels()),
            seconds: Lazy::new(),
            first_content: Lazy::new(),
            tokens: Default::default(),
            cost: Lazy::new(),
            unpriced: Lazy::new(),
            attempts: Default::default(),
            fallbacks: Default::default(),
            expired: Default::default(),
            passed_by: Default::default(),
            labels: labels(),
            families: self.clone(),
        }
    }
}

impl RouteMetrics {
    /// A request that no target answered.
    pub(crate) fn request(&self, status: u16) {
        self.unanswered.count(&self.families, status);
    }
}

impl TargetMetrics {
    /// A request that this target answered, and how long it took in all.
    pub(crate) fn request(&self, status: u16, seconds: f64) {
        self.answered.count(&self.families, status);
        let histogram = self.seconds.get_or_init(|| self.families.0.seconds.with_label_values(&self.labels.target()));
        histogram.observe(seconds);
    }

    pub(crate) fn first_content(&self, seconds: f64) {
        let family = &self.families.0.first_content;
        self.first_content.get_or_init(|| family.with_label_values(&self.labels.target())).observe(seconds);
    }

    /// What an answer took of the provider, whoever pays for it; its cost in picodollars, or none where that is not known.
    pub(crate) fn spent(&self, usage: &Usage, cost: Option<u64>) {
        let tokens = &self.families.0.tokens;
        for (handle, (direction, n)) in self.tokens.iter().zip([("input", usage.input), ("output", usage.output)]) {
            handle.get_or_init(|| tokens.with_label_values(&self.labels.with(direction))).inc_by(n.unwrap_or(0));
        }
        match cost {
            Some(picodollars) => {
                let family = &self.families.0.cost;
                self.cost.get_or_init(|| family.with_label_values(&self.labels.target())).inc_by(picodollars);
            }
            None => {
                let family = &self.families.0.unpriced;
                self.unpriced.get_or_init(|| family.with_label_values(&self.labels.target())).inc();
            }
        }
    }

    pub(crate) fn attempt(&self, outcome: Outcome) {
        let family = &self.families.0.attempts;
        let handle = &self.attempts[outcome as usize];
        handle.get_or_init(|| family.with_label_values(&self.labels.with(outcome.as_str()))).inc();
    }

    pub(crate) fn fallback(&self, reason: Outcome) {
        let family = &self.families.0.fallbacks;
        let handle = &self.fallbacks[reason as usize];
        handle.get_or_init(|| family.with_label_values(&self.labels.with(reason.as_str()))).inc();
    }

    /// A limit of time has passed.
    pub(crate) fn expired(&self, limit: Expired) {
        let family = &self.families.0.timeouts;
        let handle = &self.expired[limit as usize];
        handle.get_or_init(|| family.with_label_values(&self.labels.with(limit.as_str()))).inc();
    }

    /// A request did not ask it though it was its turn.
    pub(crate) fn passed_by(&self, why: Skipped) {
        let family = &self.families.0.passed_by;
        let handle = &self.passed_by[why as usize];
        handle.get_or_init(|| family.with_label_values(&self.labels.with(why.as_str()))).inc();
    }
}

impl ByStatus {
    fn new(labels: Labels) -> Self {
        Self { classes: Default::default(), labels }
    }

    fn count(&self, metrics: &Metrics, status: u16) {
        let (handle, class) = match status {
            0..400 => (&self.classes[0], "2xx"),
            400..500 => (&self.classes[1], "4xx"),
            500.. => (&self.classes[2], "5xx"),
        };
        handle.get_or_init(|| metrics.0.requests.with_label_values(&self.labels.with(class))).inc();
    }
}

impl Labels {
    fn target(&self) -> [&str; 3] {
        [&self.route, &self.provider, &self.model]
    }

    fn with<'a>(&'a self, last: &'a str) -> [&'a str; 4] {
        [&self.route, &self.provider, &self.model, last]
    }
}
