//! What surrounds the programs, and how they bear it: keys that are wrong or gone, watches that break, very many objects.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use penstock_crds::{GROUP, Kind, VERSION};
use penstock_tests::cluster::Cluster;
use penstock_tests::fake::{Refusal, Script};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::installation::{Installation, SECRET, WITHIN, condition};
use super::load::Load;
use crate::figures;

const MANY: usize = 10_000;
const AT_ONCE: usize = 64;

fn says(object: Option<&DynamicObject>, type_: &str, status: &str, reason: &str) -> bool {
    let said = object.and_then(|object| condition(object, type_));
    said.is_some_and(|said| (said.0.as_str(), said.1.as_str()) == (status, reason))
}

#[tokio::test]
async fn a_wrong_new_key_fails_no_request_and_the_provider_s_condition_says_so_until_it_is_right() -> anyhow::Result<()>
{
    let installation = Installation::new(Cluster::shared().await?, "wrong-key").await?;
    let (operator, [proxy]) = installation.serving().await?;
    installation.fakes.script(Script::on("openai").with_credential("not-a-key").forever(Refusal::BadKey));
    let load = Load::start(&installation, &proxy);
    installation.fakes.wait_until(|requests| requests.len() > 20).await?;
    installation.rotate("not-a-key").await?;
    let unhealthy = |object: Option<&DynamicObject>| says(object, "Healthy", "False", "CredentialsRejected");
    installation.until(Kind::AIProvider, "openai", unhealthy).await?;
    assert!(installation.answered_by(&proxy).await?.ends_with("/anthropic"), "the next target serves");
    let version = installation.rotate("a-good-key").await?;
    installation.credential_programmed("openai", &version).await?;
    assert!(
        installation.answered_by(&proxy).await?.ends_with("/openai"),
        "a new key is not left alone for the old one"
    );
    installation.until(Kind::AIProvider, "openai", |object| says(object, "Healthy", "True", "Healthy")).await?;
    let outcome = load.stop().await?;
    ensure!(outcome.failures.is_empty(), "{:#?}", outcome.failures);
    proxy.stop().await?;
    operator.stop().await
}

#[tokio::test]
async fn a_key_that_is_deleted_is_used_no_more_and_the_next_target_serves() -> anyhow::Result<()> {
    let installation = Installation::new(Cluster::shared().await?, "deleted-key").await?;
    let (operator, [proxy]) = installation.serving().await?;
    let load = Load::start(&installation, &proxy);
    installation.fakes.wait_until(|requests| requests.len() > 20).await?;
    let secrets: Api<Secret> = Api::namespaced(installation.client.clone(), &installation.namespace);
    let without = Patch::Merge(json!({"data": {"openai": null}}));
    secrets.patch(SECRET, &PatchParams::default(), &without).await?;
    let missing = |object: Option<&DynamicObject>| says(object, "ResolvedRefs", "False", "KeyNotFound");
    installation.until(Kind::AIProvider, "openai", missing).await?;
    let fallen_back = async {
        while !installation.answered_by(&proxy).await?.ends_with("/anthropic") {}
        anyhow::Ok(())
    };
    tokio::time::timeout(WITHIN, fallen_back).await.context("the deleted key stayed in use")??;
    let outcome = load.stop().await?;
    ensure!(outcome.failures.is_empty(), "{:#?}", outcome.failures);
    proxy.stop().await?;
    operator.stop().await
}

/// Passes connections on to the API server, until they are cut.
struct Relay {
    url: String,
    connections: Arc<tokio::sync::Mutex<JoinSet<()>>>,
    _accepting: JoinSet<()>,
}

impl Relay {
    async fn start(cluster: &Cluster) -> anyhow::Result<Self> {
        let server = cluster.address()?;
        let listener = TcpListener::bind((server.ip(), 0)).await?;
        let url = format!("https://{}", listener.local_addr()?);
        let connections = Arc::new(tokio::sync::Mutex::new(JoinSet::new()));
        let (all, mut accepting) = (connections.clone(), JoinSet::new());
        accepting.spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                all.lock().await.spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(server).await {
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Ok(Self { url, connections, _accepting: accepting })
    }

    /// Cuts every connection that there is; returns how many.
    async fn cut(&self) -> usize {
        let mut connections = self.connections.lock().await;
        while connections.try_join_next().is_some() {}
        let open = connections.len();
        connections.shutdown().await;
        open
    }
}

#[tokio::test]
async fn watches_that_break_are_taken_up_again_and_no_change_is_missed() -> anyhow::Result<()> {
    let cluster = Cluster::shared().await?;
    let relay = Relay::start(cluster).await?;
    let mut installation = Installation::new(cluster, "watches").await?;
    installation.kubelet.relay_through(relay.url.clone());
    let (operator, [proxy]) = installation.serving().await?;
    let load = Load::start(&installation, &proxy);
    for round in 0..5 {
        ensure!(relay.cut().await > 0, "the operator must have been connected");
        let version = installation.rotate(&format!("openai-key-of-round-{round}")).await?;
        installation.credential_programmed("openai", &version).await?;
    }
    let outcome = load.stop().await?;
    ensure!(outcome.failures.is_empty(), "{:#?}", outcome.failures);
    proxy.stop().await?;
    operator.stop().await
}

/// One of very many routes, in the way of the others.
fn route(number: usize) -> DynamicObject {
    let object = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": Kind::RoutePolicy.as_str(),
        "metadata": {"name": format!("route-{number}")},
        "spec": {"models": [format!("model-{number}")], "targets": [{"provider": "openai", "model": "gpt-4o"}]},
    });
    serde_json::from_value(object).expect("a route must be an object")
}

#[tokio::test]
async fn among_ten_thousand_objects_a_change_still_counts_within_seconds() -> anyhow::Result<()> {
    // A cluster of its own: others would wait for the writes.
    let cluster = Cluster::start().await?;
    let installation = Installation::new(&cluster, "many").await?;
    let routes = installation.objects(Kind::RoutePolicy);
    stream::iter(0..MANY)
        .map(|number| {
            let routes = routes.clone();
            async move { routes.create(&PostParams::default(), &route(number)).await.map(drop) }
        })
        .buffer_unordered(AT_ONCE)
        .try_for_each(|()| async { Ok(()) })
        .await?;
    installation.apply_quickstart().await?;
    let operator = installation.operator("operator-0").await?;
    let proxy = installation.proxy("proxy-0", &[&operator]).await?;
    installation.wait_programmed().await?;
    for number in [0, MANY / 2, MANY - 1] {
        let answer = installation.ask_for(&proxy, &format!("model-{number}"), false).send().await?;
        ensure!(answer.status() == 200, "{number}: {}", answer.text().await?);
    }
    let started = std::time::Instant::now();
    let version = installation.rotate("a-new-key").await?;
    installation.credential_programmed("openai", &version).await?;
    figures::print(format_args!("{MANY} objects: a new key was in use after {:?}", started.elapsed()))?;
    proxy.stop().await?;
    operator.stop().await
}
