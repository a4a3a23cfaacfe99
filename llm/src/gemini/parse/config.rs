use super::Schemas;
use crate::json::{Fault, Members, Reader};
use crate::neutral::{Output, Reasoning, Request, Text};

/// The name of a schema, which other dialects demand and Gemini's does not have.
const SCHEMA_NAME: &str = "answer";

/// Reads `generationConfig`.
pub(super) fn read<'a>(reader: &mut Reader<'a>, request: &mut Request<'a>, schemas: &'a Schemas) -> Result<(), Fault> {
    let mut config = Members::read_camel(reader, 0)?;
    request.max_tokens = config.value("maxOutputTokens", Reader::unsigned)?;
    request.sampling.temperature = config.value("temperature", Reader::number)?;
    request.sampling.top_p = config.value("topP", Reader::number)?;
    request.sampling.top_k = config.value("topK", Reader::number)?.map(whole);
    request.n = config.value("candidateCount", Reader::unsigned)?;
    if let Some(sequences) = config.take("stopSequences") {
        sequences.each(|reader, _| {
            request.stop.push(reader.string()?);
            Ok(())
        })?;
    }
    request.output = output(&mut config, request, schemas)?;
    if let Some(thinking) = config.take("thinkingConfig") {
        request.reasoning = self::thinking(thinking.camel_members()?, request)?;
    }
    request.extra.extend(config.rest_in("generationConfig"));
    Ok(())
}

/// Google's SDKs send a count as `40.0`, which others refuse.
fn whole(number: &str) -> &str {
    match number.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') => whole,
        _ => number,
    }
}

fn output<'a>(
    config: &mut Members<'a>,
    request: &mut Request<'a>,
    schemas: &'a Schemas,
) -> Result<Option<Output<'a>>, Fault> {
    let kept = config.raw_extra("generationConfig", "responseSchema");
    request.extra.extend(kept);
    let json_schema = config.raw("responseJsonSchema").or_else(|| config.raw("_responseJsonSchema"));
    let older = config.take("responseSchema").map(|schema| (schema.at, schema.raw()));
    let schema = json_schema.or_else(|| older.map(|(at, schema)| schemas.at(at).unwrap_or(schema)));
    let Some(form) = config.take("responseMimeType") else { return Ok(None) };
    let at = form.at;
    Ok(Some(match (&*form.string()?, schema) {
        ("text/plain" | "", _) => Output::Text,
        ("application/json", None) => Output::JsonObject,
        ("application/json", schema) => {
            Output::JsonSchema { name: SCHEMA_NAME.into(), description: None, schema, strict: None }
        }
        (other, _) => return Err(Fault::unknown(at, format!("the form {other:?} is not known"))),
    }))
}

/// A budget of 0 is none, one of -1 as much as it takes (ai.google.dev, gemini-api/docs/thinking). Whoever wants to see
/// thoughts wants the model to think.
fn thinking<'a>(mut config: Members<'a>, request: &mut Request<'a>) -> Result<Option<Reasoning<'a>>, Fault> {
    let level = config.string("thinkingLevel")?.filter(|level| level != "THINKING_LEVEL_UNSPECIFIED");
    let budget = config.value("thinkingBudget", |reader| {
        let at = reader.at();
        reader.number()?.parse::<i64>().map_err(|_| Fault::new(at, "expected an integer"))
    })?;
    request.extra.extend(config.raw_extra("generationConfig.thinkingConfig", "includeThoughts"));
    let shown = config.bool("includeThoughts")?.unwrap_or(false);
    request.extra.extend(config.rest_in("generationConfig.thinkingConfig"));
    Ok(match (level, budget) {
        (Some(level), _) => Some(Reasoning::Effort(Text::Owned(level.to_ascii_lowercase()))),
        (None, Some(0)) => Some(Reasoning::Off),
        (None, Some(tokens)) => Some(u64::try_from(tokens).map_or(Reasoning::Adaptive, Reasoning::Budget)),
        (None, None) => shown.then_some(Reasoning::Adaptive),
    })
}
