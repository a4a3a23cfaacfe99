//! Anthropic's `/v1/messages/count_tokens`.

use crate::count::{self, Count};
use crate::json::{Fault, Reader, Writer};
use crate::translate::Emitted;

/// What of a message request is counted (anthropic on PyPI, `MessageCountTokensParams`). Any other member is a 400.
const COUNTED: [&str; 8] =
    ["model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control"];

/// What of a message request is sent to be counted.
pub(crate) fn counted(emitted: Emitted) -> Emitted {
    let mut body = Vec::with_capacity(emitted.body.len());
    let kept = Writer::new(&mut body).object(|w| {
        Reader::new(&emitted.body)?.object(|reader, key| {
            let (name, value) = (key.decode(), reader.raw()?);
            if COUNTED.contains(&&*name) {
                w.any_key(&name).raw(value);
            }
            Ok::<(), Fault>(())
        })
    });
    kept.expect("what was just written must be an object");
    Emitted { body, ..emitted }
}

/// Reads an answer.
pub(crate) fn parse_answer(body: &[u8]) -> Result<Count, Fault> {
    Count::read(body, "input_tokens", None)
}

pub(crate) fn emit_answer(tokens: u64) -> Vec<u8> {
    count::write("input_tokens", tokens)
}
