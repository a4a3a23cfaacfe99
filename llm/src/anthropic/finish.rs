use crate::neutral::Finish;

/// What a `stop_reason` means.
pub(super) fn read(word: &str) -> Finish {
    match word {
        "end_turn" | "stop_sequence" => Finish::Stop,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::ContentFilter,
        "pause_turn" => Finish::Pause,
        _ => Finish::Unknown,
    }
}
