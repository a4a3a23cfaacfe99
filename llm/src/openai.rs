//! OpenAI chat completions, and what calls itself compatible.

mod emit;
mod finish;
mod observe;
#[cfg_attr(not(test), expect(dead_code, reason = "nobody reads these answers into the neutral form yet"))]
mod parse;
mod reject;
mod request;
mod response;
mod stream;
mod usage;

pub(crate) use emit::emit_request;
pub(crate) use observe::{chunk, observe_answer};
#[cfg_attr(not(test), expect(unused_imports, reason = "nobody reads these answers into the neutral form yet"))]
pub(crate) use parse::{StreamParser, parse_response};
pub(crate) use reject::{error_body, error_event};
pub(crate) use request::parse_request;
pub(crate) use response::emit_response;
pub(crate) use stream::{DONE, StreamEmitter};

#[cfg(test)]
mod tests;
