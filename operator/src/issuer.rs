//! Who signs the tokens of ServiceAccounts: asked of the API server, and told to proxies with all else that they run, so that they
//! can verify tokens without asking anybody.

use std::{sync::Arc, time::Duration};

use kube::Client;
use penstock_config::object::Cluster;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use crate::{
    error::Error,
    metrics::Metrics,
    watch::{Change, Happened, Item, Source},
};

/// OpenID Connect Discovery, as Kubernetes' "ServiceAccount issuer discovery" has it.
const CONFIGURATION: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/openid/v1/jwks";
/// A key that was rotated signs tokens at once, so proxies must hear of it soon.
const EVERY: Duration = Duration::from_secs(60);
const ANSWER: Duration = Duration::from_secs(10);
/// After a failure: doubled each time, up to [`EVERY`].
const RETRY: Duration = Duration::from_secs(1);
/// After so many failures in the beginning, the operator goes on without it.
const PATIENCE: u32 = 4;
/// Members of public keys (RFC 7518, section 6); whatever else there may be goes nowhere.
const PUBLIC: [&str; 9] = ["kty", "use", "alg", "kid", "n", "e", "crv", "x", "y"];

#[derive(Deserialize)]
struct Configuration {
    issuer: String,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Map<String, Value>>,
}

/// Asks again and again, and passes on what is said, for as long as somebody listens. Where nothing is said, what was said before
/// holds on.
pub(crate) async fn keep(client: Client, audience: String, metrics: Arc<Metrics>, changes: mpsc::Sender<Change>) {
    let mut failed = 0;
    loop {
        let read = timeout(ANSWER, read(&client, &audience)).await.unwrap_or(Err(Error::KubeTimeout));
        let happened = match read {
            Ok(cluster) => {
                failed = 0;
                debug!(issuer = cluster.issuer, keys = cluster.keys.len(), "the API server said who signs tokens");
                Some(Happened::Applied(Item::Issuer(Arc::new(cluster))))
            }
            Err(error) => {
                failed += 1;
                metrics.issuer_failures.inc();
                warn!(%error, "the API server did not say who signs the tokens of ServiceAccounts");
                (failed >= PATIENCE || is_answer(&error)).then_some(Happened::NotInstalled)
            }
        };
        if let Some(happened) = happened
            && changes.send(Change { source: Source::Issuer, happened }).await.is_err()
        {
            return;
        }
        sleep(pause(failed).mul_f64(0.8 + rand::random::<f64>() / 5.0)).await;
    }
}

/// At most, after so many failures in a row.
fn pause(failed: u32) -> Duration {
    match failed {
        0 => EVERY,
        n => EVERY.min(RETRY.saturating_mul(2_u32.saturating_pow(n - 1))),
    }
}

async fn read(client: &Client, audience: &str) -> Result<Cluster, Error> {
    let configuration = get(client, CONFIGURATION).await?;
    let keys = get(client, KEYS).await?;
    cluster(&configuration, &keys, audience)
}

async fn get(client: &Client, path: &str) -> Result<String, Error> {
    let request = http::Request::get(path).body(Vec::new()).expect("a path must make a request");
    Ok(client.request_text(request).await?)
}

/// The same however the API server orders what it says: a snapshot's identity is its bytes.
fn cluster(configuration: &str, keys: &str, audience: &str) -> Result<Cluster, Error> {
    let Configuration { issuer } = serde_json::from_str(configuration)?;
    let KeySet { keys } = serde_json::from_str(keys)?;
    let public = |mut key: Map<String, Value>| {
        key.retain(|name, _| PUBLIC.contains(&name.as_str()));
        Value::Object(key)
    };
    let mut keys: Vec<Value> = keys.into_iter().map(public).collect();
    keys.sort_by_cached_key(Value::to_string);
    keys.dedup();
    Ok(Cluster { issuer, audience: audience.to_owned(), keys })
}

/// It said that it does not tell: there is no use in waiting.
fn is_answer(error: &Error) -> bool {
    matches!(error, Error::Kube(kube::Error::Api(status)) if matches!(status.code, 403 | 404))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_keys_are_the_same_in_any_order_and_nothing_private_is_among_them() -> Result<(), Error> {
        let configuration = r#"{"issuer": "https://kubernetes", "jwks_uri": "https://10.0.0.1/openid/v1/jwks"}"#;
        let (one, other) =
            (r#"{"kid": "a", "kty": "EC", "x": "1"}"#, r#"{"kty": "RSA", "kid": "b", "n": "2", "d": "3"}"#);
        let read = |keys: &[&str]| cluster(configuration, &format!(r#"{{"keys": [{}]}}"#, keys.join(", ")), "llm");
        let cluster = read(&[one, other])?;
        assert_eq!(cluster, read(&[other, one, other])?);
        assert_ne!(cluster, read(&[one])?);
        assert_eq!((cluster.issuer.as_str(), cluster.audience.as_str()), ("https://kubernetes", "llm"));
        let text = serde_json::to_string(&cluster.keys)?;
        assert_eq!(text, r#"[{"kid":"a","kty":"EC","x":"1"},{"kid":"b","kty":"RSA","n":"2"}]"#);
        Ok(())
    }

    #[test]
    fn what_is_no_configuration_or_no_set_of_keys_is_an_error() {
        for (configuration, keys) in [("{}", r#"{"keys": []}"#), (r#"{"issuer": "i"}"#, "[]"), ("<html>", "<html>")] {
            assert!(cluster(configuration, keys, "llm").is_err(), "{configuration} {keys}");
        }
    }

    #[test]
    fn pauses_grow_while_it_fails_and_are_a_minute_while_it_goes_well() {
        let seconds = [0, 1, 2, 3, 7, 100].map(|failed| pause(failed).as_secs());
        assert_eq!(seconds, [60, 1, 2, 4, 60, 60]);
    }
}
