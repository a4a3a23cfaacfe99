//! The proxy beside nginx, which passes the same bytes: CPU time of the gateway's own process per request.
//!
//! Gateways run on one core, mock and loader on another; rounds alternate in one run, so that the machine's mood is the
//! same for both. Ratios are what counts.

pub(crate) mod limits;
mod load;
mod mock;
mod process;

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use self::{
    load::Shape,
    process::{Gateway, Nginx, Penstock},
};
use crate::report;

/// Rounds of each gateway and shape.
const ROUNDS: usize = 7;
/// What the proxy's memory has to bear, after all else: a million requests, and as many events as 28 streams have in an hour, at
/// 25 tokens a second each.
const ENDURED: [(&str, Shape, usize); 2] =
    [("1,000,000 requests", Shape::Unary, 79), ("25,600 streams, 2.5 million events", Shape::Stream, 8)];
/// What it may grow by in each, in MiB.
const GROWTH: f64 = 4.0;

#[derive(Args)]
pub(crate) struct Gateways {
    /// The release binary of the proxy.
    #[arg(long, default_value = "target/release/penstock-proxy")]
    proxy: PathBuf,
    /// The release binary of the operator, which is only weighed.
    #[arg(long, default_value = "target/release/penstock-operator")]
    operator: PathBuf,
    /// The nginx to compare with.
    #[arg(long, default_value = "nginx")]
    nginx: PathBuf,
    /// The core that gateways run on; mock and loader want another (`taskset`).
    #[arg(long, default_value_t = 0)]
    core: usize,
}

pub(crate) fn run(args: &Gateways) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(compare(args))
}

async fn compare(args: &Gateways) -> Result<()> {
    let mock = mock::start().await?;
    let nginx = Nginx::start(&args.nginx, args.core, mock).await.context("nginx")?;
    let penstock = Penstock::start(&args.proxy, args.core, mock).await.context("penstock-proxy")?;
    report::line("resident memory of the idle proxy", penstock.resident_mib()?, "MiB", 10.0);
    for (name, binary) in [("proxy", &args.proxy), ("operator", &args.operator)] {
        let megabytes = std::fs::metadata(binary)?.len() as f64 / 1e6;
        report::line(&format!("size of the {name}'s binary"), megabytes, "MB", 25.0);
    }
    println!();
    println!("CPU time of the gateway, microseconds a request (median of {ROUNDS} rounds)");
    println!("{:<24}{:>10}{:>10}{:>10}  limit", "", "nginx", "penstock", "ratio");
    for shape in Shape::ALL {
        let (mut theirs, mut ours, requests) = (Vec::new(), Vec::new(), shape.requests());
        // The first round of each warms up and is not counted.
        for round in 0..=ROUNDS {
            let (n, p) = (measure(&nginx, shape, requests).await?, measure(&penstock, shape, requests).await?);
            if round > 0 {
                theirs.push(n);
                ours.push(p);
            }
        }
        let ratios = theirs.iter().zip(&ours).map(|(theirs, ours)| ours / theirs).collect();
        let ratio = median(ratios);
        let limit = match shape.limit() {
            None => String::new(),
            Some(limit) if ratio <= limit => format!("  {limit:.1}x"),
            Some(limit) => format!("  {limit:.1}x  OVER THE LIMIT"),
        };
        println!("{:<24}{:>10.1}{:>10.1}{ratio:>9.2}x{limit}", shape.name(), median(theirs), median(ours));
    }
    println!();
    println!("resident memory of the proxy after the load: {:.1} MiB", penstock.resident_mib()?);
    for (name, shape, rounds) in ENDURED {
        let before = penstock.resident_mib()?;
        for _ in 0..rounds {
            load::run(penstock.address(), shape, shape.requests()).await?;
        }
        let growth = penstock.resident_mib()? - before;
        report::line(&format!("growth of the proxy over {name}"), growth, "MiB", GROWTH);
    }
    Ok(())
}

/// CPU microseconds of the gateway for each of so many requests.
async fn measure(gateway: &impl Gateway, shape: Shape, requests: usize) -> Result<f64> {
    let before = gateway.cpu_nanos()?;
    load::run(gateway.address(), shape, requests).await?;
    Ok((gateway.cpu_nanos()? - before) as f64 / requests as f64 / 1e3)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A port that was free a moment ago, for programs that can't be asked which one they took.
fn free_port() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
