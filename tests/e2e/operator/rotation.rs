//! Keys that change under load.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, ensure};
use penstock_tests::cluster::Cluster;
use penstock_tests::fake::Record;
use tokio::time::interval;

use super::installation::{FIRST_KEY, Installation};
use super::load::{self, Load};
use crate::figures;

const ROTATE_EVERY: Duration = Duration::from_millis(1_500);
/// From the update of a Secret to the first request that uses it, at most.
const USED_WITHIN: Duration = Duration::from_secs(5);
/// 50 requests a second are the aim; a busy machine may start a few of the last ones late.
const AT_LEAST_A_SECOND: f64 = 45.0;

/// One change of the key: when the Secret was updated, and when the status said that every proxy uses it.
struct Rotation {
    key: String,
    updated: u64,
    acked: u64,
}

#[tokio::test]
async fn nobody_notices_ten_rotations_under_load() -> anyhow::Result<()> {
    let installation = Installation::new(Cluster::shared().await?, "rotation").await?;
    let (operator, [proxy]) = installation.serving().await?;
    load::scripts(&installation.fakes);

    let load = Load::start(&installation, &proxy);
    let rotations = rotate(&installation).await?;
    let outcome = load.stop().await?;

    let requests = installation.fakes.requests_to("openai");
    let delays = delays(&rotations, &requests)?;
    figures::print(format_args!("rotation: {outcome}; from the update of the Secret to the first use {delays}"))?;
    no_stale_key(&rotations, &requests)?;
    let others = installation.fakes.requests_to("anthropic");
    let refused = others.iter().find(|request| request.status != Some(200));
    ensure!(refused.is_none(), "{refused:#?}");
    ensure!(outcome.failures.is_empty(), "{:#?}\n{}", outcome.failures, proxy.logs()?);
    ensure!(outcome.rate() >= AT_LEAST_A_SECOND, "{outcome}");
    ensure!(outcome.unary.by_fallback > 0 && outcome.streams.by_fallback > 0, "{outcome}");
    ensure!(outcome.unary.retried > 0 && outcome.streams.retried > 0, "{outcome}");
    ensure!(delays.slowest < USED_WITHIN, "{delays}");
    proxy.stop().await?;
    operator.stop().await
}

/// Ten new keys. The provider takes the old key and the new one until the status says that the new one is in use
/// everywhere, and only the new one from then on.
async fn rotate(installation: &Installation<'_>) -> anyhow::Result<Vec<Rotation>> {
    let mut rotations: Vec<Rotation> = Vec::new();
    let mut pace = interval(ROTATE_EVERY);
    for number in 1..=10 {
        pace.tick().await;
        let key = format!("openai-key-{number}");
        let old = rotations.last().map_or(FIRST_KEY, |rotation| &rotation.key);
        installation.fakes.set_keys("openai", Some(&[old, &key]))?;
        let updated = unix_us()?;
        let version = installation.rotate(&key).await?;
        installation.credential_programmed("openai", &version).await?;
        let acked = unix_us()?;
        installation.fakes.set_keys("openai", Some(&[&key]))?;
        rotations.push(Rotation { key, updated, acked });
    }
    Ok(rotations)
}

/// No attempt that came after an ACK carried an older key, and the provider never saw one that it does not take.
fn no_stale_key(rotations: &[Rotation], requests: &[Record]) -> anyhow::Result<()> {
    for (number, Rotation { acked, .. }) in rotations.iter().enumerate() {
        let newer: Vec<&str> = rotations[number..].iter().map(|rotation| rotation.key.as_str()).collect();
        for request in requests.iter().filter(|request| request.unix_us > *acked) {
            let key = request.credential.as_deref().unwrap_or_default();
            ensure!(newer.contains(&key), "an attempt {} us after the ACK carried {key}", request.unix_us - acked);
        }
    }
    let unauthorized = requests.iter().find(|request| request.status == Some(401));
    ensure!(unauthorized.is_none(), "{unauthorized:#?}");
    Ok(())
}

struct Delays {
    median: Duration,
    slowest: Duration,
}

fn delays(rotations: &[Rotation], requests: &[Record]) -> anyhow::Result<Delays> {
    let mut delays = Vec::new();
    for Rotation { key, updated, .. } in rotations {
        let first = requests.iter().find(|request| request.credential.as_ref() == Some(key));
        let first = first.with_context(|| format!("{key} was never used"))?;
        delays.push(Duration::from_micros(first.unix_us.saturating_sub(*updated)));
    }
    delays.sort();
    let slowest = *delays.last().context("there must be rotations")?;
    Ok(Delays { median: delays[delays.len() / 2], slowest })
}

impl std::fmt::Display for Delays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ms, {} ms at most", self.median.as_millis(), self.slowest.as_millis())
    }
}

fn unix_us() -> anyhow::Result<u64> {
    Ok(SystemTime::UNIX_EPOCH.elapsed()?.as_micros().try_into()?)
}
