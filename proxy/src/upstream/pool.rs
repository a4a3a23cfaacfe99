//! Idle connections of one thread.

use std::{cell::RefCell, collections::HashMap, time::Duration};

use foldhash::fast::RandomState;
use tokio::time::Instant;

use super::{Origin, connection::Connection};

/// Idle longer than this, a connection is closed: below what providers and the balancers before them keep.
const IDLE: Duration = Duration::from_secs(90);
/// Idle connections to one origin. What comes above is closed.
const PER_ORIGIN: usize = 256;

/// By origin; the latest used is taken first, so that a quiet hour lets the others go. Origins come from the configuration, so
/// nobody can choose ones that collide.
#[derive(Default)]
pub(super) struct Pool(RefCell<HashMap<Origin, Vec<Idle>, RandomState>>);

struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    /// A connection that is still good, asked at this moment.
    pub(super) fn take(&self, origin: &Origin) -> Option<Connection> {
        let mut all = self.0.borrow_mut();
        let idle = all.get_mut(origin)?;
        while let Some(Idle { mut connection, since }) = idle.pop() {
            if since.elapsed() < IDLE && connection.is_fresh() {
                return Some(connection);
            }
        }
        None
    }

    pub(super) fn put(&self, origin: &Origin, connection: Connection) {
        let mut all = self.0.borrow_mut();
        let idle = match all.get_mut(origin) {
            Some(idle) => idle,
            None => all.entry(origin.clone()).or_default(),
        };
        if idle.len() < PER_ORIGIN {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }

    /// Closes what was idle for too long, or was closed by its peer.
    pub(super) fn sweep(&self) {
        self.0.borrow_mut().retain(|_, idle| {
            idle.retain_mut(|idle| idle.since.elapsed() < IDLE && idle.connection.is_fresh());
            !idle.is_empty()
        });
    }
}
