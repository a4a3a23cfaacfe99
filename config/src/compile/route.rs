//! RoutePolicies over the policy of `*` over built-in values; and routes for models that need none.

use penstock_crds::{
    Balance, FallbackOn, OnStreamBreak, OnUnsupported, Reason, RoutePolicySpec, Target as TargetSpec, Timeouts, Usd,
};

use super::{
    Output,
    draft::Draft,
    names::{ALL, Claims, Listed, Policy, Pools},
    provider::{Providers, upstream_name},
    unsupported,
};
use crate::{
    Kind, ObjectRef, World,
    object::{Answer, Forward, Object, Route, Routes, Target},
};

/// Tokens of an answer that nobody said anything about.
const EXPECTED_OUTPUT: u32 = 1024;

/// Judges every policy, and adds the routes of policies and of listed models to the output.
pub(super) fn compile<'w>(world: &'w World, providers: &Providers<'w>, mut claims: Claims<'w>, output: &mut Output) {
    for policy in &mut claims.policies {
        unsupported::route(&policy.resource.spec, &mut policy.draft);
    }
    let defaults = Defaults::of(&claims);
    let context = Context { world, providers, defaults: &defaults };
    for (name, listed) in &claims.models {
        let object = ObjectRef::new(&listed.namespace, name);
        let route = context.listed(name, listed);
        output.add(Kind::Model, object, Object::Routes(Routes { routes: vec![route] }));
    }
    for mut policy in claims.policies {
        let routes = context.policy(&mut policy, &claims.pools);
        if !routes.is_empty() {
            output.add(Kind::RoutePolicy, policy.resource.object_ref(), Object::Routes(Routes { routes }));
        }
        output.judge(Kind::RoutePolicy, policy.resource, policy.draft);
    }
}

/// What the policy of `*` says to all routes.
enum Defaults<'w> {
    None,
    Spec(&'w RoutePolicySpec),
    /// It was refused. What it would have put on every route can't be left out, so no route is open.
    Refused(ObjectRef),
}

struct Context<'a, 'w> {
    world: &'w World,
    providers: &'a Providers<'w>,
    defaults: &'a Defaults<'w>,
}

impl<'w> Defaults<'w> {
    fn of(claims: &Claims<'w>) -> Self {
        match claims.defaults.and_then(|index| claims.policies.get(index)) {
            None => Defaults::None,
            Some(policy) if policy.draft.is_refused() => Defaults::Refused(policy.resource.object_ref()),
            Some(policy) => Defaults::Spec(&policy.resource.spec),
        }
    }

    fn spec(&self) -> Option<&'w RoutePolicySpec> {
        match self {
            Defaults::Spec(spec) => Some(spec),
            Defaults::None | Defaults::Refused(_) => None,
        }
    }
}

impl<'w> Context<'_, 'w> {
    /// The routes of one policy; empty where it is that of `*`, or has lost all its names.
    fn policy(&self, policy: &mut Policy<'w>, pools: &Pools<'w>) -> Vec<Route> {
        let names: Vec<String> = policy.names.iter().filter(|name| *name != ALL).cloned().collect();
        let own = policy.resource.object_ref();
        if policy.draft.is_refused() {
            return closed(names, &own);
        }
        if let Defaults::Refused(all) = self.defaults {
            let message = format!("RoutePolicy {all} of \"*\" is refused, and with it every route; correct that one");
            policy.draft.partial(Reason::TargetDropped, message);
            policy.draft.dead();
            return closed(names, all);
        }
        let spec = &policy.resource.spec;
        let Some(targets) = &spec.targets else {
            let routes: Vec<Route> = names.into_iter().map(|name| self.pooled(name, pools, policy)).collect();
            if !routes.is_empty() && routes.iter().all(|route| matches!(route.answer, Answer::Refuse { .. })) {
                policy.draft.dead();
            }
            return routes;
        };
        let targets = self.targets(spec, targets, &own, &mut policy.draft);
        if targets.is_empty() {
            policy.draft.dead();
            return closed(names, &own);
        }
        let answer = self.answer(Some(spec), targets);
        vec![Route { names, answer }]
    }

    /// A name of a policy without targets: the providers that list it serve it.
    fn pooled(&self, name: String, pools: &Pools<'w>, policy: &mut Policy<'w>) -> Route {
        let own = policy.resource.object_ref();
        let spec = &policy.resource.spec;
        let mut listed = pools.get(&name).cloned().unwrap_or_default();
        listed.by.retain(|(provider, _)| {
            let admitted = self.providers.get(provider).is_some_and(|p| p.allows(self.world, &own.namespace));
            if !admitted {
                let message = format!("spec.models: of those that list \"{name}\", {}", closed_to(provider, &own));
                policy.draft.partial(Reason::TargetDropped, message);
            }
            admitted
        });
        let targets = self.listed_targets(&listed, spec.timeouts.as_ref());
        if targets.is_empty() {
            let message =
                format!("spec.models: no usable provider lists \"{name}\"; add targets, or list it in an AIProvider");
            policy.draft.partial(Reason::TargetDropped, message);
            return closed(vec![name], &own).remove(0);
        }
        Route { names: vec![name], answer: self.answer(Some(spec), targets) }
    }

    /// The route of a model that no policy claims.
    fn listed(&self, name: &str, listed: &Listed<'w>) -> Route {
        let targets = self.listed_targets(listed, None);
        let answer = if targets.is_empty() {
            Answer::Refuse { reason: format!("no provider of model {name} is usable") }
        } else {
            self.answer(None, targets)
        };
        Route { names: vec![name.to_owned()], answer }
    }

    fn listed_targets(&self, listed: &Listed<'w>, timeouts: Option<&Timeouts>) -> Vec<Target> {
        let timeouts = self.timeouts(timeouts);
        let targets = listed.by.iter().filter_map(|(name, model)| {
            let provider = self.providers.get(name).filter(|provider| provider.object.is_some())?;
            Some(Target {
                provider: name.clone(),
                model: upstream_name(model).to_owned(),
                pricing: model.pricing.clone(),
                priority: provider.resource.spec.priority,
                weight: 1,
                timeouts: provider.timeouts(&timeouts),
            })
        });
        targets.collect()
    }

    /// The targets that can be used, by priority. Each of the others is told to the draft.
    fn targets(
        &self,
        spec: &RoutePolicySpec,
        targets: &[TargetSpec],
        own: &ObjectRef,
        draft: &mut Draft,
    ) -> Vec<Target> {
        let timeouts = self.timeouts(spec.timeouts.as_ref());
        let mut usable = Vec::with_capacity(targets.len());
        for (index, target) in targets.iter().enumerate() {
            match self.target(target, own, &timeouts) {
                Ok(target) => usable.push(target),
                Err((reason, what)) => {
                    let message = format!("spec.targets[{index}]: {what}");
                    if let Some(reason) = reason {
                        draft.unresolved(reason, message.clone());
                    }
                    draft.partial(Reason::TargetDropped, message);
                }
            }
        }
        usable.sort_by_key(|target| target.priority);
        usable
    }

    fn target(
        &self,
        target: &TargetSpec,
        own: &ObjectRef,
        timeouts: &Timeouts,
    ) -> Result<Target, (Option<Reason>, String)> {
        let name = ObjectRef::new(target.namespace.as_deref().unwrap_or(&own.namespace), &target.provider);
        let Some(provider) = self.providers.get(&name) else {
            let message = format!("AIProvider {name} does not exist; create it or correct provider and namespace");
            return Err((Some(Reason::ProviderNotFound), message));
        };
        if !provider.allows(self.world, &own.namespace) {
            return Err((Some(Reason::NotPermitted), closed_to(&name, own)));
        }
        let Some((model, pricing)) = provider.upstream_model(&target.model) else {
            let message = format!("AIProvider {name} lists no model \"{}\"; add it there or correct it", target.model);
            return Err((None, message));
        };
        if provider.object.is_none() {
            return Err((None, format!("AIProvider {name} can't be used; its conditions say why")));
        }
        Ok(Target {
            model: model.to_owned(),
            pricing: pricing.cloned(),
            priority: target.priority(),
            weight: target.weight(),
            timeouts: provider.timeouts(timeouts),
            provider: name,
        })
    }

    /// A route's own timeouts over those of `*`, each by itself.
    fn timeouts(&self, own: Option<&Timeouts>) -> Timeouts {
        let none = Timeouts::default();
        let own = own.unwrap_or(&none);
        let all = self.defaults.spec().and_then(|spec| spec.timeouts.as_ref()).unwrap_or(&none);
        Timeouts {
            connect: own.connect.clone().or_else(|| all.connect.clone()),
            first_token: own.first_token.clone().or_else(|| all.first_token.clone()),
            answer: own.answer.clone().or_else(|| all.answer.clone()),
            idle: own.idle.clone().or_else(|| all.idle.clone()),
            request: own.request.clone().or_else(|| all.request.clone()),
        }
    }

    fn answer(&self, own: Option<&RoutePolicySpec>, targets: Vec<Target>) -> Answer {
        if let Defaults::Refused(policy) = self.defaults {
            return refuse(policy);
        }
        let all = self.defaults.spec();
        let fallback_on = set(own, all, |spec| spec.fallback_on.as_ref());
        let max_cost = set(own, all, |spec| spec.max_cost_per_request.as_ref());
        Answer::Forward(Forward {
            allow_state: set(own, all, |spec| spec.allow_state).unwrap_or(false) && targets.len() == 1,
            on_unsupported: set(own, all, |spec| spec.on_unsupported).unwrap_or(OnUnsupported::Drop),
            fallback_on: fallback_on.cloned().unwrap_or_else(|| FallbackOn::DEFAULT.to_vec()),
            balance: set(own, all, |spec| spec.balance).unwrap_or(Balance::Weighted),
            on_stream_break: set(own, all, |spec| spec.on_stream_break).unwrap_or(OnStreamBreak::Error),
            expected_output_tokens: set(own, all, |spec| spec.expected_output_tokens).unwrap_or(EXPECTED_OUTPUT),
            max_cost_picodollars: max_cost.map(Usd::picos),
            targets,
        })
    }
}

/// What a policy says of a field, or else the one of `*`.
fn set<'a, T>(
    own: Option<&'a RoutePolicySpec>,
    all: Option<&'a RoutePolicySpec>,
    field: impl Fn(&'a RoutePolicySpec) -> Option<T>,
) -> Option<T> {
    own.and_then(&field).or_else(|| all.and_then(&field))
}

/// A route that keeps its names and lets nothing through.
fn closed(names: Vec<String>, policy: &ObjectRef) -> Vec<Route> {
    if names.is_empty() {
        return Vec::new();
    }
    vec![Route { names, answer: refuse(policy) }]
}

fn closed_to(provider: &ObjectRef, policy: &ObjectRef) -> String {
    let namespace = &policy.namespace;
    format!("AIProvider {provider} does not admit routes of namespace {namespace}; widen its allowedRoutes")
}

fn refuse(policy: &ObjectRef) -> Answer {
    Answer::Refuse { reason: format!("RoutePolicy {policy} is refused; its conditions say why") }
}
