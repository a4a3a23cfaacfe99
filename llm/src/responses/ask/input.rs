use crate::json::Writer;
use crate::neutral::{Extra, Media, MediaKind, Message, Part, Request, Role, Source};
use crate::translate::unsupported;
use crate::{Dialect, Error};

/// One thing that a person said is a bare string; all else is a list of items.
pub(super) fn write(w: &mut Writer<'_>, request: &Request<'_>) -> Result<(), Error> {
    let own = request.origin == Dialect::Responses;
    w.key("input");
    if let [Message { role: Role::User, parts, plain: true, extra }] = &request.messages[..]
        && let ([Part::Text { text, .. }], true) = (&parts[..], extra.is_empty())
    {
        w.string(text);
        return Ok(());
    }
    w.array(|w| request.messages.iter().try_for_each(|it| message(w, it, own)))
}

/// What is said in a row is one item; calls and results are items of their own. Thinking is left out: only its own
/// provider takes it back, and its items come whole.
fn message(w: &mut Writer<'_>, message: &Message<'_>, own: bool) -> Result<(), Error> {
    for row in message.parts.chunk_by(|one, next| is_said(one) && is_said(next)) {
        match row {
            [Part::ToolCall(call)] => w.object(|w| {
                w.key("type").string("function_call");
                w.key("call_id").string(&call.id);
                w.key("name").string(&call.name);
                w.key("arguments").string(&call.arguments);
                extra(w, &call.extra, own)
            })?,
            [Part::ToolResult { call, parts, plain, extra, .. }] => w.object(|w| {
                w.key("type").string("function_call_output");
                w.key("call_id").string(call);
                w.key("output");
                content(w, parts, *plain, (Role::Tool, own))?;
                self::extra(w, extra, own)
            })?,
            [Part::Unknown { origin: Dialect::Responses, is_call: true, value, .. }] => w.raw(value.0),
            [Part::Reasoning { .. } | Part::RedactedReasoning(_)] => {}
            row => spoken(w, row, message, own)?,
        }
    }
    Ok(())
}

fn is_said(part: &Part<'_>) -> bool {
    match part {
        Part::Text { .. } | Part::Refusal(_) | Part::Media(_) => true,
        Part::Unknown { is_call, .. } => !is_call,
        Part::ToolCall(_) | Part::ToolResult { .. } | Part::Reasoning { .. } | Part::RedactedReasoning(_) => false,
    }
}

fn spoken(w: &mut Writer<'_>, said: &[Part<'_>], message: &Message<'_>, own: bool) -> Result<(), Error> {
    w.object(|w| {
        w.key("role").string(match message.role {
            Role::System => "system",
            Role::Developer => "developer",
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        });
        w.key("content");
        content(w, said, message.plain, (message.role, own))?;
        extra(w, &message.extra, own)
    })
}

/// Members that only the API knows, if the request came in it.
fn extra(w: &mut Writer<'_>, all: &[Extra<'_>], own: bool) -> Result<(), Error> {
    all.iter().filter(|_| own).for_each(|extra| w.any_key(&extra.name).raw(extra.value.0));
    Ok(())
}

/// `by`: who says it, and whether the request came in the API.
fn content(w: &mut Writer<'_>, parts: &[Part<'_>], plain: bool, by: (Role, bool)) -> Result<(), Error> {
    match parts {
        [Part::Text { text, .. }] if plain => {
            w.string(text);
            Ok(())
        }
        parts => w.array(|w| parts.iter().try_for_each(|it| part(w, it, by))),
    }
}

fn part(w: &mut Writer<'_>, part: &Part<'_>, (role, own): (Role, bool)) -> Result<(), Error> {
    match part {
        Part::Text { text, extra, .. } => w.object(|w| {
            w.key("type").string(if role == Role::Assistant { "output_text" } else { "input_text" });
            w.key("text").string(text);
            self::extra(w, extra, own)
        }),
        Part::Refusal(text) => w.object(|w| {
            w.key("type").string("refusal");
            w.key("refusal").string(text);
            Ok(())
        }),
        Part::Media(it) => media(w, it, own),
        Part::Unknown { origin: Dialect::Responses, value, .. } => {
            w.raw(value.0);
            Ok(())
        }
        // Chat has the same part.
        Part::Unknown { origin: Dialect::OpenAI, kind, value, .. } if kind == "input_audio" => {
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

fn media(w: &mut Writer<'_>, media: &Media<'_>, own: bool) -> Result<(), Error> {
    let (kind, data, label) = match media.kind {
        MediaKind::Image => ("input_image", "image_url", "detail"),
        MediaKind::Document => ("input_file", "file_data", "filename"),
        MediaKind::Audio => return Err(unsupported("messages", "the target takes no sound")),
    };
    w.object(|w| {
        w.key("type").string(kind);
        match &media.source {
            Source::Url(url) if media.kind == MediaKind::Document => w.key("file_url").string(url),
            Source::Url(url) => w.key(data).string(url),
            Source::Base64 { media_type, data: bytes } if media_type.is_empty() => w.key(data).string(bytes),
            Source::Base64 { media_type, data: bytes } => {
                w.key(data).string(&format!("data:{media_type};base64,{bytes}"));
            }
            Source::File(_) | Source::Text(_) | Source::Pieces { .. } => {
                return Err(unsupported("messages", "the target takes documents as data only"));
            }
        }
        if let Some(given) = &media.label {
            w.key(label).string(given);
        }
        extra(w, &media.extra, own)
    })
}
