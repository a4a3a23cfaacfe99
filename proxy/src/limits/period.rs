//! Days, weeks and months, as budgets have them. UTC, since proxies in several places share one budget.

use std::time::{Duration, SystemTime};

use jiff::{
    Timestamp,
    civil::{Date, Weekday},
    tz::TimeZone,
};
use penstock_crds::BudgetPeriod;

/// One day, week or month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    /// Its first day.
    pub(super) first: Date,
    /// The first day after it.
    pub(super) next: Date,
}

impl Span {
    /// The one of its kind that a moment is in.
    pub(super) fn of(period: BudgetPeriod, now: SystemTime) -> Self {
        let today = Timestamp::try_from(now).unwrap_or(Timestamp::MAX).to_zoned(TimeZone::UTC).date();
        let monday = || {
            let since = i64::from(today.weekday().since(Weekday::Monday));
            today.saturating_sub(jiff::Span::new().days(since))
        };
        match period {
            BudgetPeriod::Day => Self { first: today, next: today.saturating_add(jiff::Span::new().days(1)) },
            BudgetPeriod::Week => Self { first: monday(), next: monday().saturating_add(jiff::Span::new().days(7)) },
            BudgetPeriod::Month => {
                let first = today.first_of_month();
                Self { first, next: first.saturating_add(jiff::Span::new().months(1)) }
            }
        }
    }

    /// When it is over.
    pub(super) fn ends(&self) -> SystemTime {
        let next = self.next.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |midnight| midnight.timestamp());
        SystemTime::from(next)
    }

    /// How long it goes on.
    pub(super) fn left(&self, now: SystemTime) -> Duration {
        self.ends().duration_since(now).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(period: BudgetPeriod, now: &str) -> (String, String) {
        let now: Timestamp = now.parse().expect("must be a time");
        let span = Span::of(period, now.into());
        assert_eq!(span, Span::of(period, span.ends() - Duration::from_nanos(1)), "to its last moment");
        assert_eq!(Span::of(period, span.ends()).first, span.next);
        (span.first.to_string(), span.next.to_string())
    }

    #[test]
    fn periods_begin_at_midnight_of_a_day_of_a_monday_and_of_the_first() {
        let rows = [
            (BudgetPeriod::Day, "2026-02-28T23:59:59.999Z", "2026-02-28", "2026-03-01"),
            (BudgetPeriod::Day, "2028-02-28T00:00:00Z", "2028-02-28", "2028-02-29"),
            (BudgetPeriod::Week, "2026-11-22T23:59:59Z", "2026-11-16", "2026-11-23"),
            (BudgetPeriod::Week, "2026-11-23T00:00:00Z", "2026-11-23", "2026-11-30"),
            (BudgetPeriod::Week, "2027-01-01T12:00:00Z", "2026-12-28", "2027-01-04"),
            (BudgetPeriod::Month, "2026-12-31T23:00:00-02:00", "2027-01-01", "2027-02-01"),
            (BudgetPeriod::Month, "2026-11-27T06:00:00Z", "2026-11-01", "2026-12-01"),
        ];
        for (period, now, first, next) in rows {
            assert_eq!(span(period, now), (first.to_owned(), next.to_owned()), "{period:?} {now}");
        }
    }
}
