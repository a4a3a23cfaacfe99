//! Everything that `compile` looks at, as plain data.

use std::{collections::BTreeMap, sync::Arc};

use penstock_crds::{AIProviderSpec, ConsumerSpec, RateLimitSpec, RoutePolicySpec};

use serde::Serialize;

use crate::{Hash, ObjectRef, Secret, Settings};

/// The resources of an installation. Apply what was seen, then compile.
#[derive(Clone)]
pub struct World {
    pub settings: Arc<Settings>,
    pub providers: BTreeMap<ObjectRef, Arc<Resource<AIProviderSpec>>>,
    pub routes: BTreeMap<ObjectRef, Arc<Resource<RoutePolicySpec>>>,
    pub limits: BTreeMap<ObjectRef, Arc<Resource<RateLimitSpec>>>,
    pub consumers: BTreeMap<ObjectRef, Arc<Resource<ConsumerSpec>>>,
    pub secrets: BTreeMap<ObjectRef, SecretState>,
    /// Labels of Namespaces, for `allowedRoutes.namespaces.selector`.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
}

/// What of an object's metadata counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    pub namespace: String,
    pub name: String,
    /// Seconds since 1970. The older of two objects that claim one name wins; none in a folder.
    pub created: Option<i64>,
    pub labels: BTreeMap<String, String>,
}

/// A resource that was read, judged as far as it can be by itself. Judged once, however often it is compiled.
#[derive(Clone, Debug)]
pub struct Resource<S> {
    pub meta: Meta,
    pub spec: S,
    /// What is wrong in it whatever else there is.
    pub(crate) problems: Vec<String>,
    /// Of the spec alone.
    pub(crate) digest: Hash,
}

/// What is known of a Secret that an object refers to. One that is not in the world yet counts as missing.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretState {
    Found {
        resource_version: String,
        /// Only keys that somebody refers to need be here.
        data: BTreeMap<String, Secret>,
    },
    Missing,
    Forbidden,
}

impl World {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            providers: BTreeMap::new(),
            routes: BTreeMap::new(),
            limits: BTreeMap::new(),
            consumers: BTreeMap::new(),
            secrets: BTreeMap::new(),
            namespaces: BTreeMap::new(),
        }
    }
}

/// Constructors: a resource is judged by the rules of its kind when it is taken in.
macro_rules! judged_by_kind {
    ($($spec:ty),*) => {$(
        impl Resource<$spec> {
            pub fn new(meta: Meta, spec: $spec) -> Self {
                Self::judged(meta, spec, Vec::new())
            }
        }
    )*};
}
judged_by_kind!(AIProviderSpec, RoutePolicySpec, RateLimitSpec, ConsumerSpec);

impl<S: Serialize> Resource<S> {
    /// Takes a resource in. `problems` name field and fix, one each; a resource that has any is refused.
    fn judged(meta: Meta, spec: S, problems: Vec<String>) -> Self {
        let json = serde_json::to_vec(&spec).expect("a spec must serialise: its maps have string keys");
        Self { meta, spec, problems, digest: Hash::of(&json) }
    }
}

impl<S> Resource<S> {
    pub fn object_ref(&self) -> ObjectRef {
        ObjectRef::new(&self.meta.namespace, &self.meta.name)
    }
}
