use super::Fault;

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

const ONES: u64 = u64::MAX / 255;

/// The high bit of each byte that is zero.
#[inline]
fn zero(word: u64) -> u64 {
    const LOW: u64 = ONES * 0x7F;
    !(((word & LOW) + LOW) | word) & (ONES << 7)
}

/// The high bit of each byte that is a quote, a backslash or a control character.
#[inline]
pub(super) fn special(word: u64) -> u64 {
    zero(word & (ONES * 0xE0)) | zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5C))
}

/// A word's high bits, one for each byte, gathered: the first byte's is the lowest.
#[inline]
pub(super) fn bits(high: u64) -> u8 {
    ((high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

/// The letters that make an escape by themselves. Code in a prompt is full of them, so they are looked up, not matched.
const SIMPLE_ESCAPES: [u8; 256] = {
    let mut letters = [0; 256];
    let mut rest: &[u8] = b"\"\\/bfnrt";
    while let [letter, after @ ..] = rest {
        letters[*letter as usize] = 1;
        rest = after;
    }
    letters
};

/// Which bytes of a word are such letters.
#[inline]
pub(super) fn letters(word: [u8; 8]) -> u8 {
    let is_letter = |at: usize| SIMPLE_ESCAPES[usize::from(word[at])] << at;
    (0..8).fold(0, |letters, at| letters | is_letter(at))
}

/// The backslashes of a word, one bit for each byte, the first byte's the lowest.
#[derive(Clone, Copy)]
pub(super) struct Escapes {
    pub(super) backslashes: u8,
    /// The bytes that stand behind a backslash that is not itself escaped.
    pub(super) escaped: u8,
    /// 1 if the next word's first byte is one of those.
    pub(super) open: u8,
}

impl Escapes {
    /// `open`: 1 if the word's first byte is escaped by the word before.
    #[inline]
    pub(super) fn of(word: [u8; 8], open: u8) -> Self {
        let backslashes = bits(zero(u64::from_le_bytes(word) ^ (ONES * 0x5C)));
        ESCAPES[usize::from(open & 1)][usize::from(backslashes)]
    }

    const fn read(backslashes: u8, open: u8) -> Self {
        let mut all = Self { backslashes, escaped: 0, open };
        let mut at = 0;
        while at < 8 {
            all.escaped |= all.open << at;
            all.open = if all.open == 1 { 0 } else { backslashes >> at & 1 };
            at += 1;
        }
        all
    }
}

/// By `open` and the backslashes.
static ESCAPES: [[Escapes; 256]; 2] = {
    let mut all = [[Escapes::read(0, 0); 256]; 2];
    let mut at = 0;
    while at < 512 {
        all[at / 256][at % 256] = Escapes::read((at % 256) as u8, (at / 256) as u8);
        at += 1;
    }
    all
};

/// The length of the escape at `at`, and of what it stands for. Half a surrogate pair is a fault, or the replacement
/// character if `lone` is allowed: RFC 8259 leaves it to the reader.
pub(super) fn escape(bytes: &[u8], at: usize, lone: bool) -> Result<(usize, usize), Fault> {
    let half = || if lone { Ok((6, 3)) } else { Err(Fault::new(at, "a lone surrogate in a string")) };
    match bytes.get(at + 1) {
        Some(code) if SIMPLE_ESCAPES[usize::from(*code)] == 1 => Ok((2, 1)),
        Some(b'u') => {
            let unit = hex4(bytes, at + 2)?;
            match unit {
                0xD800..=0xDBFF => {
                    if bytes.get(at + 6..at + 8) != Some(b"\\u") {
                        return half();
                    }
                    match hex4(bytes, at + 8)? {
                        0xDC00..=0xDFFF => Ok((12, 4)),
                        _ => half(),
                    }
                }
                0xDC00..=0xDFFF => half(),
                0..0x80 => Ok((6, 1)),
                0x80..0x800 => Ok((6, 2)),
                _ => Ok((6, 3)),
            }
        }
        Some(_) => Err(Fault::new(at, "an unknown escape in a string")),
        None => Err(Fault::new(at, "the JSON ends inside a string")),
    }
}

/// The same for one that is there, is written by its number, and is no half of a pair; those are rare.
#[inline]
pub(super) fn numbered(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let [b'\\', b'u', digits @ ..] = bytes.get(at..)?.first_chunk::<6>()? else { return None };
    match unit(*digits) {
        0..0x80 => Some((6, 1)),
        0x80..0x800 => Some((6, 2)),
        0x800..0xD800 | 0xE000..=0xFFFF => Some((6, 3)),
        _ => None,
    }
}

fn hex4(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    let digits = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>);
    let digits = digits.ok_or_else(|| Fault::new(bytes.len(), "the JSON ends inside a string"))?;
    match unit(*digits) {
        unit @ 0..=0xFFFF => Ok(unit),
        _ => Err(Fault::new(at, "an escape needs four hexadecimal digits")),
    }
}

/// Above 0xFFFF if one of the digits is none.
#[inline]
fn unit(digits: [u8; 4]) -> u32 {
    digits.into_iter().fold(0, |unit, digit| unit << 4 | HEX[usize::from(digit)])
}

/// What a hexadecimal digit stands for. Anything else sets a bit that stays above four digits.
static HEX: [u32; 256] = {
    let mut values = [1 << 16; 256];
    let mut at = 0;
    while at < 16 {
        values[b"0123456789abcdef"[at] as usize] = at as u32;
        values[b"0123456789ABCDEF"[at] as usize] = at as u32;
        at += 1;
    }
    values
};

/// Decodes a string that [`Reader::literal`] has checked.
pub(super) fn unescape(text: &str, decoded_len: usize) -> String {
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
    if (0xD800..0xDC00).contains(&high)
        && escape.get(6..8) == Some(b"\\u")
        && let Some(low) = hex4(escape, 8).ok().filter(|low| (0xDC00..0xE000).contains(low))
    {
        let scalar = 0x10000 + ((high - 0xD800) << 10) + (low & 0x3FF);
        return (char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER), 12);
    }
    (char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
}
