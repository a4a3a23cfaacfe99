//! RateLimits, as users meet them.

use penstock_tests::fake::Fakes;
use penstock_tests::gateway::Gateway;
use penstock_tests::setup;

use crate::bed::{MODEL, resources};
use crate::sdk;

#[tokio::test]
async fn the_official_sdks_are_told_who_limits_them_and_until_when_by_the_example_s_limits() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    // One a second would come in again while this test runs.
    let example = std::fs::read_to_string(setup::repository().join("examples/limits/limits.yaml"))?;
    let slow = example.replace("{limit: 60, window: 1m, burst: 10}", "{limit: 60, window: 24h, burst: 10}");
    anyhow::ensure!(slow != example, "the example must have the limit that this test is about");
    let all = [resources(&fakes, ""), slow].join("---\n");
    let gateway = Gateway::start(&all).await?;
    sdk::run("limited.py", &[("base-url", &gateway.url()), ("model", MODEL), ("burst", "10")]).await
}
