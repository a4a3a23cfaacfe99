use std::borrow::Cow;

use super::Passed;

/// Stop sequences that began in what was sent: where the target ends one, the first provider would have ended the answer.
/// Those that the target's text holds in whole are the target's to find.
#[derive(Debug, Clone)]
pub(super) struct Stops {
    /// What is missing of a sequence, and the sequence.
    begun: Vec<(String, String)>,
    held: String,
}

impl Stops {
    pub(super) fn new(sent: &str, stop: &[String]) -> Self {
        let parts = |sequence: &String| {
            let sequence = sequence.clone();
            let begins = sequence.char_indices().skip(1).map(|(at, _)| at).collect::<Vec<_>>();
            let begins = begins.into_iter().filter(|at| sent.ends_with(&sequence[..*at]));
            begins.map(|at| (sequence[at..].to_owned(), sequence.clone())).collect::<Vec<_>>()
        };
        let mut begun: Vec<_> = stop.iter().flat_map(parts).collect();
        // Of several the one that is complete first ends the answer.
        begun.sort_by_key(|(missing, _)| missing.len());
        Self { begun, held: String::new() }
    }

    pub(super) fn push<'t>(&mut self, text: Cow<'t, str>) -> Passed<'t> {
        if self.is_over() {
            return Passed::Text(text);
        }
        self.held.push_str(&text);
        let held = &*self.held;
        self.begun.retain(|(missing, _)| held.starts_with(&**missing) || missing.starts_with(held));
        if let Some((_, sequence)) = self.begun.iter().find(|(missing, _)| held.starts_with(&**missing)) {
            return Passed::Stopped(sequence.clone());
        }
        Passed::Text(if self.begun.is_empty() { Cow::Owned(self.end()) } else { Cow::Borrowed("") })
    }

    /// Nothing more comes, or none of them can be: gives what is held.
    pub(super) fn end(&mut self) -> String {
        self.begun.clear();
        std::mem::take(&mut self.held)
    }

    pub(super) fn is_over(&self) -> bool {
        self.begun.is_empty()
    }
}
