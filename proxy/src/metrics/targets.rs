//! What is known of targets, looked at when somebody asks.

use std::sync::{Arc, OnceLock, Weak};

use prometheus::{IntGaugeVec, Opts, Registry};
use tokio::time::Instant;

use super::register;
use crate::health::{GateState, Seats};

pub(super) struct Targets {
    seats: OnceLock<Weak<Seats>>,
    in_flight: IntGaugeVec,
    breaker_open: IntGaugeVec,
    cooling_down: IntGaugeVec,
}

impl Targets {
    pub(super) fn new(registry: &Registry) -> Self {
        let gauges = |name, help| register(registry, IntGaugeVec::new(Opts::new(name, help), &["provider", "model"]));
        Self {
            seats: OnceLock::new(),
            in_flight: gauges("penstock_target_requests_in_flight", "Requests on their way to a provider's model."),
            breaker_open: gauges(
                "penstock_target_breaker_open",
                "Credentials with which a provider's model failed too often lately: open or half open breakers.",
            ),
            cooling_down: gauges(
                "penstock_target_cooling_down",
                "Credentials with which a provider's model wants to be left alone for now.",
            ),
        }
    }

    /// The first that is given stays.
    pub(super) fn watch(&self, seats: &Arc<Seats>) {
        let _ = self.seats.set(Arc::downgrade(seats));
    }

    pub(super) fn look(&self) {
        let Some(seats) = self.seats.get().and_then(Weak::upgrade) else { return };
        [&self.in_flight, &self.breaker_open, &self.cooling_down].into_iter().for_each(IntGaugeVec::reset);
        for target in seats.states(Instant::now()) {
            let labels = [&target.provider, &target.model];
            let count = |is: fn(&GateState) -> bool| target.credentials.iter().filter(|gate| is(gate)).count() as i64;
            self.in_flight.with_label_values(&labels).set(target.in_flight as i64);
            self.breaker_open.with_label_values(&labels).set(count(|gate| gate.breaker != "closed"));
            self.cooling_down.with_label_values(&labels).set(count(|gate| gate.cooling_down_seconds.is_some()));
        }
    }
}
