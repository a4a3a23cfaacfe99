//! OpenAI chat completions, and what calls itself compatible.

mod observe;
mod reject;

pub(crate) use observe::observe_answer;
pub(crate) use reject::{error_body, error_event};
