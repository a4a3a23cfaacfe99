//! Limits that several proxies share.

use anyhow::Context as _;
use penstock_crds::Kind;
use penstock_tests::cluster::Cluster;
use penstock_tests::cluster::kubelet::RunningPod;
use serde_json::Value;
use tokio::time::timeout;

use super::installation::{Installation, WITHIN};
use super::is_programmed;

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
    let operator = installation.operator("operator-0").await?;
    let first = installation.proxy("proxy-0", &[&operator]).await?;
    let second = installation.proxy("proxy-1", &[&operator]).await?;
    installation.apply_quickstart().await?;
    installation.wait_programmed().await?;
    for proxy in [&first, &second] {
        proxy.ready(WITHIN).await?;
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
    for proxy in [first, second, third] {
        proxy.stop().await?;
    }
    operator.stop().await
}
