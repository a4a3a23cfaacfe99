//! How a proxy comes in: with a password, and over TLS.

use penstock_proxy::StoreConfig;
use penstock_tests::redis::Redis;
use serde_json::json;

use super::{a_day, at, limited, patient, until_up};
use crate::{
    bed::Bed,
    log,
    provider::{Provider, says},
};

const SECRET: &str = "the-secret-of-this-redis";
const WRONG: &str = "a-secret-of-another-redis";

async fn with(store: StoreConfig) -> anyhow::Result<(Bed, Provider)> {
    let provider = Provider::always(says("hi")).await?;
    let resources = limited(&provider, json!({"requests": a_day(9)}))?;
    Ok((patient(&resources, store)?, provider))
}

#[tokio::test]
async fn a_password_opens_the_store_a_wrong_one_is_said_and_neither_is_logged() -> anyhow::Result<()> {
    log::listen();
    let redis = Redis::start_with(&["--requirepass", SECRET]).await?;
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}", redis.port());
    let (right, _provider) = with(at(&url(SECRET))).await?;
    until_up(&right).await?;
    assert_eq!(right.unary().await?.header("x-ratelimit-remaining-requests"), "8");
    let (wrong, _provider) = with(at(&url(WRONG))).await?;
    let lines = log::until_said("the store of limits does not answer: Password authentication failed").await?;
    wrong.metric_is("penstock_limit_store_up 0").await?;
    assert_eq!(wrong.unary().await?.status, 200);
    wrong.metric_is("penstock_limit_store_misses_total{reason=\"down\"} 1").await?;
    let lines = lines.iter().map(ToString::to_string).collect::<String>();
    assert!(!lines.contains(SECRET) && !lines.contains(WRONG), "{lines}");
    Ok(())
}

#[tokio::test]
async fn a_store_with_tls_is_used_where_its_ca_is_known_and_nowhere_else() -> anyhow::Result<()> {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let folder = tempfile::tempdir()?;
    let write = |name: &str, text: String| -> anyhow::Result<String> {
        let path = folder.path().join(name);
        std::fs::write(&path, text)?;
        Ok(path.to_string_lossy().into_owned())
    };
    let certificate = write("tls.crt", certified.cert.pem())?;
    let key = write("tls.key", certified.signing_key.serialize_pem())?;
    let flags = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &certificate];
    let redis = Redis::start_with(&[&flags[..], &["--tls-auth-clients", "no"]].concat()).await?;
    let url = format!("rediss://127.0.0.1:{}", redis.port());
    let ca = Some(certified.cert.pem().into_bytes());
    let (known, _provider) = with(StoreConfig { ca, ..at(&url) }).await?;
    until_up(&known).await?;
    assert_eq!(known.unary().await?.header("x-ratelimit-remaining-requests"), "8");
    log::listen();
    let (unknown, _provider) = with(at(&url)).await?;
    log::until_said("certificate").await?;
    unknown.metric_is("penstock_limit_store_up 0").await?;
    assert_eq!(unknown.unary().await?.header("x-ratelimit-remaining-requests"), "8", "of its own");
    Ok(())
}
