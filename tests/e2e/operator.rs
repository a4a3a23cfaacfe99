//! The operator and the proxies of this repository on a real API server.

mod accounts;
mod budgets;
mod callers;
mod flaps;
mod health;
pub(crate) mod installation;
mod limits;
mod load;
mod reader;
mod rotation;
mod store;
mod surroundings;
mod verdicts;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, DynamicObject, PostParams};
use kube::runtime::wait::await_condition;
use penstock_config::protocol::{AUDIENCE, Refused};
use penstock_config::{Key, ObjectRef};
use penstock_crds::{GROUP, Kind, VERSION};
use penstock_tests::cluster::Cluster;
use penstock_tests::cluster::kubelet::RunningPod;
use penstock_tests::fake::{Answer, At, How, Script};
use reqwest::StatusCode;
use serde_json::json;
use tokio::time::{Instant, timeout};

use flaps::Flaps;
use installation::{FIRST_KEY, Installation, SECRET, WITHIN, condition};
use load::Load;
use reader::Reader;

use crate::figures;

/// One more route over what the README has.
const LATER: &str = "{apiVersion: penstock.dev/v1alpha1, kind: RoutePolicy, metadata: {name: later}, \
    spec: {models: [later], targets: [{provider: openai, model: gpt-4o}]}}";
/// From the death of a leader to another's first answer, at most.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_request_succeeds_at_once_after_kubectl_wait_says_programmed() -> anyhow::Result<()> {
    let installation = Installation::new(Cluster::shared().await?, "quickstart").await?;
    let operator = installation.operator("operator-0").await?;
    let proxy = installation.proxy("proxy-0", &[&operator]).await?;
    installation.apply_quickstart().await?;
    installation.wait_programmed().await?;
    assert_eq!(installation.answered_by(&proxy).await?, format!("{}/openai", installation.namespace));
    proxy.ready(WITHIN).await?;
    operator.ready(WITHIN).await?;
    proxy.stop().await?;
    operator.stop().await
}

#[tokio::test]
async fn proxies_serve_and_start_without_an_operator_and_catch_up_when_it_is_back() -> anyhow::Result<()> {
    let installation = Installation::new(Cluster::shared().await?, "away").await?;
    let (operator, [proxy]) = installation.serving().await?;
    stored_copy_is_of(&installation, &proxy).await?;

    let held = Script::on("openai").once(Answer::broken(At::Content(2), How::Gate));
    installation.fakes.script(held);
    let mut stream = installation.ask(&proxy, true).send().await?;
    let mut seen = stream.chunk().await?.context("it must begin")?.to_vec();
    let load = Load::start(&installation, &proxy);
    installation.fakes.wait_until(|requests| requests.len() > 20).await?;
    operator.kill().await?;
    let late = installation.proxy("proxy-1", &[&operator]).await?;
    late.ready(WITHIN).await?;
    installation.answered_by(&late).await?;
    installation.rotate("openai-key-1").await?;
    installation.answered_by(&proxy).await?;
    assert_eq!(last_key(&installation).as_deref(), Some(FIRST_KEY), "nobody could know of the change");
    installation.fakes.open_gate();
    while let Some(chunk) = stream.chunk().await? {
        seen.extend(chunk);
    }
    assert!(seen.ends_with(b"data: [DONE]\n\n"), "{}", String::from_utf8_lossy(&seen));

    operator.restart().await?;
    let secrets: Api<Secret> = Api::namespaced(installation.client.clone(), &installation.namespace);
    let version = secrets.get(SECRET).await?.metadata.resource_version.context("a version")?;
    installation.credential_programmed("openai", &version).await?;
    let outcome = load.stop().await?;
    ensure!(outcome.failures.is_empty(), "{:#?}", outcome.failures);
    for proxy in [&proxy, &late] {
        installation.answered_by(proxy).await?;
        assert_eq!(last_key(&installation).as_deref(), Some("openai-key-1"));
    }
    late.stop().await?;
    proxy.stop().await?;
    operator.stop().await
}

#[tokio::test]
async fn a_restart_without_a_change_pushes_nothing_and_writes_no_status() -> anyhow::Result<()> {
    let installation = Installation::new(Cluster::shared().await?, "restart").await?;
    let (operator, [proxy]) = installation.serving().await?;
    let played = installation.played_proxy("played", "penstock-proxy").await?;
    let mut reader = Reader::connect(&installation, &operator, &played, None).await?;
    let (position, hash) = reader.snapshot().await?;
    assert_eq!(reader.ack((position, hash), vec![]).await?, StatusCode::NO_CONTENT);
    installation.wait_programmed().await?;
    let before = installation.versions().await?;

    operator.kill().await?;
    operator.restart().await?;
    operator.ready(WITHIN).await?;
    let mut reader = connect_again(&installation, &operator, &played, hash).await?;
    assert_eq!(reader.hello.hash, hash);
    assert!(reader.hello.position.epoch > position.epoch, "{:?} after {position:?}", reader.hello.position);
    reader.ack((reader.hello.position, hash), vec![]).await?;
    for _ in 0..3 {
        assert!(!reader.is_sent_a_snapshot_before_a_heartbeat().await?, "nothing has changed");
    }
    proxies_follow(&installation, &operator, 2).await?;
    assert_eq!(installation.versions().await?, before, "nothing was to be written");
    proxy.stop().await?;
    operator.stop().await
}

#[tokio::test]
async fn a_second_operator_takes_over_and_no_status_flaps() -> anyhow::Result<()> {
    let installation = Installation::new(Cluster::shared().await?, "takeover").await?;
    let first = installation.operator("operator-0").await?;
    first.ready(WITHIN).await?;
    holder_is(&installation, "operator-0").await?;
    let second = installation.operator("operator-1").await?;
    second.ready(WITHIN).await?;
    let proxy = installation.proxy("proxy-0", &[&second, &first]).await?;
    installation.apply_quickstart().await?;
    installation.wait_programmed().await?;
    let before = installation.versions().await?;
    let flaps = Flaps::watch(&installation);

    first.kill().await?;
    let killed = Instant::now();
    proxies_follow(&installation, &second, 1).await?;
    let took = killed.elapsed();
    figures::print(format_args!("takeover: {took:.1?} from the kill of the leader to a stream to the next"))?;
    assert!(took < TAKEN_OVER_WITHIN, "{took:?}");
    holder_is(&installation, "operator-1").await?;
    assert_eq!(installation.versions().await?, before, "no status may flap");
    // By then the new leader has been through all that it does with objects.
    installation.apply(LATER).await?;
    installation.until(Kind::RoutePolicy, "later", is_programmed).await?;
    flaps.none_of(before.len())?;

    let version = installation.rotate("openai-key-1").await?;
    installation.credential_programmed("openai", &version).await?;
    installation.answered_by(&proxy).await?;
    assert_eq!(last_key(&installation).as_deref(), Some("openai-key-1"));
    proxy.stop().await?;
    second.stop().await
}

#[tokio::test]
async fn an_object_that_one_proxy_refuses_says_so_and_no_other_does() -> anyhow::Result<()> {
    let installation = Installation::new(Cluster::shared().await?, "refused-by").await?;
    let operator = installation.operator("operator-0").await?;
    operator.ready(WITHIN).await?;
    installation.apply_quickstart().await?;
    let played = installation.played_proxy("played", "penstock-proxy").await?;
    let mut reader = Reader::connect(&installation, &operator, &played, None).await?;
    let key = Key::new(penstock_config::Kind::RoutePolicy, ObjectRef::new(&installation.namespace, "chat"));
    let refuses = refuse(&mut reader, &key, "unknown balance `Fair`");
    let said = async {
        installation
            .until(Kind::RoutePolicy, "chat", |object| {
                let refused = object.and_then(|object| condition(object, "Programmed"));
                refused.is_some_and(|(status, reason, message)| {
                    (status.as_str(), reason.as_str()) == ("False", "Refused")
                        && message.contains("played: unknown balance `Fair`")
                })
            })
            .await?;
        for (kind, name) in
            [(Kind::AIProvider, "openai"), (Kind::AIProvider, "anthropic"), (Kind::Consumer, "search-team")]
        {
            installation.until(kind, name, is_programmed).await?;
        }
        told(&installation, "chat", "Refused").await
    };
    tokio::select! {
        error = refuses => return Err(error),
        said = said => said?,
    }
    operator.stop().await
}

#[tokio::test]
async fn an_object_that_cannot_be_read_delays_no_other() -> anyhow::Result<()> {
    // A cluster of its own: its definitions are loosened, as an older or newer version's may be.
    let cluster = Cluster::start().await?;
    let installation = Installation::new(&cluster, "poisoned").await?;
    let loose = json!([{
        "op": "replace",
        "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec",
        "value": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    }]);
    for kind in [Kind::AIProvider, Kind::RoutePolicy] {
        let name = format!("customresourcedefinition/{}.{GROUP}", kind.plural());
        cluster.kubectl(&["patch", &name, "--type=json", "--patch", &loose.to_string()], "").await?;
    }
    // The API server takes the looser definition into service a moment later.
    let poison = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "AIProvider", "metadata": {"name": "poison"},
        "spec": {"type": "Telepathy", "models": [{"name": "m"}]},
    });
    let poison: DynamicObject = serde_json::from_value(poison)?;
    let providers = installation.objects(Kind::AIProvider);
    let create = async {
        while let Err(error) = providers.create(&PostParams::default(), &poison).await {
            ensure!(matches!(&error, kube::Error::Api(status) if status.code == 422), "{error}");
            tokio::task::yield_now().await;
        }
        Ok(())
    };
    timeout(WITHIN, create).await.context("the definition stayed strict")??;

    let (operator, [proxy]) = installation.serving().await?;
    installation.answered_by(&proxy).await?;
    let said = |object: Option<&DynamicObject>| {
        let accepted = object.and_then(|object| condition(object, "Accepted"));
        accepted.is_some_and(|(status, reason, message)| {
            (status.as_str(), reason.as_str()) == ("False", "Invalid") && message.contains("Telepathy")
        })
    };
    installation.until(Kind::AIProvider, "poison", said).await?;

    installation
        .apply(&format!(
            "{{apiVersion: {GROUP}/{VERSION}, kind: RoutePolicy, metadata: {{name: chat}}, \
         spec: {{models: [gpt-4o], targets: [{{provider: openai, model: gpt-4o, priority: first}}]}}}}"
        ))
        .await?;
    let refused = |object: Option<&DynamicObject>| {
        let accepted = object.and_then(|object| condition(object, "Accepted"));
        accepted.is_some_and(|(status, ..)| status == "False")
    };
    installation.until(Kind::RoutePolicy, "chat", refused).await?;
    let answer = installation.ask(&proxy, false).send().await?;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "a refused route stays closed");
    proxy.stop().await?;
    operator.stop().await
}

#[tokio::test]
async fn only_a_proxy_pods_own_token_for_this_audience_opens_a_stream() -> anyhow::Result<()> {
    let installation = Installation::new(Cluster::shared().await?, "readers").await?;
    let operator = installation.operator("operator-0").await?;
    operator.ready(WITHIN).await?;
    installation.apply_quickstart().await?;
    let played = installation.played_proxy("played", "penstock-proxy").await?;
    let reader = Reader::connect(&installation, &operator, &played, None).await?;
    let at = (reader.hello.position, reader.hello.hash);

    let other_audience = installation.kubelet.token(&played, "penstock-proxy", Some("other"), None).await?;
    let elsewhere = Installation::new(installation.cluster, "readers-elsewhere").await?;
    let stranger = elsewhere.played_proxy("played", "penstock-proxy").await?;
    let other_namespace = elsewhere.kubelet.token(&stranger, "penstock-proxy", Some(AUDIENCE), None).await?;
    let accountless = installation.played_proxy("accountless", "default").await?;
    let other_account = installation.kubelet.token(&accountless, "default", Some(AUDIENCE), None).await?;
    for (token, why) in [
        (other_audience.as_str(), "another audience"),
        (&other_namespace, "a Pod of another namespace"),
        (&other_account, "another ServiceAccount"),
        ("not-a-token", "no token at all"),
    ] {
        let (_, answer) = reader::ask(&installation, &operator, token, "played", None).await?;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{why}");
    }

    let pods: Api<Pod> = Api::namespaced(installation.client.clone(), &installation.namespace);
    let now = kube::api::DeleteParams { grace_period_seconds: Some(0), ..kube::api::DeleteParams::default() };
    pods.delete("played", &now).await?;
    let mut reader = reader;
    let ended = async { while reader.next().await.is_ok() {} };
    timeout(WITHIN, ended).await.context("the stream must end with its Pod")?;
    assert_eq!(reader.ack(at, vec![]).await?, StatusCode::GONE, "and its session with it");
    operator.stop().await
}

/// A proxy that builds everything but one object, until its stream breaks.
async fn refuse(reader: &mut Reader, key: &Key, reason: &str) -> anyhow::Error {
    loop {
        let refused = vec![Refused { key: key.clone(), reason: reason.to_owned() }];
        let answered = match reader.snapshot().await {
            Ok(at) => reader.ack(at, refused).await,
            Err(error) => Err(error),
        };
        if let Err(error) = answered {
            return error;
        }
    }
}

fn last_key(installation: &Installation<'_>) -> Option<String> {
    installation.fakes.requests_to("openai").pop()?.credential
}

fn is_programmed(object: Option<&DynamicObject>) -> bool {
    let programmed = object.and_then(|object| condition(object, "Programmed"));
    programmed.is_some_and(|(status, ..)| status == "True")
}

/// Until the stored copy holds the present snapshot, as far as the operator says, and the kubelet has it in the folder.
async fn stored_copy_is_of(installation: &Installation<'_>, proxy: &RunningPod) -> anyhow::Result<()> {
    let config: serde_json::Value =
        installation.http.get(format!("http://{}:8081/config", proxy.ip)).send().await?.json().await?;
    let hash = config["hash"].as_str().context("/config must name the hash")?.to_owned();
    let secrets: Api<Secret> = Api::namespaced(installation.client.clone(), &installation.namespace);
    let holds = move |secret: Option<&Secret>| {
        let annotations = secret.and_then(|secret| secret.metadata.annotations.as_ref());
        annotations.and_then(|all| all.get("penstock.dev/snapshot-hash")).is_some_and(|stored| *stored == hash)
    };
    timeout(WITHIN, await_condition(secrets, "penstock-snapshot", holds)).await.context("never stored")??;
    Ok(())
}

/// A restarted operator leads again only once it has the Lease.
async fn connect_again(
    installation: &Installation<'_>,
    operator: &RunningPod,
    pod: &Pod,
    have: penstock_config::Hash,
) -> anyhow::Result<Reader> {
    let connected = async {
        loop {
            if let Ok(reader) = Reader::connect(installation, operator, pod, Some(have)).await {
                return reader;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(WITHIN, connected).await.context("nobody leads")
}

/// Until so many proxies have a stream to this operator.
async fn proxies_follow(installation: &Installation<'_>, operator: &RunningPod, proxies: usize) -> anyhow::Result<()> {
    let line = format!("penstock_operator_connected_proxies {proxies}");
    let follow = async {
        loop {
            let metrics = installation.http.get(format!("http://{}:8081/metrics", operator.ip)).send().await?;
            if metrics.text().await?.lines().any(|metric| metric == line) {
                return anyhow::Ok(());
            }
        }
    };
    timeout(WITHIN, follow).await.context("the proxies stay away")?
}

async fn holder_is(installation: &Installation<'_>, identity: &str) -> anyhow::Result<()> {
    let leases: Api<Lease> = Api::namespaced(installation.client.clone(), &installation.namespace);
    let holds = |lease: Option<&Lease>| {
        let spec = lease.and_then(|lease| lease.spec.as_ref());
        spec.and_then(|spec| spec.holder_identity.as_deref()) == Some(identity)
    };
    timeout(WITHIN, await_condition(leases, "penstock-operator", holds)).await.context("another holds the Lease")??;
    Ok(())
}

/// Until an Event with this reason is there about an object.
async fn told(installation: &Installation<'_>, object: &str, reason: &str) -> anyhow::Result<()> {
    let events: Api<k8s_openapi::api::events::v1::Event> =
        Api::namespaced(installation.client.clone(), &installation.namespace);
    let told = async {
        loop {
            let all = events.list(&kube::api::ListParams::default()).await?;
            let about = |event: &k8s_openapi::api::events::v1::Event| {
                let name = event.regarding.as_ref().and_then(|regarding| regarding.name.as_deref());
                name == Some(object) && event.reason.as_deref() == Some(reason)
            };
            if all.iter().any(about) {
                return anyhow::Ok(());
            }
        }
    };
    timeout(WITHIN, told).await.with_context(|| format!("no Event {reason} about {object}"))?
}
