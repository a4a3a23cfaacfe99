//! The objects of a snapshot: what the proxy builds. Everything is resolved: defaults, names, references.

use penstock_crds::{
    Balance, BudgetPeriod, FallbackOn, OnStreamBreak, OnUnsupported, Preset, Pricing, ProviderType, StoreFailure,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Hash, Key, Kind, ObjectRef};

/// One object, by kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    Provider(Provider),
    Cluster(Cluster),
    Consumer(Consumer),
    Limit(Limit),
    /// Of a RoutePolicy, or of a model that needs none ([`Kind::Model`]).
    Routes(Routes),
}

/// An upstream and how to reach it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Provider {
    pub r#type: ProviderType,
    /// Which of the known servers it is, among the OpenAI-compatible ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// The version of Azure's API; none: the one without versions, whose base URL ends in `/openai/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Without a trailing slash; paths of the dialect are appended.
    pub base_url: String,
    /// In order of preference. Empty: the provider wants no key.
    pub credentials: Vec<Credential>,
    pub retries: Retries,
    /// How many requests a proxy may have in flight there; none: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent_requests: Option<u32>,
}

/// A key of a provider: which one, and the digest of its present value in the snapshot's secrets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credential {
    /// The Secret's name, in the provider's namespace, and the key in it.
    pub secret: String,
    pub key: String,
    pub digest: Hash,
}

/// Tries on the same target after the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retries {
    pub attempts: u32,
    /// The longest Retry-After that is waited for, in milliseconds.
    pub wait_up_to_ms: u64,
}

/// The routes of one object: a RoutePolicy without targets has one for each of its names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Routes {
    pub routes: Vec<Route>,
}

/// How requests for some names are answered. No name is in two routes of a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// What clients write in `model`, whole (`namespace/name` outside platform namespaces).
    pub names: Vec<String>,
    pub answer: Answer,
}

/// What a route does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Answer {
    Forward(Forward),
    /// The route keeps its names and answers 503 with this text.
    Refuse {
        reason: String,
    },
}

/// The way of a request through its targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Forward {
    /// In order of priority; never empty.
    pub targets: Vec<Target>,
    pub fallback_on: Vec<FallbackOn>,
    pub allow_state: bool,
    pub on_unsupported: OnUnsupported,
    /// Which target of one priority is asked first.
    pub balance: Balance,
    pub on_stream_break: OnStreamBreak,
    /// How many tokens an answer has, for estimates.
    pub expected_output_tokens: u32,
    /// What a target may probably cost to be asked, in picodollars; none: anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost_picodollars: Option<u64>,
}

/// A model of a provider that a route may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    pub provider: ObjectRef,
    /// What the provider calls the model.
    pub model: String,
    /// What it costs, where the provider's object says it; none: as the proxy knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pricing: Option<Pricing>,
    pub priority: u32,
    pub weight: u32,
    pub timeouts: Timeouts,
}

/// The five timeouts of a target, in milliseconds, defaults applied. `faults.md` of the documentation has their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Timeouts {
    pub connect_ms: u64,
    /// Until the first content of a stream.
    pub first_token_ms: u64,
    /// The same where the request reasons.
    pub first_token_reasoning_ms: u64,
    /// Until the answer of a unary request.
    pub answer_ms: u64,
    /// Between two chunks of a stream.
    pub idle_ms: u64,
    /// Over everything, all targets and waits included.
    pub request_ms: u64,
}

/// Who may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Consumer {
    /// SHA-256 of each key.
    pub api_keys: Vec<Hash>,
    /// What it may ask for; empty: everything in its scope.
    pub models: Vec<String>,
    /// The namespace whose names alone it may ask for; none for a platform's Consumer.
    pub only_namespace: Option<String>,
    #[serde(default)]
    pub user_from: UserFrom,
    /// Tokens that count as this Consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Jwt>,
    /// ServiceAccounts whose tokens count as this Consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_accounts: Option<ServiceAccounts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

/// What a Consumer may spend in each period, in picodollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Budget {
    pub limit: u64,
    /// Each of its users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_limit: Option<u64>,
    pub period: BudgetPeriod,
}

/// Callers that the cluster itself vouches for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceAccounts {
    /// What the `sub` of their tokens says. None is in two Consumers of a snapshot.
    pub subjects: Vec<String>,
    /// As [`Jwt::created`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
}

/// Who signs the tokens of the cluster's ServiceAccounts, and for whom they must be. No token can be made of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    pub issuer: String,
    pub audience: String,
    /// Public keys, as in a JWK Set (RFC 7517).
    pub keys: Vec<Value>,
}

/// Tokens of an identity provider: a token must meet all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Jwt {
    pub issuer: String,
    /// The token must be for one of them.
    pub audiences: Vec<String>,
    pub jwks_url: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<ClaimMatch>,
    /// When the Consumer was created, in seconds since 1970; none in a folder. Of two that a token could be, the older is it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
}

/// A claim that is one of these values, or a list that holds one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimMatch {
    pub name: String,
    pub values: Vec<String>,
}

/// Where the name of a Consumer's user is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum UserFrom {
    /// The Consumer is its own only user.
    #[default]
    Consumer,
    /// In the header of this name.
    Header(String),
    /// In the dialect's user field.
    Body,
    /// In the token's claim of this name.
    Claim(String),
}

/// How much may be asked for, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limit {
    /// Names that clients write in `model`, whole; empty: all.
    pub models: Vec<String>,
    /// The Consumers whose requests it binds; none: every caller's.
    pub consumers: Option<Vec<ObjectRef>>,
    /// What has a bucket of its own: each combination of these.
    pub per_consumer: bool,
    pub per_user: bool,
    pub per_model: bool,
    /// Charged for each attempt, by what it takes of the provider.
    #[serde(default)]
    pub per_provider: bool,
    pub requests: Option<Rate>,
    /// Prompt and answer together.
    pub tokens: Option<Rate>,
    /// In picodollars.
    pub cost: Option<Rate>,
    /// While the store that proxies share does not answer.
    #[serde(default)]
    pub on_store_failure: StoreFailure,
}

/// `burst` at once, and `limit` more in each window, evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    pub limit: u64,
    pub window_ms: u64,
    pub burst: u64,
}

impl Object {
    /// Reads the object that stands under `key`. The error is what a proxy reports as its refusal.
    pub fn parse(key: &Key, json: &str) -> Result<Self, serde_json::Error> {
        match &key.kind {
            Kind::AIProvider => serde_json::from_str(json).map(Object::Provider),
            Kind::Cluster => serde_json::from_str(json).map(Object::Cluster),
            Kind::Consumer => serde_json::from_str(json).map(Object::Consumer),
            Kind::RoutePolicy | Kind::Model => serde_json::from_str(json).map(Object::Routes),
            Kind::RateLimit => serde_json::from_str(json).map(Object::Limit),
            kind @ Kind::Other(_) => Err(serde::de::Error::custom(format_args!("this version knows no {kind}"))),
        }
    }
}

impl Serialize for Object {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Object::Provider(provider) => provider.serialize(serializer),
            Object::Cluster(cluster) => cluster.serialize(serializer),
            Object::Consumer(consumer) => consumer.serialize(serializer),
            Object::Limit(limit) => limit.serialize(serializer),
            Object::Routes(routes) => routes.serialize(serializer),
        }
    }
}
