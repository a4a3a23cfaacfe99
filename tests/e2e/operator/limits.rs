//! Limits that several proxies share.

use anyhow::Context as _;
use futures::future::try_join_all;
use penstock_crds::Kind;
use penstock_tests::cluster::Cluster;
use penstock_tests::cluster::kubelet::RunningPod;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep, timeout};

use super::installation::{Installation, WITHIN};
use super::is_programmed;
use crate::figures;

/// So many pass, of all proxies together.
const LIMIT: usize = 12;

fn limit() -> String {
    format!(
        "apiVersion: penstock.dev/v1alpha1
kind: RateLimit
metadata: {{name: few}}
spec: {{requests: {{limit: {LIMIT}, window: 24h}}}}
"
    )
}

/// Until the proxy has heard that it is one of so many.
async fn is_one_of(installation: &Installation<'_>, proxy: &RunningPod, proxies: u64) -> anyhow::Result<()> {
    let looks = async {
        loop {
            let page = installation.http.get(format!("http://{}:8081/config", proxy.ip)).send().await?;
            let config: Value = page.error_for_status()?.json().await?;
            if config["replicas"] == proxies {
                return anyhow::Ok(());
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(WITHIN, looks).await.with_context(|| format!("{} never heard of {proxies}", proxy.ip))?
}

#[tokio::test]
async fn a_limit_that_is_applied_holds_for_all_proxies_together_whatever_their_number() -> anyhow::Result<()> {
    let installation = Installation::new(Cluster::shared().await?, "limits").await?;
    let (operator, [first, second]) = installation.serving().await?;
    for proxy in [&first, &second] {
        is_one_of(&installation, proxy, 2).await?;
    }
    installation.apply(&limit()).await?;
    installation.until(Kind::RateLimit, "few", is_programmed).await?;

    let mut passed = 0;
    for proxy in [&first, &second].into_iter().cycle().take(LIMIT / 2) {
        passed += usize::from(installation.ask(proxy, false).send().await?.status() == 200);
    }
    assert_eq!(passed, LIMIT / 2);
    // Half of each share is left. With a third proxy, which begins full, the others give away less of it.
    let third = installation.proxy("proxy-2", &[&operator]).await?;
    third.ready(WITHIN).await?;
    for proxy in [&first, &second, &third] {
        is_one_of(&installation, proxy, 3).await?;
    }
    let mut each = [0; 3];
    for (proxy, passed) in [&first, &second, &third].into_iter().zip(&mut each) {
        for _ in 0..LIMIT {
            let answer = installation.ask(proxy, false).send().await?;
            match answer.status().as_u16() {
                200 => *passed += 1,
                status => assert_eq!((status, answer.headers().contains_key("retry-after")), (429, true)),
            }
        }
    }
    assert_eq!(each, [LIMIT / 6, LIMIT / 6, LIMIT / 3], "half of a third, the same, and a third");
    try_join_all([first, second, third, operator].map(RunningPod::stop)).await?;
    Ok(())
}

/// Requests a second that pass in the long run, and at once.
const RATE: u64 = 20;
const BURST: u64 = 20;
/// How long each number of proxies is asked.
const PHASE: Duration = Duration::from_secs(4);

/// Asks these in turn until there are none, much more often than may pass. Returns how many did, and in what time.
async fn load(
    installation: &Installation<'_>,
    mut proxies: watch::Receiver<Vec<String>>,
) -> anyhow::Result<(u64, Duration)> {
    let (begun, mut passed) = (Instant::now(), 0);
    for turn in 0.. {
        let all = proxies.borrow_and_update().clone();
        if all.is_empty() {
            break;
        }
        let answer = installation.ask_at(&all[turn % all.len()]).send().await?;
        let status = answer.status().as_u16();
        anyhow::ensure!(status == 200 || status == 429, "{status}");
        passed += u64::from(status == 200);
    }
    Ok((passed, begun.elapsed()))
}

#[tokio::test]
async fn under_even_load_a_limit_is_kept_while_proxies_come_and_go() -> anyhow::Result<()> {
    let installation = Installation::new(Cluster::shared().await?, "replicas").await?;
    let (operator, running) = installation.serving::<3>().await?;
    let mut running = Vec::from(running);
    let few = limit().replace(
        &format!("{{limit: {LIMIT}, window: 24h}}"),
        &format!("{{limit: {}, window: 60s, burst: {BURST}}}", 60 * RATE),
    );
    installation.apply(&few).await?;
    installation.until(Kind::RateLimit, "few", is_programmed).await?;
    let addresses = |running: &[RunningPod]| running.iter().map(|proxy| proxy.ip.to_string()).collect::<Vec<_>>();
    let (asked, ask) = watch::channel(addresses(&running));
    let changes = async {
        sleep(PHASE).await;
        for number in 3..5 {
            let proxy = installation.proxy(&format!("proxy-{number}"), &[&operator]).await?;
            proxy.ready(WITHIN).await?;
            running.push(proxy);
        }
        for proxy in &running {
            is_one_of(&installation, proxy, 5).await?;
        }
        asked.send_replace(addresses(&running));
        sleep(PHASE).await;
        asked.send_replace(addresses(&running[..2]));
        // All at once: who leaves is not counted any longer.
        try_join_all(running.drain(2..).map(RunningPod::stop)).await?;
        for proxy in &running {
            is_one_of(&installation, proxy, 2).await?;
        }
        sleep(PHASE).await;
        asked.send_replace(Vec::new());
        anyhow::Ok(())
    };
    let (load, changed) = tokio::join!(load(&installation, ask), changes);
    changed?;
    let (passed, time) = load?;
    let may = BURST as f64 + RATE as f64 * time.as_secs_f64();
    let share = passed as f64 / may;
    figures::print(format!("{passed} of {may:.0} passed in {time:?} while proxies were 3, 5 and 2: {share:.3}"))?;
    assert!((0.9..=1.1).contains(&share), "{passed} of {may}");
    try_join_all(running.into_iter().chain([operator]).map(RunningPod::stop)).await?;
    Ok(())
}
