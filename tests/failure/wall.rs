//! The wall: sixteen ways in which providers fail, as the official SDKs see them through the shipped proxy.
//!
//! `make test` runs it with waits that last a fifth of what they are, `make wall` with real ones, and both come to the same
//! verdicts.

pub(crate) mod fault;
mod load;
pub(crate) mod resources;
pub(crate) mod run;
pub(crate) mod sdk;
pub(crate) mod settlement;
mod table;
mod verdict;

use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::figures::print;
use run::{Outcome, Wall};
use sdk::Sdks;
use table::Row;

/// The share that waits last of what they are, unless `PACE` says another.
const PACE: f64 = 0.2;
/// What memory may be at most, and what a hundred changes of the resources may add to it when nobody asks.
const MOST: u64 = 384 << 20;
const GROWTH: u64 = 8 << 20;
/// So much later than it should an answer may come on a busy machine.
const LATE: Duration = Duration::from_secs(15);

#[tokio::test]
async fn every_fault_is_met_as_it_should_be_and_a_change_of_the_resources_changes_nothing_of_it() -> anyhow::Result<()>
{
    let pace = match std::env::var("PACE") {
        Ok(pace) => pace.parse().context("PACE")?,
        Err(_) => PACE,
    };
    let _turn = crate::TURN.lock().await;
    let sdks = Sdks::start()?;
    let mut problems = Vec::new();
    for changing in [false, true] {
        let outcome = Wall { sdks: &sdks, pace, changing }.run().await?;
        let rows: Vec<Row> = outcome.cases.iter().map(|ended| Row::of(ended, pace)).collect();
        print(table::measured(&rows))?;
        print(summary(&outcome))?;
        problems.extend(rows.iter().filter_map(|row| row.problem(pace, LATE)));
        problems.extend(outcome.served.failures.iter().map(|failure| format!("a healthy request: {failure}")));
        problems.extend(too_large(&outcome));
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    table::compare()
}

fn too_large(outcome: &Outcome) -> Option<String> {
    let most = outcome.memory.most();
    if most > MOST {
        return Some(format!("{most} bytes are occupied"));
    }
    let [before, after] = outcome.calm?;
    (after > before + GROWTH).then(|| format!("changes of the resources took memory from {before} bytes to {after}"))
}

fn summary(outcome: &Outcome) -> String {
    let Outcome { served, memory, calm, changes, .. } = outcome;
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let calm = calm.map(|calm| calm.map(mib)).map_or(String::new(), |[before, after]| {
        format!("; after it, {before} and with a hundred changes more {after}")
    });
    format!(
        "{} healthy requests beside it, {} failed, the slowest took {:?}; {changes} changes of the resources; memory \
         {} at most{calm}\n",
        served.count,
        served.failures.len(),
        served.slowest,
        mib(memory.most()),
    )
}
