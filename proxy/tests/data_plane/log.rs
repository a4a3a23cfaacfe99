//! The lines that are logged of requests, and of the store of limits. Those of all tests come together, so a test asks for a
//! model of its own.

use std::{
    io,
    sync::{LazyLock, Once},
};

use anyhow::Context as _;
use serde_json::Value;
use tokio::{sync::watch, time::timeout};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::provider::PATIENCE;

static LINES: LazyLock<watch::Sender<Vec<Value>>> = LazyLock::new(watch::Sender::default);
static LISTENING: Once = Once::new();

/// Takes the lines of all requests from here on.
pub(crate) fn listen() {
    LISTENING.call_once(|| {
        let filter = Targets::new()
            .with_target("penstock::request", LevelFilter::INFO)
            .with_target("penstock_proxy::limits", LevelFilter::TRACE)
            .with_target("redis", LevelFilter::TRACE);
        let lines = fmt::layer().json().flatten_event(true).with_writer(|| Sink);
        tracing_subscriber::registry().with(filter).with(lines).init();
    });
}

/// All lines, once one of them has this in its message.
pub(crate) async fn until_said(words: &str) -> anyhow::Result<Vec<Value>> {
    let mut lines = LINES.subscribe();
    let says = |line: &Value| line["message"].as_str().is_some_and(|message| message.contains(words));
    let said =
        timeout(PATIENCE, lines.wait_for(|lines| lines.iter().any(says))).await.map(|said| said.map(|all| all.clone()));
    Ok(said.with_context(|| format!("{words:?} is not in {:?}", LINES.borrow()))??)
}

/// The line of the first request for a model, once it is over.
pub(crate) async fn line(model: &str) -> anyhow::Result<Value> {
    let mut lines = LINES.subscribe();
    let find = |lines: &Vec<Value>| lines.iter().find(|line| line["model"] == model).cloned();
    let lines = timeout(PATIENCE, lines.wait_for(|lines| find(lines).is_some())).await.context(model.to_owned())??;
    find(&lines).context("must be there")
}

struct Sink;

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = serde_json::from_slice(bytes)?;
        LINES.send_modify(|lines| lines.push(line));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
