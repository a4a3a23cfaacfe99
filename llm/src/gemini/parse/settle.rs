use std::collections::HashSet;

use super::parts::SILENT;
use super::tools::{ALLOWED, names};
use crate::Error;
use crate::gemini::carry::{self, Carried};
use crate::neutral::{Extra, Media, Message, Part, Request, Role, Source, Text, ToolCall};

/// Members of which the neutral form has its own idea: kept as they were for Gemini alone.
const KEPT: [&str; 4] = [
    ALLOWED,
    "toolConfig.functionCallingConfig.mode",
    "generationConfig.responseSchema",
    "generationConfig.thinkingConfig.includeThoughts",
];

/// Members that others have too, under their names for them.
const SHARED: [(&str, &str); 4] = [
    ("generationConfig.seed", "seed"),
    ("generationConfig.presencePenalty", "presence_penalty"),
    ("generationConfig.frequencyPenalty", "frequency_penalty"),
    ("serviceTier", "service_tier"),
];

/// Makes a request ready for another dialect: what Gemini alone needs is taken out, and what it says in its own way is
/// said in the others'.
///
/// # Errors
/// [`Error::Unsupported`] for what changes the meaning and has no place elsewhere.
pub(crate) fn settle(request: &mut Request<'_>) -> Result<(), Error> {
    request.extra.iter().try_for_each(check)?;
    if request.stream && request.n.is_some_and(|n| n > 1) {
        let reason = "the target streams one answer only".into();
        return Err(Error::Unsupported { field: "generationConfig.candidateCount".into(), reason });
    }
    narrow(request);
    request.extra.retain(|extra| !KEPT.contains(&&*extra.name));
    for extra in &mut request.extra {
        if let Some((_, shared)) = SHARED.iter().find(|(own, _)| extra.name == *own) {
            extra.name = (*shared).into();
        }
    }
    request.tools.iter_mut().for_each(|tool| tool.extra.retain(|extra| extra.name != "parameters"));
    request.messages = messages(std::mem::take(&mut request.messages));
    Ok(())
}

fn check(extra: &Extra<'_>) -> Result<(), Error> {
    let reason = match &*extra.name {
        "generationConfig.responseModalities" => {
            let only_text = |list: &str| {
                let list = list.trim_matches(|c: char| "[] \n\r\t".contains(c));
                list.is_empty() || list.eq_ignore_ascii_case("\"TEXT\"")
            };
            if only_text(extra.value.0) {
                return Ok(());
            }
            "the target answers with text only"
        }
        "generationConfig.responseFormat" => "give a responseMimeType and a schema",
        "cachedContent" => "the target has no such cache",
        "generationConfig.continuationToken" | "continuationToken" => "the target cannot go on with Gemini's answer",
        _ => return Ok(()),
    };
    Err(Error::Unsupported { field: extra.name.to_string().into(), reason: reason.into() })
}

/// Others have no word for some of the functions: the rest is not declared to them.
fn narrow(request: &mut Request<'_>) {
    let Some(allowed) = request.extra.iter().find(|extra| extra.name == ALLOWED) else { return };
    let allowed: HashSet<_> = names(allowed.value).into_iter().collect();
    if !allowed.is_empty() {
        request.tools.retain(|tool| allowed.contains(&tool.name));
    }
}

/// The conversation as others have it: results of tools are messages of their own, before what the person says, and an
/// answer that came as a stream and is sent back piece by piece is one message.
fn messages(contents: Vec<Message<'_>>) -> Vec<Message<'_>> {
    let mut messages: Vec<Message<'_>> = Vec::with_capacity(contents.len());
    for Message { role, parts, mut extra, .. } in contents {
        let parts = parts.into_iter().filter_map(part);
        let (results, said): (Vec<_>, Vec<_>) = parts.partition(|part| matches!(part, Part::ToolResult { .. }));
        for result in results {
            messages.push(Message { role: Role::Tool, parts: vec![result], plain: true, extra: Vec::new() });
        }
        match messages.last_mut().filter(|last| role == Role::Assistant && last.role == role) {
            Some(last) => last.parts.extend(said),
            None if said.is_empty() => {}
            None => {
                extra.retain(|extra| extra.name != "role");
                messages.push(Message { role, parts: said, plain: false, extra });
            }
        }
    }
    for message in messages.iter_mut().filter(|message| message.role != Role::Tool) {
        if message.role == Role::Assistant {
            message.parts = joined(std::mem::take(&mut message.parts));
        }
        message.plain = matches!(&message.parts[..], [Part::Text { .. }]);
    }
    messages
}

/// Texts and thoughts that follow each other are one.
fn joined(pieces: Vec<Part<'_>>) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = Vec::with_capacity(pieces.len());
    for part in pieces {
        match (parts.last_mut(), part) {
            (Some(Part::Text { text, .. }), Part::Text { text: more, .. }) => text.to_mut().push_str(&more),
            (Some(Part::Reasoning { text, signature: before @ None }), Part::Reasoning { text: more, signature }) => {
                text.to_mut().push_str(&more);
                *before = signature;
            }
            (_, part) => parts.push(part),
        }
    }
    parts
}

/// A part as others have it; nothing if it says nothing to them.
fn part(part: Part<'_>) -> Option<Part<'_>> {
    Some(match part {
        Part::Text { text, .. } if text.is_empty() => return None,
        Part::Text { text, cache, citations, extra } => Part::Text { text, cache, citations, extra: bare(extra) },
        Part::Reasoning { text, signature } => return thinking(text, signature.as_deref()),
        Part::Unknown { kind, .. } if kind == SILENT => return None,
        Part::Media(media) => Part::Media(self::media(media)),
        Part::ToolCall(call) => Part::ToolCall(ToolCall { extra: bare(call.extra), ..call }),
        Part::ToolResult { call, parts, is_error, cache, extra, .. } => {
            let parts: Vec<_> = parts.into_iter().filter_map(self::part).collect();
            Part::ToolResult { call, plain: parts.len() == 1, parts, is_error, cache, extra: bare(extra) }
        }
        part @ (Part::Refusal(_) | Part::RedactedReasoning(_) | Part::Unknown { .. }) => part,
    })
}

/// What the model thought. Gemini's own proof of it means nothing to others; theirs is in the same place.
fn thinking<'a>(text: Text<'a>, signature: Option<&str>) -> Option<Part<'a>> {
    match signature.and_then(carry::read) {
        Some(Carried::Signature(signature)) => Some(Part::Reasoning { text, signature: Some(signature.into()) }),
        Some(Carried::Redacted(data)) => Some(Part::RedactedReasoning(data.into())),
        None => (!text.is_empty()).then_some(Part::Reasoning { text, signature: None }),
    }
}

/// Base64 in the standard alphabet and padded: Google's SDKs write the one that is safe in URLs, which others refuse.
fn media(media: Media<'_>) -> Media<'_> {
    let is_standard =
        |data: &str| data.len().is_multiple_of(4) && memchr::memchr2(b'-', b'_', data.as_bytes()).is_none();
    let source = match media.source {
        Source::Base64 { media_type, data } if !is_standard(&data) => {
            Source::Base64 { media_type, data: carry::standard(&data).into() }
        }
        source => source,
    };
    Media { source, extra: bare(media.extra), ..media }
}

/// Without what only Gemini reads, or what the neutral form says in another way.
fn bare(mut extra: Vec<Extra<'_>>) -> Vec<Extra<'_>> {
    let own = ["thought", SILENT, "functionCall.id", "fileData.mimeType"];
    extra.retain(|extra| !own.contains(&&*extra.name) && !extra.name.starts_with("functionResponse."));
    extra
}
