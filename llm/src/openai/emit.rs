use std::borrow::Cow;

use super::response::{thinking_block, tool_call};
use super::{foreign, json_mode};
use crate::json::Writer;
use crate::neutral::{
    Extra, Media, MediaKind, Message, Output, Part, Reasoning, Request, Role, Source, Text, Tool, ToolChoice,
};
use crate::translate::{Dropped, Emitted, Names, Target, is_plain_name, plain_name, rename_tools};
use crate::{Dialect, Error};

/// The longest name of a function that OpenAI takes (platform.openai.com, api-reference/chat/create).
const MAX_NAME: usize = 64;

/// Writes a chat completion request. Members that only the dialect of origin knows come back if that is OpenAI's.
pub(crate) fn emit_request(request: &Request<'_>, target: &Target<'_>) -> Result<Emitted, Error> {
    let mut dropped = Dropped::default();
    let mut request = foreign::adapt(request, target, &mut dropped)?;
    let names = if let Cow::Owned(adapted) = &mut request { rename(adapted) } else { Names::default() };
    let request = &*request;
    let told = json_mode::told_for(request, target, &mut dropped);
    let mut body = Vec::with_capacity(4096);
    Writer::new(&mut body).object(|w| {
        w.key("model").string(target.model);
        w.key("messages").array(|w| {
            if let Some(text) = &told {
                json_mode::message(w, text);
            }
            request.messages.iter().try_for_each(|it| message(w, it, target))
        })?;
        tools(w, request)?;
        if let Some(max) = request.max_tokens {
            w.key(if target.facts.max_completion_tokens { "max_completion_tokens" } else { "max_tokens" })
                .unsigned(max);
        }
        numbers(w, request);
        stop(w, request)?;
        match &told {
            Some(_) => w.key("response_format").raw(json_mode::FORMAT),
            None => output(w, request)?,
        }
        match &request.reasoning {
            Some(Reasoning::Effort(word)) => w.key("reasoning_effort").string(word),
            Some(Reasoning::Off) => w.key("reasoning_effort").string("none"),
            Some(Reasoning::Budget(_)) => dropped.add("reasoning"),
            Some(Reasoning::Adaptive) | None => {}
        }
        for (key, user) in [("user", &request.user), ("safety_identifier", &request.safety_identifier)] {
            if let Some(user) = user {
                w.key(key).string(user);
            }
        }
        stream(w, request, target.ask_for_usage)?;
        request.extra.iter().for_each(|Extra { name, value }| w.any_key(name).raw(value.0));
        Ok::<(), Error>(())
    })?;
    Ok(Emitted { body, dropped: dropped.names(), names })
}

/// Gives tools of other dialects' clients names that OpenAI takes.
fn rename(request: &mut Request<'_>) -> Names {
    let names = rename_tools(request, |name| is_plain_name(name, MAX_NAME), |name| plain_name(name, MAX_NAME));
    if names == Names::default() {
        return names;
    }
    let sent = |name: &mut Text<'_>| {
        if names.is_renamed(name) {
            *name = Text::Owned(names.sent_name(name).to_owned());
        }
    };
    request.tools.iter_mut().for_each(|tool| sent(&mut tool.name));
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        if let Part::ToolCall(call) = part {
            sent(&mut call.name);
        }
    }
    if let Some(ToolChoice::Named(name)) = &mut request.tool_choice {
        sent(name);
    }
    names
}

fn numbers(w: &mut Writer<'_>, request: &Request<'_>) {
    let sampling = &request.sampling;
    let all = [("temperature", sampling.temperature), ("top_p", sampling.top_p), ("top_k", sampling.top_k)];
    for (key, number) in all {
        if let Some(number) = number {
            w.key(key).raw(number);
        }
    }
    if let Some(n) = request.n {
        w.key("n").unsigned(n);
    }
}

pub(crate) fn stop(w: &mut Writer<'_>, request: &Request<'_>) -> Result<(), Error> {
    match &request.stop[..] {
        [] => Ok(()),
        [only] if request.stop_is_text => {
            w.key("stop").string(only);
            Ok(())
        }
        all => w.key("stop").array(|w| {
            all.iter().for_each(|text| w.string(text));
            Ok(())
        }),
    }
}

fn stream(w: &mut Writer<'_>, request: &Request<'_>, ask_for_usage: bool) -> Result<(), Error> {
    if !request.stream {
        return Ok(());
    }
    w.key("stream").bool(true);
    let include = if ask_for_usage { Some(true) } else { request.include_usage };
    if include.is_none() && request.stream_options.is_empty() {
        return Ok(());
    }
    w.key("stream_options").object(|w| {
        if let Some(include) = include {
            w.key("include_usage").bool(include);
        }
        request.stream_options.iter().for_each(|extra| w.any_key(&extra.name).raw(extra.value.0));
        Ok(())
    })
}

pub(crate) fn output(w: &mut Writer<'_>, request: &Request<'_>) -> Result<(), Error> {
    let Some(output) = &request.output else { return Ok(()) };
    w.key("response_format").object(|w| {
        match output {
            Output::Text => w.key("type").string("text"),
            Output::JsonObject => w.key("type").string("json_object"),
            Output::JsonSchema { name, description, schema, strict } => {
                w.key("type").string("json_schema");
                w.key("json_schema").object(|w| {
                    w.key("name").string(name);
                    if let Some(description) = description {
                        w.key("description").string(description);
                    }
                    if let Some(schema) = schema {
                        w.key("schema").raw(schema.0);
                    }
                    if let Some(strict) = strict {
                        w.key("strict").bool(*strict);
                    }
                    Ok::<(), Error>(())
                })?;
            }
        }
        Ok(())
    })
}

/// The tools of a request in their order, functions each in the dialect's own way.
pub(crate) fn declarations(
    w: &mut Writer<'_>,
    request: &Request<'_>,
    mut function: impl FnMut(&mut Writer<'_>, &Tool<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    if request.tools.is_empty() && request.other_tools.is_empty() {
        return Ok(());
    }
    w.key("tools").array(|w| {
        let mut functions = request.tools.iter();
        let mut others = request.other_tools.iter().peekable();
        for index in 0..request.tools.len() + request.other_tools.len() {
            match others.next_if(|other| other.index == index) {
                Some(other) => w.raw(other.value.0),
                None => functions.next().map_or(Ok(()), |tool| function(w, tool))?,
            }
        }
        Ok(())
    })
}

fn tools(w: &mut Writer<'_>, request: &Request<'_>) -> Result<(), Error> {
    declarations(w, request, function)?;
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => w.key("tool_choice").string("auto"),
        Some(ToolChoice::Required) => w.key("tool_choice").string("required"),
        Some(ToolChoice::None) => w.key("tool_choice").string("none"),
        Some(ToolChoice::Other(raw)) => w.key("tool_choice").raw(raw.0),
        Some(ToolChoice::Named(name)) => w.key("tool_choice").object(|w| {
            w.key("type").string("function");
            w.key("function").object(|w| {
                w.key("name").string(name);
                Ok::<(), Error>(())
            })
        })?,
    }
    if let Some(parallel) = request.parallel_tool_calls {
        w.key("parallel_tool_calls").bool(parallel);
    }
    Ok(())
}

/// Declares a function.
pub(crate) fn function(w: &mut Writer<'_>, tool: &Tool<'_>) -> Result<(), Error> {
    w.object(|w| {
        w.key("type").string("function");
        w.key("function").object(|w| {
            w.key("name").string(&tool.name);
            if let Some(description) = &tool.description {
                w.key("description").string(description);
            }
            if let Some(parameters) = tool.parameters {
                w.key("parameters").raw(parameters.0);
            }
            if let Some(strict) = tool.strict {
                w.key("strict").bool(strict);
            }
            tool.extra.iter().for_each(|extra| w.any_key(&extra.name).raw(extra.value.0));
            Ok::<(), Error>(())
        })?;
        if let Some(cache) = tool.cache {
            w.key("cache_control").raw(cache.0);
        }
        Ok(())
    })
}

fn message(w: &mut Writer<'_>, message: &Message<'_>, target: &Target<'_>) -> Result<(), Error> {
    w.object(|w| {
        w.key("role").string(match message.role {
            Role::System => "system",
            Role::Developer => "developer",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        });
        match &message.parts[..] {
            [Part::ToolResult { call, parts, plain, .. }] => {
                content(w, &parts.iter().collect::<Vec<_>>(), *plain)?;
                w.key("tool_call_id").string(call);
            }
            parts => spoken(w, parts, message, target)?,
        }
        message.extra.iter().for_each(|extra| w.any_key(&extra.name).raw(extra.value.0));
        Ok(())
    })
}

fn spoken(w: &mut Writer<'_>, parts: &[Part<'_>], message: &Message<'_>, target: &Target<'_>) -> Result<(), Error> {
    let thought = |part: &Part<'_>| matches!(part, Part::Reasoning { .. } | Part::RedactedReasoning(_));
    let called = |part: &Part<'_>| matches!(part, Part::ToolCall(_) | Part::Unknown { is_call: true, .. });
    // Beside a bare content a refusal is a member of its own.
    let refused = |part: &Part<'_>| message.plain && matches!(part, Part::Refusal(_));
    let said = |part: &&Part<'_>| !thought(part) && !called(part) && !refused(part);
    content(w, &parts.iter().filter(said).collect::<Vec<_>>(), message.plain)?;
    for part in parts.iter().filter(|part| refused(part)) {
        if let Part::Refusal(text) = part {
            w.key("refusal").string(text);
        }
    }
    let thinking = |part: &Part<'_>| thought(part) && !matches!(part, Part::Reasoning { signature: None, .. });
    for part in parts {
        if let Part::Reasoning { text, signature: None } = part {
            w.key(target.facts.thinking_member).string(text);
        }
    }
    let dull = |w: &mut Writer<'_>, part: &Part<'_>| thinking_block(w, part).or(Ok::<(), Error>(()));
    if parts.iter().any(thinking) {
        w.key("thinking_blocks")
            .array(|w| parts.iter().filter(|part| thinking(part)).try_for_each(|part| dull(w, part)))?;
    }
    if parts.iter().any(called) {
        w.key("tool_calls").array(|w| parts.iter().filter(|part| called(part)).try_for_each(|it| call(w, it)))?;
    }
    Ok(())
}

fn call(w: &mut Writer<'_>, call: &Part<'_>) -> Result<(), Error> {
    match call {
        Part::Unknown { .. } => part(w, call),
        call => tool_call(w, call).or(Ok(())),
    }
}

fn content(w: &mut Writer<'_>, parts: &[&Part<'_>], plain: bool) -> Result<(), Error> {
    match parts {
        [] => w.key("content").raw("null"),
        [Part::Text { text, .. }] if plain => w.key("content").string(text),
        parts => w.key("content").array(|w| parts.iter().try_for_each(|it| part(w, it)))?,
    }
    Ok(())
}

fn part(w: &mut Writer<'_>, part: &Part<'_>) -> Result<(), Error> {
    match part {
        Part::Text { text, cache, extra, .. } => w.object(|w| {
            w.key("type").string("text");
            w.key("text").string(text);
            if let Some(cache) = cache {
                w.key("cache_control").raw(cache.0);
            }
            extra.iter().for_each(|extra| w.any_key(&extra.name).raw(extra.value.0));
            Ok(())
        }),
        Part::Refusal(text) => w.object(|w| {
            w.key("type").string("refusal");
            w.key("refusal").string(text);
            Ok(())
        }),
        Part::Media(it) => media(w, it),
        Part::Unknown { origin: Dialect::OpenAI, value, .. } => {
            w.raw(value.0);
            Ok(())
        }
        Part::Unknown { kind, .. } => {
            let reason = format!("the target takes no parts of type {kind:?}");
            Err(Error::Unsupported { field: "messages".into(), reason: reason.into() })
        }
        Part::ToolCall(_) | Part::ToolResult { .. } | Part::Reasoning { .. } | Part::RedactedReasoning(_) => Ok(()),
    }
}

fn media(w: &mut Writer<'_>, media: &Media<'_>) -> Result<(), Error> {
    let url = match &media.source {
        Source::Url(url) => url.to_string(),
        Source::Base64 { media_type, data } if media_type.is_empty() => data.to_string(),
        Source::Base64 { media_type, data } => format!("data:{media_type};base64,{data}"),
        Source::File(_) | Source::Text(_) | Source::Pieces { .. } => {
            let reason = "the target takes documents as data only".into();
            return Err(Error::Unsupported { field: "messages".into(), reason });
        }
    };
    let label = |w: &mut Writer<'_>, key: &'static str| {
        if let Some(label) = &media.label {
            w.key(key).string(label);
        }
    };
    w.object(|w| {
        match media.kind {
            MediaKind::Audio => {
                w.key("type").string("input_audio");
                sound(w, media)?;
            }
            MediaKind::Image => {
                w.key("type").string("image_url");
                w.key("image_url").object(|w| {
                    w.key("url").string(&url);
                    label(w, "detail");
                    Ok::<(), Error>(())
                })?;
            }
            MediaKind::Document => {
                w.key("type").string("file");
                w.key("file").object(|w| {
                    w.key("file_data").string(&url);
                    label(w, "filename");
                    Ok::<(), Error>(())
                })?;
            }
        }
        if let Some(cache) = media.cache {
            w.key("cache_control").raw(cache.0);
        }
        Ok(())
    })
}

/// OpenAI takes sound as data, of two formats for now; which it takes is for the provider to say.
fn sound(w: &mut Writer<'_>, media: &Media<'_>) -> Result<(), Error> {
    let Source::Base64 { media_type, data } = &media.source else {
        let reason = "the target takes sound as data only".into();
        return Err(Error::Unsupported { field: "messages".into(), reason });
    };
    let format = match &**media_type {
        "audio/mpeg" | "audio/mpga" => "mp3",
        "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => "wav",
        other => other.strip_prefix("audio/").unwrap_or(other),
    };
    w.key("input_audio").object(|w| {
        w.key("data").string(data);
        w.key("format").string(format);
        Ok(())
    })
}
