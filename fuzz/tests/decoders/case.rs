use std::fmt;
use std::ops::Range;

use bolero::{Driver, ValueGenerator};
use serde::de::IgnoredAny;

use crate::seeds;

/// What a target is given.
pub(crate) struct Case {
    pub(crate) bytes: Vec<u8>,
    /// Where the bytes are split, in order.
    pub(crate) cuts: Vec<usize>,
    /// Which of all dialects they are read in, and so on.
    picks: [u8; 3],
}

/// Makes inputs from seeds by a few edits, most of which leave JSON what it is: random bytes alone would only ever be
/// refused at the first of them.
pub(crate) struct Seeds(&'static [&'static str]);

impl Case {
    /// One of all, the same for the same number of the choice.
    pub(crate) fn pick<T>(&self, choice: usize, all: impl Iterator<Item = T> + Clone) -> T {
        let at = usize::from(self.picks[choice]) % all.clone().count().max(1);
        all.into_iter().nth(at).expect("must have one")
    }
}

impl Seeds {
    pub(crate) fn new(all: &'static [&'static str]) -> Self {
        Self(all)
    }

    fn pick<D: Driver>(&self, driver: &mut D) -> Option<&'static str> {
        let at: usize = driver.produce::<u16>()?.into();
        Some(self.0[at % self.0.len()])
    }

    fn edit<D: Driver>(&self, driver: &mut D, bytes: &mut Vec<u8>) -> Option<()> {
        let kind = driver.produce::<u8>()?;
        let at = place(driver, bytes.len())?;
        match kind % 16 {
            0 if at < bytes.len() => bytes[at] = driver.produce()?,
            1 => bytes.truncate(at),
            2 => {
                let end = (at + place(driver, 32)?).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => insert(bytes, at..at, &driver.produce::<Vec<u8>>()?),
            4 => insert(bytes, at..at, word(driver, seeds::WORDS)?),
            5..9 => {
                let other = value(self.pick(driver)?.as_bytes(), place(driver, 4096)?).to_vec();
                let range = range(bytes, at);
                insert(bytes, range, &other);
            }
            _ => {
                let range = range(bytes, at);
                insert(bytes, range, word(driver, seeds::VALUES)?);
            }
        }
        Some(())
    }
}

impl ValueGenerator for Seeds {
    type Output = Case;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Case> {
        let mut bytes = self.pick(driver)?.as_bytes().to_vec();
        for _ in 0..driver.produce::<u8>()? % 5 {
            self.edit(driver, &mut bytes)?;
        }
        let mut cuts = Vec::new();
        for _ in 0..driver.produce::<u8>()? % 12 {
            cuts.push(place(driver, bytes.len())?);
        }
        cuts.sort_unstable();
        Some(Case { bytes, cuts, picks: driver.produce()? })
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\" split at {:?}, {:?}", self.bytes.escape_ascii(), self.cuts, self.picks)
    }
}

/// From 0 to `len`, both included.
fn place<D: Driver>(driver: &mut D, len: usize) -> Option<usize> {
    let at: usize = driver.produce::<u16>()?.into();
    Some(at % (len + 1))
}

fn word<D: Driver>(driver: &mut D, all: &'static [&'static str]) -> Option<&'static [u8]> {
    Some(all[place(driver, all.len() - 1)?].as_bytes())
}

fn insert(bytes: &mut Vec<u8>, at: Range<usize>, what: &[u8]) {
    bytes.splice(at, what.iter().copied());
}

/// Where the first JSON value behind a colon or a bracket stands, from `at` on; nothing at the end if there is none.
fn range(bytes: &[u8], at: usize) -> Range<usize> {
    let begins = |b: &u8| matches!(b, b':' | b'[' | b',');
    let mut from = at;
    while let Some(found) = bytes[from..].iter().position(begins) {
        from += found + 1;
        let mut values = serde_json::Deserializer::from_slice(&bytes[from..]).into_iter::<IgnoredAny>();
        if matches!(values.next(), Some(Ok(_))) {
            return from..from + values.byte_offset();
        }
    }
    bytes.len()..bytes.len()
}

fn value(bytes: &[u8], at: usize) -> &[u8] {
    &bytes[range(bytes, at % (bytes.len() + 1))]
}
