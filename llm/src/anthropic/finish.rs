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

/// Anthropic's word. Some servers say `stop` after a call that was forced, or after a refusal in words; Anthropic's
/// clients go by the reason alone.
pub(super) fn word(finish: Finish, sequence: bool, calls: bool, refused: bool) -> &'static str {
    match finish {
        Finish::Stop | Finish::Failed | Finish::Unknown if calls => "tool_use",
        Finish::Stop | Finish::Failed | Finish::Unknown if refused => "refusal",
        Finish::Stop if sequence => "stop_sequence",
        Finish::Stop | Finish::Failed | Finish::Unknown => "end_turn",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter => "refusal",
        Finish::Pause => "pause_turn",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finish_reason_maps_into_anthropic_s_enum() {
        let rows = [
            (Finish::Stop, false, false, "end_turn"),
            (Finish::Stop, true, false, "tool_use"),
            (Finish::Stop, false, true, "refusal"),
            (Finish::Unknown, false, false, "end_turn"),
            (Finish::Failed, false, false, "end_turn"),
            (Finish::Length, true, false, "max_tokens"),
            (Finish::ToolCalls, true, false, "tool_use"),
            (Finish::ContentFilter, false, false, "refusal"),
            (Finish::Pause, false, false, "pause_turn"),
        ];
        for (finish, calls, refused, expected) in rows {
            assert_eq!(word(finish, false, calls, refused), expected, "{finish:?}");
        }
        assert_eq!(word(Finish::Stop, true, false, false), "stop_sequence");
    }
}
