//! One object as last seen, read by itself: what can't be read is a verdict on this object, and delays no other.

use std::collections::BTreeMap;

use kube::{ResourceExt, api::DynamicObject};
use penstock_config::{Key, Meta, ObjectRef, Resource, World};
use penstock_crds::{
    AIProviderSpec, AIProviderStatus, ConsumerSpec, DEFAULT_GATEWAY, Kind, RateLimitSpec, RoutePolicySpec, SecretKeyRef,
};
use serde_json::{Value, json};

/// What of an object is kept beside its spec.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) uid: String,
    pub(crate) generation: i64,
    pub(crate) resource_version: String,
    /// An AIProvider's has credentials; the other kinds' is the same without.
    pub(crate) status: AIProviderStatus,
    /// Set where the spec can't be read: why.
    pub(crate) unreadable: Option<String>,
    /// The keys of Secrets that it refers to.
    pub(crate) references: Vec<(ObjectRef, String)>,
    labels: BTreeMap<String, String>,
}

/// A spec that was read.
#[derive(Clone, Debug)]
pub(crate) enum Spec {
    Provider(Box<AIProviderSpec>),
    Route(Box<RoutePolicySpec>),
    Limit(Box<RateLimitSpec>),
    Consumer(Box<ConsumerSpec>),
    /// Nothing of it can be used.
    None,
    /// A route of which only the names can be read: it keeps them, closed.
    Names(Box<RoutePolicySpec>, String),
}

/// An object that was read.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) seen: Seen,
    pub(crate) meta: Meta,
    pub(crate) gateway: String,
    pub(crate) spec: Spec,
}

/// The config crate's name for a kind.
pub(crate) fn config_kind(kind: Kind) -> penstock_config::Kind {
    match kind {
        Kind::AIProvider => penstock_config::Kind::AIProvider,
        Kind::RoutePolicy => penstock_config::Kind::RoutePolicy,
        Kind::RateLimit => penstock_config::Kind::RateLimit,
        Kind::Consumer => penstock_config::Kind::Consumer,
    }
}

impl Seen {
    /// Does the difference matter to what proxies run? Status and annotations do not.
    pub(crate) fn differs_from(&self, before: &Seen) -> bool {
        (&self.uid, self.generation, &self.labels) != (&before.uid, before.generation, &before.labels)
    }
}

impl Read {
    pub(crate) fn new(kind: Kind, object: &DynamicObject) -> (Key, Self) {
        let meta = Meta::of(&object.metadata);
        let raw = object.data.get("spec").cloned().unwrap_or(Value::Null);
        let gateway = raw.get("gateway").and_then(Value::as_str).unwrap_or(DEFAULT_GATEWAY).to_owned();
        let (spec, unreadable) = match read_spec(kind, &raw) {
            Ok(spec) => (spec, None),
            Err(error) => {
                let message = format!("spec: {error}; correct it, or install the CRDs of this version");
                (names_of(kind, &raw, &message), Some(message))
            }
        };
        let status = object.data.get("status").cloned().unwrap_or_default();
        let seen = Seen {
            uid: object.uid().unwrap_or_default(),
            generation: object.metadata.generation.unwrap_or_default(),
            resource_version: object.resource_version().unwrap_or_default(),
            status: serde_json::from_value(status).unwrap_or_default(),
            unreadable,
            references: references(&meta.namespace, &spec),
            labels: meta.labels.clone(),
        };
        let key = Key::new(config_kind(kind), ObjectRef::new(&meta.namespace, &meta.name));
        (key, Self { seen, meta, gateway, spec })
    }

    /// Puts the object into the world, in place of what it was.
    pub(crate) fn enter(&self, world: &mut World) {
        let name = ObjectRef::new(&self.meta.namespace, &self.meta.name);
        let meta = self.meta.clone();
        match &self.spec {
            Spec::Provider(spec) => {
                world.providers.insert(name, Resource::new(meta, (**spec).clone()).into());
            }
            Spec::Route(spec) => {
                world.routes.insert(name, Resource::new(meta, (**spec).clone()).into());
            }
            Spec::Limit(spec) => {
                world.limits.insert(name, Resource::new(meta, (**spec).clone()).into());
            }
            Spec::Consumer(spec) => {
                world.consumers.insert(name, Resource::new(meta, (**spec).clone()).into());
            }
            Spec::Names(spec, problem) => {
                let closed = Resource::refused(meta, (**spec).clone(), vec![problem.clone()]);
                world.routes.insert(name, closed.into());
            }
            Spec::None => {}
        }
    }
}

/// Takes an object out of the world.
pub(crate) fn leave(world: &mut World, key: &Key) {
    match key.kind {
        penstock_config::Kind::AIProvider => drop(world.providers.remove(&key.object)),
        penstock_config::Kind::RoutePolicy => drop(world.routes.remove(&key.object)),
        penstock_config::Kind::RateLimit => drop(world.limits.remove(&key.object)),
        penstock_config::Kind::Consumer => drop(world.consumers.remove(&key.object)),
        penstock_config::Kind::Model => {}
    }
}

fn read_spec(kind: Kind, raw: &Value) -> Result<Spec, serde_json::Error> {
    let raw = raw.clone();
    Ok(match kind {
        Kind::AIProvider => Spec::Provider(serde_json::from_value(raw)?),
        Kind::RoutePolicy => Spec::Route(serde_json::from_value(raw)?),
        Kind::RateLimit => Spec::Limit(serde_json::from_value(raw)?),
        Kind::Consumer => Spec::Consumer(serde_json::from_value(raw)?),
    })
}

/// Refused means closed: a RoutePolicy that can't be read keeps its names, as far as they can be.
fn names_of(kind: Kind, raw: &Value, problem: &str) -> Spec {
    let reduced =
        json!({"models": raw.get("models"), "gateway": raw.get("gateway").unwrap_or(&json!(DEFAULT_GATEWAY))});
    match (kind, serde_json::from_value(reduced)) {
        (Kind::RoutePolicy, Ok(spec)) => Spec::Names(spec, problem.to_owned()),
        _ => Spec::None,
    }
}

fn references(namespace: &str, spec: &Spec) -> Vec<(ObjectRef, String)> {
    let named = |reference: &SecretKeyRef| (ObjectRef::new(namespace, &reference.name), reference.key.clone());
    match spec {
        Spec::Provider(spec) => spec.credentials.iter().map(|credential| named(&credential.secret_ref)).collect(),
        Spec::Consumer(spec) => spec.api_keys.iter().map(|key| named(&key.secret_ref)).collect(),
        Spec::Route(_) | Spec::Limit(_) | Spec::Names(..) | Spec::None => Vec::new(),
    }
}
