//! Budgets that proxies share in Redis, and who is told how far they are spent.

use anyhow::Context as _;
use futures::future::try_join_all;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use penstock_crds::Kind;
use penstock_tests::cluster::Cluster;
use penstock_tests::cluster::kubelet::RunningPod;
use penstock_tests::redis::Redis;
use serde_json::json;
use tokio::time::timeout;

use super::installation::{Installation, WITHIN};
use super::is_programmed;

const CONSUMER: &str = "search-team";

/// What was told of the Consumer.
async fn told(installation: &Installation<'_>) -> anyhow::Result<Vec<String>> {
    let events: Api<Event> = Api::namespaced(installation.client.clone(), &installation.namespace);
    let events = events.list(&ListParams::default()).await?;
    let of_it = events.into_iter().filter(|event| {
        let regarding = event.regarding.as_ref().and_then(|object| object.name.as_deref());
        regarding == Some(CONSUMER) && event.reason.as_deref() == Some("BudgetSpent")
    });
    Ok(of_it.filter_map(|event| event.note).collect())
}

#[tokio::test]
async fn two_proxies_spend_one_budget_and_its_consumer_is_told() -> anyhow::Result<()> {
    let redis = Redis::start().await?;
    let url = format!("redis.url={}", redis.url());
    let installation = Installation::with(Cluster::shared().await?, "budget", &[&url]).await?;
    let (operator, proxies) = installation.serving::<2>().await?;
    // An answer of the fake costs a little less than a ten thousandth of a dollar.
    let budget = Patch::Merge(json!({"spec": {"budget": {"limit": "0.0004", "period": "Month"}}}));
    let patched = installation.objects(Kind::Consumer).patch(CONSUMER, &PatchParams::default(), &budget).await?;
    let generation = patched.metadata.generation;
    let runs = |object: Option<&DynamicObject>| {
        let observed =
            object.and_then(|object| object.data.pointer("/status/conditions/0/observedGeneration")?.as_i64());
        observed == generation && is_programmed(object)
    };
    installation.until(Kind::Consumer, CONSUMER, runs).await?;
    let mut statuses = Vec::new();
    for proxy in proxies.iter().cycle().take(8) {
        let body = json!({"model": "gpt-4o", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
        let answer = installation.ask(proxy, false).json(&body).send().await?;
        let status = answer.status().as_u16();
        anyhow::ensure!(status == 200 || answer.text().await?.contains("budget_exceeded"), "{status}");
        statuses.push(status);
    }
    let passed = statuses.iter().filter(|status| **status == 200).count();
    assert!((3..=5).contains(&passed), "{statuses:?}");
    assert!(statuses[passed..].iter().all(|status| *status == 429), "both proxies know: {statuses:?}");
    let until_told = async {
        loop {
            let told = told(&installation).await?;
            if told.iter().any(|note| note.starts_with("80 % of its budget") || note.starts_with("100 %")) {
                return anyhow::Ok(told);
            }
        }
    };
    let told = timeout(WITHIN, until_told).await.context("nobody is told")??;
    assert!(told.iter().all(|note| note.contains("-01 (UTC)")), "{told:?}");
    try_join_all(proxies.into_iter().chain([operator]).map(RunningPod::stop)).await?;
    Ok(())
}
