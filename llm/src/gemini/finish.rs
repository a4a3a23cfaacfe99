use crate::neutral::Finish;

/// What a `finishReason` means, by itself (ai.google.dev, api/generate-content, FinishReason).
fn read(word: &str) -> Finish {
    match word {
        "STOP" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
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

/// What it means after all that was said: a stop with a call wants the call answered, and one without a word is a
/// failure that another try often heals.
pub(super) fn of(word: &str, calls: bool, spoken: bool) -> Finish {
    match read(word) {
        Finish::Stop if calls => Finish::ToolCalls,
        Finish::Stop | Finish::Unknown if !spoken && !calls => Finish::Failed,
        finish => finish,
    }
}
