//! Fakes of all seven kinds of provider, as a program.
//!
//! Prints one line of JSON with its addresses on stdout, and runs until stdin is closed, or on SIGTERM or SIGINT.

use std::io::Read;
use std::net::SocketAddr;

use anyhow::Context;
use clap::Parser;
use penstock_tests::fake::{DEFAULT_PROVIDERS, Dialect, Fakes};
use serde_json::{Map, Value, json};
use tokio::signal::unix::{SignalKind, signal};

/// Fake providers with the wire formats of the real ones.
#[derive(Parser)]
struct Flags {
    /// Where the admin API listens; every provider gets a free port of the same address.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// A provider to run, as NAME=TYPE with a type of `AIProvider`; default all of them.
    #[arg(long = "provider", value_parser = provider)]
    providers: Vec<(String, Dialect)>,
}

fn provider(text: &str) -> anyhow::Result<(String, Dialect)> {
    let (name, dialect) = text.split_once('=').context("write NAME=TYPE, such as my-openai=OpenAI")?;
    let dialect = serde_json::from_value(Value::String(dialect.to_owned()))?;
    Ok((name.to_owned(), dialect))
}

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let asked: Vec<(&str, Dialect)> = flags.providers.iter().map(|(name, dialect)| (name.as_str(), *dialect)).collect();
    let providers = if asked.is_empty() { DEFAULT_PROVIDERS.to_vec() } else { asked };
    let fakes = Fakes::start_with(&providers, flags.listen)?;
    let urls: Map<String, Value> =
        providers.iter().map(|(name, _)| ((*name).to_owned(), json!(fakes.url(name)))).collect();
    println!("{}", json!({"event": "listening", "admin": fakes.admin_url(), "providers": urls}));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(told_to_stop())
}

async fn told_to_stop() -> anyhow::Result<()> {
    let (closed, is_closed) = tokio::sync::oneshot::channel();
    // A thread, since a read of stdin can't be cancelled.
    std::thread::spawn(move || {
        drop(std::io::stdin().lock().read_to_end(&mut Vec::new()));
        closed.send(()).ok();
    });
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = is_closed => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
