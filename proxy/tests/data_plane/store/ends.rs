//! Proxies that end while they hold something of a limit.

use std::time::Duration;

use penstock_tests::{gateway::Gateway, redis::Redis};
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::{Look, Taken, a_day, at, limited, sharing, short, until_up};
use crate::{
    bed::{Bed, Resources},
    provider::{Act, DONE, PATIENCE, Provider, STOP, USAGE, end, stream, text},
};

/// A stream that goes on after its first word once the gate is open.
pub(super) fn gated() -> Vec<Act> {
    let rest = stream(&[STOP, USAGE, DONE]).split_off(1);
    [stream(&[&text("hi")]), vec![Act::Gate], rest, vec![end()]].concat()
}

async fn started(resources: &Resources, redis: &Redis, drain: Duration) -> anyhow::Result<Bed> {
    let bed = Bed::start_with(resources, |config| {
        config.store = Some(at(&redis.url()));
        config.drain = drain;
    })?;
    until_up(&bed).await?;
    Ok(bed)
}

#[tokio::test]
async fn what_requests_used_is_settled_before_the_drain_ends() -> anyhow::Result<()> {
    let redis = Redis::start().await?;
    let provider = Provider::always(gated()).await?;
    let resources = limited(&provider, json!({"requests": a_day(9), "tokens": a_day(2_000)}))?;
    let mut bed = started(&resources, &redis, PATIENCE).await?;
    let mut look = Look::at(&redis).await?;
    let response = bed.request(short(true)).send().await?;
    assert!(look.taken("few").await?.tokens > 100);
    bed.stop();
    provider.open_gate();
    assert!(response.text().await?.ends_with(DONE));
    timeout(PATIENCE, &mut bed.run).await???;
    assert_eq!(look.taken("few").await?, Taken { requests: 1, tokens: 5, is_open: false });
    Ok(())
}

#[tokio::test]
async fn what_the_drain_s_deadline_cuts_is_settled_by_what_was_seen_of_it() -> anyhow::Result<()> {
    let redis = Redis::start().await?;
    let long = "word ".repeat(40);
    let provider = Provider::always([stream(&[&text(&long)]), vec![Act::Hang]].concat()).await?;
    let resources = limited(&provider, json!({"requests": a_day(9), "tokens": a_day(2_000)}))?;
    let mut bed = started(&resources, &redis, Duration::from_millis(200)).await?;
    let mut look = Look::at(&redis).await?;
    let response = bed.request(short(true)).send().await?;
    assert!(look.taken("few").await?.is_open);
    bed.stop();
    timeout(PATIENCE, &mut bed.run).await???;
    assert!(response.text().await.is_err(), "it was cut");
    let taken = look.taken("few").await?;
    assert!(!taken.is_open && taken.requests == 1 && (41..=80).contains(&taken.tokens), "{taken:?}");
    Ok(())
}

/// As short as the request of a proxy that is killed may be; its tokens are held for that long.
const REQUEST: Duration = Duration::from_secs(2);

#[tokio::test]
async fn what_a_killed_proxy_held_comes_back_after_its_requests_deadline() -> anyhow::Result<()> {
    let redis = Redis::start().await?;
    let provider = Provider::start(|n| if n == 0 { gated() } else { crate::provider::says("hi") }).await?;
    let mut gateway = Gateway::start_with(
        &format!(
            "{{apiVersion: penstock.dev/v1alpha1, kind: AIProvider, metadata: {{name: a}}, spec: {{type: OpenAI,
  baseURL: 'http://{}/v1', models: [{{name: m}}], credentials: [{{secretRef: {{name: a, key: k}}}}],
  timeouts: {{request: {}s}}}}}}
---
{{apiVersion: v1, kind: Secret, metadata: {{name: a}}, stringData: {{k: a-provider-s-key}}}}
---
{{apiVersion: penstock.dev/v1alpha1, kind: RateLimit, metadata: {{name: few}},
  spec: {{requests: {{limit: 9, window: 24h}}, tokens: {{limit: 200, window: 24h}}}}}}
",
            provider.address,
            REQUEST.as_secs()
        ),
        &["--auth", "open", "--redis", &redis.url()],
    )
    .await?;
    let is_up = async |gateway: &Gateway| {
        let page = gateway.get_admin("/metrics").await;
        page.is_ok_and(|page| page.body.lines().any(|line| line == "penstock_limit_store_up 1"))
    };
    gateway.until("connected to Redis", is_up).await?;
    let resources = limited(&provider, json!({"requests": a_day(9), "tokens": a_day(200)}))?;
    let other = sharing(&resources, &redis).await?;
    let mut look = Look::at(&redis).await?;
    let before = Instant::now();
    let response = gateway.post(crate::bed::PATH).json(&short(true)).send().await?;
    assert_eq!(response.status(), 200);
    gateway.kill().await?;
    let held = look.taken("few").await?;
    assert!(held.is_open && held.tokens > 100, "{held:?}");
    assert_eq!(other.ask(short(false)).await?.status, 429, "it is still held");
    let comes_back = async {
        while other.ask(short(false)).await?.status != 200 {}
        anyhow::Ok(before.elapsed())
    };
    let waited = timeout(PATIENCE, comes_back).await??;
    assert!((REQUEST..3 * REQUEST).contains(&waited), "{waited:?}");
    // Both were made; of the first nobody knows what it used.
    look.until_taken("few", 2, 5).await
}
