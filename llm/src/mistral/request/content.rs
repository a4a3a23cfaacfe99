use crate::Error;
use crate::json::Writer;
use crate::neutral::{Media, MediaKind, Part, Source};
use crate::translate::{Dropped, unsupported};

/// Writes a `content`: one text as a string, anything else as chunks.
pub(super) fn write(w: &mut Writer<'_>, parts: &[&Part<'_>], dropped: &mut Dropped) -> Result<(), Error> {
    match parts {
        [] => w.key("content").string(""),
        [Part::Text { text, cache: None, .. }] => w.key("content").string(text),
        parts => w.key("content").array(|w| parts.iter().try_for_each(|part| chunk(w, part, dropped)))?,
    }
    Ok(())
}

fn chunk(w: &mut Writer<'_>, part: &Part<'_>, dropped: &mut Dropped) -> Result<(), Error> {
    match part {
        Part::Text { text, cache, extra, .. } => {
            extra.iter().for_each(|extra| dropped.add(&extra.name));
            if cache.is_some() {
                dropped.add("cache_control");
            }
            self::text(w, text)
        }
        Part::Refusal(text) => self::text(w, text),
        Part::Media(it) => {
            if it.cache.is_some() {
                dropped.add("cache_control");
            }
            media(w, it)
        }
        Part::Reasoning { text, signature } => thinking(w, text, signature.as_deref()),
        Part::ToolCall(_) | Part::ToolResult { .. } | Part::RedactedReasoning(_) | Part::Unknown { .. } => Ok(()),
    }
}

fn text(w: &mut Writer<'_>, text: &str) -> Result<(), Error> {
    w.object(|w| {
        w.key("type").string("text");
        w.key("text").string(text);
        Ok(())
    })
}

fn thinking(w: &mut Writer<'_>, text: &str, signature: Option<&str>) -> Result<(), Error> {
    w.object(|w| {
        w.key("type").string("thinking");
        w.key("thinking").array(|w| self::text(w, text))?;
        if let Some(signature) = signature {
            w.key("signature").string(signature);
        }
        w.key("closed").bool(true);
        Ok(())
    })
}

fn media(w: &mut Writer<'_>, media: &Media<'_>) -> Result<(), Error> {
    let url = match &media.source {
        Source::Url(url) => url.to_string(),
        Source::Base64 { media_type, data } if media_type.is_empty() => format!("data:application/pdf;base64,{data}"),
        Source::Base64 { media_type, data } => format!("data:{media_type};base64,{data}"),
        Source::File(_) | Source::Text(_) | Source::Pieces { .. } => {
            return Err(unsupported("messages", "the target takes documents by URL and as data only"));
        }
    };
    w.object(|w| {
        match media.kind {
            MediaKind::Audio => {
                w.key("type").string("input_audio");
                // Mistral takes the bare data, or a URL.
                w.key("input_audio").string(match &media.source {
                    Source::Base64 { data, .. } => data,
                    Source::Url(_) | Source::File(_) | Source::Text(_) | Source::Pieces { .. } => &url,
                });
            }
            MediaKind::Image => {
                w.key("type").string("image_url");
                w.key("image_url").object(|w| {
                    w.key("url").string(&url);
                    if let Some(detail) = &media.label {
                        w.key("detail").string(detail);
                    }
                    Ok::<(), Error>(())
                })?;
            }
            MediaKind::Document => {
                w.key("type").string("document_url");
                w.key("document_url").string(&url);
                if let Some(name) = &media.label {
                    w.key("document_name").string(name);
                }
            }
        }
        Ok(())
    })
}
