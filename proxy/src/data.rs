//! The data listener: one acceptor, and threads that each serve their connections alone.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use ipnet::IpNet;
use penstock_config::outbound::Outbound;
use rustls::RootCertStore;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinSet, LocalSet},
    time::Instant,
};

use crate::{
    bounds::Limits,
    limits::{Store, StoreConfig},
    live::Live,
    metrics::Metrics,
    serve, upstream,
};
use accept::{Accepted, Acceptor};

mod accept;

/// Sockets that wait for a thread. When it is full the acceptor waits, and the kernel's backlog fills.
const INBOX: usize = 256;
/// Threads of a data thread for large bodies and for DNS; what finds none free waits.
const BLOCKING: usize = 8;

/// What a data plane is made of.
#[derive(Clone)]
pub struct DataConfig {
    pub listen: SocketAddr,
    /// Data threads; none: as many as the cgroup's quota allows, at least one.
    pub workers: Option<NonZeroUsize>,
    pub auth: Auth,
    /// Peers whose `x-forwarded-for` says whom a request comes from.
    pub trusted_proxies: Vec<IpNet>,
    /// The largest request body, in bytes.
    pub max_body: usize,
    /// What is taken on at once.
    pub limits: Limits,
    /// How long a stream's client waits without a head while no content has come; and between two signs of life then.
    pub hold_head: Duration,
    /// How long connections are still accepted, and idle ones kept, after the shutdown began.
    pub grace: Duration,
    /// How long requests may run on after the shutdown began, the grace included.
    pub drain: Duration,
    /// Where limits are that other proxies share; none: each has its part of them in memory.
    pub store: Option<StoreConfig>,
    /// The file in which budgets are kept where there is no store; none: in memory alone.
    pub state: Option<PathBuf>,
    /// Which addresses may be called.
    pub outbound: Outbound,
    /// Who vouches for providers; see [`upstream::roots`].
    pub roots: RootCertStore,
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Consumers alone.
    Required,
    /// Everybody. A key that is known still binds its caller.
    Open,
}

/// A data plane that is bound and does not serve yet.
pub struct DataPlane {
    listener: TcpListener,
    address: SocketAddr,
    config: DataConfig,
    live: Live,
    metrics: Metrics,
}

/// Where a shutdown stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) enum Phase {
    Serving,
    /// Answers say `Connection: close`; new connections are served.
    Leaving,
    /// Idle connections are closed; nothing is accepted.
    Draining,
    /// What still runs is dropped.
    Over,
}

/// How busy a thread is.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) connections: AtomicUsize,
    pub(crate) requests: AtomicUsize,
}

struct Worker {
    inbox: mpsc::Sender<Accepted>,
    load: Arc<Load>,
    done: oneshot::Receiver<()>,
    thread: thread::JoinHandle<()>,
}

impl DataPlane {
    /// Binds the listener; port 0 picks a free one.
    ///
    /// # Errors
    /// When that fails, or when what is said of the store of limits makes no sense.
    pub fn bind(config: DataConfig, live: Live, metrics: Metrics) -> io::Result<Self> {
        if let Some(store) = &config.store {
            live.limits().use_store(Store::new(store, &metrics).map_err(io::Error::other)?);
        }
        let listener = TcpListener::bind(config.listen)?;
        listener.set_nonblocking(true)?;
        if let Some(file) = &config.state {
            live.limits().keep_budgets_in(file.clone());
        }
        let address = listener.local_addr()?;
        Ok(Self { listener, address, config, live, metrics })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is done, then drains: accepts on for the grace, lets requests finish up to the deadline,
    /// and returns. Needs a Tokio runtime, on which only the acceptor runs.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let (phase, watched) = watch::channel(Phase::Serving);
        let limits = self.live.limits().clone();
        let shared = serve::Shared::new(&self.config, self.live, self.metrics);
        let count = self.config.workers.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let workers = (0..count).map(|i| Worker::start(i, shared.clone(), watched.clone()));
        let workers = workers.collect::<io::Result<Vec<_>>>()?;
        let acceptor = Acceptor::new(&workers, shared);
        tokio::select! {
            () = acceptor.run(&listener) => {}
            () = shutdown => {}
        }
        let began = Instant::now();
        phase.send_replace(Phase::Leaving);
        let _ = tokio::time::timeout(self.config.grace.min(self.config.drain), acceptor.run(&listener)).await;
        // Should the threads be too busy to take what waits, the deadline holds all the same.
        let _ = tokio::time::timeout_at(began + self.config.drain, acceptor.finish(listener)).await;
        phase.send_replace(Phase::Draining);
        let (done, threads) =
            workers.into_iter().map(|worker| (worker.done, worker.thread)).unzip::<_, _, Vec<_>, Vec<_>>();
        let all = futures::future::join_all(done);
        if tokio::time::timeout_at(began + self.config.drain, all).await.is_err() {
            tracing::warn!("the drain deadline has passed: requests that still run are dropped");
        }
        phase.send_replace(Phase::Over);
        let join = move || threads.into_iter().try_for_each(thread::JoinHandle::join);
        let joined = tokio::task::spawn_blocking(join).await.map_err(io::Error::other)?;
        limits.finish().await;
        joined.map_err(|_| io::Error::other("a data thread panicked"))
    }
}

impl Worker {
    fn start(index: usize, shared: Arc<serve::Shared>, phase: watch::Receiver<Phase>) -> io::Result<Self> {
        let (inbox, sockets) = mpsc::channel(INBOX);
        let (finished, done) = oneshot::channel();
        let load = Arc::new(Load::default());
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING).build()?;
        let counted = load.clone();
        let run = move || {
            let local = LocalSet::new();
            local.block_on(&runtime, work((shared, counted, phase), sockets, finished));
        };
        let thread = thread::Builder::new().name(format!("data-{index}")).spawn(run)?;
        Ok(Self { inbox, load, done, thread })
    }

    fn less_busy<'a>(one: &'a Self, other: &'a Self) -> &'a Self {
        if other.load.now() < one.load.now() { other } else { one }
    }
}

impl Load {
    /// Requests weigh more than connections that may be idle.
    fn now(&self) -> (usize, usize) {
        (self.requests.load(Ordering::Relaxed), self.connections.load(Ordering::Relaxed))
    }
}

/// A data thread's life: serves what comes in, until the inbox is closed and every connection is.
async fn work(
    (shared, load, mut phase): (Arc<serve::Shared>, Arc<Load>, watch::Receiver<Phase>),
    mut sockets: mpsc::Receiver<Accepted>,
    finished: oneshot::Sender<()>,
) {
    let lane = shared.live.limits().lane(shared.live.pace());
    let worker = serve::Worker { shared, load, phase: phase.clone(), lane };
    let pool = upstream::Upstream::new(&worker.shared.connector);
    tokio::task::spawn_local(pool.clone().sweep(worker.shared.live.pace()));
    let mut connections = JoinSet::new();
    let over = async move { drop(phase.wait_for(|phase| *phase == Phase::Over).await) };
    let serve = async {
        loop {
            tokio::select! {
                socket = sockets.recv() => match socket {
                    Some(Accepted { socket, peer, place }) => {
                        let (worker, pool) = (worker.clone(), pool.clone());
                        connections.spawn_local(async move {
                            let _place = place;
                            serve::connection(worker, pool, socket, peer).await;
                        });
                    }
                    None => break,
                },
                Some(_) = connections.join_next() => {}
            }
        }
        while connections.join_next().await.is_some() {}
    };
    tokio::select! {
        () = serve => {}
        () = over => {}
    }
    // What is dropped has used something as well, and is settled with the rest.
    connections.shutdown().await;
    if let Some(lane) = &worker.lane {
        lane.finish().await;
    }
    let _ = finished.send(());
}
