//! The proxy: serves the unified API with resources from a folder or from the operator.

mod admin;
mod check;
mod cli;
mod logs;
mod run;
mod shutdown;
mod source;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// 0 when all went well, 1 when something was refused, 2 when it could not be done as asked.
fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(serve) => run::run(*serve),
        Command::Check(check) => check::run(&check),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("penstock-proxy: {error:#}");
        ExitCode::from(2)
    })
}
