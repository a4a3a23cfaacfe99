//! Whom a request comes from, and how often who sends it may be wrong about who they are.

use penstock_proxy::{Auth, DataConfig, Pace};
use serde_json::{Value, json};

use crate::{
    bed::{Bed, Got, Resources, question},
    provider::{Provider, says},
    tokens::{Issuer, Key, ask, until_known},
};

const KEY: &str = "search-key-of-at-least-20";

/// A data plane at a pace at which nothing comes back that was spent.
fn frozen(resources: &Resources, change: impl FnOnce(&mut DataConfig)) -> anyhow::Result<Bed> {
    let pace = Pace::new(1_000.0).ok_or_else(|| anyhow::anyhow!("no pace"))?;
    Bed::start_at(resources, pace, change)
}

fn behind_loopback(config: &mut DataConfig) {
    config.trusted_proxies = vec!["127.0.0.0/8".parse().expect("must be a network")];
}

async fn show(bed: &Bed, key: &str, forwarded_for: &str) -> anyhow::Result<Got> {
    Got::read(bed.request(question(false)).bearer_auth(key).header("x-forwarded-for", forwarded_for)).await
}

/// How many requests pass a limit of one for each user that say they come from three addresses.
async fn users(change: impl FnOnce(&mut DataConfig)) -> anyhow::Result<usize> {
    let provider = Provider::always(says("hi")).await?;
    let mut resources = Resources::new();
    resources.provider("a", &provider, json!({}))?;
    resources.limit("each", json!({"per": ["User"], "requests": {"limit": 1, "window": "24h"}}))?;
    let bed = Bed::start_with(&resources, change)?;
    let mut passed = 0;
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3", "6.6.6.6, 192.0.2.1"] {
        passed += usize::from(show(&bed, "", address).await?.status == 200);
    }
    Ok(passed)
}

#[tokio::test]
async fn where_everybody_may_call_a_spoofed_x_forwarded_for_makes_no_other_user() -> anyhow::Result<()> {
    assert_eq!(users(|_| {}).await?, 1, "nobody is trusted");
    let other = |config: &mut DataConfig| config.trusted_proxies = vec!["10.0.0.0/8".parse().expect("must be one")];
    assert_eq!(users(other).await?, 1, "another is trusted");
    assert_eq!(users(behind_loopback).await?, 3, "the proxy in front is trusted, and what its client wrote is not");
    Ok(())
}

async fn one_consumer(change: impl FnOnce(&mut DataConfig)) -> anyhow::Result<(Bed, Provider)> {
    let provider = Provider::always(says("hi")).await?;
    let mut resources = Resources::new();
    resources.provider("a", &provider, json!({}))?.consumer("search", KEY, &[])?;
    let bed = frozen(&resources, |config| {
        config.auth = Auth::Required;
        change(config);
    })?;
    Ok((bed, provider))
}

#[tokio::test]
async fn who_guesses_keys_is_soon_told_to_wait_and_a_good_key_from_the_same_address_passes() -> anyhow::Result<()> {
    let (bed, provider) = one_consumer(|_| {}).await?;
    for n in 0..10 {
        // What it says of its address is nobody's word.
        let got = show(&bed, &format!("guess-{n}"), &format!("192.0.2.{n}")).await?;
        assert_eq!((got.status, got.error()?.1.as_str()), (401, "invalid_api_key"));
    }
    let got = show(&bed, "guess-10", "192.0.2.10").await?;
    assert_eq!((got.status, got.error()?.1.as_str()), (429, "too_many_failed_attempts"));
    assert!(got.header("retry-after").parse::<u32>()? > 0);
    // A prefix of a key is no better than any other.
    assert_eq!(show(&bed, &KEY[..KEY.len() - 1], "").await?.status, 429);
    assert_eq!(Got::read(bed.client.get(bed.url("/v1/models")).bearer_auth("guess")).await?.status, 429);
    assert_eq!(provider.calls(), 0);

    assert_eq!(show(&bed, KEY, "").await?.status, 200);
    assert_eq!(Got::read(bed.client.get(bed.url("/v1/models")).bearer_auth(KEY)).await?.status, 200);
    assert_eq!(bed.unary().await?.status, 401, "to show nothing is no guess");
    let text = bed.metrics.render();
    assert!(text.contains("penstock_throttled_failures_total 3"), "{text}");
    assert!(text.contains("penstock_unrouted_requests_total{reason=\"unauthenticated\"} 14"), "{text}");
    assert!(!text.contains("127.0.0.1"), "no address is in a metric");
    Ok(())
}

#[tokio::test]
async fn behind_a_trusted_proxy_one_client_s_guesses_are_not_another_s() -> anyhow::Result<()> {
    let (bed, _provider) = one_consumer(behind_loopback).await?;
    for _ in 0..10 {
        assert_eq!(show(&bed, "guess", "6.6.6.6, 192.0.2.1").await?.status, 401);
    }
    assert_eq!(show(&bed, "guess", "7.7.7.7, 192.0.2.1").await?.status, 429);
    assert_eq!(show(&bed, "guess", "192.0.2.2").await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn each_family_s_clients_are_told_to_wait_in_their_own_words() -> anyhow::Result<()> {
    let (bed, _provider) = one_consumer(|_| {}).await?;
    for _ in 0..10 {
        assert_eq!(show(&bed, "guess", "").await?.status, 401);
    }
    let error = async |path: &str, header: &str, member: &str| {
        let got = Got::read(bed.client.post(bed.url(path)).header(header, "guess").body("{}")).await?;
        let body: Value = serde_json::from_str(&got.body)?;
        anyhow::Ok((got.status, body["error"][member].as_str().unwrap_or_default().to_owned()))
    };
    let generate = "/v1beta/models/m:generateContent";
    assert_eq!(error("/v1/responses", "x-api-key", "type").await?, (429, "rate_limit_error".into()));
    assert_eq!(error("/v1/messages", "x-api-key", "type").await?, (429, "rate_limit_error".into()));
    assert_eq!(error(generate, "x-goog-api-key", "status").await?, (429, "RESOURCE_EXHAUSTED".into()));
    Ok(())
}

#[tokio::test]
async fn who_forges_tokens_has_none_verified_and_shuts_out_nobody_who_was_known() -> anyhow::Result<()> {
    let (provider, key, forger) = (Provider::always(says("hi")).await?, Key::new("k1")?, Key::new("k1")?);
    let issuer = Issuer::start(Some(vec![key.jwk()])).await?;
    let mut resources = Resources::new();
    resources.provider("a", &provider, json!({}))?.consumer("search", KEY, &[])?;
    resources.consumer_of("people", json!({"jwt": issuer.tokens()}))?;
    let bed = frozen(&resources, |config| {
        config.auth = Auth::Required;
        behind_loopback(config);
    })?;
    until_known(&bed, &key.token("ada", 300)).await?;
    // Of another address: these are no guesses.
    for n in 0..30 {
        assert!(show(&bed, &key.token(&format!("old-{n}"), -61), "192.0.2.1").await?.is_nobody_s());
    }
    assert_eq!(show(&bed, &key.token("bob", 300), "192.0.2.1").await?.status, 200, "old tokens are no forged ones");
    let known = key.token("eve", 300);
    assert_eq!(show(&bed, &known, "192.0.2.2").await?.status, 200);
    for n in 0..10 {
        let got = show(&bed, &forger.token(&format!("forged-{n}"), 300), "192.0.2.2").await?;
        assert_eq!((got.status, got.error()?.1.as_str()), (401, "invalid_token"));
    }
    for token in [forger.token("forged", 300), key.token("not-seen-before", 300)] {
        let got = show(&bed, &token, "192.0.2.2").await?;
        assert_eq!((got.status, got.error()?.1.as_str()), (429, "too_many_failed_attempts"));
    }
    assert_eq!(show(&bed, &known, "192.0.2.2").await?.status, 200);
    assert_eq!(show(&bed, KEY, "192.0.2.2").await?.status, 200);
    assert_eq!(show(&bed, &key.token("not-seen-before", 300), "192.0.2.3").await?.status, 200);
    assert_eq!(ask(&bed, &forger.token("forged", 300)).await?.status, 401, "the peer itself");
    Ok(())
}
