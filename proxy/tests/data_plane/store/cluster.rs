//! A store of several servers.

use penstock_proxy::StoreConfig;
use penstock_tests::redis::RedisCluster;
use serde_json::json;

use super::{a_day, at, left, limited, patient, until_up};
use crate::{
    bed::Bed,
    provider::{Provider, says},
};

/// Requests that are left after one more.
async fn next(bed: &Bed) -> anyhow::Result<u64> {
    let got = bed.unary().await?;
    assert_eq!(got.status, 200, "{got:?}");
    left(&got, "requests")
}

#[tokio::test]
async fn limits_go_on_in_a_cluster_while_their_slot_moves_from_one_node_to_another() -> anyhow::Result<()> {
    let mut cluster = RedisCluster::start().await?;
    let provider = Provider::always(says("hi")).await?;
    let mut resources = limited(&provider, json!({"requests": a_day(100)}))?;
    resources.limit("each", json!({"per": ["User"], "requests": a_day(200)}))?;
    let store = || StoreConfig { urls: cluster.urls(), is_cluster: true, ..at("") };
    let (one, other) = (patient(&resources, store())?, patient(&resources, store())?);
    until_up(&one).await?;
    until_up(&other).await?;
    assert_eq!([next(&one).await?, next(&other).await?], [99, 98]);

    let keys = cluster.keys().await?;
    let owners: Vec<_> = (0..keys.len()).filter(|node| !keys[*node].is_empty()).collect();
    let [from] = owners.as_slice() else { anyhow::bail!("the keys are on several nodes: {keys:?}") };
    let (from, to) = (*from, (from + 1) % keys.len());
    let key = keys[from].iter().find(|key| key.contains(":limit:")).cloned().unwrap_or_default();

    let slot = cluster.begin_move(&key, from, to).await?;
    assert_eq!([next(&one).await?, next(&other).await?], [97, 96], "the old node has them still");
    cluster.move_keys(slot, from, to).await?;
    assert_eq!([next(&one).await?, next(&other).await?], [95, 94], "the old node says where they are");
    cluster.end_move(slot, from, to).await?;
    assert_eq!([next(&one).await?, next(&other).await?], [93, 92], "all know");
    assert!(cluster.keys().await?[to].contains(&key));
    for bed in [&one, &other] {
        assert!(!bed.metrics.render().contains("penstock_limit_store_misses_total{"), "the store was always there");
    }
    Ok(())
}
