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

/// The high bit of each byte that is a quote, a backslash or a control character.
#[inline]
pub(super) fn special(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const LOW: u64 = ONES * 0x7F;
    let zero = |word: u64| !(((word & LOW) + LOW) | word) & (ONES << 7);
    zero(word & (ONES * 0xE0)) | zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5C))
}

/// The letters that make an escape by themselves. Code in a prompt is full of them, so they are looked up, not matched.
pub(super) const SIMPLE_ESCAPES: [bool; 256] = {
    let mut letters = [false; 256];
    let mut rest: &[u8] = b"\"\\/bfnrt";
    while let [letter, after @ ..] = rest {
        letters[*letter as usize] = true;
        rest = after;
    }
    letters
};

/// The length of the escape at `at`, and of what it stands for. Half a surrogate pair is a fault, or the replacement
/// character if `lone` is allowed: RFC 8259 leaves it to the reader.
pub(super) fn escape(bytes: &[u8], at: usize, lone: bool) -> Result<(usize, usize), Fault> {
    let half = || if lone { Ok((6, 3)) } else { Err(Fault::new(at, "a lone surrogate in a string")) };
    match bytes.get(at + 1) {
        Some(code) if SIMPLE_ESCAPES[usize::from(*code)] => Ok((2, 1)),
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

fn hex4(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    let digits = bytes.get(at..at + 4).ok_or_else(|| Fault::new(bytes.len(), "the JSON ends inside a string"))?;
    digits.iter().try_fold(0, |unit, &digit| match char::from(digit).to_digit(16) {
        Some(value) => Ok(unit * 16 + value),
        None => Err(Fault::new(at, "an escape needs four hexadecimal digits")),
    })
}

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
