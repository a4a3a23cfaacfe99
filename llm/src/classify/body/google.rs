use std::time::Duration;

use serde_json::Value;

/// The words of google.rpc.Status and its details (google.aip.dev/193), which clients of other dialects do not see.
#[derive(Debug, Default)]
pub(in crate::classify) struct Google {
    /// Such as `RESOURCE_EXHAUSTED`.
    pub(in crate::classify) status: Option<String>,
    /// `ErrorInfo.reason`, such as `API_KEY_INVALID`.
    pub(in crate::classify) reason: Option<String>,
    /// `RetryInfo.retryDelay`.
    pub(in crate::classify) retry_delay: Option<Duration>,
    /// A quota is said to be violated, and whether one of them lasts for a day.
    pub(in crate::classify) quota: Option<Quota>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::classify) enum Quota {
    PerDay,
    Shorter,
}

impl Google {
    pub(super) fn read(error: &Value) -> Self {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let is_name = |word: &String| word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        let mut said = Self { status: text(error, "status").filter(is_name), ..Self::default() };
        for detail in error.get("details").and_then(Value::as_array).into_iter().flatten() {
            match text(detail, "@type").as_deref().and_then(|of_type| of_type.rsplit('.').next()) {
                Some("ErrorInfo") => said.reason = text(detail, "reason"),
                Some("RetryInfo") => said.retry_delay = text(detail, "retryDelay").as_deref().and_then(seconds),
                Some("QuotaFailure") => said.quota = Some(quota(detail)),
                _ => {}
            }
        }
        said
    }
}

/// A duration as protobuf's JSON spells it: `34.074824224s`.
fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
}

fn quota(detail: &Value) -> Quota {
    let violations = detail.get("violations").and_then(Value::as_array).into_iter().flatten();
    let mut ids = violations.filter_map(|violation| violation.get("quotaId")?.as_str());
    if ids.any(|id| id.contains("PerDay")) { Quota::PerDay } else { Quota::Shorter }
}
