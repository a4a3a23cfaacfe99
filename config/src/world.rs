//! Everything that `compile` looks at, as plain data.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use penstock_crds::{AIProviderSpec, ConsumerSpec, RateLimitSpec, RoutePolicySpec, Spec};

use crate::{Hash, ObjectRef, Secret, Settings, object::Cluster};

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
    /// Whether they can be known; true in a new world. Where they can't, such a selector has a verdict.
    pub namespaces_known: bool,
    /// No cluster in a new world.
    pub issuer: ClusterIssuer,
}

/// What is known of who signs the tokens of ServiceAccounts.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ClusterIssuer {
    /// Resources are from a folder.
    #[default]
    NoCluster,
    /// The API server has not said it yet, or does not say it.
    Untold,
    Known(Arc<Cluster>),
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
    name: ObjectRef,
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
            namespaces_known: true,
            issuer: ClusterIssuer::default(),
        }
    }
}

impl World {
    /// The Secrets that objects of this gateway refer to, and which of their keys.
    pub fn secret_references(&self) -> BTreeMap<ObjectRef, BTreeSet<String>> {
        let gateway = &self.settings.gateway;
        let providers = self.providers.values().filter(|provider| provider.spec.gateway == *gateway);
        let credentials = providers.flat_map(|provider| {
            let secrets = provider.spec.credentials.iter().map(|credential| &credential.secret_ref);
            secrets.map(|reference| (&provider.meta.namespace, reference))
        });
        let consumers = self.consumers.values().filter(|consumer| consumer.spec.gateway == *gateway);
        let api_keys = consumers.flat_map(|consumer| {
            let secrets = consumer.spec.api_keys.iter().map(|key| &key.secret_ref);
            secrets.map(|reference| (&consumer.meta.namespace, reference))
        });
        let mut references: BTreeMap<ObjectRef, BTreeSet<String>> = BTreeMap::new();
        for (namespace, reference) in credentials.chain(api_keys) {
            let keys = references.entry(ObjectRef::new(namespace, &reference.name)).or_default();
            keys.insert(reference.key.clone());
        }
        references
    }
}

impl<S: Spec> Resource<S> {
    /// Takes a resource in, and judges it by the rules of its kind.
    pub fn new(meta: Meta, spec: S) -> Self {
        let json = serde_json::to_vec(&spec).expect("a spec must serialise: its maps have string keys");
        let problems = penstock_crds::validate(&spec).iter().map(ToString::to_string).collect();
        let name = ObjectRef::new(&meta.namespace, &meta.name);
        Self { meta, name, problems, digest: Hash::of(&json), spec }
    }

    /// Takes in a resource of which a stricter reader says that it can't be used. It is refused with these problems.
    pub fn refused(meta: Meta, spec: S, problems: Vec<String>) -> Self {
        Self { problems, ..Self::new(meta, spec) }
    }
}

impl Meta {
    /// The namespace `default` stands for an absent one, as in a folder.
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self {
            namespace: metadata.namespace.clone().unwrap_or_else(|| "default".to_owned()),
            name: metadata.name.clone().unwrap_or_default(),
            created: metadata.creation_timestamp.as_ref().map(|time| time.0.as_second()),
            labels: metadata.labels.clone().unwrap_or_default(),
        }
    }
}

impl<S> Resource<S> {
    pub fn object_ref(&self) -> ObjectRef {
        self.name.clone()
    }
}
