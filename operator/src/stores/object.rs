//! One object as last seen, read by itself: what can't be read is a verdict on this object, and delays no other.

use std::{collections::BTreeMap, sync::Arc};

use kube::{ResourceExt, api::DynamicObject};
use penstock_config::{Key, Meta, ObjectRef, Resource, World};
use penstock_crds::{
    AIProviderSpec, AIProviderStatus, ConsumerSpec, DEFAULT_GATEWAY, FieldError, Kind, RateLimitSpec, RoutePolicySpec,
    SecretKeyRef, read::stored,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What of an object is kept beside its spec.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) uid: String,
    pub(crate) generation: i64,
    pub(crate) resource_version: String,
    /// An AIProvider's has credentials; the other kinds' is the same without.
    pub(crate) status: AIProviderStatus,
    /// Set where nothing of the spec can be read: why.
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
}

/// An object that was read.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) seen: Seen,
    pub(crate) meta: Meta,
    pub(crate) gateway: String,
    pub(crate) spec: Spec,
    /// What is wrong with the spec; the object is refused where there is something.
    problems: Vec<String>,
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
        let (spec, problems) = read_spec(kind, &raw);
        let mut problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let unreadable = matches!(spec, Spec::None).then(|| {
            problems.push("correct it, or install the CRDs of this version".to_owned());
            problems.join("; ")
        });
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
        (key, Self { seen, meta, gateway, spec, problems })
    }

    /// Puts the object into the world, in place of what it was.
    pub(crate) fn enter(&self, world: &mut World) {
        let name = ObjectRef::new(&self.meta.namespace, &self.meta.name);
        match &self.spec {
            Spec::Provider(spec) => drop(world.providers.insert(name, self.resource(spec))),
            Spec::Route(spec) => drop(world.routes.insert(name, self.resource(spec))),
            Spec::Limit(spec) => drop(world.limits.insert(name, self.resource(spec))),
            Spec::Consumer(spec) => drop(world.consumers.insert(name, self.resource(spec))),
            Spec::None => {}
        }
    }

    fn resource<S: penstock_crds::Spec + Clone>(&self, spec: &S) -> Arc<Resource<S>> {
        let (meta, spec) = (self.meta.clone(), spec.clone());
        if self.problems.is_empty() {
            return Resource::new(meta, spec).into();
        }
        Resource::refused(meta, spec, self.problems.clone()).into()
    }
}

/// Takes an object out of the world.
pub(crate) fn leave(world: &mut World, key: &Key) {
    match key.kind {
        penstock_config::Kind::AIProvider => drop(world.providers.remove(&key.object)),
        penstock_config::Kind::RoutePolicy => drop(world.routes.remove(&key.object)),
        penstock_config::Kind::RateLimit => drop(world.limits.remove(&key.object)),
        penstock_config::Kind::Consumer => drop(world.consumers.remove(&key.object)),
        penstock_config::Kind::Cluster | penstock_config::Kind::Model | penstock_config::Kind::Other(_) => {}
    }
}

/// What can be read, and what is wrong with it.
fn read_spec(kind: Kind, raw: &Value) -> (Spec, Vec<FieldError>) {
    fn read<S>(raw: &Value, spec: fn(Box<S>) -> Spec) -> (Spec, Vec<FieldError>)
    where
        S: penstock_crds::Spec + DeserializeOwned,
    {
        let (read, problems) = stored(raw);
        (read.map_or(Spec::None, |read| spec(Box::new(read))), problems)
    }
    match kind {
        Kind::AIProvider => read(raw, Spec::Provider),
        Kind::RoutePolicy => match read(raw, Spec::Route) {
            (Spec::None, problems) => (names_of(raw), problems),
            route => route,
        },
        Kind::RateLimit => read(raw, Spec::Limit),
        Kind::Consumer => read(raw, Spec::Consumer),
    }
}

/// Refused means closed: a RoutePolicy that can't be read keeps its names, as far as they can be.
fn names_of(raw: &Value) -> Spec {
    let gateway = raw.get("gateway").and_then(Value::as_str).unwrap_or(DEFAULT_GATEWAY);
    serde_json::from_value(json!({"models": raw.get("models"), "gateway": gateway})).map_or(Spec::None, Spec::Route)
}

fn references(namespace: &str, spec: &Spec) -> Vec<(ObjectRef, String)> {
    let named = |reference: &SecretKeyRef| (ObjectRef::new(namespace, &reference.name), reference.key.clone());
    match spec {
        Spec::Provider(spec) => spec.credentials.iter().map(|credential| named(&credential.secret_ref)).collect(),
        Spec::Consumer(spec) => spec.api_keys.iter().map(|key| named(&key.secret_ref)).collect(),
        Spec::Route(_) | Spec::Limit(_) | Spec::None => Vec::new(),
    }
}
