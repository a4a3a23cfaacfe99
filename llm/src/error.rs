use std::borrow::Cow;

use crate::json::{self, Fault};

/// What can be wrong with bytes that a client or a provider sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The client's request is malformed: a 400 that names the place.
    #[error("{message}")]
    BadRequest {
        /// A sentence for the client.
        message: String,
        /// The path of the place, such as `messages[3].tool_call_id`; empty means the whole body.
        param: String,
        /// Byte offset into the request body, where there is one.
        offset: Option<usize>,
    },
    /// The target's dialect or model has no way to say what the request means: the target is skipped, and a 422
    /// names the field when none is left.
    #[error("{field}: {reason}")]
    Unsupported {
        /// The request field, as a path.
        field: Cow<'static, str>,
        /// Why not, for the client.
        reason: Cow<'static, str>,
    },
    /// A provider's answer, or one event of it, does not parse.
    #[error("unreadable answer: {0}")]
    Unreadable(String),
    /// One event of a stream is larger than any real one.
    #[error("an event of the stream is larger than {limit} bytes")]
    EventTooLarge {
        /// The bound, in bytes.
        limit: usize,
    },
}

impl Error {
    /// A 400 that names a field of the request.
    pub fn bad_request(param: impl Into<String>, message: impl AsRef<str>) -> Self {
        // Not every dialect has a member for the place.
        let param = param.into();
        Self::BadRequest { message: format!("{param}: {}", message.as_ref()), param, offset: None }
    }

    /// The HTTP status for a client when nothing else is left to try.
    pub fn status(&self) -> u16 {
        match self {
            Self::BadRequest { .. } => 400,
            Self::Unsupported { .. } => 422,
            Self::Unreadable(_) | Self::EventTooLarge { .. } => 502,
        }
    }

    /// A stable word for logs, metrics and the client's `code`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadRequest { .. } => "invalid_request",
            Self::Unsupported { .. } => "unsupported_parameter",
            Self::Unreadable(_) => "unreadable_answer",
            Self::EventTooLarge { .. } => "event_too_large",
        }
    }

    /// The request field at fault, if it is the request's fault and the field is known.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::BadRequest { param, .. } if !param.is_empty() => Some(param),
            Self::Unsupported { field, .. } => Some(field),
            _ => None,
        }
    }

    pub(crate) fn in_request(body: &[u8], fault: &Fault) -> Self {
        let param = json::path_at(body, fault.at);
        if fault.unknown {
            return Self::Unsupported { field: param.into(), reason: fault.what.clone() };
        }
        let place = if param.is_empty() { String::new() } else { format!("{param}: ") };
        Self::BadRequest {
            message: format!("{place}{} (at byte {})", fault.what, fault.at),
            param,
            offset: Some(fault.at),
        }
    }

    pub(crate) fn in_answer(body: &[u8], fault: &Fault) -> Self {
        let path = json::path_at(body, fault.at);
        let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
        Self::Unreadable(format!("{place}{} (at byte {})", fault.what, fault.at))
    }
}
