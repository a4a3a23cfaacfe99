use std::collections::{HashMap, HashSet, VecDeque};

use crate::neutral::Text;

/// The calls so far, so that results find theirs: by id, or by name and order where Gemini's clients give no id.
#[derive(Default)]
pub(super) struct Calls<'a> {
    /// Turns of the model so far.
    turn: usize,
    known: HashSet<Text<'a>>,
    answered: HashSet<Text<'a>>,
    waiting: HashMap<Text<'a>, Waiting<'a>>,
    /// Ids made so far.
    made: usize,
}

/// The calls of one name in the latest turn that has one, oldest first.
#[derive(Default)]
struct Waiting<'a> {
    turn: usize,
    ids: VecDeque<Text<'a>>,
}

impl<'a> Calls<'a> {
    /// A turn of the model begins. Those that go on with one are told apart by who spoke in between.
    pub(super) fn begin_turn(&mut self) {
        self.turn += 1;
    }

    /// Notes a call and gives its id: the client's, or one that no other call has.
    pub(super) fn call(&mut self, given: Option<Text<'a>>, name: &Text<'a>) -> Text<'a> {
        let id = given.filter(|id| !id.is_empty()).unwrap_or_else(|| self.make());
        self.known.insert(id.clone());
        let waiting = self.waiting.entry(name.clone()).or_default();
        if waiting.turn != self.turn {
            *waiting = Waiting { turn: self.turn, ids: VecDeque::new() };
        }
        waiting.ids.push_back(id.clone());
        id
    }

    /// The id of the call that a result answers.
    pub(super) fn answer(&mut self, given: Option<Text<'a>>, name: &str) -> Option<Text<'a>> {
        let id = match given.filter(|id| self.known.contains(id)) {
            Some(id) => id,
            None => self.next_of(name)?,
        };
        self.answered.insert(id.clone());
        Some(id)
    }

    fn next_of(&mut self, name: &str) -> Option<Text<'a>> {
        let waiting = self.waiting.get_mut(name)?;
        loop {
            let id = waiting.ids.pop_front()?;
            if !self.answered.contains(&id) {
                return Some(id);
            }
        }
    }

    fn make(&mut self) -> Text<'a> {
        loop {
            let id = Text::Owned(format!("call_{}", self.made));
            self.made += 1;
            if !self.known.contains(&id) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_without_an_id_answers_the_first_call_of_its_name_that_waits() {
        let mut calls = Calls::default();
        calls.begin_turn();
        let ids: Vec<_> = ["f", "g", "f"].map(|name| calls.call(None, &name.into())).into();
        assert_eq!(calls.answer(None, "f"), Some(ids[0].clone()));
        assert_eq!(calls.answer(None, "f"), Some(ids[2].clone()));
        assert_eq!(calls.answer(None, "g"), Some(ids[1].clone()));
        assert_eq!(calls.answer(None, "f"), None);
        assert_eq!(calls.answer(None, "h"), None);
    }

    #[test]
    fn an_id_wins_over_the_order_and_one_that_is_not_known_falls_back_to_it() {
        let mut calls = Calls::default();
        calls.begin_turn();
        let (one, two) = (calls.call(Some("a".into()), &"f".into()), calls.call(Some("b".into()), &"f".into()));
        assert_eq!(calls.answer(Some("b".into()), "f"), Some(two));
        assert_eq!(calls.answer(Some("x".into()), "f"), Some(one));
    }

    #[test]
    fn a_call_that_nobody_answered_in_its_turn_is_not_answered_by_a_later_result() {
        let mut calls = Calls::default();
        calls.begin_turn();
        calls.call(None, &"f".into());
        calls.begin_turn();
        let later = calls.call(None, &"f".into());
        assert_eq!(calls.answer(None, "f"), Some(later));
    }

    #[test]
    fn an_id_that_is_made_is_none_that_the_client_gave() {
        let mut calls = Calls::default();
        calls.call(Some("call_0".into()), &"f".into());
        assert_eq!(calls.call(None, &"f".into()), "call_1");
        assert_eq!(calls.call(Some(String::new().into()), &"f".into()), "call_2");
    }
}
