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
    at_provider: IntGaugeVec,
    queued: IntGaugeVec,
}

impl Targets {
    pub(super) fn new(registry: &Registry) -> Self {
        let by = |labels: &[&str], name: &str, help: &str| {
            register(registry, IntGaugeVec::new(Opts::new(name, help), labels))
        };
        let gauges = |name: &str, help: &str| by(&["provider", "model"], name, help);
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
            at_provider: by(
                &["provider"],
                "penstock_provider_requests_in_flight",
                "Requests on their way to a provider, which maxConcurrentRequests bounds.",
            ),
            queued: by(
                &["provider"],
                "penstock_provider_requests_queued",
                "Requests that wait until a provider has fewer than maxConcurrentRequests.",
            ),
        }
    }

    /// The first that is given stays.
    pub(super) fn watch(&self, seats: &Arc<Seats>) {
        let _ = self.seats.set(Arc::downgrade(seats));
    }

    pub(super) fn look(&self) {
        let Some(seats) = self.seats.get().and_then(Weak::upgrade) else { return };
        let all = [&self.in_flight, &self.breaker_open, &self.cooling_down, &self.at_provider, &self.queued];
        all.into_iter().for_each(IntGaugeVec::reset);
        // One may be there at two base URLs for a while: it was moved, and old answers are not over.
        for room in seats.rooms() {
            self.at_provider.with_label_values(&[&room.provider]).add(room.in_flight as i64);
            self.queued.with_label_values(&[&room.provider]).add(room.queued as i64);
        }
        for target in seats.states(Instant::now()) {
            let labels = [&target.provider, &target.model];
            let count = |is: fn(&GateState) -> bool| target.credentials.iter().filter(|gate| is(gate)).count() as i64;
            self.in_flight.with_label_values(&labels).set(target.in_flight as i64);
            self.breaker_open.with_label_values(&labels).set(count(|gate| gate.breaker != "closed"));
            self.cooling_down.with_label_values(&labels).set(count(|gate| gate.cooling_down_seconds.is_some()));
        }
    }
}
