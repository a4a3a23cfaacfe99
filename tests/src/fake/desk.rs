//! The state of the fakes, and everything one can ask of them.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};

use super::asking::Asking;
use super::call::Call;
use super::plan::{Plan, Response, Stamp};
use super::record::{End, Ledger, Record};
use super::script::{Asked, Running, Script};
use super::{Dialect, Refusal};

/// How long [`Desk::wait_until`] waits.
const DEADLINE: Duration = Duration::from_secs(20);

/// A handle to the fakes; all handles are of the same ones.
#[derive(Clone)]
pub struct Desk(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// Ticks when a request arrives or ends.
    changed: watch::Sender<u64>,
    /// Whether answers go on that wait at the gate.
    gate: watch::Sender<bool>,
}

struct State {
    providers: Vec<Provider>,
    scripts: Vec<Running>,
    ledger: Ledger,
    answers: u64,
}

struct Provider {
    name: String,
    dialect: Dialect,
    address: SocketAddr,
    /// `None`: any key will do.
    keys: Option<Vec<String>>,
    models: Vec<String>,
    door: mpsc::Sender<Turn>,
}

/// Where a provider's connections come in.
pub(crate) struct Door {
    pub(crate) provider: usize,
    pub(crate) listener: TcpListener,
    pub(crate) turns: mpsc::Receiver<Turn>,
}

/// Opens or closes a door.
pub(crate) struct Turn {
    pub(crate) open: bool,
    pub(crate) done: oneshot::Sender<()>,
}

/// A request that has come in whole.
pub(crate) struct Arrival {
    pub(crate) provider: usize,
    pub(crate) connection: u64,
    pub(crate) at: Instant,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Desk {
    pub(crate) fn new(listeners: Vec<(String, Dialect, TcpListener)>) -> anyhow::Result<(Self, Vec<Door>)> {
        let mut providers = Vec::new();
        let mut doors = Vec::new();
        for (provider, (name, dialect, listener)) in listeners.into_iter().enumerate() {
            // One turn at a time: whoever sends it waits for its end.
            let (door, turns) = mpsc::channel(1);
            let models = dialect.models().iter().map(|model| (*model).to_owned()).collect();
            providers.push(Provider { name, dialect, address: listener.local_addr()?, keys: None, models, door });
            doors.push(Door { provider, listener, turns });
        }
        let state = State { providers, scripts: Vec::new(), ledger: Ledger::new(), answers: 0 };
        let inner = Inner { state: Mutex::new(state), changed: watch::Sender::new(0), gate: watch::Sender::new(false) };
        Ok((Self(Arc::new(inner)), doors))
    }

    /// Where a fake listens, as `http://IP:PORT`, without `/v1`.
    ///
    /// # Panics
    /// When no fake has that name.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        let state = self.state();
        let provider = state.providers.iter().find(|provider| provider.name == name).expect("must name a running fake");
        format!("http://{}", provider.address)
    }

    /// The name, dialect and address of every fake.
    #[must_use]
    pub fn providers(&self) -> Vec<(String, Dialect, SocketAddr)> {
        self.state().providers.iter().map(|p| (p.name.clone(), p.dialect, p.address)).collect()
    }

    /// Adds a script behind those that there are.
    pub fn script(&self, script: Script) {
        self.state().scripts.push(Running::new(script));
    }

    /// Puts a script in the place of all that are for the same fake.
    pub fn replace_script(&self, script: Script) {
        let scripts = &mut self.state().scripts;
        scripts.retain(|running| !running.is_for(script.provider.as_deref()));
        scripts.push(Running::new(script));
    }

    /// Forgets all scripts.
    pub fn clear_scripts(&self) {
        self.state().scripts.clear();
    }

    /// Lets every answer go on that waits at [`How::Gate`](super::How::Gate), now or later.
    pub fn open_gate(&self) {
        self.0.gate.send_replace(true);
    }

    pub(crate) async fn gate_is_open(&self) {
        let mut gate = self.0.gate.subscribe();
        gate.wait_for(|open| *open).await.expect("the desk must hold the sender");
    }

    /// Everything that reached the fakes, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Record> {
        self.state().ledger.all()
    }

    /// What reached one of them.
    #[must_use]
    pub fn requests_to(&self, name: &str) -> Vec<Record> {
        let mut records = self.requests();
        records.retain(|record| record.provider == name);
        records
    }

    /// Forgets all requests.
    pub fn forget_requests(&self) {
        self.state().ledger.clear();
    }

    /// The keys that a fake takes from now on; `None`: any.
    ///
    /// # Errors
    /// When no fake has that name.
    pub fn set_keys(&self, name: &str, keys: Option<&[&str]>) -> anyhow::Result<()> {
        let keys = keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect());
        self.change(name, |provider| provider.keys = keys)
    }

    /// The models that a fake knows from now on.
    ///
    /// # Errors
    /// When no fake has that name.
    pub fn set_models(&self, name: &str, models: &[&str]) -> anyhow::Result<()> {
        let models = models.iter().map(|model| (*model).to_owned()).collect();
        self.change(name, |provider| provider.models = models)
    }

    /// Closes a fake's listener and connections: who connects from now on is refused.
    ///
    /// # Errors
    /// When no fake has that name.
    pub async fn refuse_connections(&self, name: &str) -> anyhow::Result<()> {
        self.turn(name, false).await
    }

    /// Listens again, on the same port.
    ///
    /// # Errors
    /// When no fake has that name.
    pub async fn accept_connections(&self, name: &str) -> anyhow::Result<()> {
        self.turn(name, true).await
    }

    /// Waits until the requests satisfy `ready`; returns them.
    ///
    /// # Errors
    /// When they don't within 20 seconds; the error shows them.
    pub async fn wait_until(&self, mut ready: impl FnMut(&[Record]) -> bool) -> anyhow::Result<Vec<Record>> {
        let mut changed = self.0.changed.subscribe();
        let waited = tokio::time::timeout(DEADLINE, async {
            loop {
                let records = self.requests();
                if ready(&records) {
                    return records;
                }
                if changed.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        });
        match waited.await {
            Ok(records) => Ok(records),
            Err(_) => bail!("what was waited for didn't happen; the fakes saw {:#?}", self.requests()),
        }
    }

    async fn turn(&self, name: &str, open: bool) -> anyhow::Result<()> {
        let mut door = None;
        self.change(name, |provider| door = Some(provider.door.clone()))?;
        let (done, is_done) = oneshot::channel();
        let door = door.context("must have a door")?;
        door.send(Turn { open, done }).await.ok().context("the fakes have stopped")?;
        is_done.await.context("the port could not be taken again")
    }

    fn change(&self, name: &str, apply: impl FnOnce(&mut Provider)) -> anyhow::Result<()> {
        let mut state = self.state();
        let provider = state.providers.iter_mut().find(|provider| provider.name == name);
        apply(provider.with_context(|| format!("no fake is called {name}"))?);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A poisoned lock means that a test failed elsewhere; its own message is the one to read.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request in and decides what it meets.
    pub(crate) fn receive(&self, arrival: &Arrival) -> (u64, Plan) {
        let received = self.state().receive(arrival);
        self.0.changed.send_modify(|ticks| *ticks += 1);
        received
    }

    pub(crate) fn answered(&self, id: u64, status: u16) {
        self.state().ledger.answered(id, status);
    }

    pub(crate) fn ended(&self, id: u64, end: End) {
        self.state().ledger.ended(id, end);
        self.0.changed.send_modify(|ticks| *ticks += 1);
    }
}

impl State {
    fn receive(&mut self, arrival: &Arrival) -> (u64, Plan) {
        let provider = &self.providers[arrival.provider];
        let (path, query) = arrival.path.split_once('?').unwrap_or((&arrival.path, ""));
        let credential = provider.dialect.credential(&arrival.headers, query);
        let body: Result<Value, String> = serde_json::from_slice(&arrival.body).map_err(|error| error.to_string());
        let model = provider.dialect.model(path, body.as_ref().ok());
        let model = model.as_deref();
        let asked = Asked { provider: &provider.name, path, model, credential };
        let action = self.scripts.iter_mut().find_map(|script| script.next(&asked));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let arrived = now.saturating_sub(arrival.at.elapsed());
        let scripted = action.is_some();
        let id = self.ledger.add(arrival.record(
            &provider.name,
            credential,
            scripted,
            self.ledger.micros(arrival.at),
            arrived,
        ));
        self.answers += 1;
        let asking = Asking {
            provider: &provider.name,
            dialect: provider.dialect,
            stamp: Stamp { number: self.answers, created: now.as_secs() },
            path: &arrival.path,
            credential: credential.unwrap_or_default(),
            model: model.unwrap_or_default(),
        };
        let plan = match asking.ordered(action) {
            Err(plan) => plan,
            Ok(answer) => {
                let (asking, answer) = (&asking, &answer);
                let (models, method, headers) = (&provider.models, arrival.method.as_str(), &arrival.headers);
                let call = Call { asking, answer, models, method, path, query, headers, body: &body };
                Plan::Respond(provider.respond(&call).unwrap_or_else(|refusal| asking.refuse(&refusal)))
            }
        };
        (id, plan)
    }
}

impl Arrival {
    /// What is remembered of it: `at_us` on the ledger's clock, `arrived` as time since 1970.
    fn record(
        &self,
        provider: &str,
        credential: Option<&str>,
        scripted: bool,
        at_us: u64,
        arrived: Duration,
    ) -> Record {
        Record {
            id: 0,
            provider: provider.to_owned(),
            connection: self.connection,
            at_us,
            unix_us: arrived.as_micros().try_into().unwrap_or(u64::MAX),
            method: self.method.clone(),
            path: self.path.clone(),
            headers: self.headers.clone(),
            credential: credential.map(str::to_owned),
            body: String::from_utf8_lossy(&self.body).into_owned(),
            scripted,
            status: None,
            end: None,
            ended_us: None,
        }
    }
}

impl Provider {
    /// The ordinary answer, or why there is none.
    fn respond(&self, call: &Call<'_>) -> Result<Response, Refusal> {
        self.authenticate(call.asking.credential)?;
        self.dialect.respond(call)
    }

    fn authenticate(&self, credential: &str) -> Result<(), Refusal> {
        match &self.keys {
            Some(keys) if keys.iter().any(|key| key == credential) => Ok(()),
            None if !credential.is_empty() || self.dialect.is_open() => Ok(()),
            _ if credential.is_empty() => Err(Refusal::MissingKey),
            _ => Err(Refusal::BadKey),
        }
    }
}
