//! What a stream costs, told beside its usage to clients of OpenAI's dialect.

use std::io::Write as _;
use std::sync::Arc;

use super::{Noted, Relay};
use crate::price::{Dollars, Price};
use crate::sse::Event;

/// What an answer is paid by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// Of the target that answers.
    pub price: Arc<Price>,
    /// Picodollars that others took for the answer before.
    pub before: u64,
}

impl Relay {
    /// The same, whose client is told the cost if it asked for usage: `usage.cost`, in US dollars. A provider's own
    /// `cost` there stays.
    #[must_use]
    pub fn priced(mut self, priced: Option<Priced>) -> Self {
        self.noted.priced = priced;
        self
    }
}

impl Noted {
    /// What the stream has cost by now, in picodollars. None where nobody wants to know it, or where its provider does not
    /// report what it took: zeros for what was there are no report.
    pub(super) fn cost(&self) -> Option<u64> {
        let Priced { price, before } = self.priced.as_ref()?;
        let is_reported =
            [self.usage.input, self.usage.output].iter().all(|count| count.is_some_and(|count| count > 0));
        if is_reported { price.cost(&self.usage)?.checked_add(*before) } else { None }
    }

    /// Writes the event that passes with its cost beside its usage. False where there is none to write.
    pub(super) fn say_cost(&mut self, event: &Event, out: &mut Vec<u8>) -> bool {
        let Some(end) = self.usage_end.take() else { return false };
        let (Some(cost), Some((before, after))) = (self.cost(), event.split(end)) else { return false };
        out.extend_from_slice(before);
        // What is reported has members already.
        write!(out, ",\"cost\":{}", Dollars(cost)).expect("must fit: it is a vector");
        out.extend_from_slice(after);
        true
    }
}
