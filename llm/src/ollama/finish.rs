use crate::neutral::Finish;

/// What a `done_reason` means after all that was said. Older servers give none.
pub(super) fn of(word: Option<&str>, calls: bool) -> Finish {
    match word {
        None | Some("stop") if calls => Finish::ToolCalls,
        None | Some("stop") => Finish::Stop,
        Some("length") => Finish::Length,
        // The model was loaded or thrown out, and asked nothing.
        Some("load" | "unload") => Finish::Failed,
        Some(_) => Finish::Unknown,
    }
}
