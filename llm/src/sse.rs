//! Server-sent events, and lines of JSON, split in place.
//!
//! The grammar of events is the WHATWG one (HTML, 9.2.6): lines end in CRLF, LF or CR, a blank line ends an event, one
//! space after the colon is not part of the value. Only `data` and `event` matter to the APIs here. A line of JSON ends
//! in LF, as ndjson-spec has it, and is an event without a name.

mod array;

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

use crate::{Dialect, Error};

pub use array::Array;

/// No provider sends an event near this size; one that does is broken.
pub const MAX_EVENT: usize = 16 << 20;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// How a stream is cut into events.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    #[default]
    Events,
    /// One JSON value a line.
    Lines,
}

/// One whole event, with the blank line that ends it, or one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The bytes as they came, ready to forward. Blank lines before an event belong to it.
    pub raw: Bytes,
    data: Data,
    name: Option<Span>,
}

/// Splits a stream of chunks into events. A chunk that holds whole events is sliced, not copied.
#[derive(Debug, Default)]
pub struct Splitter {
    framing: Framing,
    /// What has not been split yet is in one of the two: in `joined` if an event spans chunks.
    chunk: Bytes,
    joined: BytesMut,
    begun: bool,
    partial: Partial,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Data {
    #[default]
    None,
    One(Span),
    Many,
}

/// How far the event at the start of the buffer has been read.
#[derive(Debug, Default, Clone, Copy)]
struct Partial {
    /// The start of the current line, and the first byte of it that was not looked at.
    line: usize,
    seen: usize,
    /// A line that is not blank has been seen, so a blank one ends the event.
    any: bool,
    /// The last line ended in a CR alone, so a stream of CRs is being read and a LF is not waited for.
    bare_cr: bool,
    data: Data,
    name: Option<Span>,
}

impl Framing {
    /// That of a provider's streams.
    pub fn of(upstream: Dialect) -> Self {
        match upstream {
            Dialect::OpenAI | Dialect::Anthropic | Dialect::Gemini | Dialect::Mistral | Dialect::Responses => {
                Self::Events
            }
            Dialect::Ollama => Self::Lines,
        }
    }
}

impl Event {
    /// The event's data: its `data:` lines joined by LF, or the whole line. `None` if it has none, as a comment.
    pub fn data(&self) -> Option<Cow<'_, [u8]>> {
        match self.data {
            Data::None => None,
            Data::One(span) => Some(Cow::Borrowed(&self.raw[span.start..span.end])),
            Data::Many => {
                let mut joined = Vec::with_capacity(self.raw.len());
                for (i, value) in fields(&self.raw, b"data").enumerate() {
                    if i > 0 {
                        joined.push(b'\n');
                    }
                    joined.extend_from_slice(value);
                }
                Some(Cow::Owned(joined))
            }
        }
    }

    /// Its bytes before and after an offset in its data; none where the data is not one line.
    pub(crate) fn split(&self, at: usize) -> Option<(&[u8], &[u8])> {
        match self.data {
            Data::One(span) => self.raw.split_at_checked(span.start + at),
            Data::None | Data::Many => None,
        }
    }

    /// The value of its `event:` line.
    pub fn name(&self) -> Option<&[u8]> {
        self.name.map(|span| &self.raw[span.start..span.end])
    }
}

impl Splitter {
    /// One that has seen nothing yet.
    pub fn new(framing: Framing) -> Self {
        Self { framing, ..Self::default() }
    }

    /// Takes the next bytes of the stream. Ask [`Splitter::next_event`] until it has none before the next push.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() && self.joined.is_empty() {
            self.chunk = chunk;
            return;
        }
        let rest = std::mem::take(&mut self.chunk);
        self.joined.extend_from_slice(&rest);
        self.joined.extend_from_slice(&chunk);
    }

    /// The next whole event, or `None` until more bytes are pushed.
    ///
    /// # Errors
    /// [`Error::EventTooLarge`] for one above [`MAX_EVENT`]; the stream cannot go on.
    pub fn next_event(&mut self) -> Result<Option<Event>, Error> {
        if !self.begun && !self.begin() {
            return Ok(None);
        }
        let buffer = if self.joined.is_empty() { &self.chunk[..] } else { &self.joined };
        let whole = match self.framing {
            Framing::Events => self.partial.advance(buffer),
            Framing::Lines => self.partial.advance_line(buffer),
        };
        if self.partial.line.max(self.partial.seen) > MAX_EVENT {
            return Err(Error::EventTooLarge { limit: MAX_EVENT });
        }
        if !whole {
            return Ok(None);
        }
        let Partial { line: end, data, name, bare_cr, .. } = std::mem::take(&mut self.partial);
        self.partial.bare_cr = bare_cr;
        Ok(Some(Event { raw: self.take(end), data, name }))
    }

    /// What is left when the stream has ended: an event without its blank line, or a line without its end, which is added. Whether it is whole is
    /// for whoever reads its data to say.
    pub fn finish(&mut self) -> Option<Event> {
        let rest = self.take(self.joined.len().max(self.chunk.len()));
        let mut closed = BytesMut::from(&rest[..]);
        closed.extend_from_slice(b"\n\n");
        *self = Self { begun: true, ..Self::new(self.framing) };
        self.push(closed.freeze());
        let event = self.next_event().ok().flatten();
        *self = Self::new(self.framing);
        event
    }

    /// Drops a byte order mark. False until enough bytes came to know.
    fn begin(&mut self) -> bool {
        let buffer: &[u8] = if self.joined.is_empty() { &self.chunk } else { &self.joined };
        if buffer.len() < BOM.len() && BOM.starts_with(buffer) {
            return false;
        }
        if buffer.starts_with(BOM) {
            self.take(BOM.len());
        }
        self.begun = true;
        true
    }

    fn take(&mut self, n: usize) -> Bytes {
        if self.joined.is_empty() { self.chunk.split_to(n) } else { self.joined.split_to(n).freeze() }
    }
}

impl Partial {
    /// Reads on; true when `line` stands behind the blank line that ends the event.
    fn advance(&mut self, buffer: &[u8]) -> bool {
        while let Some(found) = memchr::memchr2(b'\n', b'\r', &buffer[self.seen..]) {
            let end = self.seen + found;
            let blank = end == self.line;
            let next = match (buffer[end], buffer.get(end + 1)) {
                (b'\n', _) => end + 1,
                (_, Some(b'\n')) if !(blank && self.bare_cr) => end + 2,
                (_, None) if !(blank && self.bare_cr) => {
                    // A LF may follow. Look at this CR again when the next byte is here.
                    self.seen = end;
                    return false;
                }
                _ => end + 1,
            };
            if !blank {
                self.note(buffer, end);
            }
            self.bare_cr = next == end + 1 && buffer[end] == b'\r';
            self.line = next;
            self.seen = next;
            if blank && self.any {
                return true;
            }
        }
        self.seen = buffer.len();
        false
    }

    /// Reads on; true when `line` stands behind a line that says something.
    fn advance_line(&mut self, buffer: &[u8]) -> bool {
        while let Some(found) = memchr::memchr(b'\n', &buffer[self.seen..]) {
            let (start, end) = (self.line, self.seen + found);
            self.line = end + 1;
            self.seen = end + 1;
            if !buffer[start..end].trim_ascii().is_empty() {
                self.data = Data::One(Span { start, end });
                return true;
            }
        }
        self.seen = buffer.len();
        false
    }

    fn note(&mut self, buffer: &[u8], end: usize) {
        self.any = true;
        let line = &buffer[self.line..end];
        if let Some(value) = value_of(line, b"data") {
            let span = Span { start: end - value.len(), end };
            self.data = if self.data == Data::None { Data::One(span) } else { Data::Many };
        } else if let Some(value) = value_of(line, b"event") {
            self.name = Some(Span { start: end - value.len(), end });
        }
    }
}

/// The value of a line of that field, without the one space that may come before it.
fn value_of<'a>(line: &'a [u8], field: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(field)? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

fn fields<'a>(raw: &'a [u8], field: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
    // CRLF gives an empty line between CR and LF, which is no field.
    raw.split(|b| matches!(b, b'\n' | b'\r')).filter_map(move |line| value_of(line, field))
}

/// Appends an event with that data, which must hold no line end.
pub(crate) fn write(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
pub(crate) mod tests;
