//! Why a request may not pass, in words.

use std::{fmt, time::Duration};

use penstock_config::object::Rate;
use penstock_llm::price::Dollars;

use super::Standing;
use crate::error::Side;

/// When to come again to a store that does not answer: it is looked for about that often.
const STORE_WITHIN: Duration = Duration::from_secs(1);

/// Why a request may not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// `namespace/name` of the RateLimit.
    pub(crate) rule: String,
    pub(crate) why: Why,
    pub(crate) standing: Standing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// More than is there now, or than there ever is.
    Short {
        kind: &'static str,
        rate: Rate,
        amount: u64,
        /// Until it may; none: it is more than the limit ever has.
        wait: Option<Duration>,
    },
    /// The store does not answer, and the limit wants nothing to pass then.
    StoreDown,
}

impl Refusal {
    pub(crate) fn status(&self) -> u16 {
        match &self.why {
            Why::Short { wait: Some(_), .. } => 429,
            Why::Short { wait: None, .. } => 400,
            Why::StoreDown => 503,
        }
    }

    /// A stable word.
    pub(crate) fn code(&self) -> &'static str {
        match &self.why {
            Why::Short { wait: Some(_), .. } => "rate_limit_exceeded",
            Why::Short { wait: None, .. } => "request_exceeds_limit",
            Why::StoreDown => "limit_store_unavailable",
        }
    }

    pub(crate) fn side(&self) -> Side {
        match &self.why {
            Why::Short { .. } => Side::Client,
            Why::StoreDown => Side::Gateway,
        }
    }

    /// When to come again; none: never with this request.
    pub(crate) fn wait(&self) -> Option<Duration> {
        match &self.why {
            Why::Short { wait, .. } => *wait,
            Why::StoreDown => Some(STORE_WITHIN),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = &self.rule;
        let Why::Short { kind, rate, amount, wait } = &self.why else {
            return write!(f, "RateLimit {rule} lets nothing pass while its store does not answer: try again later");
        };
        let window = humantime::format_duration(Duration::from_millis(rate.window_ms));
        match *kind {
            "cost" => write!(f, "RateLimit {rule} allows {} US dollars in {window}", Dollars(rate.limit))?,
            kind => write!(f, "RateLimit {rule} allows {} {kind} in {window}", rate.limit)?,
        }
        match (wait, *kind) {
            (Some(wait), _) => {
                let seconds = wait.as_secs_f64().ceil();
                write!(f, ": try again in {seconds} s")
            }
            (None, "cost") => write!(
                f,
                ", {} at once: this request may cost {}; ask for a shorter answer",
                Dollars(rate.burst),
                Dollars(*amount)
            ),
            (None, kind) => {
                write!(f, ", {} at once: this request may take {amount} {kind}; make it shorter", rate.burst)
            }
        }
    }
}
