//! What follows from a failure: the table of the documentation's failure semantics, as pure decisions.

use std::{fmt, mem::discriminant, time::Duration};

use penstock_crds::FallbackOn;
use penstock_llm::classify::{ErrorKind, UpstreamError};
use tokio::time::Instant;

use crate::{
    bounds::Limit,
    error::{Error, Expired},
    health::{Closed, Effect, Why},
    limits::Refusal,
    live::provider::Retries,
    metrics::Outcome,
    pace::Pace,
};

/// The first wait before a target is asked again; it doubles, up to the last.
const BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(2);
/// A loop that a gateway noticed: asking again would go round it again.
const LOOP_DETECTED: u16 = 508;

/// How an attempt failed, before the client saw anything of it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No connection, or it broke before the head of an answer.
    Unreachable(String),
    /// No connection within `connect`.
    SlowConnect,
    /// No first content, or no answer, by the moment to try elsewhere, or by the request's deadline.
    Silent(Expired),
    /// An error, by its status.
    Status(UpstreamError),
    /// A 200 that does not parse, is cut, or holds an error.
    Broken(UpstreamError),
    /// A 200 in which the model or its filter declined before it said anything.
    Refusal,
    /// Every credential was rejected a moment ago, or there is none.
    NoCredential,
    /// The provider said a while ago that it wants to be left alone for so long.
    CoolingDown(Duration, FallbackOn),
    /// It failed too often lately, and may be asked again after so long.
    BreakerOpen(Duration, FallbackOn),
    /// As many requests as its provider may have are on their way, and this one found no room in time.
    Full,
    /// A limit on what is asked of its provider refuses.
    Limited(Box<Refusal>),
    /// Its answer came in pieces, and there is no room to hold them until they can be translated.
    NoRoom,
    /// The target has no way to say what the request means.
    Meaning(penstock_llm::Error),
    /// The member refers to state on the provider's account, which the route does not keep.
    State(String),
    /// The target does not know hints that the request gives, and the route does not let them be dropped.
    Hints { names: String, reject: bool },
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    /// The same target, after a wait.
    Again(Duration),
    /// The same target, with another of its credentials.
    NextCredential,
    /// The next target, if there is one.
    NextTarget,
    /// Nothing else may answer.
    Stop,
}

/// What a target may still cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    retries: Retries,
    pace: Pace,
    used: u32,
    broken: bool,
}

/// What there is besides the target and the credential that failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances<'a> {
    /// Another credential of the provider may be used: a second one, or one that replaced the rejected one meanwhile.
    pub(crate) other_credential: bool,
    pub(crate) fallback_on: &'a [FallbackOn],
    /// Until the request's deadline.
    pub(crate) time_left: Duration,
    /// Between 0 and 1.
    pub(crate) random: f64,
}

/// The failure table's columns, apart from the client's.
struct Row {
    class: Option<FallbackOn>,
    again: Again,
    next: Next,
}

enum Again {
    No,
    Backoff,
    /// As long as the provider wants, if that is not too long.
    After(Duration),
    NextCredential,
}

enum Next {
    Listed,
    Always,
    No,
}

/// For logs. A provider's own words are left out: they can echo a key or a prompt.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unreachable(why) => f.write_str(why),
            Failure::SlowConnect => write!(f, "no connection in time: {} has passed", Expired::Connect),
            Failure::Silent(limit) => write!(f, "no answer in time: {limit} has passed"),
            Failure::Status(error) => write!(f, "status {}, {:?}", error.status, error.kind),
            Failure::Broken(error) => write!(f, "an unreadable answer or an error in it, {:?}", error.kind),
            Failure::Refusal => f.write_str("a refusal"),
            Failure::NoCredential => f.write_str("no credential may be used now"),
            Failure::CoolingDown(..) => f.write_str("it wants to be left alone"),
            Failure::BreakerOpen(..) => f.write_str("it failed too often lately"),
            Failure::Full => f.write_str("its provider has as many requests as it may"),
            Failure::Limited(refusal) => write!(f, "{refusal}"),
            Failure::NoRoom => f.write_str("there is no room to hold its answer"),
            Failure::Meaning(error) => write!(f, "{error}"),
            Failure::State(field) => write!(f, "{field} refers to state"),
            Failure::Hints { names, .. } => write!(f, "hints that it does not know: {names}"),
        }
    }
}

impl Failure {
    fn row(&self) -> Row {
        let listed = |class, again| Row { class: Some(class), again, next: Next::Listed };
        match self {
            Failure::Unreachable(_) | Failure::SlowConnect => listed(FallbackOn::ServerError, Again::Backoff),
            Failure::Silent(_) => listed(FallbackOn::Timeout, Again::No),
            Failure::CoolingDown(_, class) | Failure::BreakerOpen(_, class) => listed(*class, Again::No),
            Failure::Status(error) | Failure::Broken(error) => Row::of(error),
            Failure::Refusal => listed(FallbackOn::ContentFilter, Again::No),
            Failure::NoCredential => listed(FallbackOn::Auth, Again::NextCredential),
            Failure::NoRoom => Row { class: None, again: Again::No, next: Next::No },
            Failure::Meaning(error) => {
                // A request that is malformed in itself is so for every target.
                let next = if error.status() == 422 { Next::Always } else { Next::No };
                Row { class: None, again: Again::No, next }
            }
            Failure::Full | Failure::Limited(_) | Failure::State(_) => {
                Row { class: None, again: Again::No, next: Next::Always }
            }
            Failure::Hints { reject, .. } => {
                let next = if *reject { Next::No } else { Next::Always };
                Row { class: None, again: Again::No, next }
            }
        }
    }

    /// For metrics and logs.
    pub(crate) fn outcome(&self) -> Outcome {
        match self.row().class {
            Some(FallbackOn::RateLimit) => Outcome::RateLimit,
            Some(FallbackOn::Timeout) => Outcome::Timeout,
            Some(FallbackOn::ServerError) => Outcome::ServerError,
            Some(FallbackOn::Auth) => Outcome::Auth,
            Some(FallbackOn::ContextLength) => Outcome::ContextLength,
            Some(FallbackOn::ContentFilter) => Outcome::ContentFilter,
            None => Outcome::Client,
        }
    }

    /// The target was not asked: it has no words for the request, or no room.
    fn skips(&self) -> bool {
        match self {
            Failure::Meaning(error) => error.status() == 422,
            Failure::Hints { .. }
            | Failure::State(_)
            | Failure::BreakerOpen(..)
            | Failure::Full
            | Failure::Limited(_) => true,
            _ => false,
        }
    }

    /// Why a target is not asked at all.
    pub(crate) fn closed(closed: &Closed, now: Instant) -> Self {
        let wait = closed.until.saturating_duration_since(now);
        match closed.why {
            Why::CoolingDown => Failure::CoolingDown(wait, closed.class),
            Why::BreakerOpen => Failure::BreakerOpen(wait, closed.class),
        }
    }

    /// May another target be asked after it?
    pub(crate) fn goes_on(&self, fallback_on: &[FallbackOn]) -> bool {
        let row = self.row();
        match (row.next, row.class) {
            (Next::Always, _) => true,
            (Next::Listed, Some(class)) => fallback_on.contains(&class),
            (Next::Listed | Next::No, _) => false,
        }
    }

    /// What it shows of the target; none where it shows nothing.
    pub(crate) fn effect(&self) -> Option<Effect> {
        let class = self.row().class.unwrap_or(FallbackOn::ServerError);
        match self {
            Failure::Unreachable(_) | Failure::SlowConnect | Failure::Silent(_) => Some(Effect::Failed(class)),
            Failure::Status(error) | Failure::Broken(error) => match error.kind {
                ErrorKind::RateLimit => Some(Effect::Wait(error.retry_after, class)),
                ErrorKind::Quota => error.retry_after.map(|wait| Effect::Wait(Some(wait), class)),
                // Its own word counts for more than our guess.
                ErrorKind::ServerError if error.retry_after.is_some() => Some(Effect::Wait(error.retry_after, class)),
                ErrorKind::ServerError | ErrorKind::Timeout | ErrorKind::Redirect => Some(Effect::Failed(class)),
                ErrorKind::ContextLength | ErrorKind::ContentFilter | ErrorKind::TooLarge | ErrorKind::Rejected => {
                    Some(Effect::Answered)
                }
                // Of a key, or of what was configured.
                ErrorKind::Auth | ErrorKind::NotFound => None,
            },
            Failure::Refusal | Failure::NoRoom => Some(Effect::Answered),
            Failure::NoCredential
            | Failure::CoolingDown(..)
            | Failure::BreakerOpen(..)
            | Failure::Full
            | Failure::Limited(_)
            | Failure::Meaning(_)
            | Failure::State(_)
            | Failure::Hints { .. } => None,
        }
    }

    /// The provider's waits at another pace.
    pub(crate) fn at(mut self, pace: Pace) -> Self {
        if let Failure::Status(error) | Failure::Broken(error) = &mut self {
            error.retry_after = error.retry_after.map(|wait| pace.of(wait));
        }
        self
    }

    /// The provider does not take the credential at all.
    pub(crate) fn rejects_credential(&self) -> bool {
        matches!(self, Failure::Status(error) | Failure::Broken(error) if error.kind == ErrorKind::Auth)
    }

    /// The provider refuses the request because of this field.
    pub(crate) fn blames(&self, field: &str) -> bool {
        let Failure::Status(error) = self else { return false };
        let named =
            || error.message.contains(field) || error.param.as_deref().is_some_and(|param| param.contains(field));
        error.kind == ErrorKind::Rejected && named()
    }

    /// A 400 that blames the request.
    pub(crate) fn is_bad_request(&self) -> bool {
        matches!(self, Failure::Status(error) if error.status == 400 && error.kind == ErrorKind::Rejected)
    }

    /// What a client is told if this is how every target failed.
    fn into_error(self) -> Error {
        let error = match self {
            Failure::Unreachable(_) | Failure::NoCredential => return Error::Upstream,
            Failure::SlowConnect => return Error::NoConnection,
            Failure::Silent(limit) => return Error::Timeout(Some(limit)),
            Failure::CoolingDown(wait, _) => return Error::RateLimited { wait: Some(wait) },
            Failure::BreakerOpen(wait, _) => return Error::Unavailable { wait },
            Failure::Full => return Error::Overloaded(Limit::Provider),
            Failure::Limited(refusal) => return Error::Limited(refusal),
            Failure::NoRoom => return Error::Overloaded(Limit::Held),
            Failure::Refusal => return Error::ContentFilter,
            // To a target that keeps no state the member means nothing.
            Failure::Meaning(error) if error.param() == Some("thread") => return Error::Thread,
            Failure::Meaning(error) => return error.into(),
            Failure::State(field) => return Error::State(field),
            Failure::Hints { names, .. } => return Error::Hints(names),
            Failure::Status(error) | Failure::Broken(error) => error,
        };
        match error.kind {
            ErrorKind::RateLimit => Error::RateLimited { wait: error.retry_after },
            ErrorKind::Quota => Error::Quota,
            ErrorKind::Timeout => Error::Timeout(None),
            ErrorKind::NotFound => Error::ModelMissing,
            ErrorKind::ContextLength => Error::ContextLength,
            ErrorKind::ContentFilter => Error::ContentFilter,
            ErrorKind::TooLarge => Error::TooLarge,
            ErrorKind::Auth | ErrorKind::ServerError | ErrorKind::Redirect => Error::Upstream,
            ErrorKind::Rejected => Error::Rejected(Box::new(error)),
        }
    }
}

impl Row {
    fn of(error: &UpstreamError) -> Self {
        let wait = || error.retry_after.map_or(Again::Backoff, Again::After);
        let (class, again) = match error.kind {
            ErrorKind::RateLimit => (FallbackOn::RateLimit, wait()),
            ErrorKind::Quota | ErrorKind::Auth => (FallbackOn::Auth, Again::NextCredential),
            ErrorKind::NotFound | ErrorKind::Redirect => (FallbackOn::ServerError, Again::No),
            ErrorKind::ServerError if error.status == LOOP_DETECTED => (FallbackOn::ServerError, Again::No),
            ErrorKind::ServerError => (FallbackOn::ServerError, wait()),
            ErrorKind::ContextLength => (FallbackOn::ContextLength, Again::No),
            ErrorKind::ContentFilter => (FallbackOn::ContentFilter, Again::No),
            ErrorKind::Timeout => (FallbackOn::Timeout, Again::No),
            ErrorKind::TooLarge => return Self { class: None, again: Again::No, next: Next::Always },
            ErrorKind::Rejected => return Self { class: None, again: Again::No, next: Next::No },
        };
        Self { class: Some(class), again, next: Next::Listed }
    }
}

impl Budget {
    pub(crate) fn new(retries: Retries, pace: Pace) -> Self {
        Self { retries, pace, used: 0, broken: false }
    }

    /// Decides what follows from a failure, and pays for it.
    pub(crate) fn decide(&mut self, failure: &Failure, around: Circumstances<'_>) -> Step {
        let row = failure.row();
        let again = match row.again {
            Again::No => None,
            Again::NextCredential if around.other_credential => return Step::NextCredential,
            Again::NextCredential => None,
            Again::Backoff => Some(self.backoff(around.random)),
            Again::After(wait) => {
                Some(wait).filter(|wait| *wait <= self.pace.of(self.retries.wait_up_to)).map(|wait| {
                    // Never earlier than the provider said, and not all at once.
                    wait.mul_f64(1.0 + 0.2 * around.random)
                })
            }
        };
        let is_broken = matches!(failure, Failure::Broken(_));
        let once_too_often = is_broken && self.broken;
        if let Some(wait) = again
            && self.used < self.retries.attempts
            && !once_too_often
            && wait < around.time_left
        {
            self.used += 1;
            self.broken |= is_broken;
            return Step::Again(wait);
        }
        if failure.goes_on(around.fallback_on) { Step::NextTarget } else { Step::Stop }
    }

    /// Doubles with every use, give or take a half.
    fn backoff(&self, random: f64) -> Duration {
        let doubled = BACKOFF.saturating_mul(1 << self.used.min(10));
        self.pace.of(doubled.min(MAX_BACKOFF)).mul_f64(0.5 + random)
    }
}

/// What a client is told when no target is left, from the last failure of each that was asked.
pub(crate) fn verdict(mut ends: Vec<Failure>) -> Error {
    // Nobody was asked, and where there is no room there soon will be.
    let waits = |end: &Failure| matches!(end, Failure::Full | Failure::CoolingDown(..) | Failure::BreakerOpen(..));
    if ends.iter().all(waits) && ends.iter().any(|end| matches!(end, Failure::Full)) {
        return Error::Overloaded(Limit::Provider);
    }
    // A target that was skipped has not failed: it has a say only where no other was asked.
    if !ends.iter().all(Failure::skips) {
        ends.retain(|end| !end.skips());
    }
    let mut errors: Vec<Error> = ends.into_iter().map(Failure::into_error).collect();
    let Some(last) = errors.pop() else { return Error::Upstream };
    if matches!(last, Error::Rejected(_) | Error::Request(_) | Error::Hints(_)) {
        return last;
    }
    let wait = errors.iter().chain([&last]).filter_map(Error::retry_after).min();
    let all_like = errors.iter().all(|error| discriminant(error) == discriminant(&last));
    if errors.iter().chain([&last]).any(|error| matches!(error, Error::RateLimited { .. })) {
        Error::RateLimited { wait }
    } else if let (true, Error::Unavailable { .. }) = (all_like, &last) {
        Error::Unavailable { wait: wait.unwrap_or_default() }
    } else if all_like {
        last
    } else if let Some(limit) = errors.iter().chain([&last]).find_map(Error::expired) {
        Error::Timeout(limit)
    } else {
        Error::Upstream
    }
}

#[cfg(test)]
mod rows;
#[cfg(test)]
mod tests;
