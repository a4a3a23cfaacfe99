//! `RoutePolicy`: how requests for some models are served.
//!
//! Every field but `models` may be absent, and absent stays absent: a route is its policy over the policy of `*` over
//! built-in values, field by field.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Status;
use crate::duration::Duration;
use crate::meta::{DNS_LABEL, DNS_SUBDOMAIN, MODEL_NAME, MODEL_NAME_OR_ALL, default_gateway, gateway};
use crate::money::Usd;
use crate::provider::Timeouts;
use crate::rules;

/// What is wanted.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::ROUTE_POLICY)))]
#[kube(
    group = "penstock.dev",
    version = "v1alpha1",
    kind = "RoutePolicy",
    plural = "routepolicies",
    shortname = "rp",
    category = "penstock",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    doc = "A RoutePolicy says how requests for some models are served: by which targets, with which fallback, cache and middleware."
)]
pub struct RoutePolicySpec {
    /// The installation of Penstock that this object belongs to. Defaults to `default`.
    #[serde(default = "default_gateway")]
    #[schemars(schema_with = "gateway")]
    pub gateway: String,
    /// The names that clients ask for. The one name `*`, without targets, sets the defaults of every model.
    #[schemars(schema_with = "route_models")]
    pub models: Vec<String>,
    /// Who answers: a lower priority first, by weight within one priority. Defaults to the providers that list the
    /// model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub targets: Option<Vec<Target>>,
    /// The kinds of failure after which the next target is tried; an empty list means never. Defaults to RateLimit,
    /// Timeout, ServerError and Auth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 6), extend("x-kubernetes-list-type" = "set"))]
    pub fallback_on: Option<Vec<FallbackOn>>,
    /// How long to wait on this route. Each value takes the place of the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
    /// Whether references to state on the provider's account (files, previous responses, conversations) pass. Needs
    /// exactly one target. Defaults to false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_state: Option<bool>,
    /// How a target is chosen among those of one priority. Defaults to Weighted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<Balance>,
    /// What happens to hints that a target does not know, such as `seed`: they are dropped and named in a header, the
    /// request is rejected, or the target is skipped. Defaults to Drop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_unsupported: Option<OnUnsupported>,
    /// What happens when a stream breaks after its first content: an error in the stream, or the next target continues
    /// the text. Defaults to Error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_stream_break: Option<OnStreamBreak>,
    /// A target whose estimate for the request is above this, in US dollars, is skipped, and so is one whose price is not
    /// known. Defaults to no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost_per_request: Option<Usd>,
    /// How many answer tokens estimates expect; less when the client asks for less. Defaults to 1024.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub expected_output_tokens: Option<u32>,
    /// Keeps answers and gives them again to the same question of the same consumer. Defaults to no cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
    /// What is done to requests and answers on their way, in this order. That of `*` always runs first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub middleware: Option<Vec<Middleware>>,
}

/// A model of a provider that may answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Name of the AIProvider.
    #[schemars(length(min = 1, max = 253), regex(pattern = DNS_SUBDOMAIN))]
    pub provider: String,
    /// Namespace of the AIProvider, which must allow it in `allowedRoutes`. Defaults to the RoutePolicy's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = DNS_LABEL))]
    pub namespace: Option<String>,
    /// The model, as the AIProvider's `models` names it.
    #[schemars(length(min = 1, max = 253), regex(pattern = MODEL_NAME))]
    pub model: String,
    /// Lower is tried first. Defaults to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub priority: Option<u32>,
    /// Share of the requests among the targets of one priority. Defaults to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub weight: Option<u32>,
}

impl Target {
    /// The priority, or its default.
    #[must_use]
    pub fn priority(&self) -> u32 {
        self.priority.unwrap_or(1)
    }

    /// The weight, or its default.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight.unwrap_or(1)
    }
}

/// A kind of failure after which the next target may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum FallbackOn {
    RateLimit,
    Timeout,
    ServerError,
    Auth,
    ContextLength,
    ContentFilter,
}

impl FallbackOn {
    /// Every class.
    pub const ALL: [Self; 6] =
        [Self::RateLimit, Self::Timeout, Self::ServerError, Self::Auth, Self::ContextLength, Self::ContentFilter];

    /// What falls back when a route does not say.
    pub const DEFAULT: [Self; 4] = [Self::RateLimit, Self::Timeout, Self::ServerError, Self::Auth];
}

/// How a target is chosen among those of one priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Balance {
    #[default]
    Weighted,
    LeastLatency,
    LeastBusy,
    LowestCost,
}

/// What happens to hints that a target does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnUnsupported {
    #[default]
    Drop,
    Reject,
    Skip,
}

/// What happens when a stream breaks after its first content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnStreamBreak {
    #[default]
    Error,
    Continue,
}

/// How answers are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::CACHE)))]
pub struct Cache {
    /// How long an answer is kept.
    pub ttl: Duration,
    /// What makes two requests the same: what was asked, that and the model, or the whole request. Defaults to Content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<CacheKey>,
    /// Always, or only for requests that ask for a deterministic answer (temperature 0). Defaults to Always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<CacheWhen>,
}

/// What makes two requests the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CacheKey {
    #[default]
    Content,
    ContentAndModel,
    FullRequest,
}

/// Which requests are cached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CacheWhen {
    #[default]
    Always,
    Deterministic,
}

/// A step that every request and answer of a route goes through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::cel(rules::MIDDLEWARE)))]
pub struct Middleware {
    /// What the step does. Its settings are in the field of the same name.
    #[serde(rename = "type")]
    pub type_: MiddlewareType,
    /// Settings of type PIIScrubber. Required with it, and only allowed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pii_scrubber: Option<PiiScrubber>,
    /// Settings of type PromptInjection. Required with it, and only allowed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_injection: Option<PromptInjection>,
}

/// What a middleware does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MiddlewareType {
    PIIScrubber,
    PromptInjection,
    RequestLogger,
}

/// Replaces personal data in what the provider is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PiiScrubber {
    /// What counts as personal data.
    #[schemars(length(min = 1, max = 8), extend("x-kubernetes-list-type" = "set"))]
    pub entities: Vec<PiiEntity>,
    /// Whether the client finds its own data put back into the answer. Defaults to false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<bool>,
}

/// A kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PiiEntity {
    Email,
    Phone,
    CreditCard,
}

/// Looks for attempts to override the instructions of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptInjection {
    /// What happens to a request in which an attempt is found.
    pub action: InjectionAction,
}

/// What happens to a request in which an injection is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum InjectionAction {
    Reject,
    Log,
}

fn route_models(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 64,
        "x-kubernetes-list-type": "set",
        "items": {"type": "string", "minLength": 1, "maxLength": 253, "pattern": MODEL_NAME_OR_ALL},
    })
}
