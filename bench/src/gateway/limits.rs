//! What it costs to know who calls and to limit it: a proxy that does, beside two that do not and are alike.
//!
//! A process keeps what it was dealt at its start, places in memory above all, so one pair of them may differ by more than what is
//! measured. All are started anew several times, and asked in short blocks that take turns. By how much the two differ
//! that are alike says what the figure is worth.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use super::{load::Shape, measure, median, mock, process::Penstock};
use crate::report;

/// How often the proxies are started, and how many blocks each is asked then, of so many requests.
const STARTS: usize = 12;
const BLOCKS: usize = 15;
const BLOCK: usize = 3_200;
/// Microseconds.
const LIMIT: f64 = 2.0;

#[derive(Args)]
pub(crate) struct Proxies {
    /// The release binary of the proxy.
    #[arg(long, default_value = "target/release/penstock-proxy")]
    proxy: PathBuf,
    /// The core that proxies run on; mock and loader want another (`taskset`).
    #[arg(long, default_value_t = 0)]
    core: usize,
}

/// Microseconds of CPU a request, more than that of a proxy that limits nothing.
#[derive(Default)]
struct More {
    limited: Vec<f64>,
    alike: Vec<f64>,
    /// What the one takes that limits nothing.
    without: Vec<f64>,
}

pub(crate) fn run(args: &Proxies) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(compare(args))
}

async fn compare(args: &Proxies) -> Result<()> {
    let mock = mock::start().await?;
    let mut more = More::default();
    for _ in 0..STARTS {
        let plain = || Penstock::start(&args.proxy, args.core, mock);
        let limited = Penstock::limited(&args.proxy, args.core, mock).await.context("penstock-proxy with limits")?;
        let [without, limited, alike] = blocks([&plain().await?, &limited, &plain().await?]).await?;
        more.without.push(without);
        more.limited.push(limited);
        more.alike.push(alike);
    }
    report::line("authentication and three limits, CPU a request", median(more.limited.clone()), "us", LIMIT);
    println!("median of {STARTS} starts; half of them: {}", Half(&more.limited));
    println!(
        "a request takes {:.1} us without; half of the starts: {}",
        median(more.without.clone()),
        Half(&more.without)
    );
    println!(
        "the same of two proxies that are alike: {:.2} us; half: {}",
        median(more.alike.clone()),
        Half(&more.alike)
    );
    Ok(())
}

/// What the first takes, and how much more the others: medians of blocks.
async fn blocks(proxies: [&Penstock; 3]) -> Result<[f64; 3]> {
    let mut all = [Vec::new(), Vec::new(), Vec::new()];
    let shapes = [Shape::Anonymous, Shape::Unary, Shape::Anonymous];
    for (proxy, shape) in proxies.into_iter().zip(shapes) {
        measure(proxy, shape, BLOCK).await?;
    }
    for block in 0..BLOCKS {
        let mut took = [0.0; 3];
        // Each comes first as often as the others: the machine may slow down in the middle.
        for turn in 0..3 {
            let place = (block + turn) % 3;
            took[place] = measure(proxies[place], shapes[place], BLOCK).await?;
        }
        let [first, limited, alike] = took;
        for (all, each) in all.iter_mut().zip([first, limited - first, alike - first]) {
            all.push(each);
        }
    }
    Ok(all.map(median))
}

/// Between which values the middle half of them is.
struct Half<'a>(&'a [f64]);

impl std::fmt::Display for Half<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sorted = self.0.to_vec();
        sorted.sort_by(f64::total_cmp);
        let quarter = sorted.len() / 4;
        write!(f, "{:.2} to {:.2} us", sorted[quarter], sorted[sorted.len() - 1 - quarter])
    }
}
