//! A verdict in the making.

use penstock_crds::{ConditionType, Reason, condition::MAX_MESSAGE};

use crate::{CredentialState, Finding, Hash, Key, Verdict};

/// Collects what is found about one object. Each list keeps the order of finding.
#[derive(Default)]
pub(super) struct Draft {
    refused: Vec<(Reason, String)>,
    unresolved: Vec<(Reason, String)>,
    partial: Vec<(Reason, String)>,
    notes: Vec<String>,
    dead: bool,
    pub(super) credentials: Vec<CredentialState>,
    /// See [`Verdict::made`].
    pub(super) made: Vec<Key>,
}

impl Draft {
    pub(super) fn new(problems: &[String]) -> Self {
        let invalid = |problem: &String| (Reason::Invalid, problem.clone());
        Self { refused: problems.iter().map(invalid).collect(), ..Self::default() }
    }

    /// `Accepted=False`: the object does not serve.
    pub(super) fn refuse(&mut self, reason: Reason, message: impl Into<String>) {
        self.refused.push((reason, message.into()));
    }

    pub(super) fn is_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// `ResolvedRefs=False`; whether the object serves all the same is another question.
    pub(super) fn unresolved(&mut self, reason: Reason, message: impl Into<String>) {
        self.unresolved.push((reason, message.into()));
    }

    /// `PartiallyInvalid=True`: a part was left out.
    pub(super) fn partial(&mut self, reason: Reason, message: impl Into<String>) {
        self.partial.push((reason, message.into()));
    }

    /// Accepted, with something that people should know.
    pub(super) fn note(&mut self, message: impl Into<String>) {
        self.notes.push(message.into());
    }

    /// Nothing wrong with the object itself, but nothing is left of it.
    pub(super) fn dead(&mut self) {
        self.dead = true;
    }

    pub(super) fn is_live(&self) -> bool {
        !self.dead && self.refused.is_empty()
    }

    pub(super) fn verdict(self, spec: Hash, entry: Option<Hash>) -> Verdict {
        let live = self.is_live();
        let accepted = match self.refused.first() {
            None => finding(ConditionType::Accepted, true, Reason::Accepted, &self.notes),
            Some((reason, _)) => finding(ConditionType::Accepted, false, *reason, &texts(&self.refused)),
        };
        let resolved = match self.unresolved.first() {
            None => finding(ConditionType::ResolvedRefs, true, Reason::Resolved, &[]),
            Some((reason, _)) => finding(ConditionType::ResolvedRefs, false, *reason, &texts(&self.unresolved)),
        };
        let mut findings = vec![accepted, resolved];
        if let Some((reason, _)) = self.partial.first() {
            findings.push(finding(ConditionType::PartiallyInvalid, true, *reason, &texts(&self.partial)));
        }
        let secrets = self.credentials.iter().filter_map(|credential| credential.digest);
        let parts: Vec<Hash> = std::iter::once(spec).chain(entry).chain(secrets).collect();
        Verdict {
            findings,
            live,
            form: Hash::of_parts(parts.iter().map(|part| part.as_bytes().as_slice())),
            credentials: self.credentials,
            made: self.made,
        }
    }
}

fn texts(found: &[(Reason, String)]) -> Vec<String> {
    found.iter().map(|(_, message)| message.clone()).collect()
}

fn finding(condition: ConditionType, status: bool, reason: Reason, messages: &[String]) -> Finding {
    Finding { condition, status, reason, message: join(messages) }
}

/// Joined by semicolons, and cut between messages where all do not fit into a condition.
fn join(messages: &[String]) -> String {
    const ROOM_FOR_REST: usize = 32;
    let mut text = String::new();
    for (done, message) in messages.iter().enumerate() {
        if text.len() + message.len() + ROOM_FOR_REST > MAX_MESSAGE {
            text.push_str(&format!("; and {} more", messages.len() - done));
            break;
        }
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(message);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_does_not_fit_is_cut_between_findings_and_says_so() {
        let messages: Vec<String> = (0..400).map(|n| format!("targets[{n}]: no such provider")).collect();
        let text = join(&messages);
        assert!(text.len() <= MAX_MESSAGE);
        assert!(text.ends_with(" more"), "{text}");
        assert!(text.starts_with("targets[0]: no such provider; targets[1]: "), "{text}");
    }
}
