//! A watcher of statuses, for what must not happen in between.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::ensure;
use futures::TryStreamExt as _;
use kube::runtime::{WatchStreamExt as _, watcher};
use penstock_crds::Kind;
use tokio::task::JoinSet;

use super::installation::{Installation, condition};

/// Sees every event of every object's `Programmed` from the moment it is made.
pub(crate) struct Flaps {
    watches: JoinSet<()>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    events: usize,
    programmed: BTreeMap<String, bool>,
    flaps: Vec<String>,
    broken: Vec<String>,
}

impl Flaps {
    pub(crate) fn watch(installation: &Installation<'_>) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut watches = JoinSet::new();
        for kind in Kind::ALL {
            let objects = watcher(installation.objects(kind), watcher::Config::default()).applied_objects();
            let seen = Arc::clone(&seen);
            watches.spawn(async move {
                let to = Arc::clone(&seen);
                let watched = objects.try_for_each(move |object| {
                    let programmed = condition(&object, "Programmed").is_some_and(|(status, ..)| status == "True");
                    let name = format!("{kind} {}", object.metadata.name.unwrap_or_default());
                    lock(&to).add(name, programmed, &object.data["status"]);
                    std::future::ready(Ok(()))
                });
                let end = watched.await.err().map_or_else(|| "ended".to_owned(), |error| error.to_string());
                lock(&seen).broken.push(format!("the watch of {kind}: {end}"));
            });
        }
        Self { watches, seen }
    }

    /// Whether each of so many objects was seen, and none of them went from True to False.
    pub(crate) fn none_of(self, objects: usize) -> anyhow::Result<()> {
        drop(self.watches);
        let seen = lock(&self.seen);
        ensure!(seen.broken.is_empty(), "{:?}", seen.broken);
        ensure!(seen.programmed.len() >= objects, "{} events of {:?}", seen.events, seen.programmed);
        ensure!(seen.flaps.is_empty(), "{:#?}", seen.flaps);
        Ok(())
    }
}

impl Seen {
    fn add(&mut self, name: String, programmed: bool, status: &serde_json::Value) {
        self.events += 1;
        if self.programmed.get(&name) == Some(&true) && !programmed {
            self.flaps.push(format!("{name} is no longer programmed: {status}"));
        }
        self.programmed.insert(name, programmed);
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
