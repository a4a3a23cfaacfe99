//! How far budgets are spent, looked at when somebody asks.

use std::sync::{Arc, OnceLock, Weak};

use prometheus::{GaugeVec, IntCounter, IntCounterVec, Opts, Registry};

use super::{counters, register};
use crate::limits::Limiter;

pub(super) struct Budgets {
    limits: OnceLock<Weak<Limiter>>,
    used: GaugeVec,
    refused: IntCounterVec,
}

impl Budgets {
    pub(super) fn new(registry: &Registry) -> Self {
        let used = Opts::new(
            "penstock_budget_used_ratio",
            "How much of a Consumer's budget is spent in this period, as far as this proxy knows: 1 is all of it.",
        );
        Self {
            limits: OnceLock::new(),
            used: register(registry, GaugeVec::new(used, &["consumer"])),
            refused: counters(
                registry,
                "penstock_budget_refused_requests_total",
                "Requests that the budget of a Consumer or of one of its users refused.",
                &["consumer"],
            ),
        }
    }

    /// The first that are given stay.
    pub(super) fn watch(&self, limits: &Arc<Limiter>) {
        let _ = self.limits.set(Arc::downgrade(limits));
    }

    pub(super) fn refused(&self, consumer: &str) -> IntCounter {
        self.refused.with_label_values(&[consumer])
    }

    pub(super) fn forget(&self, consumer: &str) {
        // There is nothing to remove where it was removed before.
        let _ = self.refused.remove_label_values(&[consumer]);
    }

    pub(super) fn look(&self) {
        let Some(limits) = self.limits.get().and_then(Weak::upgrade) else { return };
        self.used.reset();
        for (consumer, used) in limits.budgets_used() {
            self.used.with_label_values(&[&consumer.to_string()]).set(used);
        }
    }
}
