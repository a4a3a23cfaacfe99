//! Why a request may not pass, in words.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use penstock_config::object::Rate;
use penstock_crds::BudgetPeriod;
use penstock_llm::price::Dollars;

use super::{
    Amounts, Standing,
    bucket::Short,
    period::Span,
    reservation::Hold,
    rule::Of,
    table::{Buckets, Shares},
};
use crate::error::Side;

/// When to come again to a store that does not answer: it is looked for about that often.
const STORE_WITHIN: Duration = Duration::from_secs(1);

/// Why a request may not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// `namespace/name` of the RateLimit, or of the Consumer whose budget it is.
    pub(crate) rule: String,
    pub(super) of: Of,
    pub(super) why: Why,
    pub(crate) standing: Standing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// More than is there now, or than there ever is.
    Short {
        kind: &'static str,
        rate: Rate,
        amount: u64,
        /// Until it may; none: it is more than the limit ever has.
        wait: Option<Duration>,
        /// The period that it is about, if it begins anew with each.
        span: Option<Span>,
    },
    /// The store does not answer, and the limit wants nothing to pass then.
    StoreDown,
}

/// As a RateLimit's fields are called.
const KINDS: Amounts<&str> = Amounts { requests: "requests", tokens: "tokens", cost: "cost" };

/// Of those who refuse, who does so longest.
#[derive(Default)]
pub(super) struct Longest<'a>(Option<Refused<'a>>);

struct Refused<'a> {
    hold: &'a Hold,
    short: Short,
    rate: Rate,
    amount: u64,
    kind: &'static str,
}

impl<'a> Longest<'a> {
    pub(super) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn into_refusal(self, standing: Standing) -> Option<Box<Refusal>> {
        self.0.map(|refused| refused.refusal(standing))
    }

    pub(super) fn look(&mut self, buckets: &Buckets, shares: &Shares<'_>, hold: &'a Hold, amounts: Amounts<u64>) {
        if buckets.have(shares, &amounts) {
            return;
        }
        let short = buckets.look(shares, &amounts);
        let each = short.zip(hold.rule.rates).zip(amounts).zip(KINDS);
        let refused = each.map(|(((short, rate), amount), kind)| {
            let short = match (short?, hold.span) {
                // Nothing comes back before.
                (Short::For(_), Some(span)) => Short::For(span.left(SystemTime::now())),
                (short, _) => short,
            };
            Some(Refused { hold, short, rate: rate?, amount, kind })
        });
        let refused = [refused.requests, refused.tokens, refused.cost].into_iter().flatten();
        self.0 = self.0.take().into_iter().chain(refused).max_by_key(|refused| refused.short);
    }
}

impl Refused<'_> {
    fn refusal(self, standing: Standing) -> Box<Refusal> {
        let Self { hold: Hold { rule, span, .. }, short, rate, amount, kind } = self;
        rule.table.refused.inc();
        let wait = match short {
            Short::For(wait) => Some(wait),
            Short::Forever => None,
        };
        let why = Why::Short { kind, rate, amount, wait, span: *span };
        Box::new(Refusal { rule: rule.name.clone(), of: rule.of, why, standing })
    }
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
            Why::Short { wait: None, .. } => "request_exceeds_limit",
            Why::Short { span: Some(_), .. } => "budget_exceeded",
            Why::Short { span: None, .. } => "rate_limit_exceeded",
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

    /// Is it worth a client's own retries? A budget begins anew in days.
    pub(crate) fn is_for_long(&self) -> bool {
        matches!(self.why, Why::Short { span: Some(_), .. })
    }
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Of::RateLimit => "RateLimit",
            Of::Budget { is_of_users: false, .. } => "the budget of Consumer",
            Of::Budget { is_of_users: true, .. } => "the budget of a user of Consumer",
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, of, why, .. } = self;
        let Why::Short { kind, rate, amount, wait, span } = why else {
            return write!(f, "{of} {rule} lets nothing pass while its store does not answer: try again later");
        };
        let window = match of {
            Of::RateLimit => humantime::format_duration(Duration::from_millis(rate.window_ms)).to_string(),
            Of::Budget { period: BudgetPeriod::Day, .. } => "a day".to_owned(),
            Of::Budget { period: BudgetPeriod::Week, .. } => "a week".to_owned(),
            Of::Budget { period: BudgetPeriod::Month, .. } => "a month".to_owned(),
        };
        match *kind {
            "cost" => write!(f, "{of} {rule} allows {} US dollars in {window}", Dollars(rate.burst))?,
            kind => write!(f, "{of} {rule} allows {} {kind} in {window}", rate.limit)?,
        }
        match (wait, span, *kind) {
            (Some(_), Some(span), _) => {
                let amount = Dollars(*amount);
                write!(
                    f,
                    ", and less is left than the {amount} that this request may cost; it begins anew at {}T00:00:00Z",
                    span.next
                )
            }
            (Some(wait), None, _) => {
                let seconds = wait.as_secs_f64().ceil();
                write!(f, ": try again in {seconds} s")
            }
            (None, _, "cost") => write!(
                f,
                ", {} at once: this request may cost {}; ask for a shorter answer",
                Dollars(rate.burst),
                Dollars(*amount)
            ),
            (None, _, kind) => {
                write!(f, ", {} at once: this request may take {amount} {kind}; make it shorter", rate.burst)
            }
        }
    }
}
