//! Names of objects.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// What kind of object a snapshot entry came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    AIProvider,
    Consumer,
    /// A model name that providers list and no RoutePolicy claims; made by `compile`, in no API server.
    Model,
    RateLimit,
    RoutePolicy,
}

impl Kind {
    /// The kind's name as in `kind:` of a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::AIProvider => "AIProvider",
            Kind::Consumer => "Consumer",
            Kind::Model => "Model",
            Kind::RateLimit => "RateLimit",
            Kind::RoutePolicy => "RoutePolicy",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A namespaced name: the identity of an object among its kind, always whole. Cheap to clone: every table is keyed by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    pub namespace: Arc<str>,
    pub name: Arc<str>,
}

impl ObjectRef {
    pub fn new(namespace: impl AsRef<str>, name: impl AsRef<str>) -> Self {
        Self { namespace: namespace.as_ref().into(), name: name.as_ref().into() }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The identity of a snapshot entry: kind, namespace and name, ordered in that order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    pub kind: Kind,
    #[serde(flatten)]
    pub object: ObjectRef,
}

impl Key {
    pub fn new(kind: Kind, object: ObjectRef) -> Self {
        Self { kind, object }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.object)
    }
}
