use crate::neutral::Finish;

/// What a `finish_reason` means: OpenAI's words, and those of servers that call themselves compatible.
pub(super) fn read(word: &str) -> Finish {
    match word {
        "stop" | "end_turn" | "eos" | "eos_token" | "stop_sequence" => Finish::Stop,
        "length" | "max_tokens" | "model_length" => Finish::Length,
        "tool_calls" | "function_call" | "tool_use" => Finish::ToolCalls,
        "content_filter" | "refusal" => Finish::ContentFilter,
        "error" | "insufficient_system_resource" | "abort" => Finish::Failed,
        _ => Finish::Unknown,
    }
}

/// OpenAI's word; what has none is a stop.
pub(super) fn word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Pause | Finish::Failed | Finish::Unknown => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finish_reason_maps_into_openai_s_enum_and_an_unknown_one_to_stop() {
        let rows = [
            ("stop", "stop"),
            ("eos_token", "stop"),
            ("length", "length"),
            ("model_length", "length"),
            ("tool_calls", "tool_calls"),
            ("function_call", "tool_calls"),
            ("content_filter", "content_filter"),
            ("bored", "stop"),
        ];
        for (theirs, ours) in rows {
            assert_eq!(word(read(theirs)), ours, "{theirs}");
        }
        assert_eq!(read("bored"), Finish::Unknown);
        for failure in ["error", "insufficient_system_resource"] {
            assert_eq!(read(failure), Finish::Failed);
        }
    }
}
