//! JSON schemas, looked into: what they hold, and what their references lead to.

use std::borrow::Cow;

use crate::json::{Fault, Kind, Reader, Writer};

/// More of a schema is cut short: a few references can stand for millions of nodes.
const MAX_NODES: usize = 10_000;
/// And of a small one more than this: a request may hold thousands. References apart, a node has sixteen bytes at least.
const NODES_OF_ANY: usize = 256;
const BYTES_OF_ANY_NODE: usize = 16;
/// What comes of a schema is this many times its length and a bit: each reference says again what it leads to.
const MAX_GROWTH: usize = 16;
const GROWTH_OF_ANY: usize = 16 << 10;
/// Finding what a reference leads to reads the whole schema: so many bytes of it cost as much as a node.
const BYTES_OF_A_NODE: usize = 4096;
/// So deep a schema may be, references followed.
const MAX_DEPTH: usize = 48;

/// The type of what stands for a schema that leads back to itself, or too far.
pub(crate) const ANY_OBJECT: &str = r#""object""#;

/// What is said to a model that no form can be demanded of.
pub(crate) const JSON_ONLY: &str = "Answer with one JSON object and nothing else.";

/// Keys and their values, verbatim.
pub(crate) type Members<'s> = Vec<(Cow<'s, str>, &'s str)>;

/// A walk through a schema that follows its references, and its bounds.
pub(crate) struct References<'s> {
    root: &'s str,
    /// Nodes that may still be written.
    left: usize,
    /// Bytes behind which no further node is written out.
    most: usize,
    /// The references that led here.
    trail: Vec<Cow<'s, str>>,
}

impl<'s> References<'s> {
    pub(crate) fn of(root: &'s str) -> Self {
        let left = MAX_NODES.min(NODES_OF_ANY + root.len() / BYTES_OF_ANY_NODE);
        Self { root, left, most: GROWTH_OF_ANY + MAX_GROWTH * root.len(), trail: Vec::new() }
    }

    /// False if no node may be written at this depth, or behind so many bytes, any more.
    pub(crate) fn take_node(&mut self, depth: usize, written: usize) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left > 0 && written < self.most && depth < MAX_DEPTH
    }

    /// What a reference within the schema leads to; nothing if it leads back to where it came from.
    pub(crate) fn follow(&mut self, reference: &'s str) -> Option<&'s str> {
        let reference = text(reference)?;
        if self.trail.contains(&reference) || self.trail.len() >= MAX_DEPTH {
            return None;
        }
        self.left = self.left.checked_sub(self.root.len() / BYTES_OF_A_NODE)?;
        let path = reference.strip_prefix('#')?;
        let found = path.split('/').skip(1).try_fold(self.root, |at, step| {
            let step = step.replace("~1", "/").replace("~0", "~");
            members(at).into_iter().find(|(key, _)| *key == step).map(|(_, value)| value)
        })?;
        self.trail.push(reference);
        Some(found)
    }

    /// How many references led here.
    pub(crate) fn passed(&self) -> usize {
        self.trail.len()
    }

    /// Forgets the later ones: their node is written.
    pub(crate) fn back_to(&mut self, passed: usize) {
        self.trail.truncate(passed);
    }
}

/// The members of an object; none of anything else.
pub(crate) fn members(object: &str) -> Members<'_> {
    let mut members = Vec::new();
    let read = Reader::of(object).object(|reader, key| {
        members.push((key.decode(), reader.raw()?));
        Ok::<(), Fault>(())
    });
    if read.is_err() { Vec::new() } else { members }
}

/// The items of an array; none of anything else.
pub(crate) fn items(array: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let read = Reader::of(array).array(|reader| {
        items.push(reader.raw()?);
        Ok::<(), Fault>(())
    });
    if read.is_err() { Vec::new() } else { items }
}

pub(crate) fn text(json: &str) -> Option<Cow<'_, str>> {
    let mut reader = Reader::of(json);
    if reader.peek().ok()? == Kind::String { reader.string().ok() } else { None }
}

pub(crate) fn object(w: &mut Writer<'_>, body: impl FnOnce(&mut Writer<'_>)) {
    let Ok(()) = w.object(|w| {
        body(w);
        Ok::<(), std::convert::Infallible>(())
    });
}

pub(crate) fn array(w: &mut Writer<'_>, body: impl FnOnce(&mut Writer<'_>)) {
    let Ok(()) = w.array(|w| {
        body(w);
        Ok::<(), std::convert::Infallible>(())
    });
}
