//! Changes of a few bytes of a body; all others stay as they came.

use bytes::Bytes;

use crate::json::write_string;
use crate::scan::{Key, Scan, Span};

/// Bytes of the body that are replaced; an empty span inserts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    span: Span,
    with: Vec<u8>,
}

impl Scan {
    /// Replaces the value of `model`.
    pub fn set_model(&self, model: &str) -> Option<Edit> {
        let span = self.member(Key::Model)?.value;
        let mut with = Vec::with_capacity(model.len() + 2);
        write_string(&mut with, model);
        Some(Edit { span, with })
    }

    /// Makes a stream report its usage. `None` if the client asked for it already.
    pub fn ask_for_usage(&self) -> Option<Edit> {
        if self.include_usage == Some(true) {
            return None;
        }
        let options = self.options();
        let (at, with): (Span, &[u8]) = match self.member(Key::StreamOptions) {
            None => (Span::before(self.member(Key::Model)?.key.start), br#""stream_options":{"include_usage":true},"#),
            Some(_) if let Some(value) = options.include_usage => (value, b"true"),
            Some(it) if options.has_members => (Span::before(it.value.start + 1), br#""include_usage":true,"#),
            Some(it) => (it.value, br#"{"include_usage":true}"#),
        };
        Some(Edit { span: at, with: with.to_vec() })
    }

    /// Takes the key by which this model calls the token bound, if the client used the other one.
    pub fn rename_max_tokens(&self, wanted: Key) -> Option<Edit> {
        let other = match wanted {
            Key::MaxTokens => Key::MaxCompletionTokens,
            Key::MaxCompletionTokens => Key::MaxTokens,
            _ => return None,
        };
        if self.member(wanted).is_some() {
            return None;
        }
        Some(Edit { span: self.member(other)?.key, with: format!("\"{}\"", wanted.name()).into_bytes() })
    }
}

/// The new body in pieces; those of the old one are slices of it.
///
/// # Panics
/// Never for edits of a [`Scan`] of this very body, as long as no two edits overlap.
pub fn apply(body: &Bytes, mut edits: Vec<Edit>) -> Vec<Bytes> {
    edits.sort_by_key(|edit| edit.span.start);
    let mut pieces = Vec::with_capacity(edits.len() * 2 + 1);
    let mut from = 0;
    for Edit { span, with } in edits {
        pieces.push(body.slice(from..span.start));
        pieces.push(Bytes::from(with));
        from = span.end;
    }
    pieces.push(body.slice(from..));
    pieces.retain(|piece| !piece.is_empty());
    pieces
}
