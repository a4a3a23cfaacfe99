//! The client's words for what the emitters of requests name in chat's.

use std::borrow::Cow;

use crate::Error;

/// The member of a Responses request that a member of a chat request came from.
pub(super) fn name(chat: Cow<'static, str>) -> Cow<'static, str> {
    match &*chat {
        "reasoning_effort" | "reasoning" | "thinking" => "reasoning.effort".into(),
        "response_format" => "text.format".into(),
        "verbosity" => "text.verbosity".into(),
        "max_tokens" | "max_completion_tokens" => "max_output_tokens".into(),
        // Items are gathered to messages, so the number of one tells nothing.
        path if path.starts_with("messages") => "input".into(),
        _ => chat,
    }
}

pub(super) fn error(error: Error) -> Error {
    match error {
        Error::Unsupported { field, reason } => Error::Unsupported { field: name(field), reason },
        Error::BadRequest { message, param, offset } => {
            Error::BadRequest { message, param: name(param.into()).into_owned(), offset }
        }
        Error::Unreadable(_) | Error::EventTooLarge { .. } => error,
    }
}
