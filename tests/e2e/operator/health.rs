//! What proxies see of providers, as it stands on the objects.

use anyhow::{Context as _, ensure};
use kube::api::DynamicObject;
use penstock_crds::{GROUP, Kind, VERSION};
use penstock_tests::cluster::Cluster;
use penstock_tests::fake::{Refusal, Script};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::installation::{Installation, WITHIN, condition};

/// Of what is written; it keeps the test short.
const PACE: f64 = 0.1;

#[tokio::test]
async fn a_provider_that_fails_is_unhealthy_until_a_while_after_it_answers_again() -> anyhow::Result<()> {
    let installation = Installation::new(Cluster::shared().await?, "failing").await?;
    let (operator, [proxy]) = installation.serving_at(PACE).await?;
    installation.fakes.script(Script::on("openai").forever(Refusal::Unavailable));
    for _ in 0..12 {
        assert!(installation.answered_by(&proxy).await?.ends_with("/anthropic"), "the next target serves");
    }
    let failing = |object: Option<&DynamicObject>| {
        let said = object.and_then(|object| condition(object, "Healthy"));
        said.is_some_and(|(status, reason, message)| {
            status == "False"
                && reason == "Failing"
                && message.starts_with("1 of 1 proxies")
                && message.contains("gpt-4o")
        })
    };
    installation.until(Kind::AIProvider, "openai", failing).await?;
    installation.fakes.clear_scripts();
    let served = async {
        while !installation.answered_by(&proxy).await?.ends_with("/openai") {}
        anyhow::Ok(())
    };
    timeout(WITHIN, served).await.context("a provider that answers again must be asked again")??;
    let well = |object: Option<&DynamicObject>| {
        let said = object.and_then(|object| condition(object, "Healthy"));
        said.is_some_and(|(status, reason, _)| status == "True" && reason == "Healthy")
    };
    installation.until(Kind::AIProvider, "openai", well).await?;
    let other = installation.objects(Kind::AIProvider).get("anthropic").await?;
    ensure!(well(Some(&other)), "it never failed: {:?}", other.data.get("status"));
    proxy.stop().await?;
    operator.stop().await
}

#[tokio::test]
async fn a_provider_with_a_model_that_nobody_prices_says_which_until_somebody_does() -> anyhow::Result<()> {
    let installation = Installation::new(Cluster::shared().await?, "unpriced").await?;
    let (operator, [proxy]) = installation.serving_at(PACE).await?;
    let says = |status: &'static str, reason: &'static str, word: &'static str| {
        move |object: Option<&DynamicObject>| {
            let said = object.and_then(|object| condition(object, "Priced"));
            said.is_some_and(|said| (said.0.as_str(), said.1.as_str()) == (status, reason) && said.2.contains(word))
        }
    };
    installation.until(Kind::AIProvider, "openai", says("True", "Priced", "")).await?;
    let mine = |model: Value| {
        let spec = json!({"type": "OpenAICompatible", "baseURL": "https://mine.example.com/v1", "models": [model]});
        let metadata = json!({"name": "mine", "namespace": installation.namespace});
        json!({"apiVersion": format!("{GROUP}/{VERSION}"), "kind": "AIProvider", "metadata": metadata, "spec": spec})
    };
    installation.apply(&mine(json!({"name": "mine"})).to_string()).await?;
    installation.until(Kind::AIProvider, "mine", says("False", "PriceMissing", "no price is known of mine;")).await?;
    let priced = json!({"name": "mine", "pricing": {"input": "1", "output": "2"}});
    installation.apply(&mine(priced).to_string()).await?;
    installation.until(Kind::AIProvider, "mine", says("True", "Priced", "")).await?;
    proxy.stop().await?;
    operator.stop().await
}
