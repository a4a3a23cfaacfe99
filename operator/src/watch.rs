//! Watches of the API server, as changes on one channel.

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind},
    core::PartialObjectMeta,
    runtime::watcher::{self, watcher},
};
use penstock_config::{ObjectRef, object::Cluster};
use penstock_crds::{GROUP, Kind, VERSION};
use tokio::{sync::mpsc, time::sleep};
use tracing::{debug, warn};

use crate::{cli, pods};

/// One watch. `None` as a namespace is all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Objects(Kind, Option<String>),
    Secrets(Option<String>),
    Namespaces,
    Pods,
    /// Who signs the tokens of ServiceAccounts: no watch, but asked again and again. See [`crate::issuer`].
    Issuer,
}

/// Something that was seen.
#[derive(Debug)]
pub(crate) enum Item {
    Object(Box<DynamicObject>),
    /// Of a Secret, only that it exists and in which version.
    Secret {
        name: ObjectRef,
        version: String,
    },
    Namespace {
        name: String,
        labels: std::collections::BTreeMap<String, String>,
    },
    Pod {
        uid: pods::Uid,
        pod: pods::Pod,
    },
    Issuer(Arc<Cluster>),
}

/// What happened to it.
#[derive(Debug)]
pub(crate) enum Happened {
    /// A list begins; what is not in it at its end is gone.
    ListBegins,
    Listed(Item),
    ListEnds,
    Applied(Item),
    Deleted(Item),
    /// The API server does not know the kind yet, or does not tell it.
    NotInstalled,
}

#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) source: Source,
    pub(crate) happened: Happened,
}

/// Starts every watch. A full channel holds the watches up, which is where the API server holds its events.
pub(crate) fn start(client: &Client, flags: &cli::Run, changes: &mpsc::Sender<Change>) -> Vec<Source> {
    let scopes: Vec<Option<String>> = match flags.watch_namespaces.as_slice() {
        [] => vec![None],
        names => names.iter().cloned().map(Some).collect(),
    };
    let mut sources = Vec::new();
    for scope in &scopes {
        for kind in Kind::ALL {
            let source = Source::Objects(kind, scope.clone());
            let events = watcher(objects(client, kind, scope.as_deref()), watcher::Config::default());
            tokio::spawn(forward(source.clone(), events, object, changes.clone()));
            sources.push(source);
        }
        let source = Source::Secrets(scope.clone());
        let events = watcher(secrets(client, scope.as_deref()), watcher::Config::default());
        tokio::spawn(forward(source.clone(), events, secret, changes.clone()));
        sources.push(source);
    }
    if flags.watch_namespaces.is_empty() {
        let namespaces = Api::<PartialObjectMeta<Namespace>>::all(client.clone());
        let events = watcher(namespaces, watcher::Config::default());
        tokio::spawn(forward(Source::Namespaces, events, namespace, changes.clone()));
        sources.push(Source::Namespaces);
    }
    let config = watcher::Config::default().labels(&flags.proxy_selector);
    let events = watcher(Api::<Pod>::namespaced(client.clone(), &flags.namespace), config);
    tokio::spawn(forward(Source::Pods, events, pod, changes.clone()));
    sources.push(Source::Pods);
    sources
}

/// Objects of a kind, untyped: one that can't be read must not end the watch of the others.
fn objects(client: &Client, kind: Kind, scope: Option<&str>) -> Api<DynamicObject> {
    let resource = resource(kind);
    match scope {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// How the API server calls a kind.
pub(crate) fn resource(kind: Kind) -> ApiResource {
    let gvk = GroupVersionKind::gvk(GROUP, VERSION, kind.as_str());
    ApiResource::from_gvk_with_plural(&gvk, kind.plural())
}

/// Secrets, of which only the metadata is asked for.
fn secrets(client: &Client, scope: Option<&str>) -> Api<PartialObjectMeta<Secret>> {
    match scope {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

fn object(object: DynamicObject) -> Option<Item> {
    Some(Item::Object(Box::new(object)))
}

fn secret(secret: PartialObjectMeta<Secret>) -> Option<Item> {
    Some(Item::Secret {
        name: ObjectRef::new(secret.namespace()?, secret.name_any()),
        version: secret.resource_version()?,
    })
}

fn namespace(namespace: PartialObjectMeta<Namespace>) -> Option<Item> {
    Some(Item::Namespace { name: namespace.name_any(), labels: namespace.labels().clone() })
}

fn pod(pod: Pod) -> Option<Item> {
    let (uid, pod) = pods::Pod::read(&pod)?;
    Some(Item::Pod { uid, pod })
}

/// Doubles after each failure in a row: a kind that is installed after the operator started is seen soon.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Passes a watch on for as long as somebody listens. Errors are tried again for ever.
async fn forward<K: Debug>(
    source: Source,
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>>,
    read: fn(K) -> Option<Item>,
    changes: mpsc::Sender<Change>,
) {
    let mut events = std::pin::pin!(events);
    let mut pause = FIRST_PAUSE;
    while let Some(event) = events.next().await {
        let wait = event.is_err().then(|| pause.mul_f64(0.75 + rand::random::<f64>() / 4.0));
        pause = match &event {
            Err(_) => (pause * 2).min(LONGEST_PAUSE),
            // That a list begins, or has a first page, is no sign that it will end well.
            Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => pause,
            Ok(_) => FIRST_PAUSE,
        };
        let happened = match event {
            Ok(watcher::Event::Init) => Some(Happened::ListBegins),
            Ok(watcher::Event::InitApply(item)) => read(item).map(Happened::Listed),
            Ok(watcher::Event::InitDone) => Some(Happened::ListEnds),
            Ok(watcher::Event::Apply(item)) => read(item).map(Happened::Applied),
            Ok(watcher::Event::Delete(item)) => read(item).map(Happened::Deleted),
            Err(watcher::Error::InitialListFailed(kube::Error::Api(status))) if status.code == 404 => {
                debug!(?source, "not installed yet");
                Some(Happened::NotInstalled)
            }
            Err(error) => {
                warn!(?source, error = &error as &dyn std::error::Error, "a watch broke; trying again");
                None
            }
        };
        if let Some(happened) = happened
            && changes.send(Change { source: source.clone(), happened }).await.is_err()
        {
            return;
        }
        if let Some(wait) = wait {
            sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use kube::core::Status;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_while_lists_fail_and_start_again_after_one_that_ended() {
        let absent = || kube::Error::Api(Status::failure("absent", "NotFound").with_code(404).boxed());
        let failed = || [Ok(watcher::Event::Init), Err(watcher::Error::InitialListFailed(absent()))];
        let listed = || [Ok(watcher::Event::Init), Ok(watcher::Event::InitDone)];
        let events: Vec<_> = (0..7).flat_map(|_| failed()).chain(listed()).chain(failed()).chain(listed()).collect();
        let (changes, mut seen) = mpsc::channel(64);
        let read: fn(()) -> Option<Item> = |()| None;
        tokio::spawn(forward(Source::Pods, stream::iter(events), read, changes));
        let (mut pauses, mut last) = (Vec::new(), Instant::now());
        while let Some(change) = seen.recv().await {
            if matches!(change.happened, Happened::ListBegins) {
                pauses.push(last.elapsed());
                last = Instant::now();
            }
        }
        // The first list of all, and what each of the others waited for.
        let most = [0, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 0, 200].map(Duration::from_millis);
        assert_eq!(pauses.len(), most.len());
        for (pause, most) in pauses.into_iter().zip(most) {
            let slack = Duration::from_millis(2);
            assert!(most.mul_f64(0.75) <= pause + slack && pause <= most + slack, "{pause:?} of {most:?}");
        }
    }
}
