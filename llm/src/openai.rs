//! OpenAI chat completions, and what calls itself compatible.

mod annotations;
mod effort;
pub(crate) mod embeddings;
mod emit;
mod finish;
mod foreign;
pub(crate) mod json_mode;
mod observe;
mod parse;
mod place;
mod reject;
mod request;
mod response;
mod stream;
mod usage;
mod words;

pub(crate) use annotations::{length, page, url_citation};
pub(crate) use effort::of_budget;
pub(crate) use emit::{declarations, emit_request, function, output, stop};
pub(crate) use foreign::{PICTURE, adapt};
pub(crate) use observe::{chunk, is_empty, observe_answer};
pub(crate) use parse::{StreamParser, made_up_id, parse_response, seed, string};
pub(crate) use place::Place;
pub(crate) use reject::{error_body, error_event};
pub(crate) use request::{call_arguments, effort as effort_word, extra, file_source, parse_request, source};
pub(crate) use response::emit_response;
pub(crate) use stream::{DONE, StreamEmitter};
pub(crate) use usage::{count, read_as as read_usage, terms};
pub(crate) use words::Words;

#[cfg(test)]
mod tests;
