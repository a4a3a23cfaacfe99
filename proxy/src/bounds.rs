//! What one process takes on at most. Past a bound it refuses at once: what waits for room would hold room itself.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// How much a data plane takes on.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests that are being answered, streams included.
    pub requests: usize,
    /// Connections of clients, idle ones included.
    pub connections: usize,
    /// Bytes of bodies that are held in memory: of requests as they come, and of whole answers once they come in pieces.
    pub held: usize,
}

/// A bound, by the flag that sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Requests,
    Connections,
    Held,
    /// No flag's: what one provider is to have in flight.
    Provider,
}

/// The bounds of a process, shared by its threads.
pub(crate) struct Bounds {
    pub(crate) requests: Arc<Bound>,
    pub(crate) connections: Arc<Bound>,
    pub(crate) held: Arc<Bound>,
}

pub(crate) struct Bound {
    limit: Limit,
    most: usize,
    used: AtomicUsize,
}

/// A part of what a bound allows, given back when it is dropped.
pub(crate) struct Share {
    bound: Arc<Bound>,
    size: usize,
}

impl Limit {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Limit::Requests => "requests",
            Limit::Connections => "connections",
            Limit::Held => "held",
            Limit::Provider => "provider",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Provider => f.write_str("the provider's maxConcurrentRequests"),
            Limit::Requests | Limit::Connections | Limit::Held => write!(f, "--max-{}", self.as_str()),
        }
    }
}

impl Bounds {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            requests: Bound::new(Limit::Requests, limits.requests),
            connections: Bound::new(Limit::Connections, limits.connections),
            held: Bound::new(Limit::Held, limits.held),
        }
    }
}

impl Bound {
    fn new(limit: Limit, most: usize) -> Arc<Self> {
        Arc::new(Self { limit, most, used: AtomicUsize::new(0) })
    }

    /// As much as this, which may grow.
    ///
    /// # Errors
    /// When there is no room for it: the bound that was met.
    pub(crate) fn take(self: &Arc<Self>, size: usize) -> Result<Share, Limit> {
        let mut share = Share { bound: self.clone(), size: 0 };
        share.grow(size)?;
        Ok(share)
    }
}

impl Share {
    /// Nothing yet, of the same bound.
    pub(crate) fn another(&self) -> Self {
        Self { bound: self.bound.clone(), size: 0 }
    }

    /// Takes more.
    ///
    /// # Errors
    /// When there is no room for it, and what it has stays: the bound that was met. Two that grow at the same moment may
    /// both be refused where one would have fitted.
    pub(crate) fn grow(&mut self, more: usize) -> Result<(), Limit> {
        let Bound { limit, most, used } = &*self.bound;
        if used.fetch_add(more, Ordering::Relaxed).saturating_add(more) > *most {
            used.fetch_sub(more, Ordering::Relaxed);
            return Err(*limit);
        }
        self.size += more;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.bound.used.fetch_sub(self.size, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_given_back_and_what_was_refused_takes_nothing() {
        let bound = Bound::new(Limit::Held, 10);
        let mut first = bound.take(4).expect("must fit");
        assert_eq!(first.grow(7), Err(Limit::Held));
        assert_eq!(first.grow(6), Ok(()));
        assert_eq!(bound.take(1).err(), Some(Limit::Held));
        drop(first);
        assert_eq!(bound.used.load(Ordering::Relaxed), 0);
        assert!(bound.take(10).is_ok());
    }
}
