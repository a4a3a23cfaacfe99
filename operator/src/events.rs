//! Events: what a person should see on an object, told once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::{
    api::{
        core::v1::ObjectReference,
        events::v1::{Event, EventSeries},
    },
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use penstock_config::{Hash, Key};
use penstock_crds::{GROUP, VERSION};
use serde_json::json;
use tokio::{sync::mpsc, time::timeout};
use tracing::warn;

use crate::{error::Error, metrics::Metrics};

const CONTROLLER: &str = "penstock.dev/operator";
/// The API server refuses longer notes.
const LONGEST_NOTE: usize = 1024;
const ANSWER: Duration = Duration::from_secs(10);
/// Events that wait to be written. More are dropped and counted: conditions say the same.
const QUEUE: usize = 512;

/// What an Event is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Object {
        key: Key,
        uid: String,
    },
    /// A Secret of the operator's own namespace.
    Secret {
        namespace: String,
        name: String,
    },
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Note {
    pub(crate) subject: Subject,
    /// One word.
    pub(crate) reason: String,
    pub(crate) text: String,
}

/// Knows what was told already, so that only news are.
pub(crate) struct Teller {
    told: BTreeSet<Note>,
    queue: mpsc::Sender<Note>,
    metrics: Arc<Metrics>,
}

impl Teller {
    /// Starts the task that writes Events as `instance`.
    pub(crate) fn start(client: Client, instance: String, metrics: Arc<Metrics>) -> Self {
        let (queue, notes) = mpsc::channel(QUEUE);
        tokio::spawn(write(client, instance, notes));
        Self { told: BTreeSet::new(), queue, metrics }
    }

    /// `notes` is everything that is to be said now: what was not said a moment ago is told.
    pub(crate) fn tell(&mut self, notes: BTreeSet<Note>) {
        for note in notes.difference(&self.told) {
            self.tell_once(note.clone());
        }
        self.told = notes;
    }

    pub(crate) fn tell_once(&self, note: Note) {
        if self.queue.try_send(note).is_err() {
            self.metrics.events_dropped.inc();
        }
    }

    pub(crate) fn forget(&mut self) {
        self.told.clear();
    }
}

async fn write(client: Client, instance: String, mut notes: mpsc::Receiver<Note>) {
    let mut counts = BTreeMap::new();
    while let Some(note) = notes.recv().await {
        let name = name_of(&note);
        let written = timeout(ANSWER, publish(&client, &instance, &name, &note, counts.get(&name).copied())).await;
        match written {
            Ok(Ok(())) => {
                // Bounded: old names expire at the API server as well.
                if counts.len() >= QUEUE {
                    counts.pop_first();
                }
                *counts.entry(name).or_insert(0) += 1;
            }
            Ok(Err(error)) => warn!(%error, reason = note.reason, "an Event could not be written"),
            Err(_) => warn!(reason = note.reason, "an Event was not written in time"),
        }
    }
}

/// The same text on the same object has the same name: another leader, or this one after a restart, tells it no second
/// time.
fn name_of(note: &Note) -> String {
    let (uid, name) = match &note.subject {
        Subject::Object { key, uid } => (format!("{}/{uid}", key.kind), key.object.name.to_string()),
        Subject::Secret { namespace, name } => (namespace.clone(), name.clone()),
    };
    let parts = [uid.as_bytes(), note.reason.as_bytes(), note.text.as_bytes()];
    let hash = Hash::of_parts(parts).to_string();
    format!("{}.{}", &name[..name.len().min(200)], &hash[..16])
}

/// Creates the Event; one that this process told before is said to have happened again.
async fn publish(client: &Client, instance: &str, name: &str, note: &Note, told: Option<i32>) -> Result<(), Error> {
    let regarding = regarding(&note.subject);
    let events = Api::<Event>::namespaced(client.clone(), regarding.namespace.as_deref().unwrap_or("default"));
    let event = Event {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        event_time: Some(MicroTime(Timestamp::now())),
        type_: Some("Warning".to_owned()),
        action: Some("Reconcile".to_owned()),
        reason: Some(note.reason.clone()),
        note: Some(note.text.chars().take(LONGEST_NOTE / 4).collect()),
        regarding: Some(regarding),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(instance.to_owned()),
        ..Event::default()
    };
    match (events.create(&PostParams::default(), &event).await, told) {
        (Ok(_), _) => Ok(()),
        (Err(kube::Error::Api(status)), None) if status.code == 409 => Ok(()),
        (Err(kube::Error::Api(status)), Some(told)) if status.code == 409 => {
            let series = EventSeries { count: told + 1, last_observed_time: MicroTime(Timestamp::now()) };
            let patch = Patch::Merge(json!({"series": series}));
            events.patch(name, &PatchParams::default(), &patch).await?;
            Ok(())
        }
        (Err(error), _) => Err(error.into()),
    }
}

fn regarding(subject: &Subject) -> ObjectReference {
    match subject {
        Subject::Object { key, uid } => ObjectReference {
            api_version: Some(format!("{GROUP}/{VERSION}")),
            kind: Some(key.kind.to_string()),
            namespace: Some(key.object.namespace.to_string()),
            name: Some(key.object.name.to_string()),
            uid: Some(uid.clone()),
            ..ObjectReference::default()
        },
        Subject::Secret { namespace, name } => ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Secret".to_owned()),
            namespace: Some(namespace.clone()),
            name: Some(name.clone()),
            ..ObjectReference::default()
        },
    }
}
