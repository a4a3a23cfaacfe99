//! How the store of limits does.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge};

use super::{Metrics, counters, register};

/// A store is near: from a quarter of a millisecond to where nobody waits any longer, and what is beyond.
const SECONDS: [f64; 10] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.02, 0.025, 0.05, 0.1];

/// Why a request did without the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    /// It did not answer others, and was not asked.
    Down,
    Error,
    Timeout,
}

pub(crate) struct StoreMetrics {
    seconds: Histogram,
    misses: IntCounterVec,
    lost: IntCounter,
    up: IntGauge,
    lanes: AtomicUsize,
    lanes_up: AtomicUsize,
}

impl Miss {
    fn as_str(self) -> &'static str {
        match self {
            Miss::Down => "down",
            Miss::Error => "error",
            Miss::Timeout => "timeout",
        }
    }
}

impl Metrics {
    /// Of a store, where there is one.
    pub(crate) fn store(&self) -> StoreMetrics {
        let registry = self.registry();
        let seconds =
            HistogramOpts::new("penstock_limit_store_seconds", "Time that requests waited for the store of limits.");
        StoreMetrics {
            seconds: register(registry, Histogram::with_opts(seconds.buckets(SECONDS.to_vec()))),
            misses: counters(
                registry,
                "penstock_limit_store_misses_total",
                "Times that limits did without their store, by reason: what onStoreFailure says held.",
                &["reason"],
            ),
            lost: register(
                registry,
                IntCounter::new(
                    "penstock_limit_store_lost_total",
                    "Requests whose use was not settled in the store of limits: what was reserved for them expires there.",
                ),
            ),
            up: register(
                registry,
                IntGauge::new("penstock_limit_store_up", "1 while all threads reach the store of limits."),
            ),
            lanes: AtomicUsize::new(0),
            lanes_up: AtomicUsize::new(0),
        }
    }
}

impl StoreMetrics {
    pub(crate) fn waited(&self, time: Duration) {
        self.seconds.observe(time.as_secs_f64());
    }

    pub(crate) fn missed(&self, miss: Miss) {
        self.misses.with_label_values(&[miss.as_str()]).inc();
    }

    pub(crate) fn lost(&self, requests: usize) {
        self.lost.inc_by(requests as u64);
    }

    /// A thread that uses the store begins; it does not reach it yet.
    pub(crate) fn lane_begins(&self) {
        self.lanes.fetch_add(1, Ordering::Relaxed);
        self.show();
    }

    pub(crate) fn lane_is_up(&self, is_up: bool) {
        match is_up {
            true => self.lanes_up.fetch_add(1, Ordering::Relaxed),
            false => self.lanes_up.fetch_sub(1, Ordering::Relaxed),
        };
        self.show();
    }

    pub(crate) fn is_up(&self) -> bool {
        let lanes = self.lanes.load(Ordering::Relaxed);
        lanes > 0 && self.lanes_up.load(Ordering::Relaxed) == lanes
    }

    fn show(&self) {
        self.up.set(i64::from(self.is_up()));
    }
}
