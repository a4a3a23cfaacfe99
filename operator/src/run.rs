//! Puts the parts together, and takes them down again on SIGTERM.

use std::{net::IpAddr, sync::Arc, time::Duration};

use anyhow::Context;
use kube::{Api, Client};
use penstock_config::{ClusterIssuer, Settings, World, outbound::Outbound};
use serde_json::json;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    admin, ca, cli,
    events::Teller,
    issuer,
    lease::{self, Role},
    metrics::Metrics,
    publish::Publisher,
    push::{self, Push, Sources},
    reconcile::{Inputs, Outputs, Reconciler},
    sessions::Sessions,
    status::Writer,
    stored,
    stores::Stores,
    watch::{self as watches, Source},
};

/// Changes that wait for the reconciler; more wait at the API server.
const CHANGES: usize = 1024;
/// ACKs that wait for the reconciler; more wait in their requests.
const ACKS: usize = 256;
/// How long an ending process may take to release the Lease and end its streams.
const GRACE: Duration = Duration::from_secs(5);

/// Runs the operator until SIGTERM or SIGINT.
pub(crate) async fn run(flags: cli::Run) -> anyhow::Result<()> {
    let kube = kube::Config::infer().await.context("no cluster: neither in a pod, nor a kubeconfig")?;
    let settings = settings(&flags, &kube);
    let client = Client::try_from(kube)?;
    let stop = CancellationToken::new();
    let push = TcpListener::bind(flags.push).await.with_context(|| format!("--push {}", flags.push))?;
    let admin = TcpListener::bind(flags.admin).await.with_context(|| format!("--admin {}", flags.admin))?;
    let (push_address, admin_address) = (push.local_addr()?, admin.local_addr()?);
    let listening = json!({
        "event": "listening",
        "push": push_address.to_string(),
        "admin": admin_address.to_string(),
    });
    println!("{listening}");

    let metrics = Arc::new(Metrics::new());
    let (ready, is_ready) = watch::channel(false);
    tokio::spawn(axum::serve(admin, admin::router(metrics.clone(), is_ready)).into_future());

    let (role, roles) = watch::channel(Role::Follower { leader: None });
    let elected = lease::Elected {
        leases: Api::namespaced(client.clone(), &flags.namespace),
        name: flags.lease_name.clone(),
        identity: flags.identity.clone(),
        address: flags.address(push_address),
    };
    let election = tokio::spawn(lease::run(elected, role, stop.clone()));

    let serving = Arc::new(ca::Serving::default());
    tokio::spawn(ca::keep(ca::Keeper {
        secrets: Api::namespaced(client.clone(), &flags.namespace),
        config_maps: Api::namespaced(client.clone(), &flags.namespace),
        names: flags.tls_names.clone(),
        role: roles.clone(),
        serving: serving.clone(),
    }));

    let sessions = Sessions::default();
    let (publisher, published) = Publisher::new();
    let (replicas, counts) = watch::channel(0);
    let (pods, known_pods) = watch::channel(Arc::default());
    let (acks, heard) = mpsc::channel(ACKS);
    let router = push::router(Push {
        sources: Sources { published: published.clone(), replicas: counts, role: roles.clone(), pods: known_pods },
        sessions: sessions.clone(),
        serving: serving.clone(),
        reviews: Api::all(client.clone()),
        proxy: flags.proxy_username(),
        acks,
    });
    let serve = tokio::spawn(push::listen(push, serving, router, stop.clone()));

    let (too_large, told) = mpsc::channel(1);
    tokio::spawn(stored::keep(stored::Keeper {
        secrets: Api::namespaced(client.clone(), &flags.namespace),
        enabled: flags.store_snapshot,
        published,
        role: roles.clone(),
        metrics: metrics.clone(),
        too_large,
    }));

    let (wishes, granted) = watch::channel(None);
    tokio::spawn(Writer::new(client.clone(), granted, roles.clone(), metrics.clone()).run());

    let (changes, seen) = mpsc::channel(CHANGES);
    let mut sources = watches::start(&client, &flags, &changes);
    tokio::spawn(issuer::keep(client.clone(), flags.token_audience.clone(), metrics.clone(), changes));
    sources.push(Source::Issuer);
    let teller = Teller::start(client.clone(), flags.identity.clone(), metrics.clone());
    let out = Outputs { publisher, replicas, pods, ready, wishes, teller };
    let mut world = World::new(settings);
    world.namespaces_known = sources.contains(&Source::Namespaces);
    world.issuer = ClusterIssuer::Untold;
    let stores = Stores::new(world, sources);
    let reconciler = Reconciler::new(client, flags.namespace.clone(), stores, sessions, out, metrics);
    let reconciling = tokio::spawn(reconciler.run(Inputs { changes: seen, acks: heard, role: roles, too_large: told }));

    tokio::select! {
        () = asked_to_stop() => info!("stopping"),
        ended = reconciling => anyhow::bail!("the reconciler ended: {ended:?}"),
    }
    stop.cancel();
    let ended = timeout(GRACE, async { (election.await, serve.await) }).await;
    if ended.is_err() {
        warn!("ended before everything was released");
    }
    Ok(())
}

async fn asked_to_stop() {
    let mut terminate = signal(SignalKind::terminate()).expect("must be able to handle SIGTERM");
    let mut interrupt = signal(SignalKind::interrupt()).expect("must be able to handle SIGINT");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// What `compile` is to know. Providers never point at the API server.
fn settings(flags: &cli::Run, kube: &kube::Config) -> Settings {
    let host = std::env::var("KUBERNETES_SERVICE_HOST").ok();
    let hosts = host.iter().map(String::as_str).chain(kube.cluster_url.host());
    let deny = hosts.filter_map(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok()).collect();
    Settings {
        gateway: flags.gateway.clone(),
        platform_namespaces: flags.platform_namespaces().collect(),
        outbound: Outbound { loopback: false, allow: flags.allow_upstream.clone(), deny },
    }
}
