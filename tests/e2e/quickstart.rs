//! `examples/quickstart/run`, as a person runs it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use penstock_tests::fake::closed_port;
use penstock_tests::setup;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

const WITHIN: Duration = Duration::from_secs(30);

/// A folder that is gone at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn folder(name: &str) -> anyhow::Result<Folder> {
    let path = std::env::temp_dir().join(format!("penstock-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&path)?;
    Ok(Folder(path))
}

fn script(port: u16, folder: &Folder) -> anyhow::Result<Command> {
    let binaries = setup::binary("penstock-proxy")?;
    let mut command = Command::new(setup::repository().join("examples/quickstart/run"));
    command
        .env("PENSTOCK_BINARIES", binaries.parent().context("must be in a folder")?)
        .env("PORT", port.to_string())
        .env("RUN_DIR", &folder.0)
        .env_remove("OPENAI_API_KEY")
        .env_remove("ANTHROPIC_API_KEY")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Ok(command)
}

/// The lines up to the last one of the greeting.
async fn greeting(lines: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<Vec<String>> {
    let mut greeting = Vec::new();
    while let Some(line) = lines.next_line().await? {
        greeting.push(line);
        if greeting.last().is_some_and(|line| line.contains("Ctrl-C ends it all")) {
            return Ok(greeting);
        }
    }
    bail!("ended after {greeting:?}")
}

/// Runs a printed command as a person would.
async fn shell(line: &str) -> anyhow::Result<String> {
    let output = tokio::time::timeout(WITHIN, Command::new("bash").args(["-c", line]).output()).await??;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The processes that the script started.
fn children(script: &Child) -> anyhow::Result<Vec<Pid>> {
    let id = script.id().context("must be running")?;
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
    children.split_whitespace().map(|id| Pid::from_raw(id.parse()?).context("must be a process id")).collect()
}

#[tokio::test]
async fn the_three_printed_commands_work_as_printed_and_ctrl_c_ends_it_all() -> anyhow::Result<()> {
    let (reserved, address) = closed_port()?;
    drop(reserved);
    let folder = folder("quickstart")?;
    let mut script = script(address.port(), &folder)?.spawn()?;
    let mut lines = BufReader::new(script.stdout.take().context("must have a stdout")?).lines();
    let greeting = tokio::time::timeout(WITHIN, greeting(&mut lines)).await.context("no greeting")??;
    let commands: Vec<&str> = greeting.iter().filter_map(|line| line.strip_prefix("    ")).collect();
    let [unary, stream, fallback] = commands.as_slice() else { bail!("not three commands in {greeting:#?}") };

    let answer = shell(unary).await?;
    assert!(answer.contains("x-penstock-provider: default/openai"), "{answer}");
    assert!(answer.contains("This is gpt-4o at openai. You said: What is a penstock?"), "{answer}");
    let answer = shell(stream).await?;
    assert!(answer.matches("data: {").count() > 5 && answer.contains("data: [DONE]"), "{answer}");
    let answer = shell(fallback).await?;
    assert!(answer.contains("x-penstock-provider: default/anthropic"), "{answer}");
    assert!(answer.contains("This is claude-sonnet-5 at anthropic. You said: What is a penstock?"), "{answer}");

    let started = children(&script)?;
    assert_eq!(started.len(), 2, "{started:?}");
    let id = script.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).context("must be running")?;
    kill_process(id, Signal::INT)?;
    let status = tokio::time::timeout(WITHIN, script.wait()).await.context("Ctrl-C did not end it")??;
    assert_eq!(status.code(), Some(0));
    for process in started {
        assert!(test_kill_process(process).is_err(), "{process:?} still runs");
    }
    Ok(())
}

#[tokio::test]
async fn a_taken_port_is_said_in_plain_words() -> anyhow::Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port();
    let folder = folder("quickstart-taken")?;
    let output = tokio::time::timeout(WITHIN, script(port, &folder)?.output()).await??;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("port {port} is taken")) && said.contains("PORT="), "{said}");
    Ok(())
}
