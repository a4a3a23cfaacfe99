//! Every dialect of clients by every provider: what works, and what is refused with a reason.

mod client;
mod task;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use penstock_tests::fake::Fakes;
use penstock_tests::gateway::{Answer, Gateway};
use serde_json::Value;

use crate::figures::print;
use crate::upstreams::{UPSTREAMS, Upstream, resources};
use client::Client;
use task::{Seen, Task};

/// What is refused, and why; everything else has to work.
const REFUSED: [(Client, &str, Task, &str); 0] = [];

/// What came of one cell.
type Cells = BTreeMap<(usize, usize, usize), [String; 2]>;

#[tokio::test]
async fn every_client_reaches_every_provider_with_every_task() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    let gateway = Gateway::start(&resources(&fakes)).await?;
    let (mut cells, mut failures) = (Cells::new(), Vec::new());
    for (c, client) in Client::ALL.into_iter().enumerate() {
        for (u, upstream) in UPSTREAMS.iter().enumerate() {
            for (t, task) in Task::ALL.into_iter().enumerate() {
                let mut cell = [String::new(), String::new()];
                for stream in [false, true] {
                    fakes.forget_requests();
                    let ended = run(&gateway, &fakes, client, upstream, task, stream).await;
                    cell[usize::from(stream)] = ended.unwrap_or_else(|error| {
                        let way = if stream { "stream" } else { "unary" };
                        failures.push(format!(
                            "{} x {} x {way} x {}: {error:#}",
                            client.name(),
                            upstream.name,
                            task.name()
                        ));
                        "FAILED".into()
                    });
                }
                cells.insert((c, u, t), cell);
            }
        }
    }
    let table = table(&cells)?;
    print(&table)?;
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    compare(&table)
}

/// One cell: that it works, or the reason of its 422.
async fn run(
    gateway: &Gateway,
    fakes: &Fakes,
    client: Client,
    upstream: &Upstream,
    task: Task,
    stream: bool,
) -> anyhow::Result<String> {
    // Some who think want the thought back with its calls.
    let thinks = matches!(task, Task::Reasoning | Task::Tools);
    let model = if thinks { upstream.thinker } else { upstream.model };
    let mut body = client.body(model, task, stream);
    let answer = ask(gateway, client, model, &body, stream).await?;
    let refused = REFUSED.iter().find(|row| (row.0, row.1, row.2) == (client, upstream.name, task));
    if let Some((.., reason)) = refused {
        ensure!(answer.status == 422 && answer.body.contains(reason), "not refused: {answer:?}");
        return Ok(format!("422: {reason}"));
    }
    let seen = read(client, &answer, stream)?;
    task.check(&seen, model)?;
    let sent = fakes.requests_to(upstream.fake).pop().context("nothing reached the provider")?;
    let sent = &sent.body;
    match task {
        Task::Tools => {
            client.second(&mut body, &seen)?;
            let answer = ask(gateway, client, model, &body, stream).await?;
            Task::check_second(&read(client, &answer, stream)?)?;
        }
        Task::Reasoning => {
            ensure!(sent.contains(upstream.asks_to_think), "it is not asked to think: {sent}");
            ensure!(seen.thinking.is_empty() != upstream.shows_thinking, "thinking: {seen:?} {}", answer.body);
        }
        Task::Text | Task::Image | Task::Schema => {}
    }
    Ok("yes".into())
}

async fn ask(gateway: &Gateway, client: Client, model: &str, body: &Value, stream: bool) -> anyhow::Result<Answer> {
    Answer::of(gateway.post(&client.path(model, stream)).json(body)).await
}

fn read(client: Client, answer: &Answer, stream: bool) -> anyhow::Result<Seen> {
    ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
    client.read(answer, stream).with_context(|| answer.body.clone())
}

/// A row for each pair, a column for each task.
fn table(cells: &Cells) -> anyhow::Result<String> {
    let mut table = String::from("| client | provider |");
    Task::ALL.iter().for_each(|task| table += &format!(" {} |", task.name()));
    table += "\n|---|---|";
    Task::ALL.iter().for_each(|_| table += "---|");
    for (c, client) in Client::ALL.into_iter().enumerate() {
        for (u, upstream) in UPSTREAMS.iter().enumerate() {
            write!(table, "\n| {} | {} |", client.name(), upstream.name)?;
            for t in 0..Task::ALL.len() {
                let [unary, stream] = &cells[&(c, u, t)];
                let both = if unary == stream { unary.clone() } else { format!("{unary}; stream: {stream}") };
                write!(table, " {both} |")?;
            }
        }
    }
    Ok(table + "\n")
}

/// Compares the page with what it must hold, or writes it when `UPDATE` is set.
fn compare(table: &str) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace")?;
    let differences = std::fs::read_to_string(root.join("llm/fixtures/differences.md"))?;
    let (_, differences) = differences.split_once("-->\n").context("must say how it is made")?;
    let wanted = format!("{}\n{table}\n## There and back\n{differences}", include_str!("matrix/head.md"));
    let path = root.join("docs/compatibility.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &wanted)?;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    ensure!(
        found == wanted,
        "docs/compatibility.md is out of date: UPDATE=1 cargo test -p penstock-tests --test e2e matrix"
    );
    Ok(())
}
