//! The published snapshot: one value that all readers look at, encoded once for all of them.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use penstock_config::{
    Hash, Snapshot,
    protocol::{DeltaDocument, Document, Full, Position},
};
use tokio::{sync::watch, time::Instant};

/// What readers see: `None` while this process does not lead or has nothing yet.
pub(crate) type Latest = Option<Arc<Published>>;

/// A snapshot with its place in the order of all that this leader sent.
pub(crate) struct Published {
    pub(crate) position: Position,
    pub(crate) snapshot: Snapshot,
    pub(crate) at: Instant,
    /// What was published before it.
    base: Option<Snapshot>,
    full: OnceLock<Bytes>,
    delta: OnceLock<Bytes>,
}

/// Gives every new snapshot the next sequence, in whatever epoch.
pub(crate) struct Publisher {
    epoch: Option<u64>,
    /// The last one that was given. It never goes back while the process lives: proxies take nothing older.
    sequence: u64,
    latest: watch::Sender<Latest>,
}

/// One line of the stream.
pub(crate) fn line(document: &Document) -> Bytes {
    let mut line = serde_json::to_vec(document).expect("a document must serialise: its maps have string keys");
    line.push(b'\n');
    line.into()
}

impl Published {
    fn new(position: Position, snapshot: Snapshot, base: Option<Snapshot>) -> Self {
        Self { position, snapshot, at: Instant::now(), base, full: OnceLock::new(), delta: OnceLock::new() }
    }

    pub(crate) fn hash(&self) -> Hash {
        self.snapshot.hash()
    }

    /// The whole of it, as a line.
    pub(crate) fn full(&self) -> Bytes {
        let encode = || line(&Document::Full(Full::new(self.position, &self.snapshot)));
        self.full.get_or_init(encode).clone()
    }

    /// The line for a reader that has `base`: a delta where one fits, else the whole.
    pub(crate) fn since(&self, base: Option<Hash>) -> Bytes {
        match &self.base {
            Some(before) if base == Some(before.hash()) => {
                let encode = || self.delta_from(before);
                self.delta.get_or_init(encode).clone()
            }
            // The same content again, later in the order: what came between was skipped. It is still to be ACKed.
            _ if base == Some(self.hash()) => self.delta_from(&self.snapshot),
            _ => self.full(),
        }
    }

    fn delta_from(&self, base: &Snapshot) -> Bytes {
        line(&Document::Delta(DeltaDocument { position: self.position, delta: self.snapshot.since(base) }))
    }
}

impl Publisher {
    pub(crate) fn new() -> (Self, watch::Receiver<Latest>) {
        let (latest, readers) = watch::channel(None);
        (Self { epoch: None, sequence: 0, latest }, readers)
    }

    /// Begins an epoch, or (`None`) ends the one that was led: every stream ends. Sequences go on.
    pub(crate) fn lead(&mut self, epoch: Option<u64>) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.latest.send_replace(None);
        }
    }

    pub(crate) fn latest(&self) -> Latest {
        self.latest.borrow().clone()
    }

    /// Publishes, if this process leads and the content is not what is published already.
    pub(crate) fn offer(&mut self, snapshot: Snapshot) -> Latest {
        let epoch = self.epoch?;
        let before = self.latest();
        if before.as_ref().is_some_and(|before| before.hash() == snapshot.hash()) {
            return None;
        }
        self.sequence += 1;
        let position = Position { epoch, sequence: self.sequence };
        let base = before.map(|before| before.snapshot.clone());
        let published = Arc::new(Published::new(position, snapshot, base));
        self.latest.send_replace(Some(published.clone()));
        Some(published)
    }
}

#[cfg(test)]
pub(crate) mod tests;
