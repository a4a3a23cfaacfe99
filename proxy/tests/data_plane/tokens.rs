//! Consumers that are known by tokens, before an issuer of them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{Json, Router, http::StatusCode, routing::get};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use penstock_proxy::{Auth, Pace};
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    bed::{Bed, Got, Resources, question},
    provider::{PATIENCE, Provider, says},
};

/// Publishes keys, and counts how often they are fetched.
pub(crate) struct Issuer {
    address: SocketAddr,
    /// None: it is broken.
    published: Arc<Mutex<Option<Vec<Value>>>>,
    fetches: watch::Receiver<usize>,
}

pub(crate) struct Key {
    id: &'static str,
    pair: Ed25519KeyPair,
}

impl Issuer {
    pub(crate) async fn start(published: Option<Vec<Value>>) -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let published = Arc::new(Mutex::new(published));
        let (count, fetches) = watch::channel(0);
        let shown = published.clone();
        let keys = move || async move {
            count.send_modify(|count| *count += 1);
            let keys = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
            keys.map(|keys| Json(json!({"keys": keys}))).ok_or(StatusCode::INTERNAL_SERVER_ERROR)
        };
        let serve = axum::serve(listener, Router::new().route("/keys", get(keys)));
        tokio::spawn(serve.into_future());
        Ok(Self { address, published, fetches })
    }

    fn publish(&self, keys: &[&Key]) {
        let keys = keys.iter().map(|key| key.jwk()).collect();
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = Some(keys);
    }

    fn fetches(&self) -> usize {
        *self.fetches.borrow()
    }

    /// What a Consumer says of its tokens.
    pub(crate) fn tokens(&self) -> Value {
        json!({"issuer": "id", "audiences": ["llm"], "jwksURL": format!("http://{}/keys", self.address),
            "claims": [{"name": "team", "values": ["search"]}]})
    }
}

impl Key {
    pub(crate) fn new(id: &'static str) -> anyhow::Result<Self> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| anyhow::anyhow!("no key"))?;
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|_| anyhow::anyhow!("a bad key"))?;
        Ok(Self { id, pair })
    }

    pub(crate) fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": self.id, "x": BASE64.encode(self.pair.public_key())})
    }

    /// A token of this user that expires in so many seconds.
    pub(crate) fn token(&self, user: &str, seconds: i64) -> String {
        self.token_as(self.id, user, seconds)
    }

    fn token_as(&self, id: &str, user: &str, seconds: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let header = json!({"alg": "EdDSA", "kid": id});
        let claims = json!({"iss": "id", "aud": "llm", "sub": user, "team": ["search"],
            "exp": now.saturating_add_signed(seconds)});
        self.sign(&header, &claims)
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        format!("{signed}.{}", BASE64.encode(self.pair.sign(signed.as_bytes())))
    }
}

pub(crate) async fn ask(bed: &Bed, token: &str) -> anyhow::Result<Got> {
    Got::read(bed.request(question(false)).bearer_auth(token)).await
}

/// Asks until the keys are there.
pub(crate) async fn until_known(bed: &Bed, token: &str) -> anyhow::Result<()> {
    let known = async {
        while ask(bed, token).await?.status != 200 {}
        Ok(())
    };
    tokio::time::timeout(PATIENCE, known).await?
}

fn required(resources: &Resources) -> anyhow::Result<Bed> {
    Bed::start_with(resources, |config| config.auth = Auth::Required)
}

#[tokio::test]
async fn a_token_is_its_consumer_and_its_claim_is_the_user() -> anyhow::Result<()> {
    let (provider, key) = (Provider::always(says("hi")).await?, Key::new("k1")?);
    let issuer = Issuer::start(Some(vec![key.jwk()])).await?;
    let mut resources = Resources::new();
    let by_token = json!({"jwt": issuer.tokens(), "userFrom": {"type": "Claim", "claim": "sub"}, "models": ["m"]});
    resources.provider("a", &provider, json!({"models": [{"name": "m"}, {"name": "other"}]}))?;
    resources.consumer_of("people", by_token)?.consumer("tool", "tool-key-of-at-least-20", &[])?;
    resources.limit("each", json!({"per": ["User"], "requests": {"limit": 1, "window": "24h"}}))?;
    let bed = required(&resources)?;
    until_known(&bed, &key.token("ada", 300)).await?;
    assert_eq!(ask(&bed, &key.token("ada", 600)).await?.status, 429, "the same user by another token");
    assert_eq!(ask(&bed, &key.token("bob", 300)).await?.status, 200);
    let header = bed.request(question(false)).header("x-api-key", key.token("eve", 300));
    assert_eq!(Got::read(header).await?.status, 200, "where an SDK puts keys");
    assert_eq!(ask(&bed, "tool-key-of-at-least-20").await?.status, 200);
    let other = bed.request(json!({"model": "other", "messages": []})).bearer_auth(key.token("dan", 300));
    assert_eq!(Got::read(other).await?.status, 404);
    let calls = provider.calls();
    for (token, says) in [
        (key.token("ada", -61), "it has expired (exp)"),
        (key.token_as("k2", "ada", 300), "its issuer has no such key (kid)"),
        (Key::new("k1")?.token("ada", 300), "its signature is wrong"),
    ] {
        let got = ask(&bed, &token).await?;
        assert_eq!((got.status, got.error()?), (401, ("authentication_error".into(), "invalid_token".into())));
        assert!(got.body.contains(says), "{}", got.body);
    }
    assert_eq!(ask(&bed, "no-token-and-no-key").await?.error()?.1, "invalid_api_key");
    assert_eq!(provider.calls(), calls);
    Ok(())
}

#[tokio::test]
async fn a_key_is_rotated_without_a_failed_request_and_a_storm_of_unknown_keys_is_one_fetch() -> anyhow::Result<()> {
    let (old, new, nobody) = (Key::new("old")?, Key::new("new")?, Key::new("nobody")?);
    let provider = Provider::always(says("hi")).await?;
    let issuer = Issuer::start(Some(vec![old.jwk()])).await?;
    let mut resources = Resources::new();
    resources.provider("a", &provider, json!({}))?.consumer_of("people", json!({"jwt": issuer.tokens()}))?;
    let bed = required(&resources)?;
    until_known(&bed, &old.token("ada", 300)).await?;
    assert_eq!(issuer.fetches(), 1);

    issuer.publish(&[&old, &new]);
    let (by_old, by_nobody) = (old.token("ada", 300), nobody.token("eve", 300));
    let storm = (0..200).map(|n| ask(&bed, if n % 2 == 0 { &by_old } else { &by_nobody }));
    for (n, got) in futures::future::join_all(storm).await.into_iter().enumerate() {
        let got = got?;
        assert!(if n % 2 == 0 { got.status == 200 } else { got.is_nobody_s() }, "{n}: {}", got.status);
    }
    until_known(&bed, &new.token("ada", 300)).await?;
    issuer.publish(&[&new]);
    let storm = (0..100).map(|n| ask(&bed, if n % 2 == 0 { &by_old } else { &by_nobody }));
    for (n, got) in futures::future::join_all(storm).await.into_iter().enumerate() {
        let got = got?;
        let as_before = if n % 2 == 0 { got.status == 200 } else { got.is_nobody_s() };
        assert!(as_before, "the old key is not forgotten yet, {n}: {}", got.status);
    }
    assert_eq!(issuer.fetches(), 2);

    // Another Consumer of the same issuer needs no fetch, and no change of resources forgets its keys.
    let more = json!({"jwt": issuer.tokens(), "userFrom": {"type": "Claim", "claim": "sub"}});
    resources.consumer_of("more", more)?;
    bed.live.apply(&resources.snapshot());
    assert_eq!((ask(&bed, &new.token("ada", 300)).await?.status, issuer.fetches()), (200, 2));
    Ok(())
}

#[tokio::test]
async fn before_an_issuer_has_answered_its_tokens_can_t_be_told_and_are_asked_to_come_again() -> anyhow::Result<()> {
    let key = Key::new("k1")?;
    let provider = Provider::always(says("hi")).await?;
    let issuer = Issuer::start(None).await?;
    let mut resources = Resources::new();
    resources.provider("a", &provider, json!({}))?.consumer_of("people", json!({"jwt": issuer.tokens()}))?;
    let quick = Pace::new(0.05).ok_or_else(|| anyhow::anyhow!("no pace"))?;
    let bed = Bed::start_at(&resources, quick, |config| config.auth = Auth::Required)?;
    let got = ask(&bed, &key.token("ada", 300)).await?;
    assert_eq!((got.status, got.error()?.1.as_str(), got.header("retry-after")), (503, "issuer_unavailable", "5"));
    assert_eq!(ask(&bed, &key.token("ada", -61)).await?.status, 401, "it is refused whoever signed it");
    let failed = async {
        while bed.metrics.render().contains("penstock_jwks_failures_total 0") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, failed).await?;
    issuer.publish(&[&key]);
    until_known(&bed, &key.token("ada", 300)).await
}

#[tokio::test]
async fn where_everybody_may_call_a_bad_token_is_anyone() -> anyhow::Result<()> {
    let (provider, key) = (Provider::always(says("hi")).await?, Key::new("k1")?);
    let issuer = Issuer::start(None).await?;
    let mut resources = Resources::new();
    let nothing = json!({"jwt": issuer.tokens(), "models": ["other"]});
    resources.provider("a", &provider, json!({}))?.consumer_of("people", nothing)?;
    let quick = Pace::new(0.05).ok_or_else(|| anyhow::anyhow!("no pace"))?;
    let bed = Bed::start_at(&resources, quick, |_| {})?;
    assert_eq!(ask(&bed, &key.token("ada", -61)).await?.status, 200);
    assert_eq!(ask(&bed, &key.token("ada", 300)).await?.status, 200, "it can't be told yet");
    issuer.publish(&[&key]);
    let bound = async {
        while ask(&bed, &key.token("ada", 300)).await?.status != 404 {}
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE + Duration::from_secs(1), bound).await??;
    Ok(())
}

#[tokio::test]
async fn the_user_of_a_token_is_its_claim_whatever_else_the_request_says_and_no_longer_than_a_name()
-> anyhow::Result<()> {
    let (provider, key) = (Provider::always(says("hi")).await?, Key::new("k1")?);
    let issuer = Issuer::start(Some(vec![key.jwk()])).await?;
    let mut resources = Resources::new();
    let by_claim = json!({"jwt": issuer.tokens(), "userFrom": {"type": "Claim", "claim": "sub"}});
    resources.provider("a", &provider, json!({}))?.consumer_of("people", by_claim)?;
    resources.limit("each", json!({"per": ["User"], "requests": {"limit": 1, "window": "24h"}}))?;
    let bed = required(&resources)?;
    until_known(&bed, &key.token("ada", 300)).await?;
    let mut body = question(false);
    body["user"] = "bob".into();
    let spoofed = bed.request(body).header("sub", "bob").header("x-end-user", "bob");
    let refused = Got::read(spoofed.bearer_auth(key.token("ada", 300))).await?;
    assert_eq!((refused.status, refused.error()?.1.as_str()), (429, "rate_limit_exceeded"), "ada has asked already");
    for (bytes, status, code) in
        [(257, 400, "user_too_long"), (11_000, 400, "user_too_long"), (40_000, 401, "invalid_token")]
    {
        let got = ask(&bed, &key.token(&"x".repeat(bytes), 300)).await?;
        assert_eq!((got.status, got.error()?.1.as_str()), (status, code), "{bytes}");
        assert!(got.body.len() < 500, "{}", got.body);
    }
    assert_eq!(provider.calls(), 1);
    assert_eq!(ask(&bed, &key.token("bob", 300)).await?.status, 200);
    Ok(())
}
