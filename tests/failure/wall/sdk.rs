//! One long-lived process for each official SDK, since starting them takes longer than most faults.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use penstock_tests::setup;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;

use super::fault::Client;

/// No answer takes longer, at any pace.
const WITHIN: Duration = Duration::from_secs(600);

/// The three, asked by many at once. They end with this value.
pub(crate) struct Sdks(HashMap<Client, Sdk>);

struct Sdk {
    orders: tokio::sync::Mutex<(u64, ChildStdin)>,
    waiting: Waiting,
    _process: Child,
}

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Answer>>>>;

/// What an SDK made of an answer.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Answer {
    id: u64,
    /// Milliseconds that it took.
    pub(crate) ms: u64,
    pub(crate) text: String,
    /// Its finish reason, or its exception.
    pub(crate) end: String,
    /// The ids of a stream's answer, and its finish reasons: as many as there should be, if it is one each.
    pub(crate) ids: Vec<String>,
    pub(crate) ends: Vec<String>,
    /// What a stream says of usage at its end.
    pub(crate) usages: Vec<Usage>,
}

/// Tokens, as an SDK has them.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Usage {
    pub(crate) input: u64,
    pub(crate) output: u64,
    /// As the provider says it, if its dialect has a word for it.
    pub(crate) total: u64,
}

impl Sdks {
    /// Starts them. They are ready when they answer.
    pub(crate) fn start() -> anyhow::Result<Self> {
        Client::ALL.into_iter().map(|client| Ok((client, Sdk::start(client)?))).collect::<anyhow::Result<_>>().map(Self)
    }

    /// One request to the gateway at `url`.
    pub(crate) async fn ask(&self, client: Client, url: &str, model: &str, stream: bool) -> anyhow::Result<Answer> {
        let sdk = self.0.get(&client).context("must have been started")?;
        sdk.ask(url, model, stream).await.with_context(|| format!("{} asks for {model}", client.name()))
    }
}

impl Sdk {
    fn start(client: Client) -> anyhow::Result<Self> {
        let mut process = Command::new(setup::python()?)
            // No bytecode in the tree.
            .arg("-B")
            .arg(setup::repository().join("tests/sdk/wall.py"))
            .arg(format!("--client={}", client.name()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let waiting = Waiting::default();
        let answers = process.stdout.take().context("must have a stdout")?;
        tokio::spawn(hand_out(answers, waiting.clone()));
        let orders = process.stdin.take().context("must have a stdin")?;
        Ok(Self { orders: tokio::sync::Mutex::new((0, orders)), waiting, _process: process })
    }

    async fn ask(&self, url: &str, model: &str, stream: bool) -> anyhow::Result<Answer> {
        let (sender, answer) = oneshot::channel();
        let mut orders = self.orders.lock().await;
        orders.0 += 1;
        let id = orders.0;
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        let order = json!({"id": id, "url": url, "model": model, "stream": stream});
        orders.1.write_all(format!("{order}\n").as_bytes()).await?;
        drop(orders);
        tokio::time::timeout(WITHIN, answer).await.context("no end")?.context("the SDK's process has ended")
    }
}

/// Gives each answer to who waits for it, until the process ends; then nobody waits any longer.
async fn hand_out(answers: ChildStdout, waiting: Waiting) {
    let mut lines = BufReader::new(answers).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(answer) = serde_json::from_str::<Answer>(&line) else { break };
        let asked = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&answer.id);
        if let Some(asked) = asked {
            asked.send(answer).ok();
        }
    }
    waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
}
