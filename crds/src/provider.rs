//! `AIProvider`: a provider, its models and its keys.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::AIProviderStatus;
use crate::duration::Duration;
use crate::meta::{LabelSelector, MODEL_NAME, SecretKeyRef, default_gateway, gateway};
use crate::money::Usd;
use crate::rules;

/// What is wanted.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::AI_PROVIDER)))]
#[kube(
    group = "penstock.dev",
    version = "v1alpha1",
    kind = "AIProvider",
    plural = "aiproviders",
    shortname = "aip",
    category = "penstock",
    namespaced,
    status = "AIProviderStatus",
    derive = "PartialEq",
    doc = "An AIProvider is a provider of models: where it is, which keys open it, and which of its models are offered."
)]
pub struct AIProviderSpec {
    /// The installation of Penstock that this object belongs to.
    #[serde(default = "default_gateway")]
    #[schemars(schema_with = "gateway")]
    pub gateway: String,
    /// Whose API the provider speaks.
    #[serde(rename = "type")]
    pub type_: ProviderType,
    /// A known provider among the OpenAI-compatible ones: sets its base URL and what is different about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// Settings of Azure OpenAI. Required with type AzureOpenAI, and only allowed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<Azure>,
    /// Where the API is, up to and without the path of an operation. Defaults to the provider's own address by type or
    /// preset.
    #[serde(default, rename = "baseURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub base_url: Option<String>,
    /// The keys that open the provider, in order: the first that works is used. Give the old and the new one while
    /// a key is being rotated. Leave it out for a provider that asks for none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub credentials: Vec<Credential>,
    /// The models that the provider serves. Each is reachable by its name as soon as it is listed here, and targets of
    /// routes may name no others. Leave it out to reach the provider through routes alone, by any model's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub models: Vec<Model>,
    /// Order among providers that list the same model: lower is asked first, equal ones share.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 1000))]
    pub priority: u32,
    /// How long to wait for this provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
    /// When to ask this provider again before going elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<Retries>,
    /// How many requests one proxy pod has in flight to this provider at most. Past it a request goes to another target,
    /// or waits for its turn up to 1 s. Defaults to no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_concurrent_requests: Option<u32>,
    /// Whose RoutePolicies may use this provider.
    #[serde(default)]
    pub allowed_routes: AllowedRoutes,
}

/// Whose API a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ProviderType {
    OpenAI,
    Anthropic,
    Gemini,
    Mistral,
    Ollama,
    AzureOpenAI,
    Bedrock,
    VertexAI,
    OpenAICompatible,
}

/// A known provider that speaks OpenAI's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Preset {
    Groq,
    DeepSeek,
    Together,
    Fireworks,
    XAI,
    OpenRouter,
    VLLM,
    LlamaCpp,
}

/// Settings of Azure OpenAI.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Azure {
    /// The version of Azure's API, sent as `api-version`. Defaults to the versionless `/openai/v1` API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?$"), length(max = 18))]
    pub api_version: Option<String>,
}

/// A key that opens a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// The Secret, in the AIProvider's own namespace, and the key in it that hold the provider's API key.
    pub secret_ref: SecretKeyRef,
}

/// A model that a provider serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// The name that clients and routes use.
    #[schemars(length(min = 1, max = 253), regex(pattern = MODEL_NAME))]
    pub name: String,
    /// The provider's own name for the model (on Azure, the deployment). Defaults to `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = MODEL_NAME))]
    pub upstream_name: Option<String>,
    /// Whether clients can ask for the model by its name. When false, only routes can use it.
    #[serde(default = "yes")]
    pub exposed: bool,
    /// What the model costs. Defaults to the built-in price table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pricing: Option<Pricing>,
}

/// Prices in US dollars per million tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pricing {
    /// Price of a million prompt tokens.
    pub input: Usd,
    /// Price of a million answer tokens.
    pub output: Usd,
    /// Price of a million prompt tokens that the provider had in its cache. Defaults to `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<Usd>,
}

/// How long to wait. What is left out falls back from the route to the provider to the built-in value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::TIMEOUTS)))]
pub struct Timeouts {
    /// For a connection, TLS included. Defaults to 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<Duration>,
    /// For the first content of a stream, before the next target is tried. Defaults to 10s, and to 60s for requests
    /// that reason and for Ollama.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token: Option<Duration>,
    /// For an answer that is not streamed, before the next target is tried. Defaults to 120s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Duration>,
    /// For the next bytes of a stream that has begun. Defaults to 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<Duration>,
    /// For the whole request, all targets and retries together. Defaults to 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Duration>,
}

/// When the same target is asked again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retries {
    /// How often it is asked again after the first attempt. Defaults to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub attempts: Option<u32>,
    /// The longest Retry-After that is waited for; a longer one goes to the next target. Defaults to 2s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_up_to: Option<Duration>,
}

/// Whose RoutePolicies may use a provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowedRoutes {
    /// The namespaces from which RoutePolicies may use this provider.
    #[serde(default)]
    pub namespaces: RouteNamespaces,
}

/// The namespaces from which RoutePolicies may use a provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::ROUTE_NAMESPACES)))]
pub struct RouteNamespaces {
    /// Same: the provider's own namespace. All: every namespace. Selector: those that `selector` chooses.
    #[serde(default)]
    pub from: RoutesFrom,
    /// Labels of the namespaces that are meant. Required with `from: Selector`, and only allowed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// Which namespaces are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RoutesFrom {
    #[default]
    Same,
    All,
    Selector,
}

const fn one() -> u32 {
    1
}

const fn yes() -> bool {
    true
}
