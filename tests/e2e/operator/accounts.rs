//! Callers inside the cluster, by the tokens of their ServiceAccounts.

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use penstock_config::protocol::AUDIENCE;
use penstock_crds::Kind;
use penstock_tests::cluster::Cluster;
use penstock_tests::cluster::kubelet::RunningPod;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::installation::{Installation, WITHIN};
use super::{connect_again, is_programmed, proxies_follow, reader};

/// The chart's default.
const LLM: &str = "llm.penstock.dev";

/// A token of a ServiceAccount, by TokenRequest as the kubelet or `kubectl create token` asks for one, and bound to no Pod.
async fn token(
    installation: &Installation<'_>,
    namespace: &str,
    account: &str,
    audience: &str,
) -> anyhow::Result<String> {
    installation.kubelet.service_account(namespace, account).await?;
    let spec = TokenRequestSpec { audiences: Some(vec![audience.to_owned()]), ..TokenRequestSpec::default() };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let accounts: Api<ServiceAccount> = Api::namespaced(installation.client.clone(), namespace);
    let answer = accounts.create_token_request(account, &PostParams::default(), &request).await?;
    answer.status.and_then(|status| status.token).context("a token request must be answered")
}

/// What the proxy answers to a caller with this token.
async fn call(installation: &Installation<'_>, proxy: &RunningPod, token: &str) -> anyhow::Result<(StatusCode, Value)> {
    let url = format!("http://{}:8000/v1/chat/completions", proxy.ip);
    let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]});
    let answer = installation.http.post(url).bearer_auth(token).json(&body).send().await?;
    Ok((answer.status(), answer.json().await?))
}

async fn hash(installation: &Installation<'_>, proxy: &RunningPod) -> anyhow::Result<Value> {
    let page = installation.http.get(format!("http://{}:8081/config", proxy.ip)).send().await?;
    Ok(page.json::<Value>().await?["hash"].take())
}

fn consumer(accounts: &[(&str, &str)]) -> String {
    let accounts: Vec<Value> = accounts.iter().map(|(ns, name)| json!({"namespace": ns, "name": name})).collect();
    json!({
        "apiVersion": "penstock.dev/v1alpha1", "kind": "Consumer", "metadata": {"name": "inside"},
        "spec": {"serviceAccounts": accounts},
    })
    .to_string()
}

/// The same claims under `alg: none`.
fn unsigned(token: &str) -> anyhow::Result<String> {
    let claims = token.split('.').nth(1).context("a token has three parts")?;
    Ok(format!("{}.{claims}.", BASE64.encode(json!({"alg": "none"}).to_string())))
}

#[tokio::test]
async fn a_pod_calls_by_its_service_account_and_nothing_else_opens_the_gateway() -> anyhow::Result<()> {
    let installation = Installation::new(Cluster::shared().await?, "accounts").await?;
    let elsewhere = installation.cluster.namespace("accounts-elsewhere").await?;
    let (operator, [proxy]) = installation.serving().await?;
    let own = installation.namespace.as_str();
    installation.apply(&consumer(&[(&elsewhere, "indexer"), (own, "penstock-proxy")])).await?;
    installation.until(Kind::Consumer, "inside", is_programmed).await?;

    let good = token(&installation, &elsewhere, "indexer", LLM).await?;
    let (status, answer) = call(&installation, &proxy, &good).await?;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let pod = installation.played_proxy("played", "penstock-proxy").await?;
    let pushed = installation.kubelet.token(&pod, "penstock-proxy", Some(AUDIENCE), None).await?;
    let called = installation.kubelet.token(&pod, "penstock-proxy", Some(LLM), None).await?;
    assert_eq!(call(&installation, &proxy, &called).await?.0, StatusCode::OK, "bound to a Pod, as projected ones are");

    let (head, _) = good.rsplit_once('.').context("a token has three parts")?;
    for (what, token) in [
        ("for the push channel", pushed),
        ("for the API server", token(&installation, &elsewhere, "indexer", "https://kubernetes.default.svc").await?),
        ("of another ServiceAccount", token(&installation, &elsewhere, "crawler", LLM).await?),
        ("of that name in another namespace", token(&installation, own, "indexer", LLM).await?),
        ("not signed", unsigned(&good)?),
        ("with another's signature", format!("{head}.{}", called.rsplit('.').next().unwrap_or_default())),
    ] {
        let (status, answer) = call(&installation, &proxy, &token).await?;
        assert_eq!((status, &answer["error"]["code"]), (StatusCode::UNAUTHORIZED, &json!("invalid_token")), "{what}");
    }
    let (status, answer) = call(&installation, &proxy, "not-a-token").await?;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::UNAUTHORIZED, &json!("invalid_api_key")));

    let (_, answer) = reader::ask(&installation, &operator, &called, "played", None).await?;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN, "a caller's token opens no stream");
    proxy.stop().await?;
    operator.stop().await
}

#[tokio::test]
async fn a_restart_of_the_operator_changes_no_keys_and_callers_by_token_are_served_meanwhile() -> anyhow::Result<()> {
    let installation = Installation::new(Cluster::shared().await?, "accounts-restart").await?;
    let (operator, [proxy]) = installation.serving().await?;
    let own = installation.namespace.as_str();
    installation.apply(&consumer(&[(own, "indexer")])).await?;
    installation.until(Kind::Consumer, "inside", is_programmed).await?;
    let token = token(&installation, own, "indexer", LLM).await?;
    assert_eq!(call(&installation, &proxy, &token).await?.0, StatusCode::OK);
    let before = hash(&installation, &proxy).await?;

    operator.kill().await?;
    assert_eq!(call(&installation, &proxy, &token).await?.0, StatusCode::OK, "the proxy asks nobody");
    operator.restart().await?;
    operator.ready(WITHIN).await?;
    proxies_follow(&installation, &operator, 1).await?;
    let played = installation.played_proxy("played", "penstock-proxy").await?;
    let live = serde_json::from_value(before.clone())?;
    let mut reader = connect_again(&installation, &operator, &played, live).await?;
    assert!(!reader.is_sent_a_snapshot_before_a_heartbeat().await?, "the keys are those of before");
    assert_eq!(hash(&installation, &proxy).await?, before);
    assert_eq!(call(&installation, &proxy, &token).await?.0, StatusCode::OK);
    proxy.stop().await?;
    operator.stop().await
}
