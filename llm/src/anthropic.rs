//! Anthropic messages.

mod reject;

pub(crate) use reject::{error_body, error_event};
