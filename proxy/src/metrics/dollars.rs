//! Money as a metric: counted in integer picodollars, shown in dollars.

use prometheus::{
    IntCounter, IntCounterVec,
    core::{Collector, Desc},
    proto::MetricFamily,
};

const PICODOLLARS: f64 = 1e12;

/// Counters of picodollars that Prometheus is told in dollars, so that no sum of floats drifts here. One starts anew after 18
/// million dollars.
#[derive(Clone)]
pub(super) struct Dollars(pub(super) IntCounterVec);

impl Dollars {
    /// Counts picodollars.
    pub(super) fn with_label_values(&self, labels: &[&str]) -> IntCounter {
        self.0.with_label_values(labels)
    }
}

impl Collector for Dollars {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.0.collect();
        for metric in families.iter_mut().flat_map(MetricFamily::mut_metric) {
            let mut counter = metric.get_counter().clone();
            counter.set_value(counter.get_value() / PICODOLLARS);
            metric.set_counter(counter);
        }
        families
    }
}
