use std::borrow::Cow;

use crate::Error;

/// An error of translation with the field as a client of Gemini's knows it.
pub(crate) fn own_words(error: Error) -> Error {
    match error {
        Error::Unsupported { field, reason } => Error::Unsupported { field: own(field), reason },
        Error::BadRequest { message, param, offset } if offset.is_none() => {
            Error::BadRequest { message, param: own(param.into()).into_owned(), offset }
        }
        other => other,
    }
}

fn own(field: Cow<'static, str>) -> Cow<'static, str> {
    match &*field {
        "n" => "generationConfig.candidateCount".into(),
        "response_format" => "generationConfig.responseMimeType".into(),
        "tool_choice" => "toolConfig.functionCallingConfig".into(),
        "reasoning_effort" | "thinking" => "generationConfig.thinkingConfig".into(),
        // Messages and contents are not counted alike.
        messages if messages.starts_with("messages") => "contents".into(),
        _ => field,
    }
}
