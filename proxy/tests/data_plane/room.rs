//! How many requests a provider has at once.

use std::{num::NonZeroUsize, time::Duration};

use penstock_proxy::Pace;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    bed::{Bed, Got, Resources, question},
    provider::{Act, Provider, says},
};

/// Answers when the gate is open.
async fn gated() -> anyhow::Result<Provider> {
    Provider::start(|_| [vec![Act::Gate], says("late")].concat()).await
}

/// Two threads that have the provider `a`, and so much patience that no test sees its end.
fn bounded(provider: &Provider, most: u32) -> anyhow::Result<Bed> {
    start(Resources::new().provider("a", provider, json!({"maxConcurrentRequests": most}))?)
}

fn start(resources: &Resources) -> anyhow::Result<Bed> {
    let pace = Pace::new(100.0).expect("must be a share");
    Bed::start_at(resources, pace, |config| config.workers = NonZeroUsize::new(2))
}

fn ask(bed: &Bed, times: usize, asking: &mut JoinSet<anyhow::Result<Got>>) {
    for _ in 0..times {
        asking.spawn(Got::read(bed.request(question(false))));
    }
}

#[tokio::test]
async fn past_the_bound_and_its_queue_a_client_is_told_at_once_and_all_others_are_answered() -> anyhow::Result<()> {
    let provider = gated().await?;
    let bed = bounded(&provider, 2)?;
    let mut asking = JoinSet::new();
    ask(&bed, 5, &mut asking);
    let refused = asking.join_next().await.expect("must be one of five")??;
    assert_eq!((refused.status, refused.error()?.1.as_str()), (503, "overloaded"));
    assert_eq!((refused.header("retry-after"), refused.header("x-should-retry")), ("1", ""));
    provider.until(|events| events.seen.len() == 2).await?;
    bed.metric_is(r#"penstock_provider_requests_in_flight{provider="default/a"} 2"#).await?;
    bed.metric_is(r#"penstock_provider_requests_queued{provider="default/a"} 2"#).await?;
    bed.metric_is(r#"penstock_passed_by_total{model="m",provider="default/a",reason="full",route="m"} 1"#).await?;
    provider.open_gate();
    while let Some(got) = asking.join_next().await {
        assert_eq!(got??.status, 200);
    }
    assert_eq!(provider.calls(), 4);
    Ok(())
}

#[tokio::test]
async fn a_provider_never_has_more_requests_than_its_bound_whichever_threads_they_come_from() -> anyhow::Result<()> {
    let provider = Provider::always([vec![Act::Wait(Duration::from_millis(2))], says("soon")].concat()).await?;
    let bed = bounded(&provider, 3)?;
    let mut asking = JoinSet::new();
    ask(&bed, 6, &mut asking);
    for _ in 0..200 {
        assert_eq!(asking.join_next().await.expect("must be six at once")??.status, 200);
        ask(&bed, 1, &mut asking);
    }
    assert_eq!(provider.events().most_open, 3);
    Ok(())
}

#[tokio::test]
async fn another_target_is_asked_at_once_whatever_the_route_falls_back_on() -> anyhow::Result<()> {
    let (full, other) = (gated().await?, Provider::always(says("elsewhere")).await?);
    let mut resources = Resources::new();
    resources.provider("a", &full, json!({"maxConcurrentRequests": 1}))?.provider("b", &other, json!({}))?;
    let bed = start(resources.route(&["a", "b"], json!({"fallbackOn": ["Auth"]}))?)?;
    let mut asking = JoinSet::new();
    ask(&bed, 1, &mut asking);
    full.until(|events| events.seen.len() == 1).await?;
    let got = bed.unary().await?;
    assert_eq!((got.status, got.header("x-penstock-provider")), (200, "default/b"));
    full.open_gate();
    let got = asking.join_next().await.expect("must be asking")??;
    assert_eq!(got.header("x-penstock-provider"), "default/a");
    Ok(())
}

#[tokio::test]
async fn a_target_without_room_is_asked_after_all_when_the_next_one_fails() -> anyhow::Result<()> {
    let (full, broken) = (gated().await?, Provider::always(crate::provider::answer(500, "", "{}")).await?);
    let mut resources = Resources::new();
    resources.provider("a", &full, json!({"maxConcurrentRequests": 1}))?.provider("b", &broken, json!({}))?;
    let bed = start(resources.route(&["a", "b"], json!({}))?)?;
    let mut asking = JoinSet::new();
    ask(&bed, 1, &mut asking);
    full.until(|events| events.seen.len() == 1).await?;
    ask(&bed, 1, &mut asking);
    broken.until(|events| events.seen.len() == 1).await?;
    full.open_gate();
    while let Some(got) = asking.join_next().await {
        let got = got??;
        assert_eq!((got.status, got.header("x-penstock-provider")), (200, "default/a"));
    }
    assert_eq!((full.calls(), broken.calls()), (2, 1));
    Ok(())
}

#[tokio::test]
async fn a_target_without_room_is_waited_for_when_the_next_one_cools_down() -> anyhow::Result<()> {
    let cooling = Provider::always(crate::provider::answer(429, "retry-after: 60\r\n", "{}")).await?;
    let full = gated().await?;
    let mut resources = Resources::new();
    resources.provider("a", &full, json!({"maxConcurrentRequests": 1}))?.provider("b", &cooling, json!({}))?;
    let bed = start(resources.route(&["a", "b"], json!({"fallbackOn": ["Auth"]}))?)?;
    let mut asking = JoinSet::new();
    ask(&bed, 1, &mut asking);
    full.until(|events| events.seen.len() == 1).await?;
    assert_eq!(bed.unary().await?.status, 429);
    ask(&bed, 1, &mut asking);
    bed.metric_is(r#"penstock_provider_requests_queued{provider="default/a"} 1"#).await?;
    full.open_gate();
    while let Some(got) = asking.join_next().await {
        let got = got??;
        assert_eq!((got.status, got.header("x-penstock-provider")), (200, "default/a"));
    }
    assert_eq!(cooling.calls(), 1);
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_makes_room_in_the_queue() -> anyhow::Result<()> {
    let provider = gated().await?;
    let bed = bounded(&provider, 1)?;
    let mut asking = JoinSet::new();
    ask(&bed, 1, &mut asking);
    provider.until(|events| events.seen.len() == 1).await?;
    let mut leaving = JoinSet::new();
    ask(&bed, 1, &mut leaving);
    bed.metric_is(r#"penstock_provider_requests_queued{provider="default/a"} 1"#).await?;
    leaving.shutdown().await;
    bed.metric_is(r#"penstock_provider_requests_queued{provider="default/a"} 0"#).await?;
    provider.open_gate();
    assert_eq!(asking.join_next().await.expect("must be asking")??.status, 200);
    assert_eq!(provider.calls(), 1);
    Ok(())
}

#[tokio::test]
async fn a_bound_that_is_lowered_counts_the_requests_that_are_on_their_way() -> anyhow::Result<()> {
    let provider = gated().await?;
    let bed = bounded(&provider, 3)?;
    let mut asking = JoinSet::new();
    ask(&bed, 2, &mut asking);
    provider.until(|events| events.seen.len() == 2).await?;
    let mut lower = Resources::new();
    lower.provider("a", &provider, json!({"maxConcurrentRequests": 1}))?;
    assert_eq!(bed.live.apply(&lower.snapshot()), []);
    ask(&bed, 2, &mut asking);
    let refused = asking.join_next().await.expect("must be one of four")??;
    assert_eq!((refused.status, provider.calls()), (503, 2), "one waits, and that is as many as may");
    provider.open_gate();
    while let Some(got) = asking.join_next().await {
        assert_eq!(got??.status, 200);
    }
    Ok(())
}
