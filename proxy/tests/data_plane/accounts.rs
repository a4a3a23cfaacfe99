//! Consumers that are known by the tokens of the cluster's ServiceAccounts.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use penstock_config::object::Cluster;
use penstock_proxy::Auth;
use serde_json::{Value, json};

use crate::{
    bed::{Bed, Got, Resources, question},
    provider::{Provider, says},
    tokens::{Key, ask},
};

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const AUDIENCE: &str = "llm.penstock.dev";

fn cluster(keys: &[&Key]) -> Cluster {
    let keys = keys.iter().map(|key| key.jwk()).collect();
    Cluster { issuer: ISSUER.into(), audience: AUDIENCE.into(), keys }
}

/// What the API server puts into a token of `search/indexer`.
fn claims() -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    json!({
        "iss": ISSUER, "aud": [AUDIENCE], "sub": "system:serviceaccount:search:indexer", "exp": now + 3600, "nbf": now,
        "iat": now, "kubernetes.io": {"namespace": "search", "serviceaccount": {"name": "indexer", "uid": "u"}},
    })
}

fn token(key: &Key, id: &str) -> String {
    key.sign(&json!({"alg": "EdDSA", "kid": id}), &claims())
}

async fn serve(resources: &mut Resources) -> anyhow::Result<(Bed, Provider)> {
    let provider = Provider::always(says("hi")).await?;
    resources.provider("a", &provider, json!({"models": [{"name": "m"}, {"name": "other"}]}))?;
    let accounts = json!([{"namespace": "search", "name": "indexer"}]);
    resources.consumer_of("indexer", json!({"serviceAccounts": accounts, "models": ["m"]}))?;
    let bed = Bed::start_with(resources, |config| {
        config.auth = Auth::Required;
        config.trusted_proxies = vec!["127.0.0.0/8".parse().expect("must be a network")];
    })?;
    Ok((bed, provider))
}

#[tokio::test]
async fn a_service_account_s_token_is_its_consumer_and_no_other_token_is() -> anyhow::Result<()> {
    let (key, forger) = (Key::new("k1")?, Key::new("k1")?);
    let (bed, provider) = serve(Resources::new().cluster(cluster(&[&key]))).await?;
    assert_eq!(ask(&bed, &token(&key, "k1")).await?.status, 200);
    let other = bed.request(json!({"model": "other", "messages": []})).bearer_auth(token(&key, "k1"));
    assert_eq!(Got::read(other).await?.status, 404, "a model that it may not use");
    let header = |algorithm: &str| json!({"alg": algorithm, "kid": "k1"});
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        key.sign(&header("EdDSA"), &claims)
    };
    let unsigned = |algorithm: &str| {
        format!("{}.{}.", BASE64.encode(header(algorithm).to_string()), BASE64.encode(claims().to_string()))
    };
    let rows = [
        ("the audience of the push channel", with("aud", json!(["penstock"]))),
        ("the audience of the API server", with("aud", json!([ISSUER]))),
        ("another ServiceAccount", with("sub", json!("system:serviceaccount:search:crawler"))),
        ("one of another namespace", with("sub", json!("system:serviceaccount:billing:indexer"))),
        ("a user of that name", with("sub", json!("search:indexer"))),
        ("another issuer", with("iss", json!("https://elsewhere"))),
        ("expired", with("exp", json!(1_000_000_000))),
        ("endless, as those of Secrets", with("exp", Value::Null)),
        ("to come", with("nbf", json!(4_000_000_000_u64))),
        ("alg none", unsigned("none")),
        ("without a signature", unsigned("EdDSA")),
        ("HS256, whatever by", key.sign(&header("HS256"), &claims())),
        ("signed by somebody else", token(&forger, "k1")),
        ("of an unknown key", token(&key, "k2")),
    ];
    let calls = provider.calls();
    for (n, (what, token)) in rows.into_iter().enumerate() {
        let request = bed.request(question(false)).bearer_auth(token).header("x-forwarded-for", format!("192.0.2.{n}"));
        let got = Got::read(request).await?;
        assert_eq!((got.status, got.error()?.1.as_str()), (401, "invalid_token"), "{what}");
    }
    assert_eq!(provider.calls(), calls);
    Ok(())
}

#[tokio::test]
async fn keys_of_the_cluster_are_rotated_by_snapshots_and_a_token_of_one_that_is_gone_is_refused() -> anyhow::Result<()>
{
    let (old, new) = (Key::new("old")?, Key::new("new")?);
    let mut resources = Resources::new();
    let (bed, _provider) = serve(resources.cluster(cluster(&[&old]))).await?;
    let (by_old, by_new) = (token(&old, "old"), token(&new, "new"));
    let statuses = async || anyhow::Ok([ask(&bed, &by_old).await?.status, ask(&bed, &by_new).await?.status]);
    assert_eq!(statuses().await?, [200, 401]);
    bed.live.apply(&resources.cluster(cluster(&[&old, &new])).snapshot());
    assert_eq!(statuses().await?, [200, 200]);
    bed.live.apply(&resources.cluster(cluster(&[&new])).snapshot());
    assert_eq!(statuses().await?, [401, 200], "it was verified before");
    Ok(())
}

#[tokio::test]
async fn without_keys_of_the_cluster_no_token_is_good_and_all_else_is_served() -> anyhow::Result<()> {
    let key = Key::new("k1")?;
    let mut resources = Resources::new();
    resources.consumer("tool", "tool-key-of-at-least-20", &[])?;
    let (bed, _provider) = serve(&mut resources).await?;
    assert_eq!(ask(&bed, &token(&key, "k1")).await?.status, 401);
    let refused = bed.live.apply(&resources.cluster(cluster(&[])).snapshot());
    let said: Vec<_> = refused.iter().map(|refused| (refused.key.to_string(), refused.reason.as_str())).collect();
    assert_eq!(said, [("Cluster//issuer".to_owned(), "none of the keys can verify tokens")]);
    assert_eq!(ask(&bed, &token(&key, "k1")).await?.status, 401);
    assert_eq!(ask(&bed, "tool-key-of-at-least-20").await?.status, 200);
    Ok(())
}
