//! What a text rests on, in Gemini's words: `groundingMetadata` and `citationMetadata` beside the content. Places are
//! counted in bytes (ai.google.dev, api/generate-content, GroundingMetadata).

use std::convert::Infallible;

use crate::Dialect;
use crate::json::Writer;
use crate::neutral::{Citation, Part};
use serde_json::Value;

/// Pages, and the bytes of the text that rest on each where that is said.
pub(super) struct Found {
    url: String,
    title: Option<String>,
    /// The part of the content, and from where up to where.
    place: Option<(u64, u64, u64)>,
}

/// The pages that grounding or citation metadata names. It is read once an answer, so a tree may be built.
pub(super) fn read(metadata: &str) -> Vec<Found> {
    let Ok(metadata) = serde_json::from_str::<Value>(metadata) else { return Vec::new() };
    let list = |key: &str| metadata[key].as_array().map(Vec::as_slice).unwrap_or_default();
    let chunks: Vec<_> = list("groundingChunks").iter().map(|chunk| page(&chunk["web"])).collect();
    let mut found = Vec::new();
    for support in list("groundingSupports") {
        let place = place(&support["segment"]);
        let indices = support["groundingChunkIndices"].as_array().into_iter().flatten().filter_map(Value::as_u64);
        let pages = indices.filter_map(|index| chunks.get(usize::try_from(index).ok()?)?.clone());
        found.extend(pages.map(|(url, title)| Found { url, title, place }));
    }
    if found.is_empty() {
        found.extend(chunks.into_iter().flatten().map(|(url, title)| Found { url, title, place: None }));
    }
    for source in list("citationSources").iter().chain(list("citations")) {
        let of = page(source);
        found.extend(of.map(|(url, title)| Found { url, title, place: place(source) }));
    }
    found
}

fn page(page: &Value) -> Option<(String, Option<String>)> {
    let url = page["uri"].as_str()?.to_owned();
    Some((url, page["title"].as_str().map(ToOwned::to_owned)))
}

/// Zeros are left out by Gemini.
fn place(segment: &Value) -> Option<(u64, u64, u64)> {
    let number = |key: &str| segment[key].as_u64();
    Some((number("partIndex").unwrap_or(0), number("startIndex").unwrap_or(0), number("endIndex")?))
}

impl Found {
    /// Where it belongs among these parts, and the citation. What names no text of the answer rests under its first.
    pub(super) fn settle(self, parts: &[Part<'_>]) -> Option<(usize, Citation<'static>)> {
        let text = |at: usize| if let Some(Part::Text { text, .. }) = parts.get(at) { Some(text) } else { None };
        let named = self.place.and_then(|(part, ..)| usize::try_from(part).ok()).filter(|at| text(*at).is_some());
        let at = named.or_else(|| (0..parts.len()).find(|at| text(*at).is_some()))?;
        let characters = |bytes: u64| Some(text(at)?.get(..usize::try_from(bytes).ok()?)?.chars().count() as u64);
        let span = self.place.and_then(|(_, from, to)| characters(from).zip(characters(to)));
        Some((at, self.citation(span)))
    }

    /// The citation; in a stream whose text is ASCII a byte is a character, and in others the place is not known.
    pub(super) fn streamed(self, ascii: bool) -> Citation<'static> {
        let span = self.place.filter(|_| ascii).map(|(_, from, to)| (from, to));
        self.citation(span)
    }

    fn citation(self, span: Option<(u64, u64)>) -> Citation<'static> {
        let (url, title) = (Some(self.url.into()), self.title.map(Into::into));
        let span = span.filter(|(from, to)| from < to);
        Citation { url, title, span, ..Citation::new(Dialect::Gemini) }
    }
}

/// A citation to write, with the part and the bytes of it that rest on it.
pub(super) struct Cited<'c> {
    citation: &'c Citation<'c>,
    segment: Option<(u64, u64, u64)>,
}

/// The pages that another provider's texts rest on.
pub(super) fn of_parts<'c>(parts: &[&'c Part<'c>]) -> Vec<Cited<'c>> {
    let mut all = Vec::new();
    for (at, part) in (0..).zip(parts) {
        let Part::Text { text, citations, .. } = part else { continue };
        let byte = |character: u64| {
            let nth = text.char_indices().nth(usize::try_from(character).unwrap_or(usize::MAX));
            nth.map_or(text.len() as u64, |(byte, _)| byte as u64)
        };
        for citation in citations.iter().filter(|citation| citation.origin != Dialect::Gemini) {
            let (from, to) = citation.span.map_or((0, text.len() as u64), |(from, to)| (byte(from), byte(to)));
            all.push(Cited { citation, segment: Some((at, from, to)) });
        }
    }
    all.retain(|cited| cited.citation.url.is_some());
    all
}

/// The same of a stream, whose text is one part. `ascii`: a character of it is a byte; else the place is not told.
pub(super) fn of_stream<'c>(citations: &'c [Citation<'c>], ascii: bool) -> Vec<Cited<'c>> {
    let cited = |citation: &'c Citation<'c>| {
        let segment = citation.span.filter(|_| ascii).map(|(from, to)| (0, from, to));
        Cited { citation, segment }
    };
    citations.iter().map(cited).collect()
}

/// Writes them: a chunk for each, and the segment that it supports.
pub(super) fn write(w: &mut Writer<'_>, all: &[Cited<'_>]) -> Result<(), Infallible> {
    if all.is_empty() {
        return Ok(());
    }
    w.key("groundingMetadata").object(|w| {
        w.key("groundingChunks").array(|w| all.iter().try_for_each(|cited| chunk(w, cited.citation)))?;
        w.key("groundingSupports").array(|w| {
            let placed = (0..).zip(all).filter_map(|(chunk, cited)| Some((chunk, cited.segment?)));
            placed.into_iter().try_for_each(|(chunk, segment)| support(w, segment, chunk))
        })
    })
}

fn chunk(w: &mut Writer<'_>, citation: &Citation<'_>) -> Result<(), Infallible> {
    w.object(|w| {
        w.key("web").object(|w| {
            w.key("uri").string(citation.url.as_deref().unwrap_or_default());
            if let Some(title) = &citation.title {
                w.key("title").string(title);
            }
            Ok(())
        })
    })
}

fn support(w: &mut Writer<'_>, (part, from, to): (u64, u64, u64), chunk: u64) -> Result<(), Infallible> {
    w.object(|w| {
        w.key("segment").object(|w| {
            for (key, number) in [("partIndex", part), ("startIndex", from), ("endIndex", to)] {
                w.key(key).unsigned(number);
            }
            Ok::<(), Infallible>(())
        })?;
        w.key("groundingChunkIndices").array(|w| {
            w.unsigned(chunk);
            Ok(())
        })
    })
}
