use std::borrow::Cow;

use super::escape::{Escapes, bits, escape, letters, numbered, plain_run, special, unescape};
use super::{Fault, MAX_DEPTH};

/// What kind of value comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

/// A string as it stands in the bytes, without its quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Literal<'a> {
    /// The offset of its opening quote.
    pub(crate) at: usize,
    pub(crate) text: &'a str,
    pub(crate) escaped: bool,
    /// Bytes of UTF-8 that it decodes to.
    pub(crate) decoded_len: usize,
}

/// A pull parser over one JSON document.
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u8,
    /// Halves of surrogate pairs are read as the replacement character.
    lone_surrogates: bool,
}

impl<'a> Literal<'a> {
    pub(crate) fn decode(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescape(self.text, self.decoded_len)) } else { Cow::Borrowed(self.text) }
    }
}

impl<'a> Reader<'a> {
    /// Fails at the first byte that is not UTF-8.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, Fault> {
        let text = std::str::from_utf8(bytes).map_err(|e| Fault::new(e.valid_up_to(), "invalid UTF-8"))?;
        Ok(Self::of(text))
    }

    pub(crate) fn of(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0, lone_surrogates: false }
    }

    /// For answers: some servers split an emoji's two escapes over two events, and the client puts them together again.
    pub(crate) fn of_answer(bytes: &'a [u8]) -> Result<Self, Fault> {
        Ok(Self { lone_surrogates: true, ..Self::new(bytes)? })
    }

    /// The offset of the next byte; after [`Reader::peek`] that of the next value.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The nesting of the next value: 0 for the document itself.
    pub(crate) fn depth(&self) -> u8 {
        self.depth
    }

    pub(crate) fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    pub(crate) fn fault(&self, what: impl Into<Cow<'static, str>>) -> Fault {
        Fault::new(self.at, what)
    }

    /// Looks at the kind of the next value, after white space.
    pub(crate) fn peek(&mut self) -> Result<Kind, Fault> {
        match self.next_byte() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            Some(_) => Err(self.fault("expected a JSON value")),
            None => Err(self.fault("the JSON ends too early")),
        }
    }

    /// Calls `member` for each member of an object; it must consume the value.
    pub(crate) fn object<E: From<Fault>>(
        &mut self,
        mut member: impl FnMut(&mut Self, Literal<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'{', "expected an object")?;
        if self.close(b'}') {
            return Ok(());
        }
        loop {
            if self.next_byte() != Some(b'"') {
                return Err(self.fault("expected a key in quotes").into());
            }
            let key = self.literal()?;
            if self.next_byte() != Some(b':') {
                return Err(self.fault("expected a colon").into());
            }
            self.at += 1;
            member(self, key)?;
            if self.close(b'}') {
                return Ok(());
            }
            self.comma("expected a comma or the end of the object")?;
        }
    }

    /// Calls `item` for each item of an array; it must consume the value.
    pub(crate) fn array<E: From<Fault>>(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), E>) -> Result<(), E> {
        self.open(b'[', "expected an array")?;
        if self.close(b']') {
            return Ok(());
        }
        loop {
            item(self)?;
            if self.close(b']') {
                return Ok(());
            }
            self.comma("expected a comma or the end of the array")?;
        }
    }

    /// Calls `item` for each item of an array, or for the one value that stands for an array of it.
    pub(crate) fn each<E: From<Fault>>(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), E>) -> Result<(), E> {
        if self.peek()? == Kind::Array { self.array(item) } else { item(self) }
    }

    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        if self.next_byte() != Some(b'"') {
            return Err(self.fault("expected a string"));
        }
        self.literal().map(Literal::decode)
    }

    /// A number as it is spelled.
    pub(crate) fn number(&mut self) -> Result<&'a str, Fault> {
        if self.peek()? != Kind::Number {
            return Err(self.fault("expected a number"));
        }
        let start = self.at;
        self.skip_number()?;
        Ok(self.slice(start, self.at))
    }

    pub(crate) fn bool(&mut self) -> Result<bool, Fault> {
        match self.next_byte() {
            Some(b't') => self.word("true").map(|()| true),
            Some(b'f') => self.word("false").map(|()| false),
            _ => Err(self.fault("expected true or false")),
        }
    }

    /// An integer that is not negative. Refuses fractions, which providers refuse too.
    pub(crate) fn unsigned(&mut self) -> Result<u64, Fault> {
        let kind = self.peek()?;
        let start = self.at;
        if kind != Kind::Number {
            return Err(self.fault("expected an integer"));
        }
        self.number()?.parse().map_err(|_| Fault::new(start, "expected an integer that is not negative"))
    }

    /// Consumes a `null` and says so; leaves anything else.
    pub(crate) fn null(&mut self) -> Result<bool, Fault> {
        if self.next_byte() == Some(b'n') { self.word("null").map(|()| true) } else { Ok(false) }
    }

    /// `None` for null, else what `read` makes of the value.
    pub(crate) fn optional<T, E: From<Fault>>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        if self.null()? { Ok(None) } else { read(self).map(Some) }
    }

    /// Any value, verbatim.
    pub(crate) fn raw(&mut self) -> Result<&'a str, Fault> {
        self.peek()?;
        let start = self.at;
        self.skip()?;
        Ok(self.slice(start, self.at))
    }

    /// Checks one value and passes over it.
    pub(crate) fn skip(&mut self) -> Result<(), Fault> {
        match self.peek()? {
            Kind::Object => self.object(|reader, _| reader.skip()),
            Kind::Array => self.array(Self::skip),
            Kind::String => self.literal().map(drop),
            Kind::Number => self.skip_number(),
            Kind::Bool => self.bool().map(drop),
            Kind::Null => self.null().map(drop),
        }
    }

    /// Nothing but white space may follow.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        match self.next_byte() {
            None => Ok(()),
            Some(_) => Err(self.fault("unexpected bytes after the JSON value")),
        }
    }

    /// The string that starts at the quote under the cursor.
    pub(crate) fn literal(&mut self) -> Result<Literal<'a>, Fault> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut at = start;
        let mut surplus = 0;
        loop {
            at = self.simple(at, &mut surplus);
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    let (taken, decoded) = escape(bytes, at, self.lone_surrogates)?;
                    at += taken;
                    surplus += taken - decoded;
                    // Where one is written by its number, mostly the next one is too.
                    while let Some((taken, decoded)) = numbered(bytes, at) {
                        at += taken;
                        surplus += taken - decoded;
                    }
                }
                Some(0..0x20) => return Err(Fault::new(at, "a control character must be escaped in a string")),
                // The last bytes, fewer than a word.
                Some(_) => at = plain_run(bytes, at),
                None => return Err(Fault::new(at, "the JSON ends inside a string")),
            }
        }
        self.at = at + 1;
        let text = self.slice(start, at);
        Ok(Literal { at: start - 1, text, escaped: surplus > 0, decoded_len: text.len() - surplus })
    }

    /// Passes over text and escapes of one letter, and stops at anything else. Code in a prompt is full of such escapes,
    /// so all of a word are seen to at once, however many there are.
    #[inline]
    fn simple(&self, mut at: usize, surplus: &mut usize) -> usize {
        let bytes = self.text.as_bytes();
        // 1 if the byte at `at` stands behind the backslash of an escape.
        let mut open = 0;
        while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let hits = special(u64::from_le_bytes(*chunk));
            if hits == 0 && open == 0 {
                at += 8;
                continue;
            }
            // Most strings are short and hold no escape: their end comes first.
            let hit = at + hits.trailing_zeros() as usize / 8;
            if open == 0 && bytes[hit] != b'\\' {
                return hit;
            }
            let Escapes { backslashes, escaped, open: still_open } = Escapes::of(*chunk, open);
            let unknown = escaped & !letters(*chunk);
            let stops = unknown | bits(hits) & !backslashes & !escaped;
            let first = stops & stops.wrapping_neg();
            *surplus += (escaped & first.wrapping_sub(1)).count_ones() as usize;
            if stops != 0 {
                // An escape that is not known here is looked at from its backslash on.
                return at + stops.trailing_zeros() as usize - usize::from(unknown & first != 0);
            }
            open = still_open;
            at += 8;
        }
        at - usize::from(open)
    }

    fn next_byte(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn open(&mut self, bracket: u8, otherwise: &'static str) -> Result<(), Fault> {
        if self.next_byte() != Some(bracket) {
            return Err(self.fault(otherwise));
        }
        if self.depth == MAX_DEPTH {
            return Err(self.fault("nested too deep"));
        }
        self.at += 1;
        self.depth += 1;
        Ok(())
    }

    fn close(&mut self, bracket: u8) -> bool {
        let closes = self.next_byte() == Some(bracket);
        if closes {
            self.at += 1;
            self.depth -= 1;
        }
        closes
    }

    fn comma(&mut self, otherwise: &'static str) -> Result<(), Fault> {
        if self.next_byte() != Some(b',') {
            return Err(self.fault(otherwise));
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &'static str) -> Result<(), Fault> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.fault("expected a JSON value"));
        }
        self.at += word.len();
        Ok(())
    }

    fn skip_number(&mut self) -> Result<(), Fault> {
        let bytes = self.text.as_bytes();
        if bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        match bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(self.fault("expected a digit")),
        }
        if bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let rest = &self.text.as_bytes()[self.at..];
        match rest.iter().take_while(|b| b.is_ascii_digit()).count() {
            0 => Err(self.fault("expected a digit")),
            n => {
                self.at += n;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
