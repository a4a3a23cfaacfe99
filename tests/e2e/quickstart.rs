//! `examples/quickstart/run`, as a person runs it.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use penstock_tests::client::client;
use penstock_tests::fake::{Answer, At, Fakes, How, Script as Turns};
use penstock_tests::setup;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::figures;

const WITHIN: Duration = Duration::from_secs(30);
/// From the start to the first request that may be made, at most.
const READY_WITHIN_MS: u64 = 5_000;
/// What the script calls beside the shell and the programs of this repository.
const PROGRAMS: [&str; 11] = ["bash", "cat", "cp", "dirname", "env", "mkdir", "mkfifo", "mktemp", "rm", "sed", "sleep"];

/// A folder that is gone at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn folder(name: &str) -> anyhow::Result<Folder> {
    let path = std::env::temp_dir().join(format!("penstock {name} {}", std::process::id()));
    std::fs::create_dir_all(&path)?;
    Ok(Folder(path))
}

/// The script, in a process group of its own as a terminal would put it, on a free port.
fn command(folder: &Folder) -> anyhow::Result<Command> {
    let binaries = setup::binary("penstock-proxy")?;
    let mut command = Command::new(setup::repository().join("examples/quickstart/run"));
    command
        .env("PENSTOCK_BINARIES", binaries.parent().context("must be in a folder")?)
        .env("PORT", "0")
        .env("RUN_DIR", &folder.0)
        // Nothing may ask a proxy for an address of this machine. Port 1 is nobody's.
        .env("http_proxy", "http://127.0.0.1:1")
        .env_remove("OPENAI_API_KEY")
        .env_remove("ANTHROPIC_API_KEY")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Ok(command)
}

/// The script once it has said all that it says.
struct Running {
    script: Child,
    greeting: Vec<String>,
    /// Kept open as a terminal is.
    _stdout: Lines<BufReader<ChildStdout>>,
}

impl Running {
    async fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut script = command.spawn()?;
        let mut lines = BufReader::new(script.stdout.take().context("must have a stdout")?).lines();
        let greeting = timeout(WITHIN, greeting(&mut lines)).await.context("no greeting")??;
        Ok(Self { script, greeting, _stdout: lines })
    }

    /// The commands that it printed.
    fn commands(&self) -> Vec<&str> {
        self.greeting.iter().filter_map(|line| line.strip_prefix("    ")).collect()
    }

    /// What follows the first of these words in the greeting, up to a space.
    fn said(&self, words: &str) -> anyhow::Result<&str> {
        let after = self.greeting.iter().find_map(|line| Some(line.split_once(words)?.1));
        let after = after.with_context(|| format!("{words:?} is not in {:#?}", self.greeting))?;
        Ok(after.split(' ').next().unwrap_or_default())
    }

    /// Ctrl-C, as a terminal sends it: to all processes at once. Every one of them must end.
    async fn interrupt(mut self) -> anyhow::Result<()> {
        let started = children(&self.script)?;
        let group = self.script.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).context("must be running")?;
        kill_process_group(group, Signal::INT)?;
        let status = timeout(WITHIN, self.script.wait()).await.context("Ctrl-C did not end it")??;
        assert_eq!(status.code(), Some(0));
        assert!(!started.is_empty());
        for process in started {
            assert!(test_kill_process(process).is_err(), "{process:?} still runs");
        }
        Ok(())
    }
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

/// Runs a printed command as a person would, in a folder of their own.
async fn shell(line: &str) -> anyhow::Result<String> {
    let mut bash = Command::new("bash");
    bash.args(["-c", line]).current_dir("/").env("http_proxy", "http://127.0.0.1:1").kill_on_drop(true);
    Ok(String::from_utf8_lossy(&timeout(WITHIN, bash.output()).await??.stdout).into_owned())
}

/// The processes that the script started.
fn children(script: &Child) -> anyhow::Result<Vec<Pid>> {
    let id = script.id().context("must be running")?;
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
    children.split_whitespace().map(|id| Pid::from_raw(id.parse()?).context("must be a process id")).collect()
}

#[tokio::test]
async fn the_three_printed_commands_work_as_printed_from_anywhere_and_more_than_once() -> anyhow::Result<()> {
    let folder = folder("quickstart")?;
    let own = folder.0.join("own.yaml");
    std::fs::write(&own, "# A person's own file.\n")?;
    let running = Running::start(command(&folder)?).await?;
    let ready: u64 = running.said("ready after ")?.parse()?;
    figures::print(format_args!("quickstart: ready after {ready} ms"))?;
    assert!(ready < READY_WITHIN_MS, "{ready} ms");
    assert!(own.exists(), "what is not the quickstart's is left alone");

    let [unary, stream, fallback] = running.commands()[..] else {
        bail!("not three commands: {:#?}", running.greeting)
    };
    let answer = shell(unary).await?;
    assert!(answer.contains("x-penstock-provider: default/openai"), "{answer}");
    assert!(answer.contains("This is gpt-4o at openai. You said: What is a penstock?"), "{answer}");
    let answer = shell(stream).await?;
    assert!(answer.matches("data: {").count() > 5 && answer.contains("data: [DONE]"), "{answer}");
    for _ in 0..2 {
        let answer = shell(fallback).await?;
        assert!(answer.contains("x-penstock-provider: default/anthropic"), "{answer}");
        assert!(answer.contains("This is claude-sonnet-5 at anthropic. You said: What is a penstock?"), "{answer}");
    }
    let back = running.greeting.iter().find_map(|line| line.trim_start().strip_prefix("Put it back: "));
    shell(back.context("it must say how to put it back")?).await?;
    assert!(std::fs::read_to_string(folder.0.join("chat.yaml"))?.contains("provider: openai"));
    running.interrupt().await
}

#[tokio::test]
async fn ctrl_c_ends_it_all_in_the_middle_of_a_stream() -> anyhow::Result<()> {
    let folder = folder("quickstart-stream")?;
    let running = Running::start(command(&folder)?).await?;
    let fakes = Fakes::start()?;
    let provider = folder.0.join("openai.yaml");
    let at = format!("baseURL: {}/v1", fakes.url("openai"));
    let edited: Vec<String> = std::fs::read_to_string(&provider)?
        .lines()
        .map(|line| if line.contains("baseURL: ") { format!("  {at}") } else { line.to_owned() })
        .collect();
    std::fs::write(&provider, edited.join("\n"))?;
    fakes.script(Turns::on("openai").forever(Answer::broken(At::Content(2), How::Gate)));

    let url = format!("{}/v1/chat/completions", running.said(" on ")?.trim_end_matches('.'));
    let body = json!({"model": "smart", "stream": true, "messages": [{"role": "user", "content": "hello"}]});
    let asked = async {
        loop {
            let mut stream = client().post(&url).json(&body).send().await?;
            if !fakes.requests().is_empty() {
                stream.chunk().await?.context("must begin")?;
                return anyhow::Ok(stream);
            }
        }
    };
    let _open = timeout(WITHIN, asked).await.context("the edit has no effect")??;
    running.interrupt().await
}

#[tokio::test]
async fn a_provider_whose_key_is_set_is_the_real_one() -> anyhow::Result<()> {
    let folder = folder("quickstart-key")?;
    let mut command = command(&folder)?;
    command.env("OPENAI_API_KEY", "sk-of-a-person");
    let running = Running::start(command).await?;
    let file = |name: &str| std::fs::read_to_string(folder.0.join(name));
    assert!(file("openai.yaml")?.contains("baseURL: https://api.openai.com/v1"));
    assert!(!file("openai.yaml")?.contains("sk-of-a-person"));
    assert!(file("anthropic.yaml")?.contains("baseURL: http://127.0.0.1:"));
    assert!(!running.greeting.iter().any(|line| line.contains("OPENAI_API_KEY is not set")));
    running.interrupt().await
}

#[tokio::test]
async fn without_curl_it_serves_all_the_same_and_says_what_is_missing() -> anyhow::Result<()> {
    let folder = folder("quickstart-without-curl")?;
    let programs = self::folder("quickstart-programs")?;
    for name in PROGRAMS {
        symlink(found(name)?, programs.0.join(name))?;
    }
    let mut command = command(&folder)?;
    command.env("PATH", &programs.0);
    let running = Running::start(command).await?;
    assert!(running.greeting.iter().any(|line| line.starts_with("curl is not installed")), "{:#?}", running.greeting);
    running.interrupt().await
}

/// Where a program is.
fn found(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").context("there must be a PATH")?;
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(name));
    places.find(|path| Path::is_file(path)).with_context(|| format!("{name} is not installed"))
}

#[tokio::test]
async fn a_taken_port_is_said_in_plain_words() -> anyhow::Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port();
    let folder = folder("quickstart-taken")?;
    let output = timeout(WITHIN, command(&folder)?.env("PORT", port.to_string()).output()).await??;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("port {port} is taken")) && said.contains("PORT="), "{said}");
    Ok(())
}
