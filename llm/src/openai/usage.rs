use std::convert::Infallible;

use crate::json::{Fault, Kind, Reader, Writer};
use crate::neutral::{Terms, Usage};
use crate::price::Dollars;

/// Reads a `usage` object of chat, completions and embeddings; null is none.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<Usage>, Fault> {
    read_as(reader, "prompt_tokens", "completion_tokens")
}

/// Reads a `usage` object that calls what was read and what was written by these names; null is none. Numbers that are no
/// integers count as not said: accounting never fails an answer.
pub(crate) fn read_as(reader: &mut Reader<'_>, input: &str, output: &str) -> Result<Option<Usage>, Fault> {
    if reader.peek()? != Kind::Object {
        reader.skip()?;
        return Ok(None);
    }
    let mut usage = Usage::default();
    reader.object(|reader, key| {
        let key = key.decode();
        let (name, has_details) = key.strip_suffix("_details").map_or((&*key, false), |name| (name, true));
        match (name, has_details) {
            (name, false) if name == input => usage.input = count(reader)?,
            (name, false) if name == output => usage.output = count(reader)?,
            (name, true) if name == input => details(reader, |reader, key| {
                match key {
                    "cached_tokens" => usage.cached_input = count(reader)?,
                    "cache_write_tokens" => usage.cache_write = count(reader)?,
                    "audio_tokens" => usage.audio_input = count(reader)?,
                    _ => reader.skip()?,
                }
                Ok(())
            })?,
            (name, true) if name == output => details(reader, |reader, key| {
                match key {
                    "reasoning_tokens" => usage.reasoning = count(reader)?,
                    "audio_tokens" => usage.audio_output = count(reader)?,
                    _ => reader.skip()?,
                }
                Ok(())
            })?,
            // DeepSeek's own spelling.
            ("prompt_cache_hit_tokens", false) => usage.cached_input = count(reader)?.or(usage.cached_input),
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    Ok(Some(usage))
}

/// Reads a `service_tier`; null is not said.
pub(crate) fn terms(reader: &mut Reader<'_>) -> Result<Option<Terms>, Fault> {
    if reader.peek()? != Kind::String {
        return reader.skip().map(|()| None);
    }
    reader.string().map(|word| Some(Terms::of_tier(&word)))
}

/// Writes a `usage` object, with details where they are known, and with a cost in picodollars where one is told.
pub(super) fn write(w: &mut Writer<'_>, usage: &Usage, cost: Option<u64>) -> Result<(), Infallible> {
    let Usage { input, output, cached_input, cache_write, reasoning, audio_input, audio_output, .. } = *usage;
    let details = |w: &mut Writer<'_>, key: &'static str, members: &[(&'static str, Option<u64>)]| {
        if members.iter().all(|(_, count)| count.is_none()) {
            return Ok::<(), Infallible>(());
        }
        w.key(key).object(|w| {
            members
                .iter()
                .filter_map(|(key, count)| Some((key, (*count)?)))
                .for_each(|(key, n)| w.key(key).unsigned(n));
            Ok(())
        })
    };
    w.object(|w| {
        w.key("prompt_tokens").unsigned(input.unwrap_or(0));
        w.key("completion_tokens").unsigned(output.unwrap_or(0));
        w.key("total_tokens").unsigned(input.unwrap_or(0).saturating_add(output.unwrap_or(0)));
        details(
            w,
            "prompt_tokens_details",
            &[("cached_tokens", cached_input), ("cache_write_tokens", cache_write), ("audio_tokens", audio_input)],
        )?;
        details(w, "completion_tokens_details", &[("reasoning_tokens", reasoning), ("audio_tokens", audio_output)])?;
        if let Some(cost) = cost {
            w.key("cost").raw(&Dollars(cost).to_string());
        }
        Ok(())
    })
}

/// The members of an object that may be something else.
fn details<'a>(
    reader: &mut Reader<'a>,
    mut member: impl FnMut(&mut Reader<'a>, &str) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if reader.peek()? != Kind::Object {
        return reader.skip();
    }
    reader.object(|reader, key| member(reader, &key.decode()))
}

pub(crate) fn count(reader: &mut Reader<'_>) -> Result<Option<u64>, Fault> {
    if reader.peek()? != Kind::Number {
        reader.skip()?;
        return Ok(None);
    }
    reader.number().map(|number| number.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_with_its_details_is_read_and_written() {
        let json = r#"{"prompt_tokens":20,"completion_tokens":7,"total_tokens":27,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2,"audio_tokens":1},"completion_tokens_details":{"reasoning_tokens":5,"audio_tokens":0}}"#;
        let usage = read(&mut Reader::of(json)).expect("must parse").expect("must be there");
        let mut out = Vec::new();
        let Ok(()) = write(&mut Writer::new(&mut out), &usage, None);
        assert_eq!(String::from_utf8_lossy(&out), json);
    }

    #[test]
    fn usage_that_is_null_or_odd_never_fails_an_answer() {
        assert_eq!(read(&mut Reader::of("null")), Ok(None));
        let odd = r#"{"prompt_tokens":1.5,"completion_tokens":"7","prompt_tokens_details":null,"x":[1]}"#;
        assert_eq!(read(&mut Reader::of(odd)), Ok(Some(Usage::default())));
    }
}
