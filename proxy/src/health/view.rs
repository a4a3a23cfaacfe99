//! What is known of targets, for people and metrics.

use serde::Serialize;

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
