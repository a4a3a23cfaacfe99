use super::{Check, Rule, apply, each};
use crate::path::Path;
use crate::validation::FieldError;
use crate::{Cache, Middleware, MiddlewareType, RoutePolicySpec};

pub(crate) const ROUTE_POLICY: &[Rule<RoutePolicySpec>] = &[
    Rule {
        at: "models",
        cel: "size(self.models) == 1 || !('*' in self.models)",
        holds: |route| route.models.len() == 1 || !is_default(route),
        message: "models has * beside other names: give * a RoutePolicy of its own",
    },
    Rule {
        at: "targets",
        cel: "!has(self.targets) || !('*' in self.models)",
        holds: |route| route.targets.is_none() || !is_default(route),
        message: "targets can't go with models: [\"*\"], which sets the defaults of every model: remove targets, or name \
                  the models",
    },
    Rule {
        at: "allowState",
        cel: "!has(self.allowState) || !self.allowState || !has(self.targets) || size(self.targets) == 1",
        holds: |route| {
            route.allow_state != Some(true) || route.targets.as_ref().is_none_or(|targets| targets.len() == 1)
        },
        message: "allowState: true needs exactly one target, since state on one provider's account is unknown to the \
                  others: keep one target, or remove allowState",
    },
];

fn is_default(route: &RoutePolicySpec) -> bool {
    route.models.iter().any(|model| model == "*")
}

pub(crate) const CACHE: &[Rule<Cache>] = &[Rule {
    at: "ttl",
    cel: "self.ttl.matches('[1-9]')",
    holds: |cache| !cache.ttl.is_zero(),
    message: "ttl must be longer than 0s: give a duration such as 1h, or remove cache",
}];

pub(crate) const MIDDLEWARE: &[Rule<Middleware>] = &[
    Rule {
        at: "piiScrubber",
        cel: "has(self.piiScrubber) == (self.type == 'PIIScrubber')",
        holds: |m| m.pii_scrubber.is_some() == (m.type_ == MiddlewareType::PIIScrubber),
        message: "piiScrubber is required with type PIIScrubber and goes with no other: add e.g. piiScrubber: {entities: \
                  [Email]}, or remove it",
    },
    Rule {
        at: "promptInjection",
        cel: "has(self.promptInjection) == (self.type == 'PromptInjection')",
        holds: |m| m.prompt_injection.is_some() == (m.type_ == MiddlewareType::PromptInjection),
        message: "promptInjection is required with type PromptInjection and goes with no other: add e.g. \
                  promptInjection: {action: Reject}, or remove it",
    },
];

impl Check for RoutePolicySpec {
    fn check(&self, path: &Path<'_>, out: &mut Vec<FieldError>) {
        apply(ROUTE_POLICY, self, path, out);
        if let Some(timeouts) = &self.timeouts {
            timeouts.check(&path.field("timeouts"), out);
        }
        if let Some(cache) = &self.cache {
            apply(CACHE, cache, &path.field("cache"), out);
        }
        each(self.middleware.as_deref().unwrap_or_default(), &path.field("middleware"), out);
    }
}

impl Check for Middleware {
    fn check(&self, path: &Path<'_>, out: &mut Vec<FieldError>) {
        apply(MIDDLEWARE, self, path, out);
    }
}
