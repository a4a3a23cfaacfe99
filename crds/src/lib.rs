//! Penstock's API: `AIProvider`, `RoutePolicy`, `RateLimit` and `Consumer` as Rust types, and the
//! `CustomResourceDefinition`s made from them.
//!
//! The same types are read from a cluster and from a folder of YAML files, so there is one dialect.

pub mod condition;
pub mod consumer;
pub mod crd;
pub mod duration;
pub mod limit;
pub mod meta;
pub mod money;
pub mod own;
mod path;
pub mod provider;
pub mod read;
pub mod route;
mod rules;
mod shape;
pub mod validation;

pub use condition::{AIProviderStatus, Condition, ConditionType, CredentialStatus, Reason, Status, Truth};
pub use consumer::{
    ApiKey, Budget, BudgetPeriod, ClaimMatch, Consumer, ConsumerSpec, Jwt, ServiceAccountRef, UserFrom, UserSource,
};
pub use duration::Duration;
pub use limit::{CostRate, LimitMatch, LimitScope, Rate, RateLimit, RateLimitSpec, StoreFailure};
pub use meta::{DEFAULT_GATEWAY, GROUP, Kind, LabelSelector, SecretKeyRef, VERSION};
pub use money::Usd;
pub use provider::{
    AIProvider, AIProviderSpec, AllowedRoutes, Azure, Credential, Model, Preset, Pricing, ProviderType, Retries,
    RouteNamespaces, RoutesFrom, Timeouts,
};
pub use route::{
    Balance, Cache, CacheKey, CacheWhen, FallbackOn, InjectionAction, Middleware, MiddlewareType, OnStreamBreak,
    OnUnsupported, PiiEntity, PiiScrubber, PromptInjection, RoutePolicy, RoutePolicySpec, Target,
};
pub use validation::{FieldError, Spec, validate};
