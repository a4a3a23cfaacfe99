//! OpenAI chat completions, and what calls itself compatible.

mod finish;
mod observe;
mod reject;
mod response;
mod stream;
mod usage;

pub(crate) use observe::{chunk, observe_answer};
pub(crate) use reject::{error_body, error_event};
pub(crate) use response::emit_response;
pub(crate) use stream::{DONE, StreamEmitter};
