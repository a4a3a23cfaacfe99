//! A request for a provider that has only chat.

use super::emit::Echo;
use super::{keep, parse, words};
use crate::neutral::{MediaKind, Message, Part, Request, Role, Source};
use crate::openai::PICTURE;
use crate::translate::{self, Dropped, Edit, Emitted, Target, unsupported};
use crate::{Dialect, Error};

/// Translates a client's request.
///
/// # Errors
/// As [`translate::request`], in the words of the Responses API.
pub(crate) fn translate(body: &[u8], target: &Target<'_>, edit: Edit<'_>) -> Result<Emitted, Error> {
    let in_body = |fault| Error::in_request(body, &fault);
    if target.dialect == Dialect::Responses {
        let mut request = keep::read(body).map_err(in_body)?;
        edit(&mut request);
        return translate::emit(request, target);
    }
    let parse::Parsed { mut request, mut dropped, .. } = parse::read(body).map_err(in_body)?;
    let echo = Echo::of(body).map_err(in_body)?;
    if target.dialect == Dialect::OpenAI {
        fit(&mut request)?;
    }
    edit(&mut request);
    let mut emitted = translate::emit(request, target).map_err(words::error)?;
    emitted.dropped.into_iter().for_each(|name| dropped.add(&words::name(name)));
    emitted.dropped = Dropped::names(dropped);
    emitted.names.set_echo(echo);
    Ok(emitted)
}

/// Looks at a client's request.
///
/// # Errors
/// It is malformed.
pub(crate) fn read<T>(body: &[u8], look: impl FnOnce(&Request<'_>) -> T) -> Result<T, Error> {
    keep::read(body).map(|request| look(&request)).map_err(|fault| Error::in_request(body, &fault))
}

/// What servers that only call themselves compatible do not know: developers, proof of others' thinking, documents
/// by address, and pictures as the result of a tool.
fn fit(request: &mut Request<'_>) -> Result<(), Error> {
    let mut messages = Vec::with_capacity(request.messages.len());
    // Pictures wait until all results of a turn are told: nothing may stand between those.
    let mut pictures = Vec::new();
    for mut message in std::mem::take(&mut request.messages) {
        if message.role != Role::Tool && !pictures.is_empty() {
            messages.push(shown(std::mem::take(&mut pictures)));
        }
        if message.role == Role::Developer {
            message.role = Role::System;
        }
        let proven =
            |part: &Part<'_>| matches!(part, Part::RedactedReasoning(_) | Part::Reasoning { signature: Some(_), .. });
        message.parts.retain(|part| !proven(part));
        message.parts.iter_mut().try_for_each(|part| fit_part(part, &mut pictures))?;
        if !message.parts.is_empty() {
            messages.push(message);
        }
    }
    if !pictures.is_empty() {
        messages.push(shown(pictures));
    }
    request.messages = messages;
    Ok(())
}

fn fit_part<'a>(part: &mut Part<'a>, pictures: &mut Vec<Part<'a>>) -> Result<(), Error> {
    match part {
        Part::Media(media) if media.kind == MediaKind::Document && matches!(media.source, Source::Url(_)) => {
            Err(unsupported("input", "the target takes documents as data only"))
        }
        Part::ToolResult { parts, plain, .. } => {
            parts.iter_mut().try_for_each(|part| fit_part(part, &mut Vec::new()))?;
            let (shown, said): (Vec<_>, Vec<_>) =
                std::mem::take(parts).into_iter().partition(|part| matches!(part, Part::Media(_)));
            *parts = said;
            if parts.is_empty() {
                parts.push(Part::text(if shown.is_empty() { "" } else { PICTURE }.into()));
            }
            *plain = parts.len() == 1;
            pictures.extend(shown);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn shown(pictures: Vec<Part<'_>>) -> Message<'_> {
    Message { role: Role::User, parts: pictures, plain: false, extra: Vec::new() }
}
