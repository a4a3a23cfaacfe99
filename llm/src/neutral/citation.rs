use super::Text;
use crate::Dialect;

/// What a text rests on: a page that was found, or a place in a document that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Citation<'a> {
    /// The dialect that it came in; `raw` belongs to it.
    pub origin: Dialect,
    /// The page.
    pub url: Option<Text<'a>>,
    /// The name of the page or of the document.
    pub title: Option<Text<'a>>,
    /// The words that are cited.
    pub quote: Option<Text<'a>>,
    /// The characters that rest on it, from the first up to the one behind the last: of the text that it stands at, in
    /// a stream of all text of the answer. `None`: all of that text.
    pub span: Option<(u64, u64)>,
    /// All of it as JSON text, where it is one object in its own dialect.
    pub raw: Option<Text<'a>>,
}

impl Citation<'_> {
    /// One that says nothing yet.
    pub(crate) fn new(origin: Dialect) -> Self {
        Self { origin, url: None, title: None, quote: None, span: None, raw: None }
    }
}
