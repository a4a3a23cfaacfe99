//! What a target repeats of what it was shown.
//!
//! The rules, and where they can't know better:
//! - A target *starts over* if its text begins with all that it was shown, from the first byte on. That is cut.
//! - An *overlap* is the shortest text of at least [`LEAST`] characters that ends what was shown and begins what came. It
//!   is cut. Anything shorter, or that does not end exactly at the seam, is not looked at.
//! - *Repetitive text survives.* After "ha ha " a target that goes on may well say "ha ha " again, and so may one that
//!   starts over: nobody can tell. So nothing is cut if that which was repeated is in itself a repetition, or if around the
//!   seam it would stand three times in a row. What a target that started over doubles then is one more turn of the same.
//! - What is said exactly twice, with the seam in the middle, looks like a target that repeats itself, and is cut.

/// An overlap has so many characters.
const LEAST: usize = 16;
/// Overlaps are looked for in so many bytes before the seam.
const FARTHEST: usize = 4 << 10;

/// Holds the beginning of a target's text until it is clear whether it repeats what was shown.
#[derive(Debug, Clone)]
pub(super) struct Repeat {
    shown: String,
    held: String,
    /// Bytes of what is held that agree with what was shown, twice in a row.
    agreed: usize,
    /// It is clear that the target does not start over.
    goes_on: bool,
    /// Where in what was shown an overlap may begin, and the first place where it can.
    overlap: Option<usize>,
    first: usize,
}

/// Whether something is cut, as far as can be told.
enum Verdict {
    Cut(usize),
    Nothing,
    Undecided,
}

impl Repeat {
    /// Nothing can be repeated of nothing.
    pub(super) fn of(shown: &str) -> Option<Self> {
        let first = shown.len().saturating_sub(FARTHEST).max(1);
        let last = shown.char_indices().nth_back(LEAST - 1).map_or(0, |(at, _)| at);
        let overlap = (first <= last).then_some(last);
        let (shown, held) = (shown.to_owned(), String::new());
        (!shown.is_empty()).then_some(Self { shown, held, agreed: 0, goes_on: false, overlap, first })
    }

    /// Takes the next piece. Once it is decided: the text to go on with, and how many bytes before it were cut.
    pub(super) fn push(&mut self, text: &str) -> Option<(String, usize)> {
        self.held.push_str(text);
        match self.decide(false) {
            Verdict::Cut(cut) => Some((self.held.split_off(cut), cut)),
            Verdict::Nothing => Some((std::mem::take(&mut self.held), 0)),
            Verdict::Undecided => None,
        }
    }

    /// Nothing more comes.
    pub(super) fn end(mut self) -> (String, usize) {
        match self.decide(true) {
            Verdict::Cut(cut) => (self.held.split_off(cut), cut),
            Verdict::Nothing | Verdict::Undecided => (self.held, 0),
        }
    }

    fn decide(&mut self, ended: bool) -> Verdict {
        if !self.goes_on {
            match self.starts_over(ended) {
                Verdict::Nothing => self.goes_on = true,
                verdict => return verdict,
            }
        }
        self.overlaps(ended)
    }

    fn starts_over(&mut self, ended: bool) -> Verdict {
        let (shown, held) = (self.shown.as_bytes(), self.held.as_bytes());
        while self.agreed < held.len()
            && self.agreed < 2 * shown.len()
            && held[self.agreed] == shown[self.agreed % shown.len()]
        {
            self.agreed += 1;
        }
        let open = self.agreed == held.len() && !ended;
        match self.agreed {
            agreed if agreed >= 2 * shown.len() => Verdict::Nothing,
            _ if open => Verdict::Undecided,
            agreed if agreed < shown.len() || turns(shown).is_some_and(|turn| shown.len() % turn == 0) => {
                Verdict::Nothing
            }
            _ => Verdict::Cut(shown.len()),
        }
    }

    fn overlaps(&mut self, ended: bool) -> Verdict {
        while let Some(from) = self.overlap {
            let shown = &self.shown.as_bytes()[from..];
            let held = self.held.as_bytes();
            let same = shown.len().min(held.len());
            let whole = held.len() >= shown.len();
            if shown[..same] != held[..same] || (ended && !whole) {
                self.overlap = self.next(from);
                continue;
            }
            if !whole {
                return Verdict::Undecided;
            }
            let (more, before) = (&held[same..], &self.shown.as_bytes()[..from]);
            // The same turn, as far as it goes on before the overlap and behind it.
            let back = agree(before.iter().rev(), shown.iter().rev());
            let on = agree(more.iter(), shown.iter());
            return match back + on >= same || turns(shown).is_some() {
                true => Verdict::Nothing,
                false if on == more.len() && !ended => Verdict::Undecided,
                false => Verdict::Cut(same),
            };
        }
        Verdict::Nothing
    }

    /// The next place, for a longer overlap.
    fn next(&self, from: usize) -> Option<usize> {
        let first = *self.held.as_bytes().first()?;
        let places = self.shown.as_bytes().get(self.first..from)?;
        memchr::memrchr(first, places).map(|at| self.first + at)
    }
}

/// How many bytes are the same.
fn agree<'t>(one: impl Iterator<Item = &'t u8>, other: impl Iterator<Item = &'t u8>) -> usize {
    one.zip(other).take_while(|(one, other)| one == other).count()
}

/// The length of the turn, if the text is the same turn at least twice, the last of them perhaps cut short.
fn turns(text: &[u8]) -> Option<usize> {
    // The prefix function: how much of what ends here is also the beginning.
    let mut borders = vec![0_usize; text.len()];
    for at in 1..text.len() {
        let mut border = borders[at - 1];
        while border > 0 && text[at] != text[border] {
            border = borders[border - 1];
        }
        borders[at] = border + usize::from(text[at] == text[border]);
    }
    let turn = text.len() - borders.last()?;
    (2 * turn <= text.len()).then_some(turn)
}
