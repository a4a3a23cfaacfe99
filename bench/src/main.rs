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
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().what {
        What::Compile => compile::run(),
        What::Llm => llm::run(),
        What::Gateway(args) => gateway::run(&args)?,
    }
    Ok(())
}
