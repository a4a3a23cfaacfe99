//! `serve`: binds everything, says where, starts a source, and serves until a signal.

use std::{
    env, fs,
    future::IntoFuture,
    io::{self, Write},
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use penstock_config::{Hash, outbound::Outbound};
use penstock_proxy::{Auth, DataConfig, DataPlane, Limits, Live, Metrics, StoreConfig, upstream};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::RootCertStore;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    admin::Admin,
    cli::{self, Serve},
    logs,
    shutdown::Signals,
    source::{Sink, folder, models, operator},
};

/// In a cluster endpoints learn of a pod's end later than the pod does.
const GRACE_IN_CLUSTER: Duration = Duration::from_secs(5);

const BLOCKING_KEEP_ALIVE: Duration = Duration::from_secs(1);

/// The one line on stdout, for whoever started the process.
#[derive(Serialize)]
struct Listening {
    event: &'static str,
    data: SocketAddr,
    admin: SocketAddr,
}

/// Serves until the drain is over.
pub(crate) fn run(serve: Serve) -> anyhow::Result<ExitCode> {
    logs::init(&serve.log).context("--log-level")?;
    rustls::crypto::ring::default_provider().install_default().expect("must be the first provider");
    let descriptors = raise_descriptor_limit();
    // What accepts and the data threads have runtimes of their own; all else shares this one and its thread.
    // A thread that read a folder is not kept for long, nor is what its heap holds.
    let mut control = tokio::runtime::Builder::new_current_thread();
    let runtime = control.enable_all().thread_name("control").thread_keep_alive(BLOCKING_KEEP_ALIVE).build()?;
    let outcome = runtime.block_on(until_drained(serve, descriptors));
    // Nothing that is still on the blocking pool (a DNS look-up, say) holds up the end.
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn until_drained(serve: Serve, descriptors: Option<u64>) -> anyhow::Result<()> {
    if let Some(folder) = &serve.resources {
        fs::read_dir(folder).with_context(|| format!("--resources {}", folder.display()))?;
    }
    let signals = Signals::catch()?;
    let draining = CancellationToken::new();
    let metrics = Metrics::new();
    let live = Live::at(metrics.clone(), serve.pace);
    learn(&serve, &live)?;
    let config = data_config(&serve, descriptors)?;
    let issuers = live.follow_issuers(config.outbound.clone(), config.roots.clone()).map_err(anyhow::Error::msg)?;
    tokio::spawn(issuers);
    let data = DataPlane::bind(config, live.clone(), metrics.clone())
        .with_context(|| format!("can't serve on {}", serve.listen))?;
    let admin = TcpListener::bind(serve.admin).await.with_context(|| format!("can't listen on {}", serve.admin))?;
    announce(data.local_addr(), admin.local_addr()?)?;

    let (sink, status) = Sink::new(live.clone());
    let pages = Admin { live, metrics, status, draining: draining.clone() };
    tokio::spawn(axum::serve(admin, pages.router()).into_future());
    let source = tokio::spawn(source(serve, sink));
    tokio::select! {
        served = accept(data, draining.clone()) => served.context("the data plane ended"),
        () = signals.watch(draining) => Ok(()),
        ended = source => Err(ended.map_or_else(anyhow::Error::from, |()| anyhow::anyhow!("no source")).context("the source ended")),
    }
}

/// Where a proxy that is alone keeps budgets, if it finds a place.
fn state(serve: &Serve) -> Option<PathBuf> {
    let resources = serve.resources.as_ref()?;
    serve.state.clone().or_else(|| {
        let home = || env::home_dir().map(|home| home.join(".local/state"));
        let folder =
            env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute()).or_else(home)?;
        let whole = resources.canonicalize().unwrap_or_else(|_| resources.clone());
        let digest = Hash::of(whole.as_os_str().as_encoded_bytes()).to_string();
        Some(folder.join("penstock").join(format!("{}.db", &digest[..16])))
    })
}

/// Serves on a thread of its own, so that no client waits while a large snapshot is compiled or metrics are written.
async fn accept(data: DataPlane, draining: CancellationToken) -> io::Result<()> {
    let serve = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(data.run(draining.cancelled_owned()))
    };
    tokio::task::spawn_blocking(serve).await.map_err(io::Error::other)?
}

/// Users' own prices and facts, where there are any; later changes of the file are followed.
fn learn(serve: &Serve, live: &Live) -> anyhow::Result<()> {
    let Some(file) = &serve.own.model_facts else { return Ok(()) };
    let models = models::read(file).with_context(|| format!("--model-facts {}", file.display()))?;
    live.learn(models.clone());
    tokio::spawn(models::follow(file.clone(), models, live.clone()));
    Ok(())
}

async fn source(serve: Serve, sink: Sink) {
    match serve.resources {
        Some(folder) => folder::run(folder, serve.installation.folder_settings(), sink).await,
        None => {
            let operators = operator::Operators {
                urls: serve.operator,
                ca: serve.push.operator_ca,
                token_file: serve.push.token_file,
            };
            operator::run(operators, serve.push.stored_snapshot, sink).await;
        }
    }
}

fn data_config(serve: &Serve, descriptors: Option<u64>) -> anyhow::Result<DataConfig> {
    let in_cluster = serve.resources.is_none();
    let outbound = match in_cluster {
        true => Outbound {
            loopback: false,
            allow: serve.installation.allow_upstream.clone(),
            deny: api_server().into_iter().collect(),
        },
        false => serve.installation.folder_settings().outbound,
    };
    let default_grace = if in_cluster { GRACE_IN_CLUSTER } else { Duration::ZERO };
    Ok(DataConfig {
        listen: serve.listen,
        workers: serve.workers,
        auth: match serve.auth {
            cli::Auth::Required => Auth::Required,
            cli::Auth::Open => Auth::Open,
        },
        trusted_proxies: serve.trusted_proxies.clone(),
        max_body: serve.max_body,
        limits: limits(serve, descriptors),
        hold_head: serve.hold_head,
        grace: serve.drain_grace.unwrap_or(default_grace),
        drain: serve.drain_deadline,
        state: state(serve),
        store: store(&serve.redis, &serve.installation.gateway)?,
        outbound,
        roots: roots(serve.upstream_ca.as_deref())?,
    })
}

/// Where limits are shared; whether it answers is seen later.
fn store(redis: &cli::Redis, gateway: &str) -> anyhow::Result<Option<StoreConfig>> {
    if redis.redis.is_empty() {
        return Ok(None);
    }
    let read = |file: &PathBuf| fs::read(file).with_context(|| format!("--redis-ca {}", file.display()));
    Ok(Some(StoreConfig {
        urls: redis.redis.clone(),
        is_cluster: redis.redis_cluster,
        ca: redis.redis_ca.as_ref().map(read).transpose()?,
        gateway: gateway.to_owned(),
    }))
}

/// A request needs a connection to its provider beside that of its client, so clients get half of the descriptors.
fn limits(serve: &Serve, descriptors: Option<u64>) -> Limits {
    let half = descriptors.and_then(|all| usize::try_from(all / 2).ok()).unwrap_or(usize::MAX);
    let connections = serve.max_connections.map_or(half, NonZeroUsize::get);
    let limits = Limits { requests: serve.max_requests.get(), connections, held: serve.max_held };
    tracing::info!(descriptors, limits.connections, limits.requests, limits.held, "bounds");
    limits
}

/// The public CAs, and those of `--upstream-ca`.
fn roots(extra: Option<&Path>) -> anyhow::Result<RootCertStore> {
    let pem = extra.map(fs::read).transpose();
    let roots =
        pem.map_err(anyhow::Error::from).and_then(|pem| upstream::roots(pem.as_deref()).map_err(anyhow::Error::msg));
    roots.with_context(|| format!("--upstream-ca {}", extra.unwrap_or(Path::new("")).display()))
}

/// Kubernetes tells every pod where its API server is.
fn api_server() -> Option<IpAddr> {
    env::var("KUBERNETES_SERVICE_HOST").ok()?.parse().ok()
}

fn announce(data: SocketAddr, admin: SocketAddr) -> anyhow::Result<()> {
    let listening = Listening { event: "listening", data, admin };
    let mut line = serde_json::to_vec(&listening)?;
    line.push(b'\n');
    let mut stdout = io::stdout();
    stdout.write_all(&line).and_then(|()| stdout.flush()).context("stdout")
}

/// Every connection is a descriptor, and the usual soft limit is 1024. Returns the limit then; none where there is none.
fn raise_descriptor_limit() -> Option<u64> {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: before.maximum, maximum: before.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => before.maximum,
        Err(error) => {
            tracing::warn!("the descriptor limit stays as it is: {error}");
            before.current
        }
    }
}
