//! `Consumer`: who may call.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Status;
use crate::meta::{DNS_LABEL, DNS_SUBDOMAIN, SecretKeyRef, default_gateway, gateway, model_names};
use crate::money::Usd;
use crate::rules;

/// What is wanted.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::CONSUMER)))]
#[kube(
    group = "penstock.dev",
    version = "v1alpha1",
    kind = "Consumer",
    plural = "consumers",
    shortname = "con",
    category = "penstock",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    doc = "A Consumer is someone who may call: how they prove who they are, which models they may use, and how much they may spend."
)]
pub struct ConsumerSpec {
    /// The installation of Penstock that this object belongs to.
    #[serde(default = "default_gateway")]
    #[schemars(schema_with = "gateway")]
    pub gateway: String,
    /// Keys that the consumer may send, of at least 20 characters each. Give the old and the new one while a key is
    /// being rotated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub api_keys: Vec<ApiKey>,
    /// Tokens of an identity provider that count as this consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Jwt>,
    /// ServiceAccounts of the cluster whose tokens count as this consumer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["namespace", "name"]))]
    pub service_accounts: Vec<ServiceAccountRef>,
    /// Where the name of the user comes from, on whose behalf the consumer calls.
    #[serde(default)]
    pub user_from: UserFrom,
    /// The models that the consumer may ask for. Defaults to all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "model_names")]
    pub models: Vec<String>,
    /// How much the consumer may spend. Defaults to no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

/// A key that a consumer may send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// The Secret, in the Consumer's own namespace, and the key in it that hold the consumer's API key.
    pub secret_ref: SecretKeyRef,
}

/// Tokens of an identity provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::JWT)))]
pub struct Jwt {
    /// What the token's `iss` must say.
    #[schemars(length(min = 1, max = 2048))]
    pub issuer: String,
    /// What the token's `aud` must hold, one of them at least.
    #[schemars(schema_with = "words")]
    pub audiences: Vec<String>,
    /// Where the issuer publishes its keys. http:// only on addresses that are permitted by hand.
    #[serde(rename = "jwksURL")]
    #[schemars(length(min = 1, max = 2048))]
    pub jwks_url: String,
    /// Claims that the token must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub claims: Vec<ClaimMatch>,
}

/// A claim that a token must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimMatch {
    /// Name of the claim.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// The claim's value must be one of these, or a list that holds one of them.
    #[schemars(schema_with = "words")]
    pub values: Vec<String>,
}

/// A ServiceAccount of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountRef {
    /// Namespace of the ServiceAccount.
    #[schemars(length(min = 1, max = 63), regex(pattern = DNS_LABEL))]
    pub namespace: String,
    /// Name of the ServiceAccount.
    #[schemars(length(min = 1, max = 253), regex(pattern = DNS_SUBDOMAIN))]
    pub name: String,
}

/// Where the name of the user comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::USER_FROM)))]
pub struct UserFrom {
    /// Header: the request header `header`. Claim: the token's claim `claim`. Body: the user field of the request.
    /// Consumer: the consumer is its own only user.
    #[serde(rename = "type", default)]
    pub type_: UserSource,
    /// Name of the request header. Required with type Header, and only allowed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9-]+$"))]
    pub header: Option<String>,
    /// Name of the claim. Required with type Claim, and only allowed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub claim: Option<String>,
}

/// Where the name of the user is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UserSource {
    Header,
    Claim,
    Body,
    #[default]
    Consumer,
}

/// How much may be spent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// How many US dollars in one period.
    pub limit: Usd,
    /// How many US dollars each of the consumer's users may spend of that. Defaults to no bound of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_limit: Option<Usd>,
    /// The period, which begins at midnight UTC of a day, of a Monday, or of the first of a month.
    pub period: BudgetPeriod,
}

/// The period of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BudgetPeriod {
    Day,
    Week,
    Month,
}

fn words(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 16,
        "x-kubernetes-list-type": "set",
        "items": {"type": "string", "minLength": 1, "maxLength": 256},
    })
}
