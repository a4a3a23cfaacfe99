//! `RateLimit`: how much may be asked for.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Status;
use crate::duration::Duration;
use crate::meta::{LabelSelector, default_gateway, gateway, model_names};
use crate::money::Usd;
use crate::rules;

/// What is wanted.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::RATE_LIMIT)))]
#[kube(
    group = "penstock.dev",
    version = "v1alpha1",
    kind = "RateLimit",
    plural = "ratelimits",
    shortname = "rl",
    category = "penstock",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    doc = "A RateLimit says how many requests, tokens or dollars may be used in a window of time, and by whom."
)]
pub struct RateLimitSpec {
    /// The installation of Penstock that this object belongs to.
    #[serde(default = "default_gateway")]
    #[schemars(schema_with = "gateway")]
    pub gateway: String,
    /// The requests that are limited. Defaults to all.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub match_: Option<LimitMatch>,
    /// What gets a bucket of its own: each consumer, each user, each model, each provider, or each combination of the
    /// listed ones. Defaults to one bucket for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), extend("x-kubernetes-list-type" = "set"))]
    pub per: Vec<LimitScope>,
    /// How many requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Rate>,
    /// How many tokens, prompt and answer together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Rate>,
    /// How many US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostRate>,
    /// What happens while the shared store of the buckets is down: each proxy keeps to its own share, everything
    /// passes, or nothing does.
    #[serde(default)]
    pub on_store_failure: StoreFailure,
}

/// The requests that are limited: those that fit every field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitMatch {
    /// Requests for one of these models. Defaults to every model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "model_names")]
    pub models: Vec<String>,
    /// Requests of Consumers with these labels. Defaults to every Consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumers: Option<LabelSelector>,
}

/// What gets a bucket of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum LimitScope {
    Consumer,
    User,
    Model,
    Provider,
}

/// So many in a window of time, refilled evenly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::RATE)))]
pub struct Rate {
    /// How many in one window.
    #[schemars(range(min = 1, max = 1_000_000_000_000_i64))]
    pub limit: u64,
    /// The window of time.
    pub window: Duration,
    /// How many may be used at once. Defaults to `limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000_000_i64))]
    pub burst: Option<u64>,
}

/// So many dollars in a window of time, refilled evenly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::COST_RATE)))]
pub struct CostRate {
    /// How many US dollars in one window.
    pub limit: Usd,
    /// The window of time.
    pub window: Duration,
}

/// What happens while the shared store is down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StoreFailure {
    #[default]
    Local,
    Allow,
    Deny,
}
