//! Where what was sent and the text of another target meet.
//!
//! Three rules in a row, each of which holds text back only as long as it could still cut it: what is repeated
//! ([`Repeat`]), white space that was sent but not shown to the target, and stop sequences over the seam ([`Stops`]).

mod repeat;
mod stops;

use std::borrow::Cow;

use repeat::Repeat;
use stops::Stops;

/// A filter over the text of a target that goes on with what was sent.
#[derive(Debug, Clone)]
pub(crate) struct Seam {
    repeat: Option<Repeat>,
    /// White space that the client has and the target was not shown, as far as the target has not said it again.
    blank: String,
    stops: Stops,
    /// Bytes of the target's text that the client does not get.
    cut: usize,
    /// All is decided: text passes as it is.
    open: bool,
}

/// What is left of a piece of text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Passed<'t> {
    /// For the client; may be empty.
    Text(Cow<'t, str>),
    /// Here the answer ends, by this stop sequence: one that began in what was sent.
    Stopped(String),
}

impl Seam {
    /// After `sent`, of which the target was shown all but the white space at its end. `stop`: the client's sequences.
    pub(crate) fn new(sent: &str, stop: &[String]) -> Self {
        let shown = shown(sent);
        let blank = sent[shown.len()..].to_owned();
        Self { repeat: Repeat::of(shown), blank, stops: Stops::new(sent, stop), cut: 0, open: false }
    }

    /// Takes the next piece of the target's text.
    pub(crate) fn push<'t>(&mut self, text: &'t str) -> Passed<'t> {
        if self.open {
            return Passed::Text(Cow::Borrowed(text));
        }
        let text = match &mut self.repeat {
            Some(repeat) => match repeat.push(text) {
                Some((held, cut)) => {
                    self.repeat = None;
                    self.cut += cut;
                    Cow::Owned(held)
                }
                None => return Passed::Text(Cow::Borrowed("")),
            },
            None => Cow::Borrowed(text),
        };
        self.pass(text)
    }

    /// No more text is near: gives what is held. Text that comes all the same passes.
    pub(crate) fn settle(&mut self) -> Passed<'static> {
        if self.open {
            return Passed::Text(Cow::Borrowed(""));
        }
        let held = self.repeat.take().map(Repeat::end);
        let (text, cut) = held.unwrap_or_default();
        self.cut += cut;
        let passed = match self.pass(Cow::Owned(text)) {
            Passed::Text(text) => Passed::Text(Cow::Owned(text.into_owned() + &self.stops.end())),
            Passed::Stopped(sequence) => Passed::Stopped(sequence),
        };
        self.open = true;
        passed
    }

    /// Bytes of the target's text that the client does not get.
    pub(crate) fn cut(&self) -> usize {
        self.cut
    }

    /// Nothing is held any more.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    fn pass<'t>(&mut self, text: Cow<'t, str>) -> Passed<'t> {
        let said_again = common(&text, &self.blank);
        self.cut += said_again;
        if said_again < text.len() {
            self.blank.clear();
        } else {
            self.blank.drain(..said_again);
        }
        let text = match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[said_again..]),
            Cow::Owned(text) => Cow::Owned(text[said_again..].to_owned()),
        };
        if text.is_empty() {
            return Passed::Text(text);
        }
        let passed = self.stops.push(text);
        self.open = self.blank.is_empty() && self.stops.is_over();
        passed
    }
}

/// What a target is shown of what was sent: Anthropic refuses white space at the end of what its model is to continue.
pub(crate) fn shown(sent: &str) -> &str {
    sent.trim_end()
}

/// Bytes of whole characters with which both begin.
fn common(one: &str, other: &str) -> usize {
    let same = one.chars().zip(other.chars()).take_while(|(one, other)| one == other);
    same.map(|(one, _)| one.len_utf8()).sum()
}

#[cfg(test)]
pub(super) mod tests;
