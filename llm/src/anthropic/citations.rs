//! What a text rests on, in Anthropic's words: places in documents, and pages that a search found
//! (platform.claude.com, build-with-claude/citations and the web search tool).

use std::convert::Infallible;

use super::stream::string;
use crate::Dialect;
use crate::json::{Fault, Kind, Reader, Writer};
use crate::neutral::{Citation, Text};

/// Reads one citation; nothing for what is no object.
pub(super) fn read<'a>(reader: &mut Reader<'a>) -> Result<Option<Citation<'a>>, Fault> {
    if reader.peek()? != Kind::Object {
        reader.skip()?;
        return Ok(None);
    }
    let start = reader.at();
    let mut citation = Citation::new(Dialect::Anthropic);
    reader.object(|reader, key| {
        let text = match &*key.decode() {
            "url" => &mut citation.url,
            "title" | "document_title" => &mut citation.title,
            "cited_text" => &mut citation.quote,
            _ => return reader.skip(),
        };
        *text = string(reader)?.filter(|text| !text.is_empty());
        Ok::<(), Fault>(())
    })?;
    citation.raw = Some(reader.slice(start, reader.at()).into());
    Ok(Some(citation))
}

/// Reads a list of them.
pub(super) fn list(raw: &str) -> Result<Vec<Citation<'_>>, Fault> {
    let mut reader = Reader::of(raw);
    let mut all = Vec::new();
    if reader.peek()? == Kind::Array {
        reader.array(|reader| {
            all.extend(read(reader)?);
            Ok::<(), Fault>(())
        })?;
    }
    Ok(all)
}

/// Whether Anthropic's dialect can say it: its own of any type, and pages.
pub(super) fn is_known(citation: &Citation<'_>) -> bool {
    own(citation).is_some() || citation.url.is_some()
}

/// Writes one that is known. A page that another provider's search found has no `encrypted_index`.
pub(super) fn write(w: &mut Writer<'_>, citation: &Citation<'_>) -> Result<(), Infallible> {
    if let Some(raw) = own(citation) {
        w.raw(raw);
        return Ok(());
    }
    w.object(|w| {
        w.key("type").string("web_search_result_location");
        w.key("url").string(citation.url.as_deref().unwrap_or_default());
        match &citation.title {
            Some(title) => w.key("title").string(title),
            None => w.key("title").raw("null"),
        }
        w.key("encrypted_index").string("");
        w.key("cited_text").string(citation.quote.as_deref().unwrap_or_default());
        Ok(())
    })
}

fn own<'c>(citation: &'c Citation<'_>) -> Option<&'c str> {
    citation.raw.as_deref().filter(|_| citation.origin == Dialect::Anthropic)
}

/// Those that are kept beyond their event, one or a list, without the characters that rest on them.
pub(super) fn read_owned(raw: &str) -> Result<Vec<Citation<'static>>, Fault> {
    let owned = |text: Option<Text<'_>>| text.map(|text| Text::Owned(text.into_owned()));
    let found = if raw.starts_with('[') { list(raw)? } else { read(&mut Reader::of(raw))?.into_iter().collect() };
    let kept = |citation: Citation<'_>| Citation {
        origin: citation.origin,
        url: owned(citation.url),
        title: owned(citation.title),
        quote: owned(citation.quote),
        span: None,
        raw: owned(citation.raw),
    };
    Ok(found.into_iter().map(kept).collect())
}
