//! The test cluster keeps what it promises.

use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use penstock_tests::cluster::Cluster;
use penstock_tests::cluster::kubelet::{Kubelet, PodInput, is_ready};
use penstock_tests::setup;
use serde_json::json;

const WITHIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_cluster_comes_up_and_kubectl_speaks_to_it() -> anyhow::Result<()> {
    let cluster = Cluster::shared().await?;
    let version = cluster.client().await?.apiserver_version().await?;
    assert!(version.git_version.starts_with("v1."), "{version:?}");
    let namespaces = cluster.kubectl(&["get", "namespaces", "--output=name"], "").await?;
    assert!(namespaces.lines().any(|line| line == "namespace/default"), "{namespaces}");
    Ok(())
}

#[tokio::test]
async fn a_pods_token_is_known_by_the_pods_uid_for_its_audience_alone_until_the_pod_is_gone() -> anyhow::Result<()> {
    let cluster = Cluster::shared().await?;
    let client = cluster.client().await?;
    let namespace = cluster.namespace("token").await?;
    let kubelet = Kubelet::new(cluster).await?;
    let pod = kubelet.run(file_server(&namespace)?).await?;
    let token = std::fs::read_to_string(pod.mount("/var/run/secrets/penstock")?.join("token"))?;

    let status = review(&client, &token, "penstock").await?;
    assert_eq!(status.authenticated, Some(true), "{status:?}");
    let user = status.user.context("a user")?;
    assert_eq!(user.username.as_deref(), Some(&*format!("system:serviceaccount:{namespace}:default")));
    let extra = user.extra.unwrap_or_default();
    assert_eq!(extra.get("authentication.kubernetes.io/pod-uid"), Some(&vec![pod.uid.clone()]), "{extra:?}");

    let other = review(&client, &token, "other").await?;
    assert_ne!(other.authenticated, Some(true), "{other:?}");

    pod.stop().await?;
    let forgotten = tokio::time::timeout(WITHIN, until_unknown(&client, &token)).await;
    forgotten.context("the token is still known")??;
    Ok(())
}

#[tokio::test]
async fn a_pod_is_ready_when_its_process_says_so_and_sees_its_secret_change() -> anyhow::Result<()> {
    let cluster = Cluster::shared().await?;
    let client = cluster.client().await?;
    let namespace = cluster.namespace("pod").await?;
    let pod = Kubelet::new(cluster).await?.run(file_server(&namespace)?).await?;
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    assert!(!is_ready(&pods.get(&pod.name).await?));

    // The file that the readiness probe asks for comes with this key.
    let secrets: Api<Secret> = Api::namespaced(client, &namespace);
    let secret: Secret = serde_json::from_value(json!({
        "metadata": {"name": "files"}, "stringData": {"readyz": "yes"}
    }))?;
    secrets.create(&PostParams::default(), &secret).await?;
    pod.ready(WITHIN).await?;
    let file = pod.mount("/srv/files")?.join("readyz");
    assert_eq!(std::fs::read_to_string(&file)?, "yes");
    assert!(pod.logs()?.contains("GET /readyz"), "{}", pod.logs()?);

    let without = Patch::Merge(json!({"data": {"readyz": null}}));
    secrets.patch("files", &PatchParams::default(), &without).await?;
    not_ready(&pods, &pod.name).await?;
    assert!(!file.exists());
    pod.stop().await
}

#[tokio::test]
async fn a_pod_whose_process_was_killed_is_not_ready_until_it_is_started_again() -> anyhow::Result<()> {
    let cluster = Cluster::shared().await?;
    let namespace = cluster.namespace("kill").await?;
    let mut input = file_server(&namespace)?;
    let container = input.pod.spec.as_mut().and_then(|spec| spec.containers.first_mut());
    container.context("a container")?.readiness_probe = None;
    let pod = Kubelet::new(cluster).await?.run(input).await?;
    pod.ready(WITHIN).await?;
    let first = pod.pid().await?;

    pod.kill().await?;
    let pods: Api<Pod> = Api::namespaced(cluster.client().await?, &namespace);
    assert!(!is_ready(&pods.get(&pod.name).await?));
    assert_eq!(pod.pid().await?, None);

    pod.restart().await?;
    pod.ready(WITHIN).await?;
    assert_ne!(pod.pid().await?, first);
    assert_eq!(pods.get(&pod.name).await?.metadata.uid.as_ref(), Some(&pod.uid));

    cluster.kubectl(&["--namespace", &namespace, "delete", "pod", &pod.name], "").await?;
    assert!(pods.get_opt(&pod.name).await?.is_none());
    assert!(pod.pid().await.is_err());
    Ok(())
}

#[tokio::test]
async fn what_a_cluster_started_ends_with_it() -> anyhow::Result<()> {
    let cluster = Cluster::start().await?;
    let namespace = cluster.namespace("end").await?;
    let pod = Kubelet::new(&cluster).await?.run(file_server(&namespace)?).await?;
    let listener = (pod.ip, PORT);
    connected(listener).await?;

    drop(cluster);
    assert!(!pod.dir.exists());
    assert!(tokio::net::TcpStream::connect(listener).await.is_err());
    Ok(())
}

/// No other process has the Pod's address, so the port may be any.
const PORT: u16 = 8080;

/// A Pod that serves the Secret `files`, which need not be there, as files. It is ready when there is a `readyz`.
fn file_server(namespace: &str) -> anyhow::Result<PodInput> {
    let pod = serde_json::from_value(json!({
        "metadata": {"name": "files", "namespace": namespace},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": false,
            "containers": [{
                "name": "files",
                "image": "files",
                "args": ["-um", "http.server", PORT.to_string(), "--bind=$(POD_IP)", "--directory=/srv/files"],
                "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
                "ports": [{"name": "http", "containerPort": PORT}],
                "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}},
                "volumeMounts": [
                    {"name": "files", "mountPath": "/srv/files"},
                    {"name": "token", "mountPath": "/var/run/secrets/penstock"},
                ],
            }],
            "volumes": [
                {"name": "files", "secret": {"secretName": "files", "optional": true}},
                {"name": "token", "projected": {"sources": [
                    {"serviceAccountToken": {"path": "token", "audience": "penstock", "expirationSeconds": 3600}},
                ]}},
            ],
        },
    }))?;
    Ok(PodInput { pod, program: setup::python()? })
}

async fn review(client: &Client, token: &str, audience: &str) -> anyhow::Result<TokenReviewStatus> {
    let review = TokenReview {
        spec: TokenReviewSpec { token: token.to_owned(), audiences: Some(vec![audience.to_owned()]) },
        ..TokenReview::default()
    };
    let reviews: Api<TokenReview> = Api::all(client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await?;
    answer.status.context("a token review must be answered")
}

/// The API server hears of a Pod's end through a watch of its own, and remembers for 10 s that it knew a token.
async fn until_unknown(client: &Client, token: &str) -> anyhow::Result<()> {
    while review(client, token, "penstock").await?.authenticated == Some(true) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn not_ready(pods: &Api<Pod>, name: &str) -> anyhow::Result<()> {
    let condition = |pod: Option<&Pod>| pod.is_some_and(|pod| !is_ready(pod));
    let waited = tokio::time::timeout(WITHIN, await_condition(pods.clone(), name, condition)).await;
    waited.context("the Pod is still ready")??;
    Ok(())
}

/// Until the process listens.
async fn connected(address: (std::net::IpAddr, u16)) -> anyhow::Result<()> {
    let connect = async {
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WITHIN, connect).await.context("nobody listens")
}
