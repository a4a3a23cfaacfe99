//! What a request of another dialect means in OpenAI's words.

use std::borrow::Cow;

use super::effort;
use crate::facts::Sampling as Takes;
use crate::neutral::{Extra, Media, MediaKind, Message, Part, Request, Role, Sampling, Source, Text, Tool};
use crate::translate::{Dropped, Target, refuse_other_tools};
use crate::{Dialect, Error};

/// OpenAI takes this many stop sequences.
const MAX_STOP: usize = 4;
/// The bound of `user`, in characters; a longer one is refused.
const MAX_USER: usize = 64;
/// Said as a tool's result that is a picture only: OpenAI's tool messages are text.
pub(crate) const PICTURE: &str = "The result is the picture that follows.";

/// The request as one of OpenAI's own: itself if it is one. It borrows: no text is copied.
///
/// # Errors
/// [`Error::Unsupported`] for what OpenAI's chat has no place for.
pub(crate) fn adapt<'r>(
    request: &'r Request<'r>,
    target: &Target<'_>,
    dropped: &mut Dropped,
) -> Result<Cow<'r, Request<'r>>, Error> {
    if request.origin == Dialect::OpenAI {
        return Ok(Cow::Borrowed(request));
    }
    refuse_other_tools(request)?;
    let mut adapted = Request::new(Dialect::OpenAI);
    adapted.model = lend(&request.model);
    adapted.messages = messages(request, target, dropped)?;
    adapted.tools = request.tools.iter().map(|it| tool(it, dropped)).collect();
    if !request.tools.is_empty() {
        adapted.tool_choice.clone_from(&request.tool_choice);
        adapted.parallel_tool_calls = request.parallel_tool_calls;
    }
    let most = target.facts.max_output.map_or(u64::MAX, u64::from);
    adapted.max_tokens = request.max_tokens.map(|wanted| wanted.min(most));
    adapted.sampling = sampling(&request.sampling, target, dropped);
    adapted.stop = request.stop.iter().take(MAX_STOP).map(lend).collect();
    if request.stop.len() > MAX_STOP {
        dropped.add("stop_sequences");
    }
    (adapted.n, adapted.stream) = (request.n, request.stream);
    adapted.output.clone_from(&request.output);
    adapted.reasoning = effort::asked(request.reasoning.as_ref(), target.facts.thinking, dropped);
    adapted.user = request.user.as_ref().map(lend).filter(|user| user.chars().count() <= MAX_USER);
    if request.user.is_some() && adapted.user.is_none() {
        dropped.add("user");
    }
    let (shared, unknown): (Vec<_>, Vec<_>) = request.extra.iter().partition(|extra| is_shared(extra, target));
    adapted.extra = shared.into_iter().cloned().collect();
    unknown.into_iter().filter(|extra| extra.value.0 != r#""auto""#).for_each(|extra| dropped.add(&extra.name));
    Ok(Cow::Owned(adapted))
}

/// What others say by OpenAI's own name, to a model that takes it.
fn is_shared(extra: &Extra<'_>, target: &Target<'_>) -> bool {
    let takes = target.facts.sampling != Takes::Fixed;
    match &*extra.name {
        "seed" => extra.value.0.parse::<i64>().is_ok(),
        "presence_penalty" | "frequency_penalty" => takes && extra.value.0.parse::<f64>().is_ok(),
        _ => false,
    }
}

fn lend<'r>(text: &'r Text<'_>) -> Text<'r> {
    Cow::Borrowed(&**text)
}

fn tool<'r>(tool: &'r Tool<'_>, dropped: &mut Dropped) -> Tool<'r> {
    if tool.cache.is_some() {
        dropped.add("cache_control");
    }
    // OpenAI's strictness asks that every property is required, others' does not.
    if tool.strict == Some(true) {
        dropped.add("tools.strict");
    }
    Tool {
        name: lend(&tool.name),
        description: tool.description.as_ref().map(lend),
        parameters: tool.parameters,
        ..Tool::default()
    }
}

fn sampling<'r>(given: &Sampling<'r>, target: &Target<'_>, dropped: &mut Dropped) -> Sampling<'r> {
    let fixed = target.facts.sampling == Takes::Fixed;
    let mut taken = |name: &str, number: Option<&'r str>, takes: bool| {
        let number = number.filter(|number| takes || number.parse() != Ok(1.0));
        if number.is_some() && !takes {
            dropped.add(name);
        }
        number.filter(|_| takes)
    };
    Sampling {
        temperature: taken("temperature", given.temperature, !fixed),
        top_p: taken("top_p", given.top_p, !fixed),
        top_k: taken("top_k", given.top_k, false),
    }
}

fn messages<'r>(
    request: &'r Request<'_>,
    target: &Target<'_>,
    dropped: &mut Dropped,
) -> Result<Vec<Message<'r>>, Error> {
    let mut messages = Vec::with_capacity(request.messages.len());
    // Pictures of results wait until all results of a turn are told: nothing may stand between those.
    let mut pictures = Vec::new();
    for message in &request.messages {
        let mut parts = Vec::with_capacity(message.parts.len());
        for it in &message.parts {
            match it {
                // Nobody signed it, so it came from a server like this one.
                Part::Reasoning { text, signature: None } if target.facts.takes_thinking => {
                    parts.push(Part::Reasoning { text: lend(text), signature: None });
                }
                it => part(it, &mut parts, &mut pictures, dropped)?,
            }
        }
        if message.role == Role::User {
            parts.splice(0..0, pictures.drain(..));
        } else if message.role != Role::Tool && !pictures.is_empty() {
            messages.push(spoken(Role::User, std::mem::take(&mut pictures)));
        }
        if !parts.iter().all(|part| matches!(part, Part::Reasoning { .. })) {
            messages.push(spoken(message.role, parts));
        }
    }
    if !pictures.is_empty() {
        messages.push(spoken(Role::User, pictures));
    }
    Ok(messages)
}

/// One text is a bare string, which every compatible server takes.
fn spoken(role: Role, parts: Vec<Part<'_>>) -> Message<'_> {
    let said = |part: &&Part<'_>| !matches!(part, Part::ToolCall(_) | Part::Reasoning { .. });
    let plain = parts.iter().filter(said).count() == 1;
    Message { role, parts, plain, extra: Vec::new() }
}

/// Adds what a part is in OpenAI's words. Thinking of another provider's is left out: OpenAI could not check it.
fn part<'r>(
    part: &'r Part<'_>,
    into: &mut Vec<Part<'r>>,
    pictures: &mut Vec<Part<'r>>,
    dropped: &mut Dropped,
) -> Result<(), Error> {
    let mut uncache = |cached: bool| {
        if cached {
            dropped.add("cache_control")
        }
    };
    match part {
        Part::Text { text, cache, .. } => {
            uncache(cache.is_some());
            into.push(Part::text(lend(text)));
        }
        Part::Refusal(text) => into.push(Part::Refusal(lend(text))),
        Part::Media(it) => {
            uncache(it.cache.is_some());
            media(it, into)?;
        }
        Part::ToolCall(call) => {
            uncache(call.cache.is_some());
            let mut call = call.clone();
            (call.cache, call.extra) = (None, Vec::new());
            into.push(Part::ToolCall(call));
        }
        Part::ToolResult { call, parts, cache, .. } => {
            uncache(cache.is_some());
            into.push(result(call, parts, pictures, dropped)?);
        }
        Part::Reasoning { .. } | Part::RedactedReasoning(_) => {}
        Part::Unknown { kind, .. } => {
            return Err(unsupported("messages".into(), format!("the target takes no parts of type {kind:?}")));
        }
    }
    Ok(())
}

fn result<'r>(
    call: &'r Text<'_>,
    said: &'r [Part<'_>],
    pictures: &mut Vec<Part<'r>>,
    dropped: &mut Dropped,
) -> Result<Part<'r>, Error> {
    let mut parts = Vec::with_capacity(said.len());
    for it in said {
        part(it, &mut parts, &mut Vec::new(), dropped)?;
    }
    let (shown, mut parts): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| matches!(part, Part::Media(_)));
    if parts.is_empty() {
        parts.push(Part::text(if shown.is_empty() { "" } else { PICTURE }.into()));
    }
    pictures.extend(shown);
    let plain = parts.len() == 1;
    Ok(Part::ToolResult { call: lend(call), parts, plain, is_error: false, cache: None, extra: Vec::new() })
}

/// Documents of text are text; of others OpenAI's chat takes the data only.
fn media<'r>(media: &'r Media<'_>, into: &mut Vec<Part<'r>>) -> Result<(), Error> {
    let document = media.kind == MediaKind::Document;
    let (source, named) = match &media.source {
        Source::Base64 { media_type, data } => {
            let named = if document { Some("document.pdf".into()) } else { None };
            (Source::Base64 { media_type: lend(media_type), data: lend(data) }, named)
        }
        Source::Url(url) if media.kind == MediaKind::Image => (Source::Url(lend(url)), None),
        Source::Text(text) => {
            into.extend(media.label.as_ref().map(|title| Part::text(lend(title))));
            into.push(Part::text(lend(text)));
            return Ok(());
        }
        Source::Pieces { parts, .. } => {
            into.extend(media.label.as_ref().map(|title| Part::text(lend(title))));
            return parts.iter().try_for_each(|it| part(it, into, &mut Vec::new(), &mut Dropped::default()));
        }
        Source::Url(_) => {
            return Err(unsupported("messages".into(), "the target takes documents and sound as data only".into()));
        }
        Source::File(_) => return Err(unsupported("messages".into(), "the target has no file of that id".into())),
    };
    let label = media.label.as_ref().map(lend).or(named);
    into.push(Part::Media(Media { kind: media.kind, source, label, cache: None, extra: Vec::new() }));
    Ok(())
}

fn unsupported(field: Cow<'static, str>, reason: String) -> Error {
    Error::Unsupported { field, reason: reason.into() }
}
