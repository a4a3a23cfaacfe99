//! Real Redis servers, as processes of their own.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::setup;
pub use cluster::RedisCluster;

mod cluster;

/// Longer than a start takes on a busy machine.
const WITHIN: Duration = Duration::from_secs(30);

/// A running `redis-server` that keeps nothing on disk. It ends with this value.
pub struct Redis {
    process: Child,
    port: u16,
    flags: Vec<String>,
}

impl Redis {
    /// Starts one on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When it is not installed, or does not come up within 30 s.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(&[]).await
    }

    /// The same with more flags, such as `["--requirepass", "secret"]`. With `--tls-cert-file` it speaks TLS alone.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub async fn start_with(flags: &[&str]) -> anyhow::Result<Self> {
        let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
        loop {
            let port = free_port()?;
            if let Some(process) = launch(port, &flags).await? {
                return Ok(Self { process, port, flags });
            }
            // Somebody else took the port in between.
        }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `redis://127.0.0.1:PORT`, whatever it speaks.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    ///
    /// # Errors
    /// When it can't be killed.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }

    /// Starts it again after its end, empty and on the same port.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.process = launch(self.port, &self.flags).await?.context("its port is taken")?;
        Ok(())
    }

    /// Stops it as `kill -STOP` does: it holds its connections and does nothing.
    ///
    /// # Errors
    /// When it has ended.
    pub fn stall(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on after [`Redis::stall`].
    ///
    /// # Errors
    /// When it has ended.
    pub fn go_on(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = self.process.id().and_then(|id| Pid::from_raw(id.cast_signed())).context("has ended already")?;
        Ok(kill_process(id, signal)?)
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// None if the port is taken, or does not do.
async fn launch(port: u16, flags: &[String]) -> anyhow::Result<Option<Child>> {
    let is_tls = flags.iter().any(|flag| flag == "--tls-cert-file");
    let ports = if is_tls { [0, port] } else { [port, 0] }.map(|port| port.to_string());
    let mut process = Command::new(setup::redis()?)
        .args(["--port", &ports[0], "--tls-port", &ports[1], "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(flags)
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("redis-server")?;
    let mut lines = BufReader::new(process.stdout.take().context("stdout")?).lines();
    let comes_up = async {
        let mut log = Vec::new();
        while let Some(line) = lines.next_line().await? {
            if line.contains("eady to accept connections") {
                return Ok(true);
            }
            // A cluster's nodes talk to each other at a second port, 10,000 above.
            if line.contains("Address already in use") || line.contains("port number too high") {
                return Ok(false);
            }
            log.push(line);
        }
        anyhow::bail!("redis-server ended:\n{}", log.join("\n"))
    };
    let is_up = tokio::time::timeout(WITHIN, comes_up).await.context("redis-server did not come up")??;
    // What it says from now on is for nobody, but must not fill the pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok(is_up.then_some(process))
}
