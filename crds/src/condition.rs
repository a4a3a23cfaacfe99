//! What the operator writes back on objects.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::Kind;

/// What is true of a RoutePolicy, a RateLimit or a Consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// What is true of the object, one entry per type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// What is true of an AIProvider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AIProviderStatus {
    /// What is true of the object, one entry per type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The keys of `spec.credentials`, each in the form that the operator has seen. A Secret has no generation, so this
    /// is where to wait for a rotation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["secret", "key"]))]
    pub credentials: Vec<CredentialStatus>,
}

/// The form of a credential that the operator has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialStatus {
    /// Name of the Secret.
    #[schemars(length(max = 253))]
    pub secret: String,
    /// The key in the Secret.
    #[schemars(length(max = 253))]
    pub key: String,
    /// The resourceVersion of the Secret that was read. Absent while it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub resource_version: Option<String>,
    /// Whether every proxy uses the value of this resourceVersion.
    pub programmed: bool,
}

/// One thing that is true, or not, of an object. The fields are those of Kubernetes' own `Condition`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What is meant, such as Accepted or Programmed.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 64))]
    pub type_: String,
    /// Whether it is so.
    pub status: Truth,
    /// The generation of the object that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// When `status` last changed (RFC 3339).
    #[schemars(extend("format" = "date-time"))]
    pub last_transition_time: String,
    /// Why, as one word for programs.
    #[schemars(length(min = 1, max = 64))]
    pub reason: String,
    /// Why, for people.
    #[schemars(length(max = 4096))]
    pub message: String,
}

/// Whether something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Truth {
    True,
    False,
    Unknown,
}

/// The most characters that a condition's message may have.
pub const MAX_MESSAGE: usize = 4096;

/// What a condition can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// The object says something that Penstock can do.
    Accepted,
    /// What it refers to is there.
    ResolvedRefs,
    /// A part of it was left out. Only there when true.
    PartiallyInvalid,
    /// Every proxy runs it.
    Programmed,
    /// The provider answers.
    Healthy,
    /// What the provider's models cost is known.
    Priced,
    /// Where the limit's buckets are kept.
    Enforced,
}

impl ConditionType {
    /// Every type, in the order in which they are documented.
    pub const ALL: [Self; 7] = [
        Self::Accepted,
        Self::ResolvedRefs,
        Self::PartiallyInvalid,
        Self::Programmed,
        Self::Healthy,
        Self::Priced,
        Self::Enforced,
    ];

    /// The type as a condition says it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::ResolvedRefs => "ResolvedRefs",
            Self::PartiallyInvalid => "PartiallyInvalid",
            Self::Programmed => "Programmed",
            Self::Healthy => "Healthy",
            Self::Priced => "Priced",
            Self::Enforced => "Enforced",
        }
    }

    /// Whether objects of this kind have such a condition.
    #[must_use]
    pub fn applies_to(self, kind: Kind) -> bool {
        match self {
            Self::Accepted | Self::ResolvedRefs | Self::PartiallyInvalid | Self::Programmed => true,
            Self::Healthy | Self::Priced => kind == Kind::AIProvider,
            Self::Enforced => kind == Kind::RateLimit,
        }
    }

    /// The reasons that go with status True.
    #[must_use]
    pub const fn reasons_when_true(self) -> &'static [Reason] {
        match self {
            Self::Accepted => &[Reason::Accepted],
            Self::ResolvedRefs => &[Reason::Resolved],
            Self::PartiallyInvalid => &[Reason::TargetDropped, Reason::NameLost, Reason::CredentialMissing],
            Self::Programmed => &[Reason::Programmed],
            Self::Healthy => &[Reason::Healthy],
            Self::Priced => &[Reason::Priced],
            Self::Enforced => &[Reason::Redis, Reason::Shared, Reason::Local],
        }
    }

    /// The reasons that go with any other status.
    #[must_use]
    pub const fn other_reasons(self) -> &'static [Reason] {
        match self {
            Self::Accepted => &[
                Reason::Invalid,
                Reason::ModelConflict,
                Reason::CallerConflict,
                Reason::NotAllowed,
                Reason::NotSupported,
            ],
            Self::ResolvedRefs => {
                &[Reason::SecretNotFound, Reason::KeyNotFound, Reason::ProviderNotFound, Reason::NotPermitted]
            }
            Self::PartiallyInvalid => &[],
            Self::Programmed => &[Reason::Pending, Reason::Refused, Reason::NoProxies, Reason::Invalid],
            Self::Healthy => &[Reason::CredentialsRejected, Reason::Failing, Reason::CoolingDown],
            Self::Priced => &[Reason::PriceMissing],
            Self::Enforced => &[Reason::StoreDown],
        }
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a condition has its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    Accepted,
    Invalid,
    ModelConflict,
    CallerConflict,
    NotAllowed,
    NotSupported,
    Resolved,
    SecretNotFound,
    KeyNotFound,
    ProviderNotFound,
    NotPermitted,
    TargetDropped,
    NameLost,
    CredentialMissing,
    Programmed,
    Pending,
    Refused,
    NoProxies,
    Healthy,
    CredentialsRejected,
    Failing,
    CoolingDown,
    Priced,
    PriceMissing,
    Redis,
    Shared,
    Local,
    StoreDown,
}

impl Reason {
    /// The reason as a condition says it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Invalid => "Invalid",
            Self::ModelConflict => "ModelConflict",
            Self::CallerConflict => "CallerConflict",
            Self::NotAllowed => "NotAllowed",
            Self::NotSupported => "NotSupported",
            Self::Resolved => "Resolved",
            Self::SecretNotFound => "SecretNotFound",
            Self::KeyNotFound => "KeyNotFound",
            Self::ProviderNotFound => "ProviderNotFound",
            Self::NotPermitted => "NotPermitted",
            Self::TargetDropped => "TargetDropped",
            Self::NameLost => "NameLost",
            Self::CredentialMissing => "CredentialMissing",
            Self::Programmed => "Programmed",
            Self::Pending => "Pending",
            Self::Refused => "Refused",
            Self::NoProxies => "NoProxies",
            Self::Healthy => "Healthy",
            Self::CredentialsRejected => "CredentialsRejected",
            Self::Failing => "Failing",
            Self::CoolingDown => "CoolingDown",
            Self::Priced => "Priced",
            Self::PriceMissing => "PriceMissing",
            Self::Redis => "Redis",
            Self::Shared => "Shared",
            Self::Local => "Local",
            Self::StoreDown => "StoreDown",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
