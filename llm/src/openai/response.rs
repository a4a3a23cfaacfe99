use std::convert::Infallible;

use super::{annotations, finish, usage};
use crate::Dialect;
use crate::json::Writer;
use crate::neutral::{Choice, Extra, Part, Raw, Response};

/// Writes a whole chat completion. `now` stands in where the provider does not say when it was made.
pub(crate) fn emit_response(response: &Response<'_>, now: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let Ok(()) = Writer::new(&mut out).object(|w| {
        w.key("id").string(&response.id);
        w.key("object").string("chat.completion");
        w.key("created").unsigned(response.created.unwrap_or(now));
        w.key("model").string(&response.model);
        w.key("choices").array(|w| response.choices.iter().try_for_each(|it| choice(w, it, own(response))))?;
        match response.raw_usage.filter(|_| own(response)) {
            Some(raw) => w.key("usage").raw(raw.0),
            None if response.usage.is_reported() => {
                w.key("usage");
                usage::write(w, &response.usage, None)?;
            }
            None => {}
        }
        extra(w, if own(response) { &response.extra } else { &[] }, "");
        Ok::<(), Infallible>(())
    });
    out
}

/// What the neutral form has no place for is said again in its own dialect only.
fn own(response: &Response<'_>) -> bool {
    response.origin == Dialect::OpenAI
}

fn choice(w: &mut Writer<'_>, choice: &Choice<'_>, own: bool) -> Result<(), Infallible> {
    let others = if own { &choice.extra[..] } else { &[] };
    w.object(|w| {
        w.key("index").unsigned(choice.index.into());
        w.key("message").object(|w| {
            message(w, &choice.parts)?;
            extra(w, others, MESSAGE);
            Ok::<(), Infallible>(())
        })?;
        if !others.iter().any(|extra| extra.name == "logprobs") {
            w.key("logprobs").raw("null");
        }
        w.key("finish_reason").string(finish::word(choice.finish));
        extra(w, others, "");
        Ok(())
    })
}

/// Members of a message stand among those of its choice under this path.
const MESSAGE: &str = "message.";

fn extra(w: &mut Writer<'_>, all: &[Extra<'_>], within: &str) {
    for extra in all {
        let path = if extra.name.starts_with(MESSAGE) { MESSAGE } else { "" };
        if path == within {
            w.any_key(&extra.name[path.len()..]).raw(extra.value.0);
        }
    }
}

/// Several texts are one content; thinking goes into fields of its own, with what is needed to send it back.
fn message(w: &mut Writer<'_>, parts: &[Part<'_>]) -> Result<(), Infallible> {
    w.key("role").string("assistant");
    joined(w, "content", parts, |part| if let Part::Text { text, .. } = part { Some(text) } else { None }, true);
    joined(w, "refusal", parts, |part| if let Part::Refusal(text) = part { Some(text) } else { None }, true);
    annotations::write(w, parts)?;
    let thought = |part: &Part<'_>| matches!(part, Part::Reasoning { .. } | Part::RedactedReasoning(_));
    if parts.iter().any(thought) {
        joined(
            w,
            "reasoning_content",
            parts,
            |part| if let Part::Reasoning { text, .. } = part { Some(text) } else { None },
            false,
        );
    }
    // Blocks say what the text alone does not: what proves it.
    if parts.iter().any(|part| thought(part) && !matches!(part, Part::Reasoning { signature: None, .. })) {
        w.key("thinking_blocks").array(|w| parts.iter().try_for_each(|part| thinking_block(w, part)))?;
    }
    let called = |part: &Part<'_>| matches!(part, Part::ToolCall(_)) || custom_call(part).is_some();
    if parts.iter().any(called) {
        w.key("tool_calls").array(|w| {
            parts.iter().try_for_each(|part| match custom_call(part) {
                Some(call) => {
                    w.raw(call.0);
                    Ok(())
                }
                None => tool_call(w, part),
            })
        })?;
    }
    Ok(())
}

/// A call of a tool that is no function, as OpenAI's dialect has them.
fn custom_call<'a>(part: &Part<'a>) -> Option<Raw<'a>> {
    match part {
        Part::Unknown { origin: Dialect::OpenAI, is_call: true, value, .. } => Some(*value),
        _ => None,
    }
}

fn joined<'p>(
    w: &mut Writer<'_>,
    key: &'static str,
    parts: &'p [Part<'_>],
    pick: impl Fn(&'p Part<'_>) -> Option<&'p std::borrow::Cow<'p, str>>,
    nullable: bool,
) {
    let mut texts = parts.iter().filter_map(pick);
    match (texts.next(), texts.next()) {
        (None, _) if nullable => w.key(key).raw("null"),
        (None, _) => {}
        (Some(only), None) => w.key(key).string(only),
        (Some(first), Some(second)) => {
            let mut all = format!("{first}{second}");
            texts.for_each(|text| all.push_str(text));
            w.key(key).string(&all);
        }
    }
}

/// A thinking block, if the part is one; also how a request carries it.
pub(super) fn thinking_block(w: &mut Writer<'_>, part: &Part<'_>) -> Result<(), Infallible> {
    match part {
        Part::Reasoning { text, signature } => w.object(|w| {
            w.key("type").string("thinking");
            w.key("thinking").string(text);
            if let Some(signature) = signature {
                w.key("signature").string(signature);
            }
            Ok(())
        }),
        Part::RedactedReasoning(data) => w.object(|w| {
            w.key("type").string("redacted_thinking");
            w.key("data").string(data);
            Ok(())
        }),
        _ => Ok(()),
    }
}

/// A tool call, if the part is one; also how a request carries it.
pub(super) fn tool_call(w: &mut Writer<'_>, part: &Part<'_>) -> Result<(), Infallible> {
    let Part::ToolCall(call) = part else { return Ok(()) };
    w.object(|w| {
        w.key("id").string(&call.id);
        w.key("type").string("function");
        w.key("function").object(|w| {
            w.key("name").string(&call.name);
            w.key("arguments").string(&call.arguments);
            Ok::<(), Infallible>(())
        })?;
        if let Some(cache) = call.cache {
            w.key("cache_control").raw(cache.0);
        }
        call.extra.iter().for_each(|extra| w.any_key(&extra.name).raw(extra.value.0));
        Ok(())
    })
}
