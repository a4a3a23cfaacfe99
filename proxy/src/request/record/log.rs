//! A request's line in the log.

use std::time::Duration;

use penstock_llm::neutral::Finish;

use super::{
    super::settle::{Settled, Settlement},
    Record,
};
use crate::auth::Caller;

impl Record {
    pub(super) fn log(&self, elapsed: Duration, settled: &Settled) {
        let target = self.target.borrow();
        let error = self.error.borrow();
        let asked = self.asked.get();
        let parts = self.parts.borrow();
        let Settled { end, settlement: Settlement { usage, estimated, .. }, cost } = settled;
        tracing::info!(
            target: "penstock::request",
            status = self.status(),
            route = self.route.get().map(|route| route.label.as_str()),
            consumer = self.caller.get().map(Caller::name),
            model = asked.map(|asked| asked.model.as_str()),
            provider = target.as_ref().map(|target| target.provider.name.as_str()),
            upstream_model = target.as_ref().map(|target| target.model.as_str()),
            attempts = self.attempts.get(),
            stream = asked.is_some_and(|asked| asked.stream),
            end = end.as_str(),
            continued_from = (!parts.is_empty()).then(|| parts.iter().map(|part| part.provider.as_str()).collect::<Vec<_>>().join(", ")),
            input_tokens = usage.input,
            output_tokens = usage.output,
            estimated,
            cost_picodollars = cost,
            lost_picodollars = self.lost.get(),
            first_content_ms = self.first_content.get().map(|first| first.as_millis() as u64),
            ms = elapsed.as_millis() as u64,
            finish = self.told.get().finish.map(Finish::name),
            outcome = self.outcome.get().as_str(),
            error = error.as_deref(),
            "request"
        );
    }
}
