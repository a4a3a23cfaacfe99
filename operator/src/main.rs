//! Penstock's control plane. [`reconcile`] is a change's life; everything else serves it.

mod acks;
mod admin;
mod ca;
mod cli;
mod error;
mod events;
mod lease;
mod metrics;
mod pods;
mod publish;
mod push;
mod reconcile;
mod run;
mod secret;
mod sessions;
mod status;
mod stored;
mod stores;
mod watch;

use anyhow::Context;
use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Crds => {
            print!("{}", penstock_crds::crd::yaml_all());
            Ok(())
        }
        Command::Run(flags) => {
            let filter = EnvFilter::try_new(&flags.log).with_context(|| format!("--log {}", flags.log))?;
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).json().init();
            rustls::crypto::ring::default_provider()
                .install_default()
                .map_err(|_| anyhow::anyhow!("a TLS provider was installed already"))?;
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(run::run(*flags))
        }
    }
}
