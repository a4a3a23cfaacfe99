use super::{Check, Rule, apply};
use crate::path::Path;
use crate::validation::FieldError;
use crate::{CostRate, Rate, RateLimitSpec};

pub(crate) const RATE_LIMIT: &[Rule<RateLimitSpec>] = &[Rule {
    at: "requests",
    cel: "has(self.requests) || has(self.tokens) || has(self.cost)",
    holds: |limit| limit.requests.is_some() || limit.tokens.is_some() || limit.cost.is_some(),
    message: "a RateLimit needs at least one of requests, tokens and cost: add one, e.g. requests: {limit: 60, window: 1m}",
}];

pub(crate) const RATE: &[Rule<Rate>] = &[Rule {
    at: "window",
    cel: "self.window.matches('[1-9]')",
    holds: |rate| !rate.window.is_zero(),
    message: WINDOW,
}];

pub(crate) const COST_RATE: &[Rule<CostRate>] = &[Rule {
    at: "window",
    cel: "self.window.matches('[1-9]')",
    holds: |rate| !rate.window.is_zero(),
    message: WINDOW,
}];

const WINDOW: &str = "window must be longer than 0s: give a duration such as 1m or 24h";

impl Check for RateLimitSpec {
    fn check(&self, path: &Path<'_>, out: &mut Vec<FieldError>) {
        apply(RATE_LIMIT, self, path, out);
        for (name, rate) in [("requests", &self.requests), ("tokens", &self.tokens)] {
            if let Some(rate) = rate {
                apply(RATE, rate, &path.field(name), out);
            }
        }
        if let Some(cost) = &self.cost {
            apply(COST_RATE, cost, &path.field("cost"), out);
        }
    }
}
