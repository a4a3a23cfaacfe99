//! What `compile` says of every object.

use std::collections::BTreeMap;

use penstock_crds::{ConditionType, Reason};

use crate::{Hash, Key};

/// The verdict on every object of the gateway, good ones included. Objects of other gateways have none.
pub type Verdicts = BTreeMap<Key, Verdict>;

/// What became of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Conditions that compile decides, ordered by type. One that is absent does not hold.
    pub findings: Vec<Finding>,
    /// The object serves; false: it was refused, and proxies are told nothing or to refuse it.
    pub live: bool,
    /// Changes with anything that the object makes proxies do: its spec, the Secrets it uses, what it refers to.
    pub form: Hash,
    /// One for each entry of an AIProvider's `spec.credentials`, in order.
    pub credentials: Vec<CredentialState>,
    /// The entries of [`Kind::Model`](crate::Kind::Model) that stand for names which an AIProvider lists, and that of
    /// [`Kind::Cluster`](crate::Kind::Cluster) for a Consumer that needs it. They are in no API server, so what proxies say of
    /// them is said of it.
    pub made: Vec<Key>,
}

/// One condition, without the times that only the status writer knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub condition: ConditionType,
    pub status: bool,
    pub reason: Reason,
    /// For people: names the field and the fix. May be empty when all is well.
    pub message: String,
}

/// What a credential of a provider resolved to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialState {
    pub secret: String,
    pub key: String,
    /// Of the Secret, where it was found.
    pub resource_version: Option<String>,
    /// The value's digest, where there is a usable one.
    pub digest: Option<Hash>,
}

impl Verdict {
    pub fn finding(&self, condition: ConditionType) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.condition == condition)
    }

    /// What a person should look at: whatever is not as it was asked for.
    pub fn complaints(&self) -> impl Iterator<Item = &Finding> {
        // `PartiallyInvalid` is the one condition that is bad when true.
        self.findings.iter().filter(|finding| finding.status == (finding.condition == ConditionType::PartiallyInvalid))
    }
}
