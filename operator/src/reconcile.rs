//! A change's life, from the watch event to the status on every object, read from top to bottom:
//!
//! ```text
//! observe -> read Secrets -> compile -> publish -> (proxies ACK) -> hear -> judge: status, Events
//! ```
//!
//! One task owns all of it. It never waits for the API server or a proxy: what must be asked is asked beside it, and
//! what must be written goes to a task that writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;
use kube::Client;
use penstock_config::{Compiler, Key, Kind, ObjectRef, SecretState, Snapshot, Verdicts, protocol::Ack};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tracing::{debug, info, warn};

use crate::{
    acks::{Book, Programmed},
    error::Error,
    events::{Note, Subject, Teller},
    lease::Role,
    metrics::Metrics,
    pods::{Pods, expected},
    publish::Publisher,
    secret,
    sessions::{Process, Sessions},
    status::{Desired, Facts, Wishes, complaints},
    stored,
    stores::{Effect, Stores, object::Seen, secrets::Ask},
    watch::Change,
};

/// Changes are gathered this long before they are compiled, counted from the first.
const DEBOUNCE: Duration = Duration::from_millis(30);
/// And this long before status follows, so that an ACK that is on its way is in it.
const STATUS_DEBOUNCE: Duration = Duration::from_millis(100);
/// How long the first compile waits for Secrets that were not read yet.
const FIRST_SECRETS: Duration = Duration::from_secs(10);
/// Changes that are taken in at once when they are there at once.
const BATCH: usize = 256;

/// What comes in.
pub(crate) struct Inputs {
    pub(crate) changes: mpsc::Receiver<Change>,
    pub(crate) acks: mpsc::Receiver<(Process, Ack)>,
    pub(crate) role: watch::Receiver<Role>,
    /// That a snapshot could not be stored.
    pub(crate) too_large: mpsc::Receiver<()>,
}

/// What goes out; each is latest-wins.
pub(crate) struct Outputs {
    pub(crate) publisher: Publisher,
    pub(crate) replicas: watch::Sender<u32>,
    pub(crate) pods: watch::Sender<Arc<Pods>>,
    pub(crate) ready: watch::Sender<bool>,
    pub(crate) wishes: watch::Sender<Wishes>,
    pub(crate) teller: Teller,
}

/// Everything that reconciling needs to remember.
pub(crate) struct Reconciler {
    client: Client,
    /// The operator's own.
    namespace: String,
    metrics: Arc<Metrics>,
    sessions: Sessions,
    out: Outputs,
    stores: Stores,
    fetches: JoinSet<(Ask, Result<SecretState, Error>)>,
    compiler: Compiler,
    /// What was compiled last; none before the first time.
    compiled: Option<(Snapshot, Verdicts)>,
    /// Kept while this process leads.
    book: Option<Book>,
    epoch: Option<u64>,
    /// Until when the first compile waits for Secrets.
    secrets_until: Option<Instant>,
    compile_at: Option<Instant>,
    status_at: Option<Instant>,
}

impl Reconciler {
    pub(crate) fn new(
        client: Client,
        namespace: String,
        stores: Stores,
        sessions: Sessions,
        out: Outputs,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            client,
            namespace,
            metrics,
            sessions,
            out,
            stores,
            fetches: JoinSet::new(),
            compiler: Compiler::default(),
            compiled: None,
            book: None,
            epoch: None,
            secrets_until: None,
            compile_at: None,
            status_at: None,
        }
    }

    /// Runs for as long as changes come.
    pub(crate) async fn run(mut self, mut inputs: Inputs) {
        let mut streams = self.sessions.changes();
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let next = self.next();
            tokio::select! {
                many = inputs.changes.recv_many(&mut batch, BATCH) => {
                    if many == 0 {
                        return;
                    }
                    batch.drain(..).for_each(|change| self.observe(change));
                }
                Some(done) = self.fetches.join_next() => {
                    if let Ok((ask, state)) = done {
                        self.secret_read(ask, state);
                    }
                }
                Some((process, ack)) = inputs.acks.recv() => self.hear(&process, ack),
                Ok(()) = streams.changed() => self.count_proxies(),
                Ok(()) = inputs.role.changed() => self.take_role(&inputs.role.borrow_and_update().clone()),
                Some(()) = inputs.too_large.recv() => self.tell_too_large(),
                () = at(next) => {}
            }
            self.act(Instant::now());
        }
    }

    /// When there is something to do although nothing comes in. Status waits for a compile that is due.
    fn next(&self) -> Option<Instant> {
        let patience = self.book.as_ref().filter(|_| self.compiled.is_some()).and_then(Book::patience_ends);
        let judge = self.status_at.into_iter().chain(patience).min().filter(|_| self.compile_at.is_none());
        let times = [self.compile_at, judge, self.secrets_until, self.stores.next_secret_try()];
        times.into_iter().flatten().min()
    }

    /// Does what is due.
    fn act(&mut self, now: Instant) {
        if self.stores.is_synced() {
            self.read_secrets(now);
        }
        if self.secrets_until.is_some_and(|until| until <= now) {
            warn!("not every Secret could be read; going on without the objects that need them");
            self.secrets_until = None;
            self.compile_at.get_or_insert(now);
        }
        if self.compile_at.is_some_and(|at| at <= now) {
            self.compile_at = None;
            if self.may_compile() {
                self.compile();
                self.publish();
            }
        }
        let patience = self.book.as_ref().and_then(Book::patience_ends);
        let judge = self.status_at.into_iter().chain(patience).min();
        if judge.is_some_and(|at| at <= now) && self.compile_at.is_none() {
            self.status_at = None;
            self.judge(now);
        }
    }

    // Observe.

    fn observe(&mut self, change: Change) {
        let was_synced = self.stores.is_synced();
        let effect = self.stores.apply(change);
        if !was_synced && self.stores.is_synced() {
            self.secrets_until = Some(Instant::now() + FIRST_SECRETS);
        }
        self.schedule(effect);
    }

    fn schedule(&mut self, effect: Effect) {
        let now = Instant::now();
        if effect.compile {
            self.compile_at.get_or_insert(now + DEBOUNCE);
        }
        if effect.status {
            self.status_at.get_or_insert(now + STATUS_DEBOUNCE);
        }
        if effect.pods {
            self.out.pods.send_replace(self.stores.pods.clone());
            self.count_proxies();
        }
    }

    // Read Secrets: those that objects refer to, and only when they may have changed.

    fn read_secrets(&mut self, now: Instant) {
        for ask in self.stores.secrets_due(now) {
            debug!(secret = %ask.name, "reading a Secret");
            self.fetches.spawn(secret::fetch(self.client.clone(), ask));
        }
    }

    fn secret_read(&mut self, ask: Ask, state: Result<SecretState, Error>) {
        match state {
            Ok(state) => {
                let effect = self.stores.secret_answered(ask, state);
                self.schedule(effect);
            }
            Err(error) => {
                warn!(secret = %ask.name, %error, "a Secret could not be read; its last value serves on");
                self.stores.secret_failed(&ask, Instant::now());
            }
        }
    }

    // Compile.

    /// Never before everything was listed; the first time not before Secrets were read, or a while has passed. What
    /// ends the wait schedules a compile again.
    fn may_compile(&mut self) -> bool {
        let complete = self.stores.is_complete() || self.secrets_until.is_none();
        if !self.stores.is_synced() || !complete {
            return false;
        }
        self.secrets_until = None;
        true
    }

    fn compile(&mut self) {
        let timer = self.metrics.compile_seconds.start_timer();
        let (snapshot, verdicts) = self.compiler.compile(&self.stores.world);
        timer.observe_duration();
        self.metrics.compiles.inc();
        for kind in penstock_crds::Kind::ALL {
            let refused = verdicts.iter().filter(|(key, verdict)| key.kind.as_str() == kind.as_str() && !verdict.live);
            let unreadable = self.stores.unreadable().filter(|(key, _)| key.kind.as_str() == kind.as_str());
            let count = refused.count() + unreadable.count();
            self.metrics.refused_objects.with_label_values(&[kind.as_str()]).set(count as i64);
        }
        self.compiled = Some((snapshot, verdicts));
        self.out.ready.send_replace(true);
    }

    // Publish: to every proxy at once, if the content is new and this process leads.

    fn publish(&mut self) {
        let Some((snapshot, verdicts)) = &self.compiled else { return };
        if let Some(published) = self.out.publisher.offer(snapshot.clone()) {
            self.metrics.published.inc();
            self.metrics.snapshot_bytes.set(published.full().len() as i64);
            let (position, objects) = (published.position, published.snapshot.entries().len());
            info!(hash = %published.hash(), ?position, objects, "published a snapshot");
        }
        if let (Some(book), Some(latest)) = (&mut self.book, self.out.publisher.latest()) {
            book.compiled(verdicts, latest.position.sequence, latest.hash());
        }
        self.count_proxies();
    }

    fn take_role(&mut self, role: &Role) {
        let epoch = role.epoch(Instant::now());
        if self.epoch == epoch {
            return;
        }
        self.epoch = epoch;
        self.metrics.is_leader.set(i64::from(epoch.is_some()));
        self.out.publisher.lead(epoch);
        self.out.teller.forget();
        self.book = epoch.map(|epoch| Book::new(epoch, Instant::now()));
        if epoch.is_none() {
            self.out.wishes.send_replace(None);
        }
        self.publish();
    }

    // Hear.

    fn hear(&mut self, process: &Process, ack: Ack) {
        let position = ack.position;
        debug!(pod = process.pod, ?position, refused = ack.refused.len(), "a proxy answered");
        let Some(book) = &mut self.book else { return };
        let moved_on = book.acked(process, ack);
        if let Some(latest) = self.out.publisher.latest()
            && moved_on
            && latest.position == position
        {
            self.metrics.ack_lag_seconds.observe(latest.at.elapsed().as_secs_f64());
        }
        self.count_proxies();
    }

    /// Pods or streams changed, or what is known of them.
    fn count_proxies(&mut self) {
        let processes = self.sessions.processes();
        let connected = processes.iter().map(|process| process.pod.clone()).collect();
        self.metrics.connected_proxies.set(processes.len() as i64);
        let pods = self.stores.pods.clone();
        self.sessions.retain(|uid| pods.contains_key(uid));
        let replicas = u32::try_from(expected(&pods, &connected).len()).unwrap_or(u32::MAX);
        self.out.replicas.send_if_modified(|n| std::mem::replace(n, replicas) != replicas);
        if let Some(book) = &mut self.book {
            book.connected(&processes);
            self.schedule(Effect { status: true, ..Effect::default() });
        }
    }

    // Judge: what should stand on every object, and what a person should be told.

    fn judge(&mut self, now: Instant) {
        let (Some(book), Some((_, verdicts))) = (&mut self.book, &self.compiled) else { return };
        let connected = self.sessions.processes().into_iter().map(|process| process.pod).collect();
        book.look(&self.stores.pods, &connected, now);
        let view = book.view(&self.stores.pods, &connected);
        let (troubles, store, budgets) = (view.troubles(), view.limit_store(), view.budgets());
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut wishes = BTreeMap::new();
        let mut notes = BTreeSet::new();
        let mut refused = 0;
        for (key, seen) in self.stores.settled() {
            let verdict = match (verdicts.get(key), &seen.unreadable) {
                (Some(verdict), _) => Ok(verdict),
                (None, Some(why)) => Err(why.as_str()),
                (None, None) => continue,
            };
            let programmed = view.programmed(key);
            refused += i64::from(matches!(programmed, Programmed::Refused { .. }));
            let limit = (key.kind == Kind::RateLimit).then(|| self.stores.world.limits.get(&key.object)).flatten();
            let limit = limit.map(|limit| (&store, limit.spec.on_store_failure));
            let facts = Facts { key, seen, verdict, programmed, troubles: troubles.get(&key.object), limit };
            let version = |secret: &str| {
                let name = ObjectRef::new(&key.object.namespace, secret);
                self.stores.secret_version(&name).map(str::to_owned)
            };
            let want = facts.status(version, &now);
            notes.extend(complaints(&want).map(|(reason, text)| note(key, seen, reason, text)));
            if let Some((until, percent)) = budgets.get(&key.object).filter(|_| key.kind == Kind::Consumer) {
                let text = format!("{percent} % of its budget are spent, which begins anew on {until} (UTC)");
                notes.insert(note(key, seen, "BudgetSpent", &text));
            }
            let (uid, resource_version) = (seen.uid.clone(), seen.resource_version.clone());
            wishes.insert(key.clone(), Desired { uid, want, seen: seen.status.clone(), resource_version });
        }
        self.metrics.proxy_refused_objects.set(refused);
        self.out.wishes.send_replace(Some(Arc::new(wishes)));
        self.out.teller.tell(notes);
    }

    /// Always in the same words, so that it is one Event.
    fn tell_too_large(&self) {
        let subject = Subject::Secret { namespace: self.namespace.clone(), name: stored::SECRET.to_owned() };
        let text = "compressed, the snapshot is too large for a Secret: proxies can't start while no operator answers";
        let (reason, text) = ("SnapshotTooLarge".to_owned(), text.to_owned());
        self.out.teller.tell_once(Note { subject, reason, text });
    }
}

fn note(key: &Key, seen: &Seen, reason: &str, text: &str) -> Note {
    Note {
        subject: Subject::Object { key: key.clone(), uid: seen.uid.clone() },
        reason: reason.to_owned(),
        text: text.to_owned(),
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
