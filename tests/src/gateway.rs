//! The shipped proxy as a process of its own, with resources from a folder.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::header::HeaderMap;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::client::client;
use crate::setup;

/// Longer than anything here takes on a busy machine.
const WITHIN: Duration = Duration::from_secs(30);

/// A running `penstock-proxy serve --resources`. It ends with this value.
pub struct Gateway {
    process: Child,
    folder: Folder,
    flags: Vec<String>,
    /// Where the unified API is.
    pub data: SocketAddr,
    /// Where `/metrics`, `/readyz` and `/config` are.
    pub admin: SocketAddr,
    client: reqwest::Client,
}

/// A whole response.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

#[derive(Deserialize)]
struct Listening {
    data: SocketAddr,
    admin: SocketAddr,
}

impl Gateway {
    /// Starts it over one file of resources, without authentication, and waits until it is ready.
    ///
    /// # Errors
    /// When it isn't built, ends, or is not ready within 30 s; its log is in the error.
    pub async fn start(resources: &str) -> anyhow::Result<Self> {
        Self::start_with(resources, &["--auth", "open"]).await
    }

    /// Starts it with these flags beside the addresses.
    ///
    /// # Errors
    /// As [`Gateway::start`].
    pub async fn start_with(resources: &str, flags: &[&str]) -> anyhow::Result<Self> {
        let folder = Folder::new()?;
        folder.write("resources.yaml", resources)?;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
        let (process, Listening { data, admin }) = launch(&folder, any, any, &flags).await?;
        let gateway = Self { process, folder, flags, data, admin, client: client() };
        gateway.until_ready().await?;
        Ok(gateway)
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    ///
    /// # Errors
    /// When it can't be killed.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }

    /// Starts it again after its end, at the same addresses and with the same flags.
    ///
    /// # Errors
    /// As [`Gateway::start`].
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        (self.process, _) = launch(&self.folder, self.data, self.admin, &self.flags).await?;
        self.until_ready().await
    }

    /// The memory that it has resident, in bytes.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn resident(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(self.proc("status")?)?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("must have a VmRSS")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib << 10)
    }

    async fn until_ready(&self) -> anyhow::Result<()> {
        self.until("ready", async |gateway| gateway.get_admin("/readyz").await.is_ok_and(|a| a.status == 200)).await
    }

    /// `http://IP:PORT` of the unified API.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.data)
    }

    /// Replaces the resources at once, as an editor that renames does.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn replace_resources(&self, resources: &str) -> anyhow::Result<()> {
        self.folder.write("resources.yaml", resources)
    }

    /// Puts one more file of resources beside those that there are, or another in its place, at once.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write_resources(&self, name: &str, resources: &str) -> anyhow::Result<()> {
        self.folder.write(name, resources)
    }

    /// Files and sockets that it has open.
    ///
    /// # Errors
    /// When it has ended.
    pub fn descriptors(&self) -> anyhow::Result<usize> {
        Ok(fs::read_dir(self.proc("fd")?)?.count())
    }

    fn proc(&self, file: &str) -> anyhow::Result<PathBuf> {
        Ok(PathBuf::from(format!("/proc/{}/{file}", self.process.id().context("has ended already")?)))
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.folder.read_log()
    }

    /// A request to the unified API, not sent yet.
    pub fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.post(format!("{}{path}", self.url()))
    }

    /// A chat completion, answered whole.
    ///
    /// # Errors
    /// When the connection fails; an error status is an answer.
    pub async fn chat(&self, body: &Value) -> anyhow::Result<Answer> {
        Answer::of(self.post("/v1/chat/completions").json(body)).await
    }

    /// A GET from the admin listener.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn get_admin(&self, path: &str) -> anyhow::Result<Answer> {
        Answer::of(self.client.get(format!("http://{}{path}", self.admin))).await
    }

    /// Asks until `condition` holds.
    ///
    /// # Errors
    /// When it doesn't within 30 s; the log is in the error.
    pub async fn until(&self, what: &str, mut condition: impl AsyncFnMut(&Self) -> bool) -> anyhow::Result<()> {
        let waited = tokio::time::timeout(WITHIN, async {
            while !condition(self).await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        waited.await.ok().with_context(|| format!("not {what} within {WITHIN:?}; the log:\n{}", self.log()))
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    /// When the process has ended already.
    pub fn terminate(&self) -> anyhow::Result<()> {
        let pid = self.process.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).context("has ended already")?;
        Ok(kill_process(pid, Signal::TERM)?)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it goes on for 30 s.
    pub async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        let ended = tokio::time::timeout(WITHIN, self.process.wait()).await;
        Ok(ended.with_context(|| format!("still running; the log:\n{}", self.log()))??)
    }
}

/// Starts a process, and waits until it says where it listens.
async fn launch(
    folder: &Folder,
    data: SocketAddr,
    admin: SocketAddr,
    flags: &[String],
) -> anyhow::Result<(Child, Listening)> {
    let log = fs::File::options().create(true).append(true).open(folder.log())?;
    let mut process = Command::new(setup::binary("penstock-proxy")?)
        .args(["serve", "--listen", &data.to_string(), "--admin", &admin.to_string()])
        .arg("--resources")
        .arg(folder.resources())
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()?;
    let mut line = String::new();
    let stdout = process.stdout.take().context("must have a stdout")?;
    let mut stdout = BufReader::new(stdout);
    tokio::time::timeout(WITHIN, stdout.read_line(&mut line)).await.context("no address on stdout")??;
    let Ok(listening) = serde_json::from_str(&line) else {
        bail!("the proxy said {line:?} on stdout, and this in its log:\n{}", folder.read_log());
    };
    Ok((process, listening))
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the proxy's log:\n{}", self.log());
        }
    }
}

impl Answer {
    /// Sends a request and takes its response whole.
    ///
    /// # Errors
    /// When the connection fails or the body is cut.
    pub async fn of(request: reqwest::RequestBuilder) -> anyhow::Result<Self> {
        let response = tokio::time::timeout(WITHIN, request.send()).await.context("no response")??;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = tokio::time::timeout(WITHIN, response.text()).await.context("no end of the body")??;
        Ok(Self { status, headers, body })
    }

    /// The value of a header; empty when there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON; null when it isn't.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The text that was answered, whole or streamed.
    #[must_use]
    pub fn text(&self) -> String {
        let whole = self.json()["choices"][0]["message"]["content"].as_str().map(str::to_owned);
        whole.unwrap_or_else(|| {
            let events = self.events().into_iter().filter_map(|data| serde_json::from_str::<Value>(data).ok());
            events.filter_map(|event| Some(event["choices"][0]["delta"]["content"].as_str()?.to_owned())).collect()
        })
    }

    /// What follows `data: ` in each event of a stream.
    #[must_use]
    pub fn events(&self) -> Vec<&str> {
        self.body.lines().filter_map(|line| line.strip_prefix("data: ")).collect()
    }
}

/// A folder of its own for one gateway, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("penstock-gateway-{}-{number}", std::process::id()));
        fs::create_dir_all(folder.join("resources"))?;
        Ok(Self(folder))
    }

    fn resources(&self) -> PathBuf {
        self.0.join("resources")
    }

    fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    fn read_log(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let new = self.0.join(name);
        fs::write(&new, text)?;
        fs::rename(&new, self.resources().join(name)).with_context(|| format!("{name} in {}", self.path().display()))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}
