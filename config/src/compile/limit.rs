//! RateLimits: what they bind, and how much they allow.

use penstock_crds::{CostRate, LabelSelector, LimitScope, Rate as RateSpec, RateLimitSpec, Reason};

use super::{Output, draft::Draft, names::whole_name};
use crate::{
    Kind, ObjectRef, World,
    object::{Limit, Object, Rate},
    world::Resource,
};

/// Judges every RateLimit of the gateway and adds the usable ones to the output.
pub(super) fn compile(world: &World, output: &mut Output) {
    for limit in world.limits.values().filter(|limit| limit.spec.gateway == world.settings.gateway) {
        let mut draft = Draft::new(&limit.problems);
        let object = limit_object(world, limit, &mut draft);
        if draft.is_live() {
            output.add(Kind::RateLimit, limit.object_ref(), Object::Limit(object));
        }
        output.judge(Kind::RateLimit, limit, draft);
    }
}

fn limit_object(world: &World, limit: &Resource<RateLimitSpec>, draft: &mut Draft) -> Limit {
    let (spec, namespace) = (&limit.spec, &limit.meta.namespace);
    let models = spec.match_.iter().flat_map(|requests| &requests.models);
    let models: Vec<String> = models.map(|model| whole_name(world, namespace, model)).collect();
    if models.is_empty() && !world.settings.is_platform(namespace) {
        let message = format!(
            "spec.match.models: only platform namespaces may limit every model, {namespace} is none; name the models"
        );
        draft.refuse(Reason::NotAllowed, message);
    }
    let selector = spec.match_.as_ref().and_then(|requests| requests.consumers.as_ref());
    let consumers = selector.map(|selector| chosen(world, selector));
    if consumers.as_ref().is_some_and(Vec::is_empty) {
        draft.note("spec.match.consumers chooses no Consumer, so nothing is limited by it now");
    }
    let has = |scope| spec.per.contains(&scope);
    Limit {
        models,
        consumers,
        per_consumer: has(LimitScope::Consumer),
        per_user: has(LimitScope::User),
        per_model: has(LimitScope::Model),
        per_provider: has(LimitScope::Provider),
        requests: spec.requests.as_ref().map(rate),
        tokens: spec.tokens.as_ref().map(rate),
        cost: spec.cost.as_ref().map(cost),
        on_store_failure: spec.on_store_failure,
    }
}

/// The Consumers with these labels, usable or not.
fn chosen(world: &World, selector: &LabelSelector) -> Vec<ObjectRef> {
    let ours = world.consumers.iter().filter(|(_, consumer)| consumer.spec.gateway == world.settings.gateway);
    let chosen = ours.filter(|(_, consumer)| selector.matches(Some(&consumer.meta.labels)));
    chosen.map(|(name, _)| name.clone()).collect()
}

fn rate(rate: &RateSpec) -> Rate {
    Rate { limit: rate.limit, window_ms: millis(&rate.window), burst: rate.burst.unwrap_or(rate.limit) }
}

fn cost(rate: &CostRate) -> Rate {
    Rate { limit: rate.limit.picos(), window_ms: millis(&rate.window), burst: rate.limit.picos() }
}

fn millis(window: &penstock_crds::Duration) -> u64 {
    u64::try_from(window.get().as_millis()).unwrap_or(u64::MAX)
}
