//! A request in the neutral form, written for a provider that has the API.

mod input;

use crate::json::Writer;
use crate::neutral::{Extra, Output, Reasoning, Request, Tool, ToolChoice};
use crate::openai::{adapt, declarations};
use crate::translate::{Dropped, Emitted, Names, Target, check_extra, refuse_other_tools, unsupported};
use crate::{Dialect, Error};

/// Writes a request. One that came in the API has all that only it knows; one of another dialect is what it means in
/// OpenAI's words, and the provider stores nothing of it.
///
/// # Errors
/// [`Error::Unsupported`] for what the API has no place for.
pub(crate) fn emit_request(request: &Request<'_>, target: &Target<'_>) -> Result<Emitted, Error> {
    let mut dropped = Dropped::default();
    let own = request.origin == Dialect::Responses;
    let adapted;
    let (request, extra) = if own {
        (request, request.extra.clone())
    } else {
        adapted = adapt(request, target, &mut dropped)?;
        refuse_other_tools(&adapted)?;
        (&*adapted, known(&adapted, &mut dropped)?)
    };
    let mut body = Vec::with_capacity(4096);
    Writer::new(&mut body).object(|w| {
        w.key("model").string(target.model);
        input::write(w, request)?;
        tools(w, request, own)?;
        numbers(w, request);
        form(w, request, &extra)?;
        reasoning(w, request, &extra, &mut dropped)?;
        for (key, user) in [("user", &request.user), ("safety_identifier", &request.safety_identifier)] {
            if let Some(user) = user {
                w.key(key).string(user);
            }
        }
        if request.stream {
            w.key("stream").bool(true);
        }
        if own && !request.stream_options.is_empty() {
            w.key("stream_options").object(|w| members(w, &request.stream_options, ""))?;
        }
        if !own {
            w.key("store").bool(false);
        }
        members(w, &extra, "")
    })?;
    Ok(Emitted { body, dropped: dropped.names(), names: Names::default() })
}

/// What of chat's other members the API has too, by its names.
fn known<'r>(request: &Request<'r>, dropped: &mut Dropped) -> Result<Vec<Extra<'r>>, Error> {
    if request.n.is_some_and(|n| n != 1) {
        return Err(unsupported("n", "only one answer can be asked for"));
    }
    if !request.stop.is_empty() {
        dropped.add("stop");
    }
    if request.sampling.top_k.is_some() {
        dropped.add("top_k");
    }
    let mut known = Vec::new();
    for extra in &request.extra {
        match &*extra.name {
            "service_tier" | "prompt_cache_key" | "metadata" => known.push(extra.clone()),
            "verbosity" => known.push(Extra { name: "text.verbosity".into(), value: extra.value }),
            _ => check_extra(extra, dropped)?,
        }
    }
    Ok(known)
}

/// The members of an inner object, by its path; those of the request itself by none.
fn members(w: &mut Writer<'_>, all: &[Extra<'_>], path: &str) -> Result<(), Error> {
    for extra in all {
        let (within, name) =
            PATHS.iter().find_map(|path| Some((*path, extra.name.strip_prefix(path)?))).unwrap_or(("", &*extra.name));
        if within == path {
            w.any_key(name).raw(extra.value.0);
        }
    }
    Ok(())
}

const PATHS: [&str; 2] = [TEXT, REASONING];
const TEXT: &str = "text.";
const REASONING: &str = "reasoning.";

fn has(all: &[Extra<'_>], path: &str) -> bool {
    all.iter().any(|extra| extra.name.starts_with(path))
}

fn numbers(w: &mut Writer<'_>, request: &Request<'_>) {
    if let Some(max) = request.max_tokens {
        w.key("max_output_tokens").unsigned(max);
    }
    for (key, number) in [("temperature", request.sampling.temperature), ("top_p", request.sampling.top_p)] {
        if let Some(number) = number {
            w.key(key).raw(number);
        }
    }
}

fn form(w: &mut Writer<'_>, request: &Request<'_>, extra: &[Extra<'_>]) -> Result<(), Error> {
    if request.output.is_none() && !has(extra, TEXT) {
        return Ok(());
    }
    w.key("text").object(|w| {
        if let Some(output) = &request.output {
            w.key("format").object(|w| format(w, output))?;
        }
        members(w, extra, TEXT)
    })
}

fn format(w: &mut Writer<'_>, output: &Output<'_>) -> Result<(), Error> {
    match output {
        Output::Text => w.key("type").string("text"),
        Output::JsonObject => w.key("type").string("json_object"),
        Output::JsonSchema { name, description, schema, strict } => {
            w.key("type").string("json_schema");
            w.key("name").string(name);
            if let Some(description) = description {
                w.key("description").string(description);
            }
            w.key("schema").raw(schema.map_or("{}", |schema| schema.0));
            if let Some(strict) = strict {
                w.key("strict").bool(*strict);
            }
        }
    }
    Ok(())
}

fn reasoning(
    w: &mut Writer<'_>,
    request: &Request<'_>,
    extra: &[Extra<'_>],
    dropped: &mut Dropped,
) -> Result<(), Error> {
    let effort = match &request.reasoning {
        Some(Reasoning::Effort(word)) => Some(&**word),
        Some(Reasoning::Off) => Some("none"),
        Some(Reasoning::Budget(_)) => {
            dropped.add("reasoning");
            None
        }
        Some(Reasoning::Adaptive) | None => None,
    };
    if effort.is_none() && !has(extra, REASONING) {
        return Ok(());
    }
    w.key("reasoning").object(|w| {
        if let Some(effort) = effort {
            w.key("effort").string(effort);
        }
        members(w, extra, REASONING)
    })
}

fn tools(w: &mut Writer<'_>, request: &Request<'_>, own: bool) -> Result<(), Error> {
    declarations(w, request, |w, tool| function(w, tool, own))?;
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => w.key("tool_choice").string("auto"),
        Some(ToolChoice::Required) => w.key("tool_choice").string("required"),
        Some(ToolChoice::None) => w.key("tool_choice").string("none"),
        Some(ToolChoice::Other(raw)) if own => w.key("tool_choice").raw(raw.0),
        Some(ToolChoice::Other(_)) => return Err(unsupported("tool_choice", "the target has no such choice")),
        Some(ToolChoice::Named(name)) => w.key("tool_choice").object(|w| {
            w.key("type").string("function");
            w.key("name").string(name);
            Ok::<(), Error>(())
        })?,
    }
    if let Some(parallel) = request.parallel_tool_calls {
        w.key("parallel_tool_calls").bool(parallel);
    }
    Ok(())
}

/// Declares a function. A schema is enforced here unless it is said that it is not; chat has it the other way round.
fn function(w: &mut Writer<'_>, tool: &Tool<'_>, own: bool) -> Result<(), Error> {
    w.object(|w| {
        w.key("type").string("function");
        w.key("name").string(&tool.name);
        if let Some(description) = &tool.description {
            w.key("description").string(description);
        }
        match tool.parameters {
            Some(parameters) => w.key("parameters").raw(parameters.0),
            None if own => {}
            None => w.key("parameters").raw(r#"{"type":"object","properties":{}}"#),
        }
        if let Some(strict) = tool.strict.or((!own).then_some(false)) {
            w.key("strict").bool(strict);
        }
        members(w, if own { &tool.extra } else { &[] }, "")
    })
}
