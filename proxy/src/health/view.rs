//! What is known of targets, for people and metrics.

use serde::Serialize;

use super::gate::Why;

/// Why a target was not asked though it was its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skipped {
    CoolingDown,
    BreakerOpen,
    /// Its provider had as many requests as it may.
    Full,
}

impl Skipped {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Skipped::CoolingDown => "cooling_down",
            Skipped::BreakerOpen => "breaker_open",
            Skipped::Full => "full",
        }
    }
}

impl From<Why> for Skipped {
    fn from(why: Why) -> Self {
        match why {
            Why::CoolingDown => Skipped::CoolingDown,
            Why::BreakerOpen => Skipped::BreakerOpen,
        }
    }
}

/// A provider, at one base URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderState {
    /// `namespace/name`.
    pub provider: String,
    /// Requests on their way to any of its models.
    pub in_flight: usize,
    /// Requests that wait until there is room.
    pub queued: usize,
    /// How many may be on their way; none: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_requests: Option<usize>,
}

/// A provider's model.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetState {
    /// `namespace/name`.
    pub provider: String,
    pub model: String,
    /// Requests on their way to it.
    pub in_flight: usize,
    /// By credential; those alone that were used since the process began.
    pub credentials: Vec<GateState>,
}

/// A provider's model with one credential.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GateState {
    /// The beginning of the key's digest; none where the provider wants no key.
    pub fingerprint: Option<String>,
    /// `closed`, `half_open` or `open`.
    pub breaker: &'static str,
    /// Seconds until the breaker lets a probe through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_seconds: Option<f64>,
    /// Seconds for which the provider wants to be left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooling_down_seconds: Option<f64>,
}
