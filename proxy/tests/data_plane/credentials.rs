//! Keys of providers, in order and while they change.

use std::time::Duration;

use penstock_config::protocol::Report;
use serde_json::json;

use crate::{
    bed::{Bed, Resources},
    provider::{Act, Provider, answer, says},
};

const OLD: &str = "old-key";
const NEW: &str = "new-key";

fn resources(provider: &Provider, keys: &[&str]) -> anyhow::Result<Resources> {
    let mut resources = Resources::new();
    resources.provider_at("a", &format!("http://{}/v1", provider.address), keys, json!({}))?;
    Ok(resources)
}

fn keys(provider: &Provider) -> Vec<String> {
    provider.headers("authorization").into_iter().flatten().collect()
}

#[tokio::test]
async fn a_rejected_key_gives_way_to_the_next_is_reported_and_left_alone() -> anyhow::Result<()> {
    let provider = Provider::start(|n| if n == 0 { answer(401, "", "{}") } else { says("hi") }).await?;
    let bed = Bed::start(&resources(&provider, &[OLD, NEW])?)?;
    assert_eq!(bed.unary().await?.status, 200);
    assert_eq!(bed.unary().await?.status, 200);
    assert_eq!(keys(&provider), ["Bearer old-key", "Bearer new-key", "Bearer new-key"]);
    let reports = bed.troubles();
    assert!(matches!(&reports[..], [Report::CredentialRejected { key, .. }] if key == "key-0"), "{reports:?}");
    Ok(())
}

#[tokio::test]
async fn a_provider_whose_only_key_was_rejected_is_not_asked_with_it_again() -> anyhow::Result<()> {
    let provider = Provider::always(answer(401, "", r#"{"error":{"message":"Incorrect API key: old-key"}}"#)).await?;
    let bed = Bed::start(&resources(&provider, &[OLD])?)?;
    for _ in 0..2 {
        let got = bed.unary().await?;
        assert_eq!(got.status, 502);
        assert!(!got.body.contains(OLD));
    }
    assert_eq!(provider.calls(), 1);
    bed.live.apply(&resources(&provider, &[NEW])?.snapshot());
    bed.unary().await?;
    assert_eq!(keys(&provider), ["Bearer old-key", "Bearer new-key"], "a new key is no rejected one");
    Ok(())
}

#[tokio::test]
async fn a_request_that_waited_through_a_rotation_is_sent_again_with_the_new_key() -> anyhow::Result<()> {
    let provider =
        Provider::start(|n| if n == 0 { [vec![Act::Gate], answer(401, "", "{}")].concat() } else { says("hi") });
    let provider = provider.await?;
    let bed = Bed::start(&resources(&provider, &[OLD])?)?;
    let asked = async {
        provider.until(|events| events.seen.len() == 1).await?;
        bed.live.apply(&resources(&provider, &[NEW])?.snapshot());
        provider.open_gate();
        anyhow::Ok(())
    };
    let (got, asked) = tokio::join!(bed.unary(), asked);
    asked?;
    assert_eq!(got?.status, 200);
    assert_eq!(keys(&provider), ["Bearer old-key", "Bearer new-key"]);
    assert!(bed.troubles().is_empty(), "a key that was replaced anyway is no news");
    Ok(())
}

#[tokio::test]
async fn an_attempt_that_starts_after_a_rotation_has_the_new_key_whenever_its_request_began() -> anyhow::Result<()> {
    let provider = Provider::start(|n| if n == 0 { answer(429, "retry-after: 1\r\n", "{}") } else { says("hi") });
    let provider = provider.await?;
    let more = json!({"retries": {"attempts": 1, "waitUpTo": "2s"}});
    let base = format!("http://{}/v1", provider.address);
    let mut before = Resources::new();
    let bed = Bed::start(before.provider_at("a", &base, &[OLD], more.clone())?)?;
    let rotate = async {
        provider.until(|events| events.seen.len() == 1).await?;
        bed.live.apply(&Resources::new().provider_at("a", &base, &[NEW], more)?.snapshot());
        anyhow::Ok(())
    };
    let (got, rotated) = tokio::join!(bed.unary(), rotate);
    rotated?;
    assert_eq!(got?.status, 200);
    assert_eq!(keys(&provider), ["Bearer old-key", "Bearer new-key"]);
    Ok(())
}

#[tokio::test]
async fn no_request_fails_while_keys_change_under_load() -> anyhow::Result<()> {
    let provider = Provider::always([vec![Act::Wait(Duration::from_millis(5))], says("hi")].concat()).await?;
    let bed = Bed::start(&resources(&provider, &["key-0"])?)?;
    for n in 1..20 {
        let key = format!("key-{n}");
        bed.live.apply(&resources(&provider, &[&key])?.snapshot());
        let before = provider.calls();
        let (one, two) = tokio::join!(bed.unary(), bed.unary());
        assert_eq!((one?.status, two?.status), (200, 200));
        assert!(keys(&provider)[before..].iter().all(|sent| *sent == format!("Bearer {key}")));
    }
    Ok(())
}
