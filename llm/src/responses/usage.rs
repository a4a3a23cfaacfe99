use std::convert::Infallible;

use crate::json::{Fault, Reader, Writer};
use crate::neutral::Usage;
use crate::openai;

/// Reads a `usage` object; null is none.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<Usage>, Fault> {
    openai::read_usage(reader, "input_tokens", "output_tokens")
}

/// Writes a `usage` object; null where nothing was reported. The SDK's type demands every member of it.
pub(super) fn write(w: &mut Writer<'_>, usage: &Usage) -> Result<(), Infallible> {
    if !usage.is_reported() {
        w.raw("null");
        return Ok(());
    }
    let Usage { input, output, cached_input, cache_write, reasoning, .. } = *usage;
    w.object(|w| {
        w.key("input_tokens").unsigned(input.unwrap_or(0));
        w.key("input_tokens_details").object(|w| {
            w.key("cached_tokens").unsigned(cached_input.unwrap_or(0));
            w.key("cache_write_tokens").unsigned(cache_write.unwrap_or(0));
            Ok::<(), Infallible>(())
        })?;
        w.key("output_tokens").unsigned(output.unwrap_or(0));
        w.key("output_tokens_details").object(|w| {
            w.key("reasoning_tokens").unsigned(reasoning.unwrap_or(0));
            Ok::<(), Infallible>(())
        })?;
        w.key("total_tokens").unsigned(input.unwrap_or(0).saturating_add(output.unwrap_or(0)));
        Ok(())
    })
}
