//! When a folder may have changed: events where the file system has them, and a look at it every few seconds where it
//! has not, or where the folder itself was replaced.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    sync::mpsc,
    time::{self, Instant, MissedTickBehavior},
};

/// An editor's save is several events: wait until it is quiet for this long, but not for ever.
const QUIET: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_secs(2);

/// Tells when to read a folder again.
pub(crate) struct Watch {
    folder: PathBuf,
    events: mpsc::Receiver<()>,
    wake: mpsc::Sender<()>,
    watcher: Option<RecommendedWatcher>,
    seen: Option<Fingerprint>,
    look: time::Interval,
}

/// What shows that something changed, without reading files: the folder's identity and each file's.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fingerprint {
    folder: Identity,
    /// No identity: a link that leads nowhere.
    files: Vec<(PathBuf, Option<Identity>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    node: (u64, u64),
    length: u64,
    modified: Option<SystemTime>,
}

impl Watch {
    /// Begins to watch. A folder that is not there yet is waited for.
    pub(crate) fn new(folder: &Path) -> Self {
        // One event is as good as many: a full channel drops the next.
        let (wake, events) = mpsc::channel(1);
        let mut look = time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watch = Self { folder: folder.to_owned(), events, wake, watcher: None, seen: None, look };
        watch.rewatch();
        watch.seen = Fingerprint::take(folder).ok();
        watch
    }

    /// Returns when the folder should be read again. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        loop {
            tokio::select! {
                _ = self.events.recv() => {
                    self.settle().await;
                    self.look_again();
                    return;
                }
                _ = self.look.tick() => if self.look_again() { return },
            }
        }
    }

    /// Waits for the end of a burst of events.
    async fn settle(&mut self) {
        let end = Instant::now() + LONGEST;
        while Instant::now() < end {
            let quiet = (Instant::now() + QUIET).min(end);
            if time::timeout_at(quiet, self.events.recv()).await.is_err() {
                return;
            }
        }
    }

    /// True if the folder is not as it was. One that took another's place is watched anew.
    fn look_again(&mut self) -> bool {
        let now = Fingerprint::take(&self.folder).ok();
        let folder = |print: &Option<Fingerprint>| print.as_ref().map(|print| print.folder.node);
        if folder(&now) != folder(&self.seen) || self.watcher.is_none() {
            self.rewatch();
        }
        let changed = now != self.seen;
        self.seen = now;
        changed
    }

    fn rewatch(&mut self) {
        self.watcher = None;
        let wake = self.wake.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading files, as we do, is an event too.
            let matters = event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_)));
            if matters {
                wake.try_send(()).ok();
            }
        });
        let watched = watcher.and_then(|mut watcher| {
            watcher.watch(&self.folder, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        match watched {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) => tracing::debug!("no events from {}: {error}", self.folder.display()),
        }
    }
}

impl Fingerprint {
    fn take(folder: &Path) -> io::Result<Self> {
        let files = super::files(folder)?.into_iter();
        let identified = files.map(|path| {
            let identity = Identity::of(&path).ok();
            (path, identity)
        });
        Ok(Self { folder: Identity::of(folder)?, files: identified.collect() })
    }
}

impl Identity {
    /// Of what a link leads to, so that Kubernetes' swap of a volume's link is seen.
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self { node: (metadata.dev(), metadata.ino()), length: metadata.len(), modified: metadata.modified().ok() })
    }
}
