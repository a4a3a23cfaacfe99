//! Where snapshots come from: a folder, or the operator's stream with a stored snapshot behind it.

pub(crate) mod folder;
pub(crate) mod models;
pub(crate) mod operator;
mod stored;

use penstock_config::{
    Snapshot,
    protocol::{Position, Refused},
};
use penstock_proxy::Live;
use serde::Serialize;
use tokio::sync::watch;

/// Who gave the live snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    Folder,
    Operator,
    Stored,
}

impl Origin {
    fn as_str(self) -> &'static str {
        match self {
            Origin::Folder => "folder",
            Origin::Operator => "operator",
            Origin::Stored => "stored",
        }
    }
}

/// What a source knows beside the snapshot itself, for `/readyz` and `/config`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    /// None before the first snapshot.
    pub(crate) source: Option<Origin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) position: Option<Position>,
    /// How many proxies share a limit, as the operator says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replicas: Option<u32>,
    /// What a folder's verdicts complain of; in a cluster they stand on the objects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) complaints: Vec<String>,
    /// A snapshot runs that may: the folder's, the leader's own, or the stored one when no leader answered.
    #[serde(skip)]
    pub(crate) ready: bool,
}

/// Where a source puts its snapshots.
pub(crate) struct Sink {
    live: Live,
    status: watch::Sender<Status>,
    refused: Vec<Refused>,
}

impl Sink {
    /// The receiver sees every change of the source's status.
    pub(crate) fn new(live: Live) -> (Self, watch::Receiver<Status>) {
        let (status, seen) = watch::channel(Status::default());
        let sink = Self { live, status, refused: vec![] };
        (sink, seen)
    }

    pub(crate) fn live(&self) -> &Live {
        &self.live
    }

    /// Makes the snapshot live. Returns what could not be built; it is logged when it changes.
    pub(crate) fn apply(&mut self, snapshot: &Snapshot, origin: Origin) -> Vec<Refused> {
        let refused = self.live.apply(snapshot);
        let objects = snapshot.entries().len();
        tracing::info!(hash = %snapshot.hash(), objects, refused = refused.len(), source = origin.as_str(), "snapshot applied");
        for new in refused.iter().filter(|one| !self.refused.contains(one)) {
            tracing::warn!(object = %new.key, "left out: {}", new.reason);
        }
        self.refused.clone_from(&refused);
        self.note(|status| status.source = Some(origin));
        refused
    }

    /// Changes the status; nobody is woken where nothing differs.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            *status != before
        });
    }
}
