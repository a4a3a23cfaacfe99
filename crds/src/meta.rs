//! What all kinds share.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The API group of all kinds.
pub const GROUP: &str = "penstock.dev";

/// The version of all kinds.
pub const VERSION: &str = "v1alpha1";

/// The installation that an object belongs to when it names none.
pub const DEFAULT_GATEWAY: &str = "default";

/// The kinds that Penstock defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A provider, its models and its keys.
    AIProvider,
    /// How requests for some models are served.
    RoutePolicy,
    /// How much may be asked for.
    RateLimit,
    /// Who may ask.
    Consumer,
}

impl Kind {
    /// Every kind, in the order in which they are documented.
    pub const ALL: [Self; 4] = [Self::AIProvider, Self::RoutePolicy, Self::RateLimit, Self::Consumer];

    /// The kind's name, as `kind:` says it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AIProvider => "AIProvider",
            Self::RoutePolicy => "RoutePolicy",
            Self::RateLimit => "RateLimit",
            Self::Consumer => "Consumer",
        }
    }

    /// The kind's name in URLs and in `kubectl get`.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::AIProvider => "aiproviders",
            Self::RoutePolicy => "routepolicies",
            Self::RateLimit => "ratelimits",
            Self::Consumer => "consumers",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key of a Secret in the object's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = DNS_SUBDOMAIN))]
    pub name: String,
    /// The key in the Secret's data whose value is meant.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// Chooses objects by their labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must all be there with exactly these values. An empty map chooses everything.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "match_labels")]
    pub match_labels: BTreeMap<String, String>,
}

impl LabelSelector {
    /// Whether an object with these labels is chosen.
    #[must_use]
    pub fn matches(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        self.match_labels.iter().all(|(name, value)| labels.and_then(|all| all.get(name)) == Some(value))
    }
}

pub(crate) const DNS_SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
pub(crate) const DNS_LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
pub(crate) const MODEL_NAME: &str = "^[A-Za-z0-9@~][A-Za-z0-9@~._:/+-]*$";
/// A model's name, or `*`.
pub(crate) const MODEL_NAME_OR_ALL: &str = r"^(\*|[A-Za-z0-9@~][A-Za-z0-9@~._:/+-]*)$";

pub(crate) fn default_gateway() -> String {
    DEFAULT_GATEWAY.to_owned()
}

pub(crate) fn gateway(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 63,
        "pattern": DNS_LABEL,
    })
}

fn match_labels(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {"type": "string", "maxLength": 63},
    })
}

/// A bounded list of model names; an item may be `*` when `all` is set.
pub(crate) fn model_names(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "maxItems": 256,
        "x-kubernetes-list-type": "set",
        "items": {"type": "string", "minLength": 1, "maxLength": 253, "pattern": MODEL_NAME},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_wants_every_label_and_an_empty_one_wants_none() {
        let labels = BTreeMap::from([("tier".to_owned(), "free".to_owned()), ("team".to_owned(), "a".to_owned())]);
        let wants = |pairs: &[(&str, &str)]| LabelSelector {
            match_labels: pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        };
        assert!(wants(&[]).matches(None));
        assert!(wants(&[("tier", "free")]).matches(Some(&labels)));
        assert!(!wants(&[("tier", "free"), ("team", "b")]).matches(Some(&labels)));
        assert!(!wants(&[("tier", "free")]).matches(None));
    }
}
