//! A request in the neutral form, written as a message request.

mod blocks;
mod plan;
mod schema;
mod tools;
mod turns;

use std::borrow::Cow;

use crate::facts::Sampling;
use crate::json::Writer;
use crate::neutral::{Extra, Part, Request};
use crate::translate::{Dropped, Emitted, Target, is_plain_name, plain_name, rename_tools};
use crate::{Dialect, Error};
use blocks::Blocks;
use plan::{Plan, Thinking};
use turns::Turns;

/// For models whose maximum is not known: all of them write this much.
const SAFE_MAX_TOKENS: u64 = 4096;

/// The bound of `metadata.user_id`, in characters.
const MAX_USER: usize = 256;

/// Writes the request for that target.
///
/// # Errors
/// [`Error::Unsupported`] for what Anthropic has no words for, [`Error::BadRequest`] for a tool result without its
/// call.
pub(crate) fn emit_request(request: &Request<'_>, target: &Target<'_>) -> Result<Emitted, Error> {
    let mut dropped = Dropped::default();
    plan::check(request, &mut dropped)?;
    let max_tokens = max_tokens(request, target);
    let names =
        rename_tools(request, |name| is_plain_name(name, tools::MAX_NAME), |name| plain_name(name, tools::MAX_NAME));
    let turns = Turns::of(request, target.facts.inline_system)?;
    let plan = Plan::of(request, target, max_tokens, &turns, names, &mut dropped)?;

    let mut body = Vec::with_capacity(request.messages.iter().map(|m| m.parts.len() * 256).sum::<usize>() + 2048);
    let mut blocks = Blocks::new(&plan.names, request.origin);
    Writer::new(&mut body).object(|w| {
        w.key("model").string(target.model);
        w.key("max_tokens").unsigned(max_tokens);
        system(w, request, &turns, &plan, &mut blocks)?;
        w.key("messages").array(|w| turns.write(w, &mut blocks, target.facts.prefill))?;
        tools::write(w, request, target, &plan, &mut blocks, &mut dropped)?;
        thinking(w, request, &plan)?;
        sampling(w, request, target, &plan, &mut dropped);
        stop(w, request)?;
        user(w, request, &mut dropped)?;
        if request.stream {
            w.key("stream").bool(true);
        }
        extra(w, request, "");
        Ok::<(), Error>(())
    })?;
    Ok(Emitted { body, dropped: dropped.names(), names: plan.names })
}

/// Anthropic demands a bound: the client's, never above what the model writes, else the model's own.
fn max_tokens(request: &Request<'_>, target: &Target<'_>) -> u64 {
    let most = target.facts.max_output.map(u64::from);
    match (request.max_tokens, most) {
        (Some(wanted), Some(most)) => wanted.min(most),
        (Some(wanted), None) => wanted,
        (None, most) => most.unwrap_or(SAFE_MAX_TOKENS),
    }
}

/// The system and developer messages that lead the conversation.
fn system(
    w: &mut Writer<'_>,
    request: &Request<'_>,
    turns: &Turns<'_, '_>,
    plan: &Plan,
    blocks: &mut Blocks<'_>,
) -> Result<(), Error> {
    let parts = || request.messages.iter().take(turns.leading).flat_map(|message| &message.parts);
    if plan.instruction.is_none() && !parts().any(|part| matches!(part, Part::Text { text, .. } if !is_blank(text))) {
        return Ok(());
    }
    let own = request.origin == Dialect::Anthropic && plan.instruction.is_none();
    if let (true, 1, [Part::Text { text, cache: None, .. }]) = (own, turns.leading, &request.messages[0].parts[..])
        && request.messages[0].plain
    {
        w.key("system").string(text);
        return Ok(());
    }
    w.key("system").array(|w| {
        parts().try_for_each(|part| blocks.write(w, part))?;
        if let Some(instruction) = plan.instruction {
            blocks.text(w, instruction, None, &[]);
        }
        Ok(())
    })
}

fn thinking(w: &mut Writer<'_>, request: &Request<'_>, plan: &Plan) -> Result<(), Error> {
    let typed = |w: &mut Writer<'_>, of_type: &str| {
        w.key("thinking").object(|w| {
            w.key("type").string(of_type);
            extra(w, request, "thinking.");
            Ok::<(), Error>(())
        })
    };
    match plan.thinking {
        Thinking::Unsaid => {}
        Thinking::Off => typed(w, "disabled")?,
        Thinking::Budget(tokens) => w.key("thinking").object(|w| {
            w.key("type").string("enabled");
            w.key("budget_tokens").unsigned(tokens);
            extra(w, request, "thinking.");
            Ok::<(), Error>(())
        })?,
        Thinking::Adaptive => typed(w, "adaptive")?,
    }
    let format = plan.native_schema.as_deref();
    if plan.effort.is_none() && format.is_none() && !has_extra(request, "output_config.") {
        return Ok(());
    }
    debug_assert!(format.is_none() || request.output.is_some(), "a format comes from an output");
    w.key("output_config").object(|w| {
        // An effort beside a budget is kept as it was said.
        let said = extra_of(request, "output_config.").any(|(name, _)| name == "effort");
        if let Some(effort) = plan.effort.filter(|_| !said) {
            w.key("effort").string(effort);
        }
        if let Some(schema) = format {
            w.key("format").object(|w| {
                w.key("type").string("json_schema");
                w.key("schema").raw(schema);
                Ok::<(), Error>(())
            })?;
        }
        extra(w, request, "output_config.");
        Ok(())
    })
}

/// Some models take no sampling parameters, some one of two, and while one thinks temperature and top_k are fixed.
fn sampling(w: &mut Writer<'_>, request: &Request<'_>, target: &Target<'_>, plan: &Plan, dropped: &mut Dropped) {
    let given = &request.sampling;
    let number = |text: &str| text.parse::<f64>().unwrap_or(1.0);
    let fixed = target.facts.sampling == Sampling::Fixed;
    let thinks = plan.thinks();
    let has_temperature = given.temperature.is_some() && !thinks;
    let either = target.facts.sampling == Sampling::Either && has_temperature;
    if let Some(temperature) = given.temperature {
        match (fixed || thinks, number(temperature)) {
            (true, 1.0) => {}
            (true, _) => dropped.add("temperature"),
            (false, above) if above > 1.0 => w.key("temperature").raw("1"),
            (false, _) => w.key("temperature").raw(temperature),
        }
    }
    if let Some(top_p) = given.top_p {
        match (fixed || either || (thinks && number(top_p) < 0.95), number(top_p)) {
            (true, 1.0) => {}
            (true, _) => dropped.add("top_p"),
            (false, _) => w.key("top_p").raw(top_p),
        }
    }
    if let Some(top_k) = given.top_k {
        if fixed || thinks { dropped.add("top_k") } else { w.key("top_k").raw(top_k) }
    }
}

/// Anthropic refuses sequences of white space only.
fn stop(w: &mut Writer<'_>, request: &Request<'_>) -> Result<(), Error> {
    let sequences = || request.stop.iter().filter(|sequence| !is_blank(sequence));
    if sequences().next().is_none() {
        return Ok(());
    }
    w.key("stop_sequences").array(|w| {
        sequences().for_each(|sequence| w.string(sequence));
        Ok(())
    })
}

fn user(w: &mut Writer<'_>, request: &Request<'_>, dropped: &mut Dropped) -> Result<(), Error> {
    let user = request.user.as_deref().or(request.safety_identifier.as_deref());
    let mut user = user.filter(|user| !user.is_empty());
    if user.is_some_and(|user| user.chars().count() > MAX_USER) {
        dropped.add("user");
        user = None;
    }
    if user.is_none() && !has_extra(request, "metadata.") {
        return Ok(());
    }
    w.key("metadata").object(|w| {
        if let Some(user) = user {
            w.key("user_id").string(user);
        }
        extra(w, request, "metadata.");
        Ok(())
    })
}

/// Objects of which the neutral form knows some members keep the others by their path.
const NESTED: [&str; 3] = ["thinking.", "output_config.", "metadata."];

/// Members that only Anthropic knows: of the request itself, or of one of its objects.
fn extra_of<'r, 'a>(request: &'r Request<'a>, within: &'r str) -> impl Iterator<Item = (&'r str, &'r Extra<'a>)> {
    let own = request.origin == Dialect::Anthropic;
    request.extra.iter().filter(move |_| own).filter_map(move |extra| {
        let nested = NESTED.iter().find(|path| extra.name.starts_with(**path)).copied().unwrap_or_default();
        (nested == within).then(|| (&extra.name[nested.len()..], extra))
    })
}

fn has_extra(request: &Request<'_>, within: &str) -> bool {
    extra_of(request, within).next().is_some()
}

fn extra(w: &mut Writer<'_>, request: &Request<'_>, within: &str) {
    extra_of(request, within).for_each(|(name, extra)| w.any_key(name).raw(extra.value.0));
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// Ids and names that Anthropic takes: letters, digits, `_` and `-`.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// An id of a tool call that Anthropic takes: each odd byte in hexadecimal, so that different ids stay different.
fn plain_id(id: &str) -> Cow<'_, str> {
    if is_plain(id) {
        return Cow::Borrowed(id);
    }
    let mut plain = String::from("id_");
    for byte in id.bytes() {
        match byte {
            b if b.is_ascii_alphanumeric() => plain.push(char::from(b)),
            b => plain.push_str(&format!("-{b:02x}")),
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests;
