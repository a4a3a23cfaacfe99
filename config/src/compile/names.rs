//! Who answers to which name.
//!
//! Platform namespaces come first: their names are bare and may shadow a tenant's `namespace/name`. Within a rank
//! RoutePolicies come before models that providers list, and the older object wins.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use penstock_crds::{Model, Reason, RoutePolicySpec};

use super::{
    by_age,
    draft::Draft,
    provider::{Compiled, Providers},
};
use crate::{Key, Kind, ObjectRef, World, world::Resource};

/// The name of the policy that holds the defaults of every route.
pub(super) const ALL: &str = "*";

/// What names were given to whom.
pub(super) struct Claims<'w> {
    pub(super) policies: Vec<Policy<'w>>,
    /// The policy of `*`, by position in `policies`.
    pub(super) defaults: Option<usize>,
    /// Names that providers list and no policy claims.
    pub(super) models: Pools<'w>,
    /// All listed names, claimed or not: a policy without targets uses them.
    pub(super) pools: Pools<'w>,
}

/// A RoutePolicy and the names that it got.
pub(super) struct Policy<'w> {
    pub(super) resource: &'w Resource<RoutePolicySpec>,
    pub(super) draft: Draft,
    /// Whole names, as clients write them.
    pub(super) names: Vec<String>,
}

/// The providers that list one name, and what each calls the model.
#[derive(Clone, Default)]
pub(super) struct Listed<'w> {
    /// Of the tenant; empty where platform namespaces pool.
    pub(super) namespace: Arc<str>,
    pub(super) by: Vec<(ObjectRef, &'w Model)>,
}

/// What clients write for a name of `namespace`.
pub(super) fn whole_name(world: &World, namespace: &str, name: &str) -> String {
    if world.settings.is_platform(namespace) {
        return name.to_owned();
    }
    format!("{namespace}/{name}")
}

/// Gives every name to one claimant, and tells the others.
pub(super) fn claim<'w>(world: &'w World, providers: &mut Providers<'w>) -> Claims<'w> {
    let mut taken = Taken::default();
    let ours = world.routes.values().filter(|route| route.spec.gateway == world.settings.gateway);
    let (mut platform, mut tenants): (Vec<_>, Vec<_>) =
        ours.map(|route| &**route).partition(|route| world.settings.is_platform(&route.meta.namespace));
    platform.sort_by(|a, b| by_age(&a.meta, &b.meta));
    tenants.sort_by(|a, b| by_age(&a.meta, &b.meta));

    let mut policies: Vec<Policy<'w>> = Vec::with_capacity(platform.len() + tenants.len());
    policies.extend(platform.into_iter().map(|route| taken.by_policy(world, route)));
    let (pools, lost) = pools(world, providers);
    for (provider, name) in &lost {
        lose(providers, provider, Owner::Platform.says(name));
    }
    let (platform_pools, tenant_pools) = pools.iter().partition(|(_, listed)| listed.namespace.is_empty());
    let mut models = taken.by_models(platform_pools, providers);
    policies.extend(tenants.into_iter().map(|route| taken.by_policy(world, route)));
    models.extend(taken.by_models(tenant_pools, providers));

    let defaults = policies.iter().position(|policy| policy.names.iter().any(|name| name == ALL));
    Claims { policies, defaults, models, pools }
}

fn lose(providers: &mut Providers<'_>, provider: &ObjectRef, what: String) {
    if let Some(Compiled { draft, .. }) = providers.get_mut(provider) {
        draft.partial(Reason::NameLost, format!("spec.models: {what}"));
    }
}

/// Exposed models under their whole names, each with its providers by priority.
pub(super) type Pools<'w> = BTreeMap<String, Listed<'w>>;

/// All pools, and the tenants' providers that are in none although they list its name.
fn pools<'w>(world: &'w World, providers: &Providers<'w>) -> (Pools<'w>, Vec<(ObjectRef, String)>) {
    let mut by_priority: Vec<(&ObjectRef, &'w Resource<_>)> =
        providers.iter().map(|(name, provider)| (name, provider.resource)).collect();
    by_priority.sort_by_key(|(name, provider)| (provider.spec.priority, *name));
    let mut pools = Pools::new();
    let mut lost = Vec::new();
    for (name, provider) in by_priority {
        for model in provider.spec.models.iter().filter(|model| model.exposed) {
            let whole = whole_name(world, &name.namespace, &model.name);
            let platform = world.settings.is_platform(&name.namespace);
            let pool = match pools.entry(whole) {
                // A platform's "search/smart" is not the tenant's: the platform's providers alone make the pool.
                Entry::Occupied(entry) if entry.get().namespace.is_empty() != platform => {
                    let whole = entry.key().clone();
                    if !platform {
                        lost.push((name.clone(), whole));
                        continue;
                    }
                    let pool = entry.into_mut();
                    lost.extend(pool.by.drain(..).map(|(tenant, _)| (tenant, whole.clone())));
                    *pool = Listed::default();
                    pool
                }
                entry => entry.or_default(),
            };
            if !platform {
                pool.namespace.clone_from(&name.namespace);
            }
            pool.by.push((name.clone(), model));
        }
    }
    (pools, lost)
}

/// Names that are given away, each with its owner for messages.
#[derive(Default)]
struct Taken(BTreeMap<String, Owner>);

#[derive(Clone)]
enum Owner {
    Policy(ObjectRef),
    Platform,
}

impl Taken {
    fn by_policy<'w>(&mut self, world: &World, resource: &'w Resource<RoutePolicySpec>) -> Policy<'w> {
        let mut policy = Policy { resource, draft: Draft::new(&resource.problems), names: Vec::new() };
        let namespace = &resource.meta.namespace;
        let mut lost = Vec::new();
        for (index, name) in resource.spec.models.iter().enumerate() {
            if name == ALL && !world.settings.is_platform(namespace) {
                let message = format!(
                    "spec.models[{index}]: only platform namespaces may claim \"*\", {namespace} is none; name the models"
                );
                policy.draft.refuse(Reason::NotAllowed, message);
                continue;
            }
            let whole = if name == ALL { name.clone() } else { whole_name(world, namespace, name) };
            match self.0.get(&whole) {
                None => {
                    self.0.insert(whole.clone(), Owner::Policy(resource.object_ref()));
                    policy.names.push(whole);
                }
                Some(owner) => lost.push(format!("spec.models[{index}]: {}", owner.says(&whole))),
            }
        }
        let all_lost = policy.names.is_empty() && !lost.is_empty();
        for message in lost {
            if all_lost {
                policy.draft.refuse(Reason::ModelConflict, message);
            } else {
                policy.draft.partial(Reason::NameLost, message);
            }
        }
        policy
    }

    fn by_models<'w>(&mut self, pools: BTreeMap<&String, &Listed<'w>>, providers: &mut Providers<'w>) -> Pools<'w> {
        let mut models = Pools::new();
        for (name, listed) in pools {
            match self.0.get(name) {
                None => {
                    if listed.namespace.is_empty() {
                        self.0.insert(name.clone(), Owner::Platform);
                    }
                    let key = Key::new(Kind::Model, ObjectRef::new(&listed.namespace, name));
                    for (provider, _) in &listed.by {
                        let lists = providers.get_mut(provider);
                        lists.into_iter().for_each(|provider| provider.draft.made.push(key.clone()));
                    }
                    models.insert(name.clone(), listed.clone());
                }
                // A policy of the same rank takes the place of the listed model: that is what it is for.
                Some(Owner::Policy(policy)) if listed.namespace.is_empty() || policy.namespace == listed.namespace => {}
                Some(owner) => {
                    for (provider, _) in &listed.by {
                        lose(providers, provider, owner.says(name));
                    }
                }
            }
        }
        models
    }
}

impl Owner {
    fn says(&self, name: &str) -> String {
        match self {
            Owner::Policy(policy) => {
                format!("\"{name}\" belongs to RoutePolicy {policy}; choose another name or change that one")
            }
            Owner::Platform => {
                format!("\"{name}\" is the name of a platform's model; choose another name")
            }
        }
    }
}
