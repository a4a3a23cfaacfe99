//! Limits that proxies share in a real Redis, whatever happens to it.

use std::collections::BTreeMap;

use anyhow::Context as _;
use futures::future::try_join_all;
use penstock_crds::Kind;
use penstock_tests::cluster::Cluster;
use penstock_tests::cluster::kubelet::RunningPod;
use penstock_tests::redis::Redis;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval, sleep};

use super::installation::{Installation, condition};
use super::is_programmed;
use crate::figures;

/// Requests a second that pass in the long run, and at once.
const RATE: u64 = 30;
const BURST: u64 = 30;
const PROXIES: usize = 3;
/// Callers at each proxy, who together ask ten times as often as may pass.
const CALLERS: usize = 3;
const EVERY: Duration = Duration::from_millis(1_000 * (PROXIES * CALLERS) as u64 / (10 * RATE));
const TIME: Duration = Duration::from_secs(30);

struct Bed<'a> {
    installation: Installation<'a>,
    operator: RunningPod,
    proxies: [RunningPod; PROXIES],
}

impl Bed<'_> {
    async fn start(redis: &Redis, prefix: &str, per: &str) -> anyhow::Result<Self> {
        let url = format!("redis.url={}", redis.url());
        let installation = Installation::with(Cluster::shared().await?, prefix, &[&url]).await?;
        let (operator, proxies) = installation.serving().await?;
        let limit = format!(
            "apiVersion: penstock.dev/v1alpha1
kind: RateLimit
metadata: {{name: few}}
spec: {{per: [{per}], requests: {{limit: {}, window: 60s, burst: {BURST}}}}}
",
            60 * RATE
        );
        installation.apply(&limit).await?;
        installation.until(Kind::RateLimit, "few", is_programmed).await?;
        let bed = Self { installation, operator, proxies };
        bed.until_enforced("Redis").await?;
        Ok(bed)
    }

    /// Until the limit's status says so.
    async fn until_enforced(&self, reason: &str) -> anyhow::Result<()> {
        let is = |object: Option<&_>| {
            object.and_then(|object| condition(object, "Enforced")).is_some_and(|(_, is, _)| is == reason)
        };
        self.installation.until(Kind::RateLimit, "few", is).await
    }

    /// Asks all proxies for a while. Returns how many requests passed, and how many were made.
    async fn load(&self) -> anyhow::Result<(u64, u64, Duration)> {
        let begun = Instant::now();
        let callers = self.proxies.iter().flat_map(|proxy| std::iter::repeat_n(proxy.ip.to_string(), CALLERS));
        let each = try_join_all(callers.map(|ip| async move {
            let (mut passed, mut asked) = (0, 0);
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            while begun.elapsed() < TIME {
                ticks.tick().await;
                let status = self.installation.ask_at(&ip).send().await?.status().as_u16();
                anyhow::ensure!(status == 200 || status == 429, "{status}");
                asked += 1;
                passed += u64::from(status == 200);
            }
            Ok((passed, asked))
        }))
        .await?;
        let (passed, asked) = each.into_iter().fold((0, 0), |(passed, asked), each| (passed + each.0, asked + each.1));
        Ok((passed, asked, begun.elapsed()))
    }

    /// How many waits for Redis there were by each bound of the proxies' own histogram, all together.
    async fn waits(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let mut waits = BTreeMap::new();
        for proxy in &self.proxies {
            let page = self.installation.http.get(format!("http://{}:8081/metrics", proxy.ip)).send().await?;
            let page = page.error_for_status()?.text().await?;
            for line in page.lines().filter_map(|line| line.strip_prefix("penstock_limit_store_seconds_bucket{le=\"")) {
                let (bound, count) = line.split_once("\"} ").context("a bucket")?;
                *waits.entry(bound.to_owned()).or_default() += count.parse::<u64>()?;
            }
        }
        Ok(waits)
    }

    async fn stop(self) -> anyhow::Result<()> {
        try_join_all(self.proxies.into_iter().chain([self.operator]).map(RunningPod::stop)).await?;
        Ok(())
    }
}

fn share(passed: u64, time: Duration) -> f64 {
    passed as f64 / (BURST as f64 + RATE as f64 * time.as_secs_f64())
}

#[tokio::test]
async fn three_proxies_on_one_redis_let_as_much_pass_as_one_would() -> anyhow::Result<()> {
    let redis = Redis::start().await?;
    let bed = Bed::start(&redis, "redis", "").await?;
    let (passed, asked, time) = bed.load().await?;
    let share = share(passed, time);
    figures::print(format!(
        "{passed} of {asked} passed in {time:?} through 3 proxies on one Redis: {share:.4} of what may"
    ))?;
    assert!(asked > 5 * passed, "{passed} of {asked} is no test of a limit");
    assert!((0.99..=1.01).contains(&share), "{passed} in {time:?}");
    bed.stop().await
}

#[tokio::test]
async fn a_redis_that_is_killed_and_one_that_stalls_cost_neither_requests_nor_the_limit() -> anyhow::Result<()> {
    let mut redis = Redis::start().await?;
    let bed = Bed::start(&redis, "redis-down", "Consumer").await?;
    let faults = async {
        sleep(TIME / 6).await;
        redis.kill().await?;
        bed.until_enforced("Local").await?;
        sleep(TIME / 6).await;
        redis.restart().await?;
        bed.until_enforced("Redis").await?;
        redis.stall()?;
        sleep(TIME / 6).await;
        redis.go_on()?;
        bed.until_enforced("Redis").await
    };
    let (load, done) = tokio::join!(bed.load(), faults);
    done?;
    let (passed, asked, time) = load?;
    let share = share(passed, time);
    let waits = bed.waits().await?;
    figures::print(format!(
        "{passed} of {asked} passed in {time:?} while Redis was killed, back, stalled and back: {share:.3}; waits: {waits:?}"
    ))?;
    assert!((0.9..=1.1).contains(&share), "{passed} in {time:?}");
    let all = waits.get("+Inf").context("the histogram must count")?;
    assert!(*all > 1_000, "{waits:?}");
    // The deadline is 20 ms; what is beyond is time that the machine had for others.
    assert_eq!(waits.get("0.1"), Some(all), "{waits:?}");
    bed.stop().await
}
