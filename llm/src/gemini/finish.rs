use crate::neutral::Finish;

/// What a `finishReason` means, by itself (ai.google.dev, api/generate-content, FinishReason).
fn read(word: &str) -> Finish {
    match word {
        "STOP" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
        // The client is to ask again with the token that came along.
        "CONTINUATION" => Finish::Pause,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => Finish::ContentFilter,
        "MALFORMED_FUNCTION_CALL"
        | "MALFORMED_RESPONSE"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE"
        | "NO_IMAGE"
        | "IMAGE_OTHER" => Finish::Failed,
        _ => Finish::Unknown,
    }
}

/// Gemini's word. It has none for calls and none for a pause.
pub(super) fn word(finish: Finish, refused: bool) -> &'static str {
    match finish {
        Finish::Stop | Finish::Failed | Finish::Unknown if refused => "SAFETY",
        Finish::Stop | Finish::ToolCalls | Finish::Pause | Finish::Failed | Finish::Unknown => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::ContentFilter => "SAFETY",
    }
}

/// What it means after all that was said: a stop with a call wants the call answered, and one without a word is a
/// failure that another try often heals.
pub(super) fn of(word: &str, calls: bool, spoken: bool) -> Finish {
    match read(word) {
        Finish::Stop if calls => Finish::ToolCalls,
        Finish::Stop | Finish::Unknown if !spoken && !calls => Finish::Failed,
        finish => finish,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finish_reasons_always_map_into_gemini_s_enum() {
        let rows = [
            (Finish::Stop, false, "STOP"),
            (Finish::Stop, true, "SAFETY"),
            (Finish::Length, true, "MAX_TOKENS"),
            (Finish::ToolCalls, false, "STOP"),
            (Finish::ContentFilter, false, "SAFETY"),
            (Finish::Pause, false, "STOP"),
            (Finish::Unknown, false, "STOP"),
            (Finish::Failed, false, "STOP"),
        ];
        for (finish, refused, expected) in rows {
            assert_eq!(word(finish, refused), expected, "{finish:?}");
        }
    }
}
