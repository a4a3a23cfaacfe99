//! Which Secrets exist, which are referred to, and what was read of those.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use penstock_config::{ObjectRef, SecretState};
use tokio::time::Instant;

/// GETs on their way at once. An answer makes room for the next.
const AT_ONCE: usize = 32;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// One GET to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) name: ObjectRef,
    /// What is wanted of it; nothing else is kept.
    pub(crate) keys: BTreeSet<String>,
    /// The version that the watch had when this was asked; none if it had no such Secret.
    version: Option<String>,
}

/// What is known about Secrets beside their values.
#[derive(Debug, Default)]
pub(crate) struct Index {
    existing: BTreeMap<ObjectRef, String>,
    fetched: BTreeMap<ObjectRef, Ask>,
    asked: BTreeSet<ObjectRef>,
    failed: BTreeMap<ObjectRef, (Duration, Instant)>,
}

/// Everything that objects refer to.
pub(crate) type Wanted = BTreeMap<ObjectRef, BTreeSet<String>>;

impl Index {
    pub(crate) fn exists(&mut self, name: ObjectRef, version: String) {
        self.existing.insert(name, version);
    }

    pub(crate) fn gone(&mut self, name: &ObjectRef) {
        self.existing.remove(name);
    }

    /// The names that exist, for the end of a list.
    pub(crate) fn existing(&self) -> impl Iterator<Item = &ObjectRef> {
        self.existing.keys()
    }

    /// Did the API server answer about this key? That the watch has not named a Secret says nothing: it may be late.
    pub(crate) fn knows(&self, name: &ObjectRef, key: &str) -> bool {
        self.fetched.get(name).is_some_and(|ask| ask.keys.contains(key))
    }

    /// The GETs to make now. Each must end in [`Index::answered`] or [`Index::failed`].
    pub(crate) fn due(&mut self, wanted: &Wanted, now: Instant) -> Vec<Ask> {
        let mut due = Vec::new();
        for (name, keys) in wanted {
            let version = self.existing.get(name);
            let current = |ask: &Ask| ask.version.as_ref() == version && ask.keys.is_superset(keys);
            if self.fetched.get(name).is_some_and(current) {
                self.failed.remove(name);
                continue;
            }
            let waits = self.failed.get(name).is_some_and(|(_, until)| now < *until);
            if waits || self.asked.contains(name) || self.asked.len() >= AT_ONCE {
                continue;
            }
            self.asked.insert(name.clone());
            due.push(Ask { name: name.clone(), keys: keys.clone(), version: version.cloned() });
        }
        due
    }

    /// When a GET that failed is to be tried again; with no room for it, an answer comes first.
    pub(crate) fn next_try(&self) -> Option<Instant> {
        if self.asked.len() >= AT_ONCE {
            return None;
        }
        let idle = self.failed.iter().filter(|(name, _)| !self.asked.contains(*name));
        idle.map(|(_, (_, until))| *until).min()
    }

    pub(crate) fn answered(&mut self, ask: Ask) {
        self.asked.remove(&ask.name);
        self.failed.remove(&ask.name);
        self.fetched.insert(ask.name.clone(), ask);
    }

    /// No answer: what was fetched before serves on.
    pub(crate) fn failed(&mut self, ask: &Ask, now: Instant) {
        self.asked.remove(&ask.name);
        let pause = self.failed.get(&ask.name).map_or(FIRST_PAUSE, |(pause, _)| (*pause * 2).min(LONGEST_PAUSE));
        self.failed.insert(ask.name.clone(), (pause, now + pause));
    }

    /// Forgets what nobody refers to any more.
    pub(crate) fn retain(&mut self, wanted: &Wanted) {
        self.fetched.retain(|name, _| wanted.contains_key(name));
        self.failed.retain(|name, _| wanted.contains_key(name));
    }
}

/// Are the values the same? The version may differ: it changes with annotations too.
pub(crate) fn same_bytes(a: &SecretState, b: &SecretState) -> bool {
    match (a, b) {
        (SecretState::Found { data: a, .. }, SecretState::Found { data: b, .. }) => a == b,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> ObjectRef {
        ObjectRef::new("ns", "openai")
    }

    fn wanted(keys: &[&str]) -> Wanted {
        Wanted::from([(name(), keys.iter().map(|&key| key.to_owned()).collect())])
    }

    #[test]
    fn a_secret_is_asked_for_once_per_version_and_only_when_somebody_refers_to_it() {
        let now = Instant::now();
        let mut index = Index::default();
        index.exists(name(), "1".to_owned());
        assert_eq!(index.due(&Wanted::new(), now), []);
        let ask = index.due(&wanted(&["a"]), now).pop().expect("must ask");
        assert!(!index.knows(&name(), "a"), "not yet fetched is not missing");
        assert_eq!(index.due(&wanted(&["a"]), now), [], "one at a time");
        index.answered(ask);
        assert!(index.knows(&name(), "a"));
        assert_eq!(index.due(&wanted(&["a"]), now), []);
        index.exists(name(), "2".to_owned());
        assert!(index.knows(&name(), "a"), "the last value serves until the new one is there");
        assert_eq!(index.due(&wanted(&["a"]), now).len(), 1);
    }

    #[test]
    fn a_change_during_the_get_and_a_new_key_ask_again() {
        let now = Instant::now();
        let mut index = Index::default();
        index.exists(name(), "1".to_owned());
        let ask = index.due(&wanted(&["a"]), now).pop().expect("must ask");
        index.exists(name(), "2".to_owned());
        index.answered(ask);
        let ask = index.due(&wanted(&["a"]), now).pop().expect("must ask again");
        index.answered(ask);
        assert!(!index.knows(&name(), "b"));
        assert_eq!(index.due(&wanted(&["a", "b"]), now).len(), 1);
    }

    #[test]
    fn a_secret_that_the_watch_does_not_name_is_asked_for_once_and_again_when_it_appears_or_goes() {
        let mut index = Index::default();
        let ask = index.due(&wanted(&["a"]), Instant::now()).pop().expect("must ask");
        assert!(!index.knows(&name(), "a"));
        index.answered(ask);
        assert!(index.knows(&name(), "a"));
        assert_eq!(index.due(&wanted(&["a"]), Instant::now()), []);
        index.exists(name(), "1".to_owned());
        let ask = index.due(&wanted(&["a"]), Instant::now()).pop().expect("must ask");
        index.answered(ask);
        index.gone(&name());
        assert_eq!(index.due(&wanted(&["a"]), Instant::now()).len(), 1);
    }

    #[test]
    fn a_get_that_failed_is_tried_again_later() {
        let mut index = Index::default();
        index.exists(name(), "1".to_owned());
        let ask = index.due(&wanted(&["a"]), Instant::now()).pop().expect("must ask");
        let now = Instant::now();
        index.failed(&ask, now);
        assert_eq!(index.due(&wanted(&["a"]), now), []);
        assert_eq!(index.due(&wanted(&["a"]), now + FIRST_PAUSE).len(), 1);
    }

    #[test]
    fn a_few_are_asked_for_at_once_and_each_answer_makes_room() {
        let now = Instant::now();
        let secret = |n: usize| (ObjectRef::new("ns", n.to_string()), ["a".to_owned()].into());
        let wanted: Wanted = (0..100).map(secret).collect();
        let mut index = Index::default();
        let mut asks = index.due(&wanted, now);
        assert_eq!(asks.len(), AT_ONCE);
        index.answered(asks.pop().expect("must be there"));
        index.failed(&asks.pop().expect("must be there"), now);
        assert_eq!(index.due(&wanted, now).len(), 2);
        assert_eq!(index.next_try(), None, "its turn comes with an answer");
        asks.into_iter().for_each(|ask| index.answered(ask));
        assert!(index.next_try().is_some());
    }

    #[test]
    fn a_get_that_failed_is_not_tried_again_once_nobody_needs_its_answer() {
        let mut index = Index::default();
        let now = Instant::now();
        let ask = index.due(&wanted(&["a"]), now).pop().expect("must ask");
        index.answered(ask);
        let ask = index.due(&wanted(&["a", "b"]), now).pop().expect("must ask");
        index.failed(&ask, now);
        assert_eq!(index.next_try(), Some(now + FIRST_PAUSE));
        assert_eq!(index.due(&wanted(&["a"]), now), []);
        assert_eq!(index.next_try(), None);
    }
}
