use std::convert::Infallible;

use crate::json::{Fault, Kind, Reader, Writer};
use crate::neutral::{Terms, Usage};

/// Usage as Anthropic counts it: input apart from what was read from or written to the cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_creation: Option<u64>,
    cache_creation_1h: Option<u64>,
    thinking: Option<u64>,
    terms: Option<Terms>,
}

impl Counts {
    /// Takes over what a `usage` object reports: it is cumulative, so the latest wins per field. Null and what is no
    /// number count as not said.
    pub(super) fn update(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        if reader.peek()? != Kind::Object {
            return reader.skip();
        }
        reader.object(|reader, key| match &*key.decode() {
            "input_tokens" => latest(&mut self.input, reader),
            "output_tokens" => latest(&mut self.output, reader),
            "cache_read_input_tokens" => latest(&mut self.cache_read, reader),
            "cache_creation_input_tokens" => latest(&mut self.cache_creation, reader),
            "cache_creation" => inner(reader, "ephemeral_1h_input_tokens", &mut self.cache_creation_1h),
            "output_tokens_details" => inner(reader, "thinking_tokens", &mut self.thinking),
            name @ ("service_tier" | "inference_geo" | "speed") => self.terms(name, reader),
            _ => reader.skip(),
        })
    }

    /// Each of the three may change the price, and the dearest is what counts.
    fn terms(&mut self, name: &str, reader: &mut Reader<'_>) -> Result<(), Fault> {
        if reader.peek()? != Kind::String {
            return reader.skip();
        }
        let terms = match (name, &*reader.string()?) {
            ("inference_geo", "us") => Terms::InCountry,
            ("inference_geo", _) => Terms::Listed,
            (_, word) => Terms::of_tier(word),
        };
        self.terms = self.terms.max(Some(terms));
        Ok(())
    }

    /// All of the prompt is input in the neutral form.
    pub(super) fn usage(&self) -> Usage {
        let beside = self.cache_read.unwrap_or(0).saturating_add(self.cache_creation.unwrap_or(0));
        Usage {
            input: self.input.map(|input| input.saturating_add(beside)),
            output: self.output,
            cached_input: self.cache_read,
            cache_write: self.cache_creation,
            cache_write_1h: self.cache_creation_1h,
            reasoning: self.thinking,
            terms: self.terms,
            ..Usage::default()
        }
    }
}

/// Writes a `usage` object: input apart from what was read from or written to the cache. The two counts that Anthropic's
/// types demand are 0 until they are known.
pub(super) fn write(w: &mut Writer<'_>, usage: &Usage) -> Result<(), Infallible> {
    let Usage { input, output, cached_input, cache_write, cache_write_1h, reasoning, .. } = *usage;
    let beside = cached_input.unwrap_or(0).saturating_add(cache_write.unwrap_or(0));
    w.object(|w| {
        w.key("input_tokens").unsigned(input.unwrap_or(0).saturating_sub(beside));
        if let Some(written) = cache_write {
            w.key("cache_creation_input_tokens").unsigned(written);
        }
        if let Some(read) = cached_input {
            w.key("cache_read_input_tokens").unsigned(read);
        }
        if let Some(hour) = cache_write_1h {
            w.key("cache_creation").object(|w| {
                let minutes = cache_write.unwrap_or(hour).saturating_sub(hour);
                w.key("ephemeral_5m_input_tokens").unsigned(minutes);
                w.key("ephemeral_1h_input_tokens").unsigned(hour);
                Ok::<(), Infallible>(())
            })?;
        }
        w.key("output_tokens").unsigned(output.unwrap_or(0));
        if let Some(thinking) = reasoning {
            w.key("output_tokens_details").object(|w| {
                w.key("thinking_tokens").unsigned(thinking);
                Ok::<(), Infallible>(())
            })?;
        }
        Ok(())
    })
}

fn latest(field: &mut Option<u64>, reader: &mut Reader<'_>) -> Result<(), Fault> {
    if reader.peek()? != Kind::Number {
        return reader.skip();
    }
    *field = reader.number()?.parse().ok().or(*field);
    Ok(())
}

fn inner(reader: &mut Reader<'_>, name: &str, field: &mut Option<u64>) -> Result<(), Fault> {
    if reader.peek()? != Kind::Object {
        return reader.skip();
    }
    reader.object(|reader, key| if key.decode() == name { latest(field, reader) } else { reader.skip() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompt_tokens_are_input_and_cache_read_and_cache_creation_with_details() {
        let mut counts = Counts::default();
        let start = r#"{"input_tokens":10,"cache_creation_input_tokens":300,"cache_read_input_tokens":2000,"cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":200},"output_tokens":1,"service_tier":"standard"}"#;
        counts.update(&mut Reader::of(start)).expect("must parse");
        let delta = r#"{"output_tokens":50,"input_tokens":null,"output_tokens_details":{"thinking_tokens":30}}"#;
        counts.update(&mut Reader::of(delta)).expect("must parse");
        let expected = Usage {
            input: Some(2310),
            output: Some(50),
            cached_input: Some(2000),
            cache_write: Some(300),
            cache_write_1h: Some(200),
            reasoning: Some(30),
            terms: Some(Terms::Listed),
            ..Usage::default()
        };
        assert_eq!(counts.usage(), expected);
    }

    #[test]
    fn what_changes_the_price_is_read_from_tier_place_and_speed() {
        let rows = [
            (r#"{"service_tier":"standard","inference_geo":"global"}"#, Some(Terms::Listed)),
            (r#"{"inference_geo":"not_available","speed":"standard"}"#, Some(Terms::Listed)),
            (r#"{"inference_geo":"us","service_tier":"standard"}"#, Some(Terms::InCountry)),
            (r#"{"speed":"fast","inference_geo":"us","service_tier":"standard"}"#, Some(Terms::Other)),
            (r#"{"service_tier":"priority"}"#, Some(Terms::Other)),
            (r#"{"service_tier":null,"input_tokens":1}"#, None),
        ];
        for (json, expected) in rows {
            let mut counts = Counts::default();
            counts.update(&mut Reader::of(json)).expect("must parse");
            assert_eq!(counts.usage().terms, expected, "{json}");
        }
    }

    #[test]
    fn the_way_back_subtracts_what_the_cache_read_and_wrote() {
        let json = r#"{"input_tokens":10,"cache_creation_input_tokens":300,"cache_read_input_tokens":2000,"cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":200},"output_tokens":50,"output_tokens_details":{"thinking_tokens":30}}"#;
        let mut counts = Counts::default();
        counts.update(&mut Reader::of(json)).expect("must parse");
        let mut out = Vec::new();
        let Ok(()) = write(&mut Writer::new(&mut out), &counts.usage());
        assert_eq!(String::from_utf8_lossy(&out), json);
    }

    #[test]
    fn usage_that_is_not_known_is_zero_where_anthropic_s_types_demand_a_number() {
        let mut out = Vec::new();
        let Ok(()) = write(&mut Writer::new(&mut out), &Usage::default());
        assert_eq!(String::from_utf8_lossy(&out), r#"{"input_tokens":0,"output_tokens":0}"#);
        let odd = Usage { input: Some(3), cached_input: Some(5), ..Usage::default() };
        out.clear();
        let Ok(()) = write(&mut Writer::new(&mut out), &odd);
        assert_eq!(
            String::from_utf8_lossy(&out),
            r#"{"input_tokens":0,"cache_read_input_tokens":5,"output_tokens":0}"#
        );
    }
}
