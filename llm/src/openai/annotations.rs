//! What a text rests on, in OpenAI's words: `annotations` of a message, of which `url_citation` means something elsewhere
//! (platform.openai.com, guides/tools-web-search).

use std::convert::Infallible;

use crate::Dialect;
use crate::json::{Fault, Kind, Reader, Writer};
use crate::neutral::{Citation, Part, Text};

/// Reads a list of annotations. One of another type is kept as it is, with nothing that others could tell of it.
pub(super) fn read<'a>(reader: &mut Reader<'a>, into: &mut Vec<Citation<'a>>) -> Result<(), Fault> {
    reader.array(|reader| {
        if reader.peek()? != Kind::Object {
            return reader.skip();
        }
        let start = reader.at();
        let mut citation = Citation::new(Dialect::OpenAI);
        reader.object(|reader, key| match &*key.decode() {
            "url_citation" if reader.peek()? == Kind::Object => url_citation(reader, &mut citation),
            _ => reader.skip(),
        })?;
        citation.raw = Some(reader.slice(start, reader.at()).into());
        into.push(citation);
        Ok::<(), Fault>(())
    })
}

/// Reads the members of a page that is cited.
pub(crate) fn url_citation<'a>(reader: &mut Reader<'a>, citation: &mut Citation<'a>) -> Result<(), Fault> {
    let (mut from, mut to) = (None, None);
    reader.object(|reader, key| {
        let text = match &*key.decode() {
            "url" => &mut citation.url,
            "title" => &mut citation.title,
            // OpenRouter gives the words that were found.
            "content" => &mut citation.quote,
            "start_index" => {
                from = super::usage::count(reader)?;
                return Ok(());
            }
            "end_index" => {
                to = super::usage::count(reader)?;
                return Ok(());
            }
            _ => return reader.skip(),
        };
        *text = super::parse::string(reader)?;
        Ok::<(), Fault>(())
    })?;
    citation.span = from.zip(to).filter(|(from, to)| from < to);
    Ok(())
}

/// Writes the annotations of an answer's texts, which are one content in OpenAI's dialect.
pub(super) fn write(w: &mut Writer<'_>, parts: &[Part<'_>]) -> Result<(), Infallible> {
    if !parts.iter().any(|part| matches!(part, Part::Text { citations, .. } if citations.iter().any(is_known))) {
        return Ok(());
    }
    w.key("annotations").array(|w| {
        let mut before = 0;
        for part in parts {
            let Part::Text { text, citations, .. } = part else { continue };
            let length = length(text);
            for citation in citations.iter().filter(|citation| is_known(citation)) {
                let (from, to) = citation.span.unwrap_or((0, length));
                annotation(w, citation, (before + from, before + to))?;
            }
            before += length;
        }
        Ok(())
    })
}

/// Whether OpenAI's dialect can say it: its own of any type, and pages.
pub(super) fn is_known(citation: &Citation<'_>) -> bool {
    own(citation).is_some() || citation.url.is_some()
}

/// Writes one, with the characters of the whole content that rest on it.
pub(super) fn annotation(w: &mut Writer<'_>, citation: &Citation<'_>, span: (u64, u64)) -> Result<(), Infallible> {
    if let Some(raw) = own(citation) {
        w.raw(raw);
        return Ok(());
    }
    w.object(|w| {
        w.key("type").string("url_citation");
        w.key("url_citation").object(|w| {
            page(w, citation, span);
            Ok(())
        })
    })
}

/// Writes the members of a page that is cited, with the characters that rest on it.
pub(crate) fn page(w: &mut Writer<'_>, citation: &Citation<'_>, (from, to): (u64, u64)) {
    w.key("url").string(citation.url.as_deref().unwrap_or_default());
    w.key("title").string(citation.title.as_deref().unwrap_or_default());
    if let Some(quote) = &citation.quote {
        w.key("content").string(quote);
    }
    w.key("start_index").unsigned(from);
    w.key("end_index").unsigned(to);
}

fn own<'c>(citation: &'c Citation<'_>) -> Option<&'c str> {
    citation.raw.as_deref().filter(|_| citation.origin == Dialect::OpenAI)
}

/// In characters, as OpenAI counts.
pub(crate) fn length(text: &Text<'_>) -> u64 {
    text.chars().count() as u64
}
