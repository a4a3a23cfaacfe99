//! What a text rests on, as a Responses text says it: like chat's annotations, but flat
//! (platform.openai.com, guides/tools-web-search).

use std::convert::Infallible;

use crate::Dialect;
use crate::json::{Fault, Kind, Reader, Writer};
use crate::neutral::{Citation, Text};
use crate::openai;

/// Reads one. Of one that cites no page nothing is known that others could tell; what is no object is none.
pub(super) fn read<'a>(reader: &mut Reader<'a>) -> Result<Option<Citation<'a>>, Fault> {
    if reader.peek()? != Kind::Object {
        return reader.skip().map(|()| None);
    }
    let raw = reader.raw()?;
    let mut citation = Citation::new(Dialect::Responses);
    if type_of(raw)? == "url_citation" {
        openai::url_citation(&mut Reader::of(raw), &mut citation)?;
    }
    citation.raw = Some(raw.into());
    Ok(Some(citation))
}

/// The `type` of an object; empty where it has none.
pub(super) fn type_of(raw: &str) -> Result<Text<'_>, Fault> {
    let mut found = Text::default();
    Reader::of(raw).object(|reader, key| {
        if key.decode() == "type" {
            found = openai::string(reader)?.unwrap_or_default();
            return Ok(());
        }
        reader.skip()
    })?;
    Ok(found)
}

/// The annotations of one text, as the items of a list: its own of any type, and pages. `span` gives the characters of the text that
/// rest on a citation.
pub(super) fn written<'c, 'a: 'c>(
    citations: impl IntoIterator<Item = &'c Citation<'a>>,
    span: impl Fn(&Citation<'a>) -> (u64, u64),
) -> String {
    let mut out = Vec::new();
    let mut w = Writer::new(&mut out);
    for citation in citations {
        match (&citation.raw, &citation.url) {
            (Some(raw), _) if citation.origin == Dialect::Responses => w.raw(raw),
            (_, None) => {}
            (_, Some(_)) => {
                let Ok(()) = w.object(|w| {
                    w.key("type").string("url_citation");
                    openai::page(w, citation, span(citation));
                    Ok::<(), Infallible>(())
                });
            }
        }
    }
    String::from_utf8(out).unwrap_or_default()
}
