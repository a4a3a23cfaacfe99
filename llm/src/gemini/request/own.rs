//! A request of Gemini's own, said again as it was: what others have to be told in their words stands beside it.

use crate::Error;
use crate::json::Writer;
use crate::neutral::{Extra, Media, Message, Output, Part, Reasoning, Request, Role, Source, Tool, ToolCall};

/// Objects of which the neutral form knows some members keep the others by their path.
const NESTED: [&str; 4] =
    ["generationConfig.thinkingConfig.", "generationConfig.", "toolConfig.functionCallingConfig.", "toolConfig."];

pub(super) fn write(w: &mut Writer<'_>, request: &Request<'_>) -> Result<(), Error> {
    let mut contents = request.messages.iter().peekable();
    if let Some(system) = contents.next_if(|message| message.role == Role::System) {
        w.key("systemInstruction").object(|w| content(w, system))?;
    }
    w.key("contents").array(|w| {
        contents.try_for_each(|message| {
            w.object(|w| {
                w.key("role").string(if message.role == Role::Assistant { "model" } else { "user" });
                content(w, message)
            })
        })
    })?;
    tools(w, request)?;
    nested(w, "toolConfig", |w| {
        nested(w, "functionCallingConfig", |w| {
            members(w, request, NESTED[2]);
            Ok(())
        })?;
        members(w, request, NESTED[3]);
        Ok(())
    })?;
    nested(w, "generationConfig", |w| config(w, request))?;
    let is_nested = |name: &str| NESTED.iter().any(|path| name.starts_with(path));
    request.extra.iter().filter(|it| !is_nested(&it.name)).for_each(|it| w.any_key(&it.name).raw(it.value.0));
    Ok(())
}

/// An object, unless nothing is in it.
fn nested(
    w: &mut Writer<'_>,
    key: &'static str,
    body: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let before = w.out.len();
    w.key(key);
    let opening = w.out.len();
    w.object(body)?;
    if w.out.len() == opening + 2 {
        w.out.truncate(before);
    }
    Ok(())
}

/// What is kept under that path, deeper paths apart.
fn members(w: &mut Writer<'_>, request: &Request<'_>, path: &str) {
    let under = request.extra.iter().filter_map(|it| Some((it.name.strip_prefix(path)?, it.value)));
    under.filter(|(name, _)| !name.contains('.')).for_each(|(name, value)| w.any_key(name).raw(value.0));
}

fn config(w: &mut Writer<'_>, request: &Request<'_>) -> Result<(), Error> {
    for (key, count) in [("maxOutputTokens", request.max_tokens), ("candidateCount", request.n)] {
        if let Some(count) = count {
            w.key(key).unsigned(count);
        }
    }
    let sampling = &request.sampling;
    for (key, number) in [("temperature", sampling.temperature), ("topP", sampling.top_p), ("topK", sampling.top_k)] {
        if let Some(number) = number {
            w.key(key).raw(number);
        }
    }
    if !request.stop.is_empty() {
        w.key("stopSequences").array(|w| {
            request.stop.iter().for_each(|sequence| w.string(sequence));
            Ok::<(), Error>(())
        })?;
    }
    let older = request.extra.iter().any(|it| it.name == "generationConfig.responseSchema");
    match &request.output {
        None => {}
        Some(Output::Text) => w.key("responseMimeType").string("text/plain"),
        Some(Output::JsonObject) => w.key("responseMimeType").string("application/json"),
        Some(Output::JsonSchema { schema, .. }) => {
            w.key("responseMimeType").string("application/json");
            if let Some(schema) = schema.filter(|_| !older) {
                w.key("responseJsonSchema").raw(schema.0);
            }
        }
    }
    nested(w, "thinkingConfig", |w| {
        match &request.reasoning {
            Some(Reasoning::Effort(level)) => w.key("thinkingLevel").string(&level.to_ascii_uppercase()),
            Some(Reasoning::Budget(tokens)) => w.key("thinkingBudget").unsigned(*tokens),
            Some(Reasoning::Off) => w.key("thinkingBudget").raw("0"),
            // That thoughts are to be shown says as much.
            Some(Reasoning::Adaptive) if shows(request) => {}
            Some(Reasoning::Adaptive) => w.key("thinkingBudget").raw("-1"),
            None => {}
        }
        members(w, request, NESTED[0]);
        Ok(())
    })?;
    members(w, request, NESTED[1]);
    Ok(())
}

fn shows(request: &Request<'_>) -> bool {
    request.extra.iter().any(|it| it.name == "generationConfig.thinkingConfig.includeThoughts" && it.value.0 == "true")
}

/// All functions in one item, at the first place that no other tool has.
fn tools(w: &mut Writer<'_>, request: &Request<'_>) -> Result<(), Error> {
    if request.tools.is_empty() && request.other_tools.is_empty() {
        return Ok(());
    }
    let own = |index: usize| request.other_tools.iter().filter(move |tool| tool.index == index);
    let last = request.other_tools.iter().map(|tool| tool.index + 1).max().unwrap_or(0);
    let mut functions = Some(&request.tools).filter(|tools| !tools.is_empty());
    w.key("tools").array(|w| {
        for index in 0..=last {
            if own(index).next().is_some() {
                w.object(|w| {
                    own(index).for_each(|tool| w.any_key(&tool.kind).raw(tool.value.0));
                    Ok::<(), Error>(())
                })?;
            } else if let Some(functions) = functions.take() {
                w.object(|w| {
                    w.key("functionDeclarations").array(|w| functions.iter().try_for_each(|it| function(w, it)))
                })?;
            }
        }
        Ok(())
    })
}

fn function(w: &mut Writer<'_>, tool: &Tool<'_>) -> Result<(), Error> {
    let older = tool.extra.iter().any(|it| it.name == "parameters");
    w.object(|w| {
        w.key("name").string(&tool.name);
        if let Some(description) = &tool.description {
            w.key("description").string(description);
        }
        if let Some(schema) = tool.parameters.filter(|_| !older) {
            w.key("parametersJsonSchema").raw(schema.0);
        }
        plain(w, &tool.extra);
        Ok(())
    })
}

fn content(w: &mut Writer<'_>, message: &Message<'_>) -> Result<(), Error> {
    w.key("parts").array(|w| message.parts.iter().try_for_each(|it| part(w, it)))?;
    plain(w, &message.extra);
    Ok(())
}

fn part(w: &mut Writer<'_>, part: &Part<'_>) -> Result<(), Error> {
    if let Part::Unknown { value, .. } = part {
        w.raw(value.0);
        return Ok(());
    }
    w.object(|w| match part {
        Part::Text { text, extra, .. } => {
            w.key("text").string(text);
            plain(w, extra);
            Ok(())
        }
        Part::Reasoning { text, signature } => {
            w.key("text").string(text);
            w.key("thought").bool(true);
            if let Some(signature) = signature {
                w.key("thoughtSignature").string(signature);
            }
            Ok(())
        }
        Part::Media(it) => media(w, it),
        Part::ToolCall(it) => call(w, it),
        Part::ToolResult { parts, extra, .. } => result(w, parts, extra),
        Part::Unknown { .. } | Part::Refusal(_) | Part::RedactedReasoning(_) => Ok(()),
    })
}

/// Members that belong to the part itself, not to an object in it.
fn plain(w: &mut Writer<'_>, extra: &[Extra<'_>]) {
    extra.iter().filter(|it| !it.name.contains('.')).for_each(|it| w.any_key(&it.name).raw(it.value.0));
}

fn inner(w: &mut Writer<'_>, path: &str, extra: &[Extra<'_>]) {
    let under = extra.iter().filter_map(|it| Some((it.name.strip_prefix(path)?, it.value)));
    under.for_each(|(name, value)| w.any_key(name).raw(value.0));
}

fn media(w: &mut Writer<'_>, media: &Media<'_>) -> Result<(), Error> {
    let named = |w: &mut Writer<'_>| {
        if let Some(label) = &media.label {
            w.key("displayName").string(label);
        }
    };
    match &media.source {
        Source::Base64 { media_type, data } => w.key("inlineData").object(|w| {
            w.key("mimeType").string(media_type);
            w.key("data").string(data);
            named(w);
            inner(w, "inlineData.", &media.extra);
            Ok::<(), Error>(())
        })?,
        Source::Url(uri) | Source::File(uri) => w.key("fileData").object(|w| {
            w.key("fileUri").string(uri);
            named(w);
            inner(w, "fileData.", &media.extra);
            Ok::<(), Error>(())
        })?,
        Source::Text(_) | Source::Pieces { .. } => {}
    }
    plain(w, &media.extra);
    Ok(())
}

fn call(w: &mut Writer<'_>, call: &ToolCall<'_>) -> Result<(), Error> {
    w.key("functionCall").object(|w| {
        w.key("name").string(&call.name);
        w.key("args").raw(&call.arguments);
        inner(w, "functionCall.", &call.extra);
        Ok::<(), Error>(())
    })?;
    plain(w, &call.extra);
    Ok(())
}

fn result(w: &mut Writer<'_>, parts: &[Part<'_>], extra: &[Extra<'_>]) -> Result<(), Error> {
    // The first one is what the response says, which is kept as it was.
    let told = usize::from(extra.iter().any(|it| it.name == "functionResponse.response"));
    let shown = parts.get(told..).unwrap_or_default();
    w.key("functionResponse").object(|w| {
        inner(w, "functionResponse.", extra);
        if !shown.is_empty() {
            w.key("parts").array(|w| shown.iter().try_for_each(|it| part(w, it)))?;
        }
        Ok::<(), Error>(())
    })?;
    plain(w, extra);
    Ok(())
}
