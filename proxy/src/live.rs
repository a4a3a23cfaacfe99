//! What is live: the objects of a snapshot, built, and swapped as a whole under requests that go on.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use arc_swap::{ArcSwap, Guard};
use penstock_config::{
    Entry, Hash, Key, Kind, ObjectRef, Snapshot,
    object::Object,
    outbound::Outbound,
    protocol::{Refused, Report},
};
use rustls::RootCertStore;
use serde::{Serialize, Serializer};
use tokio::time::Instant;

use crate::{
    auth::{
        Consumer,
        cluster::Signer,
        issued::{Entry as IssuedEntry, Issued},
        jwks::{Jwks, Source, fetch::Fetcher},
    },
    health::{ProviderState, Seats, TargetState},
    limits::{Limiter, Rule, Rules},
    metrics::Metrics,
    pace::Pace,
};
use models::Models;
use provider::Provider;
use route::{Parts, Route};

pub(crate) mod credential;
mod endpoint;
pub(crate) mod models;
pub(crate) mod provider;
pub(crate) mod route;
mod unpriced;

/// What the proxy serves now. Cheap to clone; shared by all threads.
#[derive(Clone)]
pub struct Live(Arc<Shared>);

struct Shared {
    tables: ArcSwap<Tables>,
    /// What was built, to build again only what changed. Taken by [`Live::apply`] alone.
    built: Mutex<Built>,
    seats: Arc<Seats>,
    limits: Arc<Limiter>,
    jwks: Jwks,
    /// The keys of the cluster's issuer, which come with snapshots.
    cluster: Arc<Source>,
    metrics: Metrics,
    pace: Pace,
}

/// What a request looks up. Never changed, only replaced.
#[derive(Default)]
pub(crate) struct Tables {
    /// By the name that clients write in `model`.
    pub(crate) routes: HashMap<String, Arc<Route>>,
    /// By the digest of an API key.
    pub(crate) consumers: HashMap<Hash, Arc<Consumer>>,
    /// By a token.
    pub(crate) issued: Issued,
    pub(crate) limits: Arc<Rules>,
}

#[derive(Default)]
struct Built {
    providers: BTreeMap<ObjectRef, Arc<Provider>>,
    routes: BTreeMap<Key, (Hash, Vec<Arc<Route>>)>,
    cells: credential::Cells,
    state: State,
    models: Arc<Models>,
    /// Of models without a price.
    unpriced: Vec<Report>,
    /// What is live, to build it again when something else is known of models.
    snapshot: Snapshot,
}

/// What is live, for people: no secrets in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The content hash of the snapshot; none before the first.
    pub hash: Option<Hash>,
    /// When it was applied.
    #[serde(serialize_with = "as_unix_seconds")]
    pub applied: Option<SystemTime>,
    pub objects: Vec<ObjectState>,
}

/// One object of the live snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectState {
    #[serde(flatten)]
    pub key: Key,
    pub digest: Hash,
    /// Why it could not be built, if it could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A snapshot on its way to being live.
struct Build<'a> {
    snapshot: &'a Snapshot,
    live: &'a Shared,
    models: Arc<Models>,
    old: &'a mut Built,
    providers: BTreeMap<ObjectRef, Arc<Provider>>,
    routes: BTreeMap<Key, (Hash, Vec<Arc<Route>>)>,
    consumers: HashMap<Hash, Arc<Consumer>>,
    issued: Vec<IssuedEntry>,
    cluster: Option<Signer>,
    accounts: Vec<(Vec<String>, IssuedEntry)>,
    limits: Vec<Arc<Rule>>,
    refused: Vec<Refused>,
}

impl Live {
    /// Nothing is live yet: every model is unknown.
    pub fn new(metrics: Metrics) -> Self {
        Self::at(metrics, Pace::REAL)
    }

    /// The same, with all waits at another pace.
    pub fn at(metrics: Metrics, pace: Pace) -> Self {
        let built = Built { cells: credential::Cells::new(pace), ..Built::default() };
        let seats = Arc::new(Seats::new(pace));
        metrics.watch_targets(&seats);
        let limits = Arc::new(Limiter::new(metrics.clone()));
        metrics.watch_budgets(&limits);
        let (tables, jwks, cluster) = (ArcSwap::default(), Jwks::default(), Arc::default());
        Self(Arc::new(Shared { tables, built: built.into(), seats, limits, jwks, cluster, metrics, pace }))
    }

    /// Builds every object of the snapshot and makes it live; what did not change is kept as it is. Returns the objects that
    /// could not be built: a provider is missing from its routes, a route answers 503 under its names, a Consumer can't call,
    /// a RateLimit binds nothing.
    ///
    /// When this returns, every attempt that starts uses the snapshot's credentials.
    pub fn apply(&self, snapshot: &Snapshot) -> Vec<Refused> {
        let mut built = self.0.built.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = self.0.build(snapshot, &mut built);
        built.state = State::of(snapshot, &refused);
        built.snapshot = snapshot.clone();
        self.0.metrics.snapshot_was_current(Duration::ZERO);
        refused
    }

    /// So many proxies share every RateLimit from now on, this one among them.
    pub fn share_limits_among(&self, proxies: u32) {
        self.0.limits.share_among(proxies);
    }

    /// What is known of models from now on; routes are built again over it.
    pub fn learn(&self, models: Models) {
        let mut built = self.0.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.models = Arc::new(models);
        built.routes.clear();
        let snapshot = built.snapshot.clone();
        self.0.build(&snapshot, &mut built);
    }

    /// Notes that the source still holds what is live to be current, so that the snapshot's age starts again.
    pub fn confirm(&self) {
        self.0.metrics.snapshot_was_current(Duration::ZERO);
    }

    /// Notes that what is live was last known to be current this long ago: it was stored then.
    pub fn was_current(&self, ago: Duration) {
        self.0.metrics.snapshot_was_current(ago);
    }

    /// Fetches the keys of issuers, those of later snapshots too, under these rules, for as long as it is polled: on one
    /// runtime, which should not be that of requests.
    ///
    /// # Errors
    /// When there can be no client.
    pub fn follow_issuers(
        &self,
        outbound: Outbound,
        roots: RootCertStore,
    ) -> Result<impl Future<Output = ()> + Send + use<>, String> {
        let live = self.0.clone();
        let fetcher = Fetcher::new(outbound, roots, live.pace)?;
        Ok(async move { live.jwks.keep(fetcher, live.metrics.clone(), live.pace).await })
    }

    /// What is known of models now.
    pub fn models(&self) -> Arc<Models> {
        self.0.built.lock().unwrap_or_else(PoisonError::into_inner).models.clone()
    }

    /// What is live, for `/config`.
    pub fn state(&self) -> State {
        self.0.built.lock().unwrap_or_else(PoisonError::into_inner).state.clone()
    }

    /// What is known of upstreams and of the store of limits now, and what is not known of prices, in no order.
    pub fn reports(&self) -> Vec<Report> {
        let built = self.0.built.lock().unwrap_or_else(PoisonError::into_inner);
        let current = |name: &ObjectRef, base_url: &str, fingerprint| {
            let provider = built.providers.get(name).filter(|provider| provider.base_url() == base_url);
            provider.is_some_and(|provider| provider.credentials.has(fingerprint))
        };
        let mut reports = self.0.seats.reports(current, Instant::now());
        reports.extend(built.cells.reports());
        reports.extend_from_slice(&built.unpriced);
        reports.extend(self.0.limits.reports());
        reports
    }

    /// What is known of each target now, for `/config`.
    pub fn targets(&self) -> Vec<TargetState> {
        self.0.seats.states(Instant::now())
    }

    /// How full each provider is now, for `/config`.
    pub fn providers(&self) -> Vec<ProviderState> {
        self.0.seats.rooms()
    }

    pub(crate) fn limits(&self) -> &Arc<Limiter> {
        &self.0.limits
    }

    pub(crate) fn pace(&self) -> Pace {
        self.0.pace
    }

    pub(crate) fn tables(&self) -> Guard<Arc<Tables>> {
        self.0.tables.load()
    }
}

impl Shared {
    /// Builds every object and swaps the tables. Returns what could not be built.
    fn build(&self, snapshot: &Snapshot, built: &mut Built) -> Vec<Refused> {
        let mut build = Build {
            snapshot,
            live: self,
            models: built.models.clone(),
            old: built,
            providers: BTreeMap::new(),
            routes: BTreeMap::new(),
            consumers: HashMap::new(),
            issued: Vec::new(),
            cluster: None,
            accounts: Vec::new(),
            limits: Vec::new(),
            refused: Vec::new(),
        };
        // In the order of keys, so providers are there before the routes that use them, and the cluster before Consumers.
        for entry in snapshot.entries() {
            build.object(entry);
        }
        let Build { providers, routes, consumers, issued, cluster, accounts, limits, refused, .. } = build;
        let sources: HashSet<_> = issued.iter().map(|entry| Arc::as_ptr(&entry.source)).collect();
        self.jwks.retain(|source| sources.contains(&Arc::as_ptr(source)));
        built.cells.retain(snapshot.secrets());
        let all = routes.values().flat_map(|(_, routes)| routes);
        built.unpriced = unpriced::reports(all.clone());
        let by_name = all.flat_map(|route| route.names.iter().map(|name| (name.clone(), route.clone())));
        let limits = Arc::new(Rules::new(limits));
        let issued = Issued::new(issued).with_accounts(accounts, cluster.map(Signer::into_rules));
        let tables = Tables { routes: by_name.collect(), consumers, issued, limits };
        self.tables.store(Arc::new(tables));
        built.providers = providers;
        built.routes = routes;
        self.seats.prune();
        self.limits.prune();
        refused
    }
}

impl Build<'_> {
    fn object(&mut self, entry: &Entry) {
        let built = match entry.key().kind {
            Kind::AIProvider => self.provider(entry),
            Kind::Cluster => self.cluster(entry),
            Kind::Model | Kind::RoutePolicy => self.routes(entry),
            Kind::RateLimit => self.limit(entry),
            Kind::Consumer | Kind::Other(_) => self.consumer(entry),
        };
        if let Err(reason) = built {
            self.refused.push(Refused { key: entry.key().clone(), reason });
        }
    }

    fn provider(&mut self, entry: &Entry) -> Result<(), String> {
        let Object::Provider(object) = parse(entry)? else { return Err(OTHER_KIND.into()) };
        let name = &entry.key().object;
        let old = self.old.providers.get(name);
        let credentials = self.old.cells.update(name, &object, self.snapshot.secrets())?;
        let provider = Provider::build(name, &object, credentials, &self.live.seats, old)?;
        self.providers.insert(name.clone(), provider);
        Ok(())
    }

    /// A route that can't be built keeps its names, so that no request slips past it to the bare provider.
    fn routes(&mut self, entry: &Entry) -> Result<(), String> {
        let (key, digest) = (entry.key(), entry.digest());
        let unchanged =
            self.old.routes.get(key).filter(|(old, routes)| {
                *old == digest && routes.iter().all(|route| route.is_built_over(&self.providers))
            });
        let (routes, result) = match unchanged {
            Some((_, routes)) => (routes.clone(), Ok(())),
            None => match parse(entry) {
                Ok(Object::Routes(object)) => {
                    let parts = self.parts();
                    (object.routes.iter().map(|route| Route::build(key, route, &parts)).collect(), Ok(()))
                }
                Ok(_) => return Err(OTHER_KIND.into()),
                Err(reason) => (vec![Route::refused(key, entry.json(), &self.live.metrics)], Err(reason)),
            },
        };
        self.routes.insert(key.clone(), (digest, routes));
        result
    }

    fn parts(&self) -> Parts<'_> {
        Parts {
            providers: &self.providers,
            models: &self.models,
            seats: &self.live.seats,
            metrics: &self.live.metrics,
            pace: self.live.pace,
        }
    }

    fn cluster(&mut self, entry: &Entry) -> Result<(), String> {
        let Object::Cluster(object) = parse(entry)? else { return Err(OTHER_KIND.into()) };
        self.cluster = Some(Signer::build(object, &self.live.cluster)?);
        Ok(())
    }

    fn consumer(&mut self, entry: &Entry) -> Result<(), String> {
        let Object::Consumer(object) = parse(entry)? else { return Err(OTHER_KIND.into()) };
        let name = &entry.key().object;
        let budgets = object.budget.map(|budget| self.live.limits.budgets(name, &budget)).unwrap_or_default();
        let consumer = Arc::new(Consumer::build(name, &object, budgets));
        self.consumers.extend(object.api_keys.iter().map(|digest| (*digest, consumer.clone())));
        let name = &entry.key().object;
        self.issued.extend(object.jwt.map(|rules| {
            let source = self.live.jwks.source(&rules.jwks_url);
            IssuedEntry { name: name.clone(), consumer: consumer.clone(), rules, source }
        }));
        if let (Some(accounts), Some(signer)) = (object.service_accounts, &self.cluster) {
            self.accounts.push((accounts.subjects, signer.entry(name, consumer, accounts.created)));
        }
        Ok(())
    }

    fn limit(&mut self, entry: &Entry) -> Result<(), String> {
        let Object::Limit(object) = parse(entry)? else { return Err(OTHER_KIND.into()) };
        self.limits.push(self.live.limits.rule(&entry.key().object, &object));
        Ok(())
    }
}

impl State {
    fn of(snapshot: &Snapshot, refused: &[Refused]) -> Self {
        let reason =
            |key: &Key| refused.iter().find(|refused| refused.key == *key).map(|refused| refused.reason.clone());
        let objects = snapshot.entries().map(|entry| ObjectState {
            key: entry.key().clone(),
            digest: entry.digest(),
            refused: reason(entry.key()),
        });
        Self { hash: Some(snapshot.hash()), applied: Some(SystemTime::now()), objects: objects.collect() }
    }
}

const OTHER_KIND: &str = "the object is of another kind than its key";

fn parse(entry: &Entry) -> Result<Object, String> {
    entry.parse().map_err(|error| error.to_string())
}

fn as_unix_seconds<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    let since = time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.map(|since| since.as_secs()).serialize(serializer)
}

#[cfg(test)]
mod tests;
