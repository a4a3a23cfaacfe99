//! The failure table once more, as its documentation has it.

use std::time::Duration;

use penstock_crds::FallbackOn;

use crate::request::walk::simulation::script::Fault;

/// How a target's failure is told to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Limited(Option<Duration>),
    Quota,
    Timeout,
    Upstream,
    Missing,
    TooLong,
    Filtered,
    TooLarge,
    Blamed,
    /// The target was not asked, for its breaker.
    Open(Duration),
}

/// What an attempt shows of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Works,
    Fails(FallbackOn),
    Wants(Option<Duration>, FallbackOn),
    Nothing,
}

/// What is done next at the same target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    No,
    Backoff,
    Named(Duration),
    OtherKey,
}

impl Fault {
    pub(super) fn again(self) -> Again {
        match self {
            Fault::Overloaded(Some(wait)) | Fault::Limited(Some(wait)) => Again::Named(wait),
            Fault::Refused | Fault::Internal | Fault::Cut | Fault::Overloaded(None) | Fault::Limited(None) => {
                Again::Backoff
            }
            Fault::Quota | Fault::Unauthorized | Fault::Unsent => Again::OtherKey,
            Fault::Missing | Fault::TooLong | Fault::Filtered | Fault::TooLarge | Fault::Blamed | Fault::Silent => {
                Again::No
            }
        }
    }

    pub(super) fn goes_on(self, listed: &[FallbackOn]) -> bool {
        let class = match self {
            Fault::TooLarge => return true,
            Fault::Blamed => return false,
            Fault::Refused | Fault::Internal | Fault::Overloaded(_) | Fault::Missing | Fault::Cut => {
                FallbackOn::ServerError
            }
            Fault::Limited(_) => FallbackOn::RateLimit,
            Fault::Quota | Fault::Unauthorized | Fault::Unsent => FallbackOn::Auth,
            Fault::TooLong => FallbackOn::ContextLength,
            Fault::Filtered => FallbackOn::ContentFilter,
            Fault::Silent => FallbackOn::Timeout,
        };
        listed.contains(&class)
    }

    pub(super) fn shows(self) -> Shown {
        match self {
            Fault::Refused | Fault::Internal | Fault::Cut | Fault::Overloaded(None) => {
                Shown::Fails(FallbackOn::ServerError)
            }
            Fault::Silent => Shown::Fails(FallbackOn::Timeout),
            Fault::Overloaded(wait) => Shown::Wants(wait, FallbackOn::ServerError),
            Fault::Limited(wait) => Shown::Wants(wait, FallbackOn::RateLimit),
            Fault::TooLong | Fault::Filtered | Fault::TooLarge | Fault::Blamed => Shown::Works,
            Fault::Quota | Fault::Unauthorized | Fault::Missing | Fault::Unsent => Shown::Nothing,
        }
    }

    pub(super) fn told(self) -> Told {
        match self {
            Fault::Limited(wait) => Told::Limited(wait),
            Fault::Quota => Told::Quota,
            Fault::Missing => Told::Missing,
            Fault::TooLong => Told::TooLong,
            Fault::Filtered => Told::Filtered,
            Fault::TooLarge => Told::TooLarge,
            Fault::Blamed => Told::Blamed,
            Fault::Silent => Told::Timeout,
            Fault::Refused
            | Fault::Internal
            | Fault::Overloaded(_)
            | Fault::Cut
            | Fault::Unauthorized
            | Fault::Unsent => Told::Upstream,
        }
    }
}

impl Told {
    fn status(self) -> u16 {
        match self {
            Told::Limited(_) | Told::Quota => 429,
            Told::Timeout => 504,
            Told::Upstream => 502,
            Told::Missing => 404,
            Told::TooLong | Told::Filtered | Told::Blamed => 400,
            Told::TooLarge => 413,
            Told::Open(_) => 503,
        }
    }

    fn wait(self) -> Option<Duration> {
        match self {
            Told::Limited(wait) => wait,
            Told::Open(wait) => Some(wait),
            _ => None,
        }
    }
}

/// The client's status and Retry-After, from how each target ended; those that were not asked come first.
pub(super) fn verdict(ends: &[Told]) -> (u16, Option<Duration>) {
    let is_open = |end: &&Told| matches!(end, Told::Open(_));
    if ends.iter().all(|end| is_open(&end)) {
        return (503, ends.iter().filter_map(|end| end.wait()).min());
    }
    let ends: Vec<_> = ends.iter().filter(|end| !is_open(end)).collect();
    let limited: Vec<_> = ends.iter().filter(|end| matches!(end, Told::Limited(_))).collect();
    if ends.last() == Some(&&Told::Blamed) {
        (400, None)
    } else if !limited.is_empty() {
        (429, limited.iter().filter_map(|end| end.wait()).min())
    } else if ends.iter().all(|end| *end == ends[0]) {
        (ends[0].status(), None)
    } else if ends.contains(&&Told::Timeout) {
        (504, None)
    } else {
        (502, None)
    }
}
