//! Penstock's control plane. [`reconcile`] is a change's life; everything else serves it.

mod acks;
mod admin;
mod ca;
mod cli;
mod error;
mod events;
mod issuer;
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
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Crds => {
            print!("{}", penstock_crds::crd::text_of_all());
            Ok(())
        }
        Command::Run(flags) => {
            let filter: Targets = flags.log.parse().with_context(|| format!("--log {}", flags.log))?;
            let lines = fmt::layer().with_writer(std::io::stderr).json();
            tracing_subscriber::registry().with(filter).with(lines).init();
            rustls::crypto::ring::default_provider()
                .install_default()
                .map_err(|_| anyhow::anyhow!("a TLS provider was installed already"))?;
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(run::run(*flags))
        }
    }
}
