//! The one writer of status: server-side apply, and only where something differs.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::ready,
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, stream};
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams},
};
use penstock_config::Key;
use penstock_crds::{AIProviderStatus, ConditionType, GROUP, Kind, VERSION};
use serde_json::json;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tracing::{debug, warn};

use crate::{error::Error, lease::Role, metrics::Metrics, watch::resource};

/// The name under which status fields are owned.
const FIELD_MANAGER: &str = "penstock-operator";
/// How long a change of mere words waits after the last write on the same object.
const WORDS: Duration = Duration::from_secs(5);
/// How long after a write that failed the next one is tried.
const AGAIN: Duration = Duration::from_secs(1);
const CONCURRENT: usize = 8;
const ANSWER: Duration = Duration::from_secs(10);

/// The status that an object should have, and the one that it was last seen with.
#[derive(Clone, Debug)]
pub(crate) struct Desired {
    pub(crate) uid: String,
    pub(crate) want: AIProviderStatus,
    pub(crate) seen: AIProviderStatus,
    /// In which `seen` was seen.
    pub(crate) resource_version: String,
}

/// What should stand on every object; `None` while this process does not lead.
pub(crate) type Wishes = Option<Arc<BTreeMap<Key, Desired>>>;

/// A task that owns what it wrote.
pub(crate) struct Writer {
    pub(crate) client: Client,
    pub(crate) wishes: watch::Receiver<Wishes>,
    pub(crate) role: watch::Receiver<Role>,
    pub(crate) metrics: Arc<Metrics>,
    written: BTreeMap<(Key, String), Written>,
}

/// The last write on an object; it counts until the watch shows the same or something later.
#[derive(Clone, Debug)]
struct Written {
    status: AIProviderStatus,
    resource_version: String,
    at: Instant,
}

/// What is to be done about one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Now,
    At(Instant),
}

impl Writer {
    pub(crate) fn new(
        client: Client,
        wishes: watch::Receiver<Wishes>,
        role: watch::Receiver<Role>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { client, wishes, role, metrics, written: BTreeMap::new() }
    }

    /// Writes for as long as wishes come.
    pub(crate) async fn run(mut self) {
        let mut again = None;
        loop {
            tokio::select! {
                changed = self.wishes.changed() => if changed.is_err() { return },
                () = at(again) => {}
            }
            let wishes = self.wishes.borrow_and_update().clone();
            again = match wishes {
                Some(wishes) => self.grant(&wishes).await,
                None => {
                    self.written.clear();
                    None
                }
            };
        }
    }

    /// Writes whatever differs, until other wishes come: among very many objects, what was wished for first may be out of
    /// date before its turn comes. Returns when to look again without being asked.
    async fn grant(&mut self, wishes: &BTreeMap<Key, Desired>) -> Option<Instant> {
        self.written.retain(|(key, uid), _| wishes.get(key).is_some_and(|wish| wish.uid == *uid));
        let mut due = Vec::new();
        let mut again: Option<Instant> = None;
        let now = Instant::now();
        for (key, wish) in wishes {
            match self.due(key, wish, now) {
                Due::Nothing => {}
                Due::Now => due.push((key.clone(), wish.clone())),
                Due::At(at) => again = Some(again.map_or(at, |again| again.min(at))),
            }
        }
        let (client, role, metrics) = (&self.client, &self.role, &self.metrics);
        let write = |(key, wish): (Key, Desired)| async move {
            role.borrow().epoch(Instant::now())?;
            metrics.status_writes.inc();
            let result = apply(client, &key, &wish).await;
            Some((key, wish, result))
        };
        let current = |_: &(Key, Desired)| ready(!self.wishes.has_changed().unwrap_or(true));
        let due = stream::iter(due).take_while(current);
        let done: Vec<_> = due.map(write).buffer_unordered(CONCURRENT).collect().await;
        for (key, wish, result) in done.into_iter().flatten() {
            match result {
                Ok(resource_version) => {
                    let written = Written { status: wish.want.clone(), resource_version, at: Instant::now() };
                    self.written.insert((key.clone(), wish.uid.clone()), written);
                    debug!(%key, "wrote status");
                }
                // Deleted, or replaced by another of its name: the watch will say so.
                Err(Error::Kube(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => {}
                Err(error) => {
                    warn!(%key, %error, "status could not be written");
                    let next = Instant::now() + AGAIN;
                    again = Some(again.map_or(next, |again| again.min(next)));
                }
            }
        }
        again
    }

    fn due(&self, key: &Key, wish: &Desired, now: Instant) -> Due {
        let written = self.written.get(&(key.clone(), wish.uid.clone()));
        let fresh = written.filter(|written| is_later(&written.resource_version, &wish.resource_version));
        let stands = fresh.map_or(&wish.seen, |written| &written.status);
        if ours(stands) == ours(&wish.want) {
            return Due::Nothing;
        }
        let words =
            written.map(|written| written.at + WORDS).filter(|&at| now < at && differ_in_words(stands, &wish.want));
        words.map_or(Due::Now, Due::At)
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Resource versions compare as numbers; if one day they do not, what was seen counts.
fn is_later(a: &str, b: &str) -> bool {
    matches!((a.parse::<u64>(), b.parse::<u64>()), (Ok(a), Ok(b)) if a > b)
}

/// A status without what others may have put there. The time of a transition is carried over, never compared.
fn ours(status: &AIProviderStatus) -> (BTreeMap<&str, Said<'_>>, &[penstock_crds::CredentialStatus]) {
    let names: BTreeSet<&str> = ConditionType::ALL.iter().map(|condition| condition.as_str()).collect();
    let ours = status.conditions.iter().filter(|condition| names.contains(condition.type_.as_str()));
    let said = ours.map(|condition| {
        let said = Said {
            status: condition.status,
            reason: &condition.reason,
            message: &condition.message,
            generation: condition.observed_generation,
        };
        (condition.type_.as_str(), said)
    });
    (said.collect(), &status.credentials)
}

#[derive(Debug, PartialEq)]
struct Said<'a> {
    status: penstock_crds::Truth,
    reason: &'a str,
    message: &'a str,
    generation: Option<i64>,
}

/// Do only messages differ?
fn differ_in_words(a: &AIProviderStatus, b: &AIProviderStatus) -> bool {
    let (mut a, mut b) = (ours(a), ours(b));
    for said in a.0.values_mut().chain(b.0.values_mut()) {
        said.message = "";
    }
    a == b
}

/// Applies a status; returns the object's version after it.
async fn apply(client: &Client, key: &Key, wish: &Desired) -> Result<String, Error> {
    let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.as_str() == key.kind.as_str()) else {
        return Ok(wish.resource_version.clone());
    };
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), &key.object.namespace, &resource(kind));
    let body = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": kind.as_str(),
        "metadata": {"name": key.object.name, "namespace": key.object.namespace, "uid": wish.uid},
        "status": wish.want,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let patch = Patch::Apply(&body);
    let applied = timeout(ANSWER, api.patch_status(&key.object.name, &params, &patch)).await;
    let applied = applied.map_err(|_| Error::KubeTimeout)??;
    Ok(applied.metadata.resource_version.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use penstock_crds::{Condition, Truth};

    use super::*;

    fn status(reason: &str, message: &str, time: &str) -> AIProviderStatus {
        let condition = Condition {
            type_: "Programmed".to_owned(),
            status: Truth::False,
            observed_generation: Some(1),
            last_transition_time: time.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
        };
        AIProviderStatus { conditions: vec![condition], credentials: vec![] }
    }

    fn writer(written: Option<(&str, AIProviderStatus, Instant)>) -> Writer {
        let client = kube::Config::new("http://127.0.0.1:1".parse().expect("must be a URL"));
        let client = Client::try_from(client).expect("must build");
        let role = Role::Follower { leader: None };
        let mut writer = Writer::new(client, watch::channel(None).1, watch::channel(role).1, Arc::new(Metrics::new()));
        if let Some((version, status, at)) = written {
            let written = Written { status, resource_version: version.to_owned(), at };
            writer.written.insert((key(), "u".to_owned()), written);
        }
        writer
    }

    fn key() -> Key {
        Key::new(penstock_config::Kind::RoutePolicy, penstock_config::ObjectRef::new("ns", "chat"))
    }

    fn wish(seen: AIProviderStatus, version: &str, want: AIProviderStatus) -> Desired {
        Desired { uid: "u".to_owned(), want, seen, resource_version: version.to_owned() }
    }

    #[tokio::test]
    async fn nothing_is_written_where_only_the_time_of_a_transition_or_a_strangers_condition_differs() {
        let mut seen = status("Pending", "1 of 2", "then");
        seen.conditions.push(Condition { type_: "Theirs".to_owned(), ..seen.conditions[0].clone() });
        let wish = wish(seen, "5", status("Pending", "1 of 2", "now"));
        assert_eq!(writer(None).due(&key(), &wish, Instant::now()), Due::Nothing);
    }

    #[tokio::test]
    async fn words_wait_five_seconds_after_the_last_write_and_reasons_do_not() {
        let now = Instant::now();
        let writer = writer(Some(("6", status("Pending", "2 of 3", "t"), now)));
        let words = wish(AIProviderStatus::default(), "5", status("Pending", "1 of 3", "t"));
        assert_eq!(writer.due(&key(), &words, now), Due::At(now + WORDS));
        assert_eq!(writer.due(&key(), &words, now + WORDS), Due::Now);
        let reason = wish(AIProviderStatus::default(), "5", status("Refused", "2 of 3", "t"));
        assert_eq!(writer.due(&key(), &reason, now), Due::Now);
    }

    #[tokio::test]
    async fn what_was_written_counts_until_the_watch_shows_something_later() {
        let now = Instant::now();
        let writer = writer(Some(("6", status("Programmed", "", "t"), now)));
        let want = status("Programmed", "", "t");
        let stale = wish(AIProviderStatus::default(), "5", want.clone());
        assert_eq!(writer.due(&key(), &stale, now), Due::Nothing);
        let overwritten = wish(AIProviderStatus::default(), "7", want);
        assert_eq!(writer.due(&key(), &overwritten, now), Due::Now);
    }
}
