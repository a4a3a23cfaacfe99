//! Names of objects.

use std::{cmp::Ordering, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What kind of object a snapshot entry came from. Ordered by name, so that versions which know more kinds or fewer
/// hash the same entries in the same order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    AIProvider,
    /// Who signs the tokens of ServiceAccounts; made by `compile`, in no API server.
    Cluster,
    Consumer,
    /// A model name that providers list and no RoutePolicy claims; made by `compile`, in no API server.
    Model,
    RateLimit,
    RoutePolicy,
    /// One of another version: its entries can't be built, and are no reason to refuse the others.
    Other(Arc<str>),
}

impl Kind {
    /// The kind's name as in `kind:` of a manifest.
    pub fn as_str(&self) -> &str {
        match self {
            Kind::AIProvider => "AIProvider",
            Kind::Cluster => "Cluster",
            Kind::Consumer => "Consumer",
            Kind::Model => "Model",
            Kind::RateLimit => "RateLimit",
            Kind::RoutePolicy => "RoutePolicy",
            Kind::Other(name) => name,
        }
    }
}

impl From<&str> for Kind {
    fn from(name: &str) -> Self {
        match name {
            "AIProvider" => Kind::AIProvider,
            "Cluster" => Kind::Cluster,
            "Consumer" => Kind::Consumer,
            "Model" => Kind::Model,
            "RateLimit" => Kind::RateLimit,
            "RoutePolicy" => Kind::RoutePolicy,
            other => Kind::Other(other.into()),
        }
    }
}

impl Kind {
    /// The place among the known kinds, which stand in the order of their names.
    fn rank(&self) -> Option<u8> {
        match self {
            Kind::AIProvider => Some(0),
            Kind::Cluster => Some(1),
            Kind::Consumer => Some(2),
            Kind::Model => Some(3),
            Kind::RateLimit => Some(4),
            Kind::RoutePolicy => Some(5),
            Kind::Other(_) => None,
        }
    }
}

impl Ord for Kind {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.rank(), other.rank()) {
            (Some(one), Some(another)) => one.cmp(&another),
            _ => self.as_str().cmp(other.as_str()),
        }
    }
}

impl PartialOrd for Kind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Kind::from(name.as_str()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_in_the_order_of_their_names_whichever_of_them_a_version_knows() {
        let names = [
            "AIProvider",
            "Budget",
            "Cluster",
            "Cluster2",
            "Consumer",
            "Model",
            "RateLimit",
            "Role",
            "RoutePolicy",
            "Zone",
        ];
        let mut kinds: Vec<Kind> = names.iter().rev().map(|name| Kind::from(*name)).collect();
        kinds.sort();
        assert!(kinds.iter().map(Kind::as_str).eq(names), "{kinds:?}");
    }
}
