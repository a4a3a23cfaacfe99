//! JSON read and written in place.
//!
//! A tree costs more than everything else that is done with a request, so nothing here builds one: [`Reader`] pulls
//! values out of the bytes, borrowing strings that have no escapes and whole subtrees verbatim; [`Writer`] appends.
//! The reader takes what `serde_json` takes, with the same depth bound; a test compares them. The one exception are
//! numbers that no `f64` holds: they are not computed with, so they pass as they are spelled.

mod escape;
mod members;
mod path;
mod reader;
mod writer;

use std::borrow::Cow;

pub(crate) use members::{Member, Members, camel};
pub(crate) use path::path_at;
pub(crate) use reader::{Kind, Literal, Reader};
pub(crate) use writer::{Writer, write_string};

/// Objects and arrays may be nested this deep, one less than `serde_json` refuses.
pub(crate) const MAX_DEPTH: u8 = 127;

/// A place in the bytes, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) what: Cow<'static, str>,
    /// Well-formed, but unknown here: another reader may know it.
    pub(crate) unknown: bool,
}

impl Fault {
    pub(crate) fn new(at: usize, what: impl Into<Cow<'static, str>>) -> Self {
        Self { at, what: what.into(), unknown: false }
    }

    pub(crate) fn unknown(at: usize, what: impl Into<Cow<'static, str>>) -> Self {
        Self { unknown: true, ..Self::new(at, what) }
    }
}
