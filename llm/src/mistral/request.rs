//! A request in the neutral form, written as Mistral takes it. Each member that is written is one that the request type
//! of Mistral's own SDK (mistralai on PyPI, `ChatCompletionRequest`) has.

mod content;
mod tools;
mod turns;

use super::ids;
use crate::Error;
use crate::facts::Thinking;
use crate::json::{Kind, Reader, Writer};
use crate::neutral::{Extra, Output, Reasoning, Request};
use crate::openai::{self, stop};
use crate::translate::{
    Dropped, Emitted, Target, check_extra, is_plain_name, plain_name, refuse_other_tools, rename_tools, unsupported,
};
use turns::Turns;

/// The longest name of a function.
const MAX_NAME: usize = 64;

/// Members beyond the neutral form that Mistral takes as OpenAI's clients write them, or as its own do.
const TAKEN: [&str; 11] = [
    "frequency_penalty",
    "guardrails",
    "metadata",
    "min_tokens",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_mode",
    "random_seed",
    "repetition_penalty",
    "safe_prompt",
    "seed",
];

/// Writes the request for that target.
///
/// # Errors
/// [`Error::Unsupported`] for what Mistral has no words for, [`Error::BadRequest`] for a tool result without its call.
pub(crate) fn emit_request(request: &Request<'_>, target: &Target<'_>) -> Result<Emitted, Error> {
    let mut dropped = Dropped::default();
    let request = &*openai::adapt(request, target, &mut dropped)?;
    check(request)?;
    let mut names = rename_tools(request, |name| is_plain_name(name, MAX_NAME), |name| plain_name(name, MAX_NAME));
    ids::rename(request, &mut names);
    let turns = Turns::of(request, target, &mut dropped)?;
    let mut body = Vec::with_capacity(request.messages.iter().map(|m| m.parts.len() * 256).sum::<usize>() + 2048);
    Writer::new(&mut body).object(|w| {
        w.key("model").string(target.model);
        w.key("messages").array(|w| turns.write(w, &names, &mut dropped))?;
        tools::write(w, request, &names, &mut dropped)?;
        if let Some(max) = request.max_tokens {
            w.key("max_tokens").unsigned(max);
        }
        numbers(w, request);
        stop(w, request)?;
        output(w, request)?;
        thinking(w, request, target, &mut dropped);
        if request.stream {
            w.key("stream").bool(true);
        }
        if request.user.is_some() || request.safety_identifier.is_some() {
            dropped.add("user");
        }
        request.extra.iter().try_for_each(|it| extra(w, it, &mut dropped))
    })?;
    Ok(Emitted { body, dropped: dropped.names(), names })
}

fn check(request: &Request<'_>) -> Result<(), Error> {
    // Several answers in one stream have no neutral form.
    if request.stream && request.n.is_some_and(|n| n > 1) {
        return Err(unsupported("n", "only one answer can be streamed"));
    }
    refuse_other_tools(request)
}

fn numbers(w: &mut Writer<'_>, request: &Request<'_>) {
    let sampling = &request.sampling;
    if let Some(temperature) = sampling.temperature {
        let is_hot = temperature.parse::<f64>().is_ok_and(|temperature| temperature > 1.5);
        w.key("temperature").raw(if is_hot { "1.5" } else { temperature });
    }
    for (key, number) in [("top_p", sampling.top_p), ("top_k", sampling.top_k)] {
        if let Some(number) = number {
            w.key(key).raw(number);
        }
    }
    if let Some(n) = request.n.filter(|n| *n > 1) {
        w.key("n").unsigned(n);
    }
}

/// Mistral demands the schema of a `json_schema`.
fn output(w: &mut Writer<'_>, request: &Request<'_>) -> Result<(), Error> {
    match &request.output {
        Some(Output::JsonSchema { schema: None, .. }) => w.key("response_format").object(|w| {
            w.key("type").string("json_object");
            Ok(())
        }),
        _ => openai::output(w, request),
    }
}

fn thinking(w: &mut Writer<'_>, request: &Request<'_>, target: &Target<'_>, dropped: &mut Dropped) {
    let takes_effort = target.facts.thinking == Thinking::Effort;
    match &request.reasoning {
        None => {}
        Some(Reasoning::Effort(word)) if takes_effort => w.key("reasoning_effort").string(word),
        Some(Reasoning::Off) if takes_effort => w.key("reasoning_effort").string("none"),
        // Nothing is asked of a model that does not think.
        Some(Reasoning::Off) if !target.facts.thinks_unasked => {}
        Some(Reasoning::Adaptive) => {}
        Some(_) => dropped.add("reasoning_effort"),
    }
}

fn extra(w: &mut Writer<'_>, extra: &Extra<'_>, dropped: &mut Dropped) -> Result<(), Error> {
    let value = extra.value.0;
    match &*extra.name {
        "seed" => w.key("random_seed").raw(value),
        name if TAKEN.contains(&name) => w.any_key(name).raw(value),
        "prediction" if is_text(value) => w.key("prediction").raw(value),
        _ => check_extra(extra, dropped)?,
    }
    Ok(())
}

/// OpenAI's `prediction` may also hold a list of parts.
fn is_text(prediction: &str) -> bool {
    let mut text = false;
    let read = Reader::of(prediction).object(|reader, key| {
        text |= key.decode() == "content" && reader.peek()? == Kind::String;
        reader.skip()
    });
    read.is_ok() && text
}
