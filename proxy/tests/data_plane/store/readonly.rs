//! A store that answers and takes no writes.

use penstock_tests::redis::Redis;
use redis::cmd;
use serde_json::json;

use super::{Look, a_day, ends::gated, limited, sharing, short, until_up};
use crate::{
    bed::Bed,
    provider::{DONE, Provider, says},
};

async fn until_down(bed: &Bed) -> anyhow::Result<()> {
    bed.metric_is("penstock_limit_store_up 0").await
}

#[tokio::test]
async fn a_store_that_becomes_a_replica_is_none_until_it_is_promoted_again() -> anyhow::Result<()> {
    let (redis, primary) = (Redis::start().await?, Redis::start().await?);
    let provider = Provider::always(says("hi")).await?;
    let resources = limited(&provider, json!({"requests": a_day(100), "tokens": a_day(5_000)}))?;
    let bed = sharing(&resources, &redis).await?;
    let mut look = Look::at(&redis).await?;
    bed.ask(short(false)).await?;
    look.until_taken("few", 1, 5).await?;
    let _: () = look.ask(cmd("REPLICAOF").arg("127.0.0.1").arg(primary.port())).await?;
    for _ in 0..3 {
        assert_eq!(bed.ask(short(false)).await?.status, 200);
    }
    until_down(&bed).await?;
    let _: () = look.ask(cmd("REPLICAOF").arg("NO").arg("ONE")).await?;
    until_up(&bed).await?;
    assert_eq!(bed.ask(short(false)).await?.status, 200);
    // What it knew it may have lost to the primary, and this proxy has told it.
    look.until_taken("few", 5, 25).await
}

#[tokio::test]
async fn a_replica_is_no_store_from_the_start() -> anyhow::Result<()> {
    let primary = Redis::start().await?;
    let port = primary.port().to_string();
    let redis = Redis::start_with(&["--replicaof", "127.0.0.1", &port]).await?;
    let provider = Provider::always(says("hi")).await?;
    let resources = limited(&provider, json!({"requests": a_day(100)}))?;
    let bed = Bed::start_with(&resources, |config| config.store = Some(super::at(&redis.url())))?;
    assert_eq!(bed.unary().await?.status, 200);
    bed.metric_is("penstock_limit_store_misses_total{reason=\"down\"} 1").await?;
    let mut look = Look::at(&redis).await?;
    let _: () = look.ask(cmd("REPLICAOF").arg("NO").arg("ONE")).await?;
    until_up(&bed).await?;
    assert_eq!(bed.unary().await?.header("x-ratelimit-remaining-requests"), "98");
    Ok(())
}

#[tokio::test]
async fn what_a_store_without_memory_refuses_is_settled_when_it_has_some() -> anyhow::Result<()> {
    let redis = Redis::start().await?;
    let provider = Provider::start(|n| if n == 0 { gated() } else { says("hi") }).await?;
    let resources = limited(&provider, json!({"requests": a_day(100), "tokens": a_day(5_000)}))?;
    let bed = sharing(&resources, &redis).await?;
    let mut look = Look::at(&redis).await?;
    let open = bed.request(short(true)).send().await?;
    let _: () = look.ask(cmd("CONFIG").arg("SET").arg("maxmemory").arg(1)).await?;
    provider.open_gate();
    assert!(open.text().await?.ends_with(DONE));
    until_down(&bed).await?;
    assert_eq!(bed.ask(short(false)).await?.status, 200);
    let _: () = look.ask(cmd("CONFIG").arg("SET").arg("maxmemory").arg(0)).await?;
    until_up(&bed).await?;
    assert_eq!(bed.ask(short(false)).await?.status, 200);
    look.until_taken("few", 3, 15).await?;
    bed.metric_is("penstock_limit_store_lost_total 0").await
}
