//! Requests over HTTP, where a test must see to the buckets behind them.

use std::{net::SocketAddr, num::NonZeroUsize, sync::Arc, time::Duration};

use penstock_config::{Meta, Resource, Secret, SecretState, Settings, World, compile, outbound::Outbound};
use serde_json::{Value, json};
use tokio::{net::TcpSocket, time::Instant};

use crate::{
    Auth, DataConfig, DataPlane, Limits, Live, Metrics,
    limits::{Amounts, Need, Subject},
    upstream,
};

/// So many users have buckets of their own.
const MOST: usize = 65_536;

/// Two requests a day for each user, of a provider that is not there: what is asked of it is given back.
fn world(provider: SocketAddr) -> anyhow::Result<World> {
    let outbound = Outbound { loopback: true, ..Outbound::default() };
    let platform_namespaces = ["default".to_owned()].into();
    let mut world = World::new(Settings { gateway: "default".into(), platform_namespaces, outbound });
    let meta = |name: &str| Meta { namespace: "default".into(), name: name.into(), ..Meta::default() };
    let provider = json!({"type": "OpenAI", "baseURL": format!("http://{provider}/v1"), "models": [{"name": "m"}],
        "credentials": [{"secretRef": {"name": "a", "key": "key"}}], "retries": {"attempts": 0}});
    let provider = Resource::new(meta("a"), serde_json::from_value(provider)?);
    let data = [("key".to_owned(), Secret::new("key-of-a"))].into();
    world.secrets.insert(provider.object_ref(), SecretState::Found { resource_version: "1".into(), data });
    world.providers.insert(provider.object_ref(), Arc::new(provider));
    let few = json!({"per": ["User"], "requests": {"limit": 2, "window": "24h"}});
    let few = Resource::new(meta("few"), serde_json::from_value(few)?);
    world.limits.insert(few.object_ref(), Arc::new(few));
    Ok(world)
}

/// Serves on one thread for as long as the test runs.
fn serve(live: &Live) -> anyhow::Result<SocketAddr> {
    // Another test has installed it already, if it fails.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = DataConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        workers: NonZeroUsize::new(1),
        auth: Auth::Open,
        max_body: 1 << 20,
        limits: Limits { requests: 1000, connections: 1000, held: 64 << 20 },
        hold_head: Duration::from_secs(15),
        grace: Duration::ZERO,
        drain: Duration::ZERO,
        store: None,
        trusted_proxies: Vec::new(),
        state: None,
        outbound: Outbound { loopback: true, ..Outbound::default() },
        roots: upstream::roots(None).map_err(anyhow::Error::msg)?,
    };
    let plane = DataPlane::bind(config, live.clone(), Metrics::new())?;
    let address = plane.local_addr();
    tokio::spawn(plane.run(std::future::pending()));
    Ok(address)
}

/// A request of a user that was answered; false where a limit refuses it.
async fn passes(live: &Live, user: usize) -> bool {
    let (user, limits) = (format!("u{user}"), live.tables().limits.clone());
    let subject = Subject { consumer: None, user: &user, model: "m", provider: None };
    let one = Amounts { requests: 1, ..Amounts::default() };
    let need = Need { amounts: one, time: Duration::from_secs(1) };
    let reserved = live.limits().reserve(limits.iter(), None, subject, need).await;
    reserved.is_ok_and(|(reservation, _)| {
        reservation.settle(one, Instant::now());
        true
    })
}

#[tokio::test]
async fn new_names_without_end_bring_no_new_allowance_and_push_no_user_out() -> anyhow::Result<()> {
    let nowhere = TcpSocket::new_v4()?;
    nowhere.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let live = Live::new(Metrics::new());
    let refused = live.apply(&compile(&world(nowhere.local_addr()?)?).0);
    anyhow::ensure!(refused.is_empty(), "{refused:?}");
    let url = format!("http://{}/v1/chat/completions", serve(&live)?);
    let client = reqwest::Client::new();
    let ask = async |user: usize| -> anyhow::Result<u16> {
        let body: Value = json!({"model": "m", "user": format!("u{user}"), "messages": []});
        Ok(client.post(&url).body(body.to_string()).send().await?.status().as_u16())
    };
    for user in 0..MOST {
        assert!(passes(&live, user).await, "{user} has a bucket");
    }
    assert!(passes(&live, MOST).await && passes(&live, MOST + 1).await, "all others have one together");
    for stranger in MOST..MOST + 100 {
        assert_eq!(ask(stranger).await?, 429, "{stranger}");
    }
    for user in [0, MOST / 2, MOST - 1] {
        assert_eq!(ask(user).await?, 502, "{user} may ask, and nobody answers");
        assert!(passes(&live, user).await, "{user} has what was left");
        assert_eq!(ask(user).await?, 429, "{user} has no more");
    }
    Ok(())
}
