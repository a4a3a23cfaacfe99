use super::contents::Block;
use crate::Error;
use crate::gemini::{carry::NO_SIGNATURE, id};
use crate::json::{Reader, Writer};
use crate::neutral::{Extra, Media, Part, Source, ToolCall};
use crate::translate::Names;

/// Writes the parts of one turn. `signed`: the model refuses a turn whose first call has no signature.
pub(super) fn write<'b, 'a: 'b>(
    w: &mut Writer<'_>,
    blocks: impl Iterator<Item = &'b Block<'a, 'a>> + Clone,
    names: &Names,
    mut signed: bool,
) -> Result<(), Error> {
    for block in blocks.clone() {
        match block {
            Block::Part(Part::ToolCall(called)) => {
                call(w, called, names, signed)?;
                signed = false;
            }
            Block::Part(part) => plain(w, part)?,
            Block::Instruction(words) => text(w, &format!("<system>\n{words}\n</system>"))?,
            Block::Result(part, name) => result(w, part, names.sent_name(name))?,
        }
    }
    // Behind everything stands what no result has a place for.
    let mut blocks = blocks;
    blocks.try_for_each(|block| match block {
        Block::Result(Part::ToolResult { parts, .. }, _) => {
            parts.iter().filter(|part| matches!(part, Part::Media(_))).try_for_each(|part| plain(w, part))
        }
        _ => Ok(()),
    })
}

pub(super) fn text(w: &mut Writer<'_>, text: &str) -> Result<(), Error> {
    w.object(|w| {
        w.key("text").string(text);
        Ok(())
    })
}

fn plain(w: &mut Writer<'_>, part: &Part<'_>) -> Result<(), Error> {
    match part {
        Part::Text { text: words, .. } | Part::Refusal(words) => text(w, words),
        Part::Media(it) => media(w, it),
        // Calls and results have their own places; thoughts and what is not known were left out before.
        _ => Ok(()),
    }
}

fn call(w: &mut Writer<'_>, call: &ToolCall<'_>, names: &Names, signed: bool) -> Result<(), Error> {
    let (id, carried) = id::parted(&call.id);
    let signature = carried.or_else(|| extra_signature(&call.extra));
    w.object(|w| {
        w.key("functionCall").object(|w| {
            if !id.is_empty() {
                w.key("id").string(id);
            }
            w.key("name").string(names.sent_name(&call.name));
            let arguments = call.arguments.trim_ascii();
            w.key("args").raw(if arguments.is_empty() { "{}" } else { arguments });
            Ok::<(), Error>(())
        })?;
        match signature {
            Some(signature) => w.key("thoughtSignature").string(&signature),
            None if signed => w.key("thoughtSignature").string(NO_SIGNATURE),
            None => {}
        }
        Ok(())
    })
}

/// The signature in the member by which Google's own OpenAI endpoint carries it:
/// `extra_content.google.thought_signature`.
fn extra_signature(extra: &[Extra<'_>]) -> Option<String> {
    let content = extra.iter().find(|extra| extra.name == "extra_content")?;
    let content: serde_json::Value = serde_json::from_str(content.value.0).ok()?;
    let signature = content.pointer("/google/thought_signature")?.as_str()?;
    (!signature.is_empty()).then(|| signature.to_owned())
}

/// The answer of a tool, as the object that Gemini demands.
fn result(w: &mut Writer<'_>, part: &Part<'_>, name: &str) -> Result<(), Error> {
    let Part::ToolResult { call, parts, is_error, .. } = part else { return Ok(()) };
    let (id, _) = id::parted(call);
    let said: Vec<&str> =
        parts.iter().filter_map(|part| if let Part::Text { text, .. } = part { Some(&**text) } else { None }).collect();
    let said = said.join("\n");
    w.object(|w| {
        w.key("functionResponse").object(|w| {
            if !id.is_empty() {
                w.key("id").string(id);
            }
            w.key("name").string(name);
            w.key("response");
            if is_object(&said) && !is_error {
                w.raw(said.trim_ascii());
                return Ok(());
            }
            w.object(|w| {
                w.key(if *is_error { "error" } else { "output" }).string(&said);
                Ok::<(), Error>(())
            })
        })
    })
}

fn is_object(text: &str) -> bool {
    let mut reader = Reader::of(text);
    reader.object(|reader, _| reader.skip()).and_then(|()| reader.end()).is_ok()
}

fn media(w: &mut Writer<'_>, media: &Media<'_>) -> Result<(), Error> {
    match &media.source {
        Source::Text(words) => return text(w, words),
        Source::Pieces { parts, .. } => return parts.iter().try_for_each(|part| plain(w, part)),
        Source::File(_) => return Err(super::unsupported("messages", "a file of another provider's store")),
        Source::Base64 { .. } | Source::Url(_) => {}
    }
    w.object(|w| match &media.source {
        Source::Base64 { media_type, data } => w.key("inlineData").object(|w| {
            w.key("mimeType").string(if media_type.is_empty() { told_by(data)? } else { media_type });
            w.key("data").string(data);
            Ok(())
        }),
        Source::Url(url) => w.key("fileData").object(|w| {
            if let Some(of_type) = named_by(url) {
                w.key("mimeType").string(of_type);
            }
            w.key("fileUri").string(url);
            Ok(())
        }),
        Source::Text(_) | Source::Pieces { .. } | Source::File(_) => Ok(()),
    })
}

/// The type that the first bytes tell.
fn told_by(base64: &str) -> Result<&'static str, Error> {
    let magic = [
        ("JVBERi", "application/pdf"),
        ("iVBORw0KGgo", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
    ];
    let told = magic.into_iter().find(|(start, _)| base64.starts_with(start)).map(|(_, told)| told);
    told.ok_or_else(|| super::unsupported("messages", "a file must say its type, as a data URL"))
}

/// The type that the ending of an address tells.
pub(in crate::gemini) fn named_by(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next()?;
    let ending = path.rsplit_once('.')?.1;
    let known = [
        ("png", "image/png"),
        ("jpg", "image/jpeg"),
        ("jpeg", "image/jpeg"),
        ("webp", "image/webp"),
        ("gif", "image/gif"),
        ("pdf", "application/pdf"),
    ];
    known.into_iter().find(|(name, _)| ending.eq_ignore_ascii_case(name)).map(|(_, of_type)| of_type)
}
