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
