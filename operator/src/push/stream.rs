//! One reader's stream: hello, the snapshot if it has another, then whatever is latest, and a heartbeat in silence.

use std::{collections::VecDeque, convert::Infallible, pin::pin, time::Duration};

use bytes::Bytes;
use futures::Stream;
use penstock_config::{
    Hash,
    protocol::{Document, HEARTBEAT_SECONDS, Heartbeat, Hello, Position, Replicas},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    lease::Role,
    pods::Pods,
    publish::{Latest, line},
    sessions::Session,
};

/// What a stream looks at; each is latest-wins, so a slow reader skips and never queues.
#[derive(Clone)]
pub(crate) struct Sources {
    pub(crate) published: watch::Receiver<Latest>,
    pub(crate) replicas: watch::Receiver<u32>,
    pub(crate) role: watch::Receiver<Role>,
    pub(crate) pods: watch::Receiver<std::sync::Arc<Pods>>,
}

/// A reader, and what it was sent last.
pub(crate) struct Reader {
    session: Session,
    sources: Sources,
    epoch: u64,
    has: Option<Hash>,
    at: Option<Position>,
    first: VecDeque<Bytes>,
    replicas: u32,
    /// They were counted since they were last told.
    recounted: bool,
}

impl Reader {
    /// Begins a stream to a process that runs `have`, one of `replicas`. `None` when nothing is published any more.
    pub(crate) fn begin(
        session: Session,
        mut sources: Sources,
        have: Option<Hash>,
        replicas: u32,
        ca_bundle: String,
    ) -> Option<Self> {
        let published = sources.published.borrow().clone()?;
        // Seen: the reconciler has not counted this reader yet.
        sources.replicas.mark_unchanged();
        let hello = Hello {
            session: session.id.clone(),
            position: published.position,
            hash: published.hash(),
            replicas,
            ca_bundle,
        };
        let current = have == Some(published.hash());
        Some(Self {
            session,
            sources,
            epoch: published.position.epoch,
            has: have,
            at: current.then_some(published.position),
            first: VecDeque::from([line(&Document::Hello(hello))]),
            replicas,
            recounted: false,
        })
    }

    /// The next line; `None` ends the stream: this process leads no more, or the pod is gone.
    async fn next(&mut self) -> Option<Bytes> {
        let mut silence = pin!(sleep(Duration::from_secs(HEARTBEAT_SECONDS)));
        loop {
            if self.sources.role.borrow_and_update().epoch(Instant::now()) != Some(self.epoch) {
                return None;
            }
            if !self.sources.pods.borrow_and_update().contains_key(&self.session.process.pod) {
                return None;
            }
            if let Some(line) = self.first.pop_front().or_else(|| self.news()) {
                return Some(line);
            }
            if silence.is_elapsed() {
                return Some(line(&Document::Heartbeat(Heartbeat {})));
            }
            tokio::select! {
                changed = self.sources.published.changed() => changed.ok()?,
                changed = self.sources.replicas.changed() => {
                    changed.ok()?;
                    self.recounted = true;
                }
                changed = self.sources.role.changed() => changed.ok()?,
                changed = self.sources.pods.changed() => changed.ok()?,
                () = &mut silence => {}
            }
        }
    }

    /// What changed since the last line, as one line.
    fn news(&mut self) -> Option<Bytes> {
        let recounted = std::mem::take(&mut self.recounted) || self.sources.replicas.has_changed().unwrap_or(false);
        let replicas = *self.sources.replicas.borrow_and_update();
        if recounted && replicas != self.replicas {
            self.replicas = replicas;
            return Some(line(&Document::Replicas(Replicas { n: replicas })));
        }
        let published = self.sources.published.borrow_and_update().clone()?;
        if self.at == Some(published.position) {
            return None;
        }
        self.at = Some(published.position);
        if self.session.is_undecodable(published.hash()) {
            return None;
        }
        if self.has.is_some_and(|has| self.session.is_undecodable(has)) {
            // It refused what it was sent last, so what it runs is older: only the whole fits for certain.
            self.has = None;
        }
        let line = published.since(self.has);
        self.has = Some(published.hash());
        Some(line)
    }

    /// The lines as a response body. Dropping it ends the session.
    pub(crate) fn into_lines(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        futures::stream::unfold(self, async |mut reader| {
            let line = reader.next().await?;
            Some((Ok(line), reader))
        })
    }
}

#[cfg(test)]
mod tests;
