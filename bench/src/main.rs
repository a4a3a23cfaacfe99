//! Measures what Penstock promises. Build with `--release`; every figure in the documentation comes from here.

mod compile;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Compiling resources into a snapshot.
    Compile,
}

fn main() {
    match Cli::parse().what {
        What::Compile => compile::run(),
    }
}
