//! What a person should know about a folder's resources.

use std::fmt;

use penstock_config::{Finding, Key};
use serde::Serialize;

use super::Place;

/// A document that can't be used, or a condition that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Complaint {
    #[serde(flatten)]
    pub(crate) place: Place,
    /// Such as `RoutePolicy default/chat`.
    pub(crate) object: String,
    /// None where it never became an object.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) condition: Option<Condition>,
    /// Names the field and the fix.
    pub(crate) message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Condition {
    pub(crate) condition: &'static str,
    pub(crate) status: bool,
    pub(crate) reason: &'static str,
}

impl Complaint {
    pub(crate) fn of(key: &Key, place: Place, finding: &Finding) -> Self {
        Self {
            place,
            object: object_name(key),
            condition: Some(Condition {
                condition: finding.condition.as_str(),
                status: finding.status,
                reason: finding.reason.as_str(),
            }),
            message: finding.message.clone(),
        }
    }

    /// One line, with its parts as fields for machines.
    pub(crate) fn log(&self) {
        let Self { place, object, condition, message } = self;
        match condition {
            Some(Condition { condition, status, reason }) => {
                tracing::warn!(%object, file = %place.file, line = place.line, condition, status, reason, "{message}");
            }
            None => tracing::warn!(%object, file = %place.file, line = place.line, "{message}"),
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: ", self.place, self.object)?;
        if let Some(Condition { condition, status, reason }) = &self.condition {
            let status = if *status { "True" } else { "False" };
            write!(f, "{condition}={status} {reason}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// As people say it: `RoutePolicy default/chat`.
pub(crate) fn object_name(key: &Key) -> String {
    format!("{} {}", key.kind, key.object)
}
