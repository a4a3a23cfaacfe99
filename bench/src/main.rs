//! Measures what Penstock promises. Build with `--release`; every figure in the documentation comes from here.

mod compile;
mod gateway;
mod llm;
mod report;

use clap::{Parser, Subcommand};

/// That of both programs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Compiling resources into a snapshot.
    Compile,
    /// Wire formats: scan, translation, streams.
    Llm,
    /// The proxy beside nginx, CPU time a request.
    Gateway(gateway::Gateways),
    /// The proxy that knows its callers and limits them beside one that does not, CPU time a request.
    Limits(gateway::limits::Proxies),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().what {
        What::Compile => compile::run(),
        What::Llm => llm::run(),
        What::Gateway(args) => gateway::run(&args)?,
        What::Limits(args) => gateway::limits::run(&args)?,
    }
    Ok(())
}
