use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{is_blank, plain_id};
use crate::json::Writer;
use crate::neutral::{Extra, Media, MediaKind, Part, Raw, Source, ToolCall};
use crate::translate::{Names, unsupported};
use crate::{Dialect, Error};

/// Writes content blocks, and counts what may be given a few times only.
pub(super) struct Blocks<'n> {
    names: &'n Names,
    /// The request was written in Anthropic's dialect, so what only that knows is said again.
    own: bool,
    /// Cache marks that may still be set: Anthropic takes four.
    marks: u8,
    /// How often each id was given to a call: some servers count from 0 in every answer, and Anthropic takes an id once.
    calls: HashMap<String, Uses>,
}

/// How often an id was given to a call, and in a result.
#[derive(Default)]
struct Uses {
    calls: u32,
    results: u32,
}

impl<'n> Blocks<'n> {
    pub(super) fn new(names: &'n Names, origin: Dialect) -> Self {
        Self { names, own: origin == Dialect::Anthropic, marks: 4, calls: HashMap::new() }
    }

    pub(super) fn write(&mut self, w: &mut Writer<'_>, part: &Part<'_>) -> Result<(), Error> {
        match part {
            Part::Text { text, .. } | Part::Refusal(text) if is_blank(text) => {}
            Part::Text { text, cache, extra, .. } => self.text(w, text, *cache, extra),
            Part::Refusal(text) => self.text(w, text, None, &[]),
            Part::Media(media) => self.media(w, media)?,
            Part::ToolCall(call) => self.call(w, call)?,
            Part::ToolResult { .. } => self.result(w, part)?,
            Part::Reasoning { signature: None, .. } => {}
            Part::Reasoning { text, signature: Some(signature) } => w.object(|w| {
                w.key("type").string("thinking");
                w.key("thinking").string(text);
                w.key("signature").string(signature);
                Ok::<(), Error>(())
            })?,
            Part::RedactedReasoning(data) => w.object(|w| {
                w.key("type").string("redacted_thinking");
                w.key("data").string(data);
                Ok::<(), Error>(())
            })?,
            Part::Unknown { origin: Dialect::Anthropic, value, .. } => w.raw(value.0),
            Part::Unknown { .. } => return Err(unsupported("messages", "a part that the target does not know")),
        }
        Ok(())
    }

    pub(super) fn text(&mut self, w: &mut Writer<'_>, text: &str, cache: Option<Raw<'_>>, extra: &[Extra<'_>]) {
        let Ok(()) = w.object(|w| {
            w.key("type").string("text");
            w.key("text").string(text);
            self.mark(w, cache);
            self.extra(w, extra);
            Ok::<(), std::convert::Infallible>(())
        });
    }

    /// Says again what only Anthropic knows.
    pub(super) fn extra(&self, w: &mut Writer<'_>, extra: &[Extra<'_>]) {
        if self.own {
            extra.iter().for_each(|extra| w.any_key(&extra.name).raw(extra.value.0));
        }
    }

    /// Passes a `cache_control` on while there are marks left.
    pub(super) fn mark(&mut self, w: &mut Writer<'_>, cache: Option<Raw<'_>>) {
        if let Some(cache) = cache
            && let Some(left) = self.marks.checked_sub(1)
        {
            self.marks = left;
            w.key("cache_control").raw(cache.0);
        }
    }

    fn call(&mut self, w: &mut Writer<'_>, call: &ToolCall<'_>) -> Result<(), Error> {
        w.object(|w| {
            w.key("type").string("tool_use");
            let uses = self.calls.entry(call.id.to_string()).or_default();
            uses.calls += 1;
            w.key("id").string(&nth_id(&call.id, uses.calls));
            w.key("name").string(self.names.sent_name(&call.name));
            let arguments = call.arguments.trim_ascii();
            w.key("input").raw(if arguments.is_empty() { "{}" } else { arguments });
            self.mark(w, call.cache);
            self.extra(w, &call.extra);
            Ok(())
        })
    }

    fn result(&mut self, w: &mut Writer<'_>, result: &Part<'_>) -> Result<(), Error> {
        let Part::ToolResult { call, parts, plain, is_error, cache, extra } = result else { return Ok(()) };
        w.object(|w| {
            w.key("type").string("tool_result");
            // Results come in the order of their calls.
            let uses = self.calls.entry(call.to_string()).or_default();
            uses.results = (uses.results + 1).min(uses.calls);
            w.key("tool_use_id").string(&nth_id(call, uses.results));
            match &parts[..] {
                [] => {}
                [Part::Text { text, cache: None, .. }] if *plain || !self.own => w.key("content").string(text),
                parts => w.key("content").array(|w| parts.iter().try_for_each(|part| self.write(w, part)))?,
            }
            if *is_error {
                w.key("is_error").bool(true);
            }
            self.mark(w, *cache);
            self.extra(w, extra);
            Ok(())
        })
    }

    fn media(&mut self, w: &mut Writer<'_>, media: &Media<'_>) -> Result<(), Error> {
        let named = match media.kind {
            MediaKind::Image => "image",
            MediaKind::Document => "document",
            MediaKind::Audio => return Err(unsupported("messages", "the target takes no sound")),
        };
        let (block, source) = match &media.source {
            Source::Url(url) => (named, Where::Url(url)),
            Source::File(id) => (named, Where::File(id)),
            Source::Text(text) => ("document", Where::Text(text.as_ref().into())),
            Source::Pieces { parts, plain } => ("document", Where::Pieces(parts, *plain)),
            Source::Base64 { media_type, data } => match real_type(media_type, data) {
                image @ ("image/gif" | "image/jpeg" | "image/png" | "image/webp") => {
                    ("image", Where::Data(image, data))
                }
                pdf @ "application/pdf" => ("document", Where::Data(pdf, data)),
                text if text.starts_with("text/") => ("document", Where::Text(decode(data)?.into())),
                other => {
                    let reason = format!("the target takes no data of type {other:?}");
                    return Err(Error::Unsupported { field: "messages".into(), reason: reason.into() });
                }
            },
        };
        w.object(|w| {
            w.key("type").string(block);
            w.key("source").object(|w| self.source(w, &source))?;
            if let (MediaKind::Document, Some(title)) = (media.kind, &media.label) {
                w.key("title").string(title);
            }
            self.mark(w, media.cache);
            self.extra(w, &media.extra);
            Ok(())
        })
    }

    fn source(&mut self, w: &mut Writer<'_>, source: &Where<'_>) -> Result<(), Error> {
        let (of_type, members): (&str, [Option<(&'static str, &str)>; 2]) = match source {
            Where::Url(url) => ("url", [Some(("url", url)), None]),
            Where::File(id) => ("file", [Some(("file_id", id)), None]),
            Where::Data(media_type, data) => ("base64", [Some(("media_type", media_type)), Some(("data", data))]),
            Where::Text(text) => ("text", [Some(("media_type", "text/plain")), Some(("data", text))]),
            Where::Pieces([Part::Text { text, .. }], true) => ("content", [Some(("content", text)), None]),
            Where::Pieces(..) => ("content", [None, None]),
        };
        w.key("type").string(of_type);
        members.into_iter().flatten().for_each(|(key, value)| w.key(key).string(value));
        if let Where::Pieces(parts, false) = source {
            w.key("content").array(|w| parts.iter().try_for_each(|part| self.write(w, part)))?;
        }
        Ok(())
    }
}

enum Where<'m> {
    Url(&'m str),
    File(&'m str),
    Data(&'m str, &'m str),
    Text(Cow<'m, str>),
    Pieces(&'m [Part<'m>], bool),
}

/// The type that the first bytes tell, since clients often name another and Anthropic refuses the difference.
fn real_type<'m>(named: &'m str, base64: &str) -> &'m str {
    let magic = [
        ("iVBORw0KGgo", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
        ("JVBERi", "application/pdf"),
    ];
    let told = magic.into_iter().find(|(start, _)| base64.starts_with(start)).map(|(_, told)| told);
    match told.unwrap_or(named) {
        "image/jpg" => "image/jpeg",
        known => known,
    }
}

fn decode(base64: &str) -> Result<String, Error> {
    let bytes = STANDARD.decode(base64).map_err(|_| Error::bad_request("messages", "a file's data is no base64"))?;
    String::from_utf8(bytes).map_err(|_| Error::bad_request("messages", "a text file is not UTF-8"))
}

/// The id of the nth call that the client gave this one.
fn nth_id(id: &str, nth: u32) -> Cow<'_, str> {
    match nth {
        0 | 1 => plain_id(id),
        nth => Cow::Owned(format!("{}_{nth}", plain_id(id))),
    }
}
