use std::borrow::Cow;

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
        Self { text, at: 0, depth: 0 }
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
                    let (taken, decoded) = escape(bytes, at)?;
                    at += taken;
                    surplus += taken - decoded;
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
    /// so all of a word are seen to before the next word is read.
    #[inline]
    fn simple(&self, mut at: usize, surplus: &mut usize) -> usize {
        let bytes = self.text.as_bytes();
        while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let mut hits = special(u64::from_le_bytes(*chunk));
            let mut next = at + 8;
            while hits != 0 {
                let bit = hits.trailing_zeros();
                let hit = at + bit as usize / 8;
                let letter = bytes.get(hit + 1).is_some_and(|code| SIMPLE_ESCAPES[usize::from(*code)]);
                if bytes[hit] != b'\\' || !letter {
                    return hit;
                }
                *surplus += 1;
                next = next.max(hit + 2);
                // The letter may look like a hit of its own.
                hits &= u64::MAX.checked_shl(bit + 9).unwrap_or(0);
            }
            at = next;
        }
        at
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

/// The offset of the next quote, backslash or control character: eight bytes at a time.
#[inline]
pub(super) fn plain_run(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let hits = special(u64::from_le_bytes(*chunk));
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let special = |b: &u8| *b < 0x20 || *b == b'"' || *b == b'\\';
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(special).unwrap_or(rest.len())
}

/// The high bit of each byte that is a quote, a backslash or a control character.
#[inline]
fn special(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const LOW: u64 = ONES * 0x7F;
    let zero = |word: u64| !(((word & LOW) + LOW) | word) & (ONES << 7);
    zero(word & (ONES * 0xE0)) | zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5C))
}

/// The letters that make an escape by themselves. Code in a prompt is full of them, so they are looked up, not matched.
const SIMPLE_ESCAPES: [bool; 256] = {
    let mut letters = [false; 256];
    let mut rest: &[u8] = b"\"\\/bfnrt";
    while let [letter, after @ ..] = rest {
        letters[*letter as usize] = true;
        rest = after;
    }
    letters
};

/// The length of the escape at `at`, and of what it stands for.
fn escape(bytes: &[u8], at: usize) -> Result<(usize, usize), Fault> {
    match bytes.get(at + 1) {
        Some(code) if SIMPLE_ESCAPES[usize::from(*code)] => Ok((2, 1)),
        Some(b'u') => {
            let unit = hex4(bytes, at + 2)?;
            match unit {
                0xD800..=0xDBFF => {
                    if bytes.get(at + 6..at + 8) != Some(b"\\u") {
                        return Err(Fault::new(at, "a lone surrogate in a string"));
                    }
                    match hex4(bytes, at + 8)? {
                        0xDC00..=0xDFFF => Ok((12, 4)),
                        _ => Err(Fault::new(at, "a lone surrogate in a string")),
                    }
                }
                0xDC00..=0xDFFF => Err(Fault::new(at, "a lone surrogate in a string")),
                0..0x80 => Ok((6, 1)),
                0x80..0x800 => Ok((6, 2)),
                _ => Ok((6, 3)),
            }
        }
        Some(_) => Err(Fault::new(at, "an unknown escape in a string")),
        None => Err(Fault::new(at, "the JSON ends inside a string")),
    }
}

fn hex4(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    let digits = bytes.get(at..at + 4).ok_or_else(|| Fault::new(bytes.len(), "the JSON ends inside a string"))?;
    digits.iter().try_fold(0, |unit, &digit| match char::from(digit).to_digit(16) {
        Some(value) => Ok(unit * 16 + value),
        None => Err(Fault::new(at, "an escape needs four hexadecimal digits")),
    })
}

/// Decodes a string that [`Reader::literal`] has checked.
fn unescape(text: &str, decoded_len: usize) -> String {
    let mut out = String::with_capacity(decoded_len);
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let code = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        let (character, taken) = match code {
            b'n' => ('\n', 2),
            b't' => ('\t', 2),
            b'r' => ('\r', 2),
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'u' => unicode(&rest.as_bytes()[at..]),
            other => (char::from(other), 2),
        };
        out.push(character);
        rest = rest.get(at + taken..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn unicode(escape: &[u8]) -> (char, usize) {
    let high = hex4(escape, 2).unwrap_or(0xFFFD);
    if (0xD800..0xDC00).contains(&high) {
        let low = hex4(escape, 8).unwrap_or(0xDC00);
        let scalar = 0x10000 + ((high - 0xD800) << 10) + (low & 0x3FF);
        return (char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER), 12);
    }
    (char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;
    use serde_json::Value;

    use super::*;

    fn accepts(bytes: &[u8]) -> bool {
        Reader::new(bytes).and_then(|mut r| r.skip().and_then(|()| r.end())).is_ok()
    }

    #[test]
    fn it_takes_and_refuses_what_serde_json_takes_and_refuses() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        let cases = [
            "",
            " ",
            "null",
            "nul",
            "nulll",
            "true",
            "tru",
            "-",
            "-0",
            "01",
            "1.",
            "1.5",
            "1e",
            "1e+",
            "1e+5",
            "1E-5",
            ".5",
            "+1",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{}",
            "{,}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{"a":1 "b":2}"#,
            r#"{a:1}"#,
            r#""\x""#,
            r#""\u12""#,
            r#""\u12G4""#,
            r#""\ud800""#,
            r#""\ud800\u0041""#,
            r#""\udc00""#,
            r#""\ud83d\ude00""#,
            r#""\u0000""#,
            "\"\u{1}\"",
            "\"\t\"",
            "\"\u{7f}é漢😀\"",
            "\"",
            "\"\\",
            "\"\\u",
            "[",
            "{",
            "{\"a\":1",
            "1 1",
            "[]]",
            "\u{feff}1",
            " \n\t\r1 ",
        ];
        for case in cases.iter().map(|c| (*c).to_owned()).chain([deep(127), deep(128), deep(4000)]) {
            let theirs = serde_json::from_str::<Value>(&case);
            assert_eq!(accepts(case.as_bytes()), theirs.is_ok(), "{:.40} {theirs:?}", case);
        }
        assert!(!accepts(b"\"\xff\""));
    }

    #[test]
    fn escapes_decode_as_serde_json_decodes_them() {
        for text in [r#""\"\\\/\b\f\n\r\t""#, r#""\u00e9\u6f22\ud83d\ude00x""#, r#""plain""#, r#""a\nb""#, r#""""#] {
            let ours = Reader::of(text).string().expect("must be valid");
            assert_eq!(ours, serde_json::from_str::<String>(text).expect("must be valid"));
        }
    }

    proptest! {
        #[test]
        fn strings_of_any_text_come_back(text in any::<String>()) {
            let json = serde_json::to_string(&text).expect("must serialise");
            let mut reader = Reader::of(&json);
            let literal = reader.literal().expect("must be valid");
            prop_assert_eq!(literal.decoded_len, text.len());
            prop_assert_eq!(literal.decode(), text);
            prop_assert!(reader.end().is_ok());
        }

        #[test]
        fn bytes_near_json_are_judged_as_serde_json_judges_them(
            text in proptest::collection::vec(
                prop_oneof![Just("{"), Just("}"), Just("["), Just("]"), Just(","), Just(":"), Just("\"a\""), Just("\""), Just("1"),
                    Just("-"), Just("."), Just("e"), Just("null"), Just("true"), Just("\\u00e9"), Just("\\"), Just(" "), Just("é")], 0..12)
        ) {
            let text = text.concat();
            // Not `Value`: that refuses numbers which no f64 holds.
            prop_assert_eq!(accepts(text.as_bytes()), serde_json::from_str::<IgnoredAny>(&text).is_ok());
        }

        #[test]
        fn any_bytes_at_all_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _: bool = accepts(&bytes);
        }
    }
}
