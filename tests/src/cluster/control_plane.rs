//! The process of `tests/cluster`, and the pipe that ties it and the Pods' processes to this one.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::{Value, json};

/// How many lines of log are kept for error messages.
const LOG_LINES: usize = 60;

type Log = Arc<Mutex<VecDeque<String>>>;

/// A running control plane.
pub(super) struct ControlPlane {
    child: Child,
    log: Log,
    pub(super) leash: Arc<Leash>,
    /// Where its state is; deleted by the process itself when it ends. The tests' own files may go there too.
    pub(super) dir: PathBuf,
    pub(super) server: String,
    pub(super) ca: PathBuf,
    pub(super) admin_token: String,
    pub(super) admin_kubeconfig: PathBuf,
}

/// The line that says that it is ready.
#[derive(Deserialize)]
struct Ready {
    server: String,
    ca: PathBuf,
    token: String,
}

/// The control plane's stdin. When it closes, the control plane kills what is held, and ends.
pub(super) struct Leash {
    stdin: Mutex<Option<ChildStdin>>,
}

/// A process that is killed when this process ends by whatever means, until this is dropped.
pub(super) struct Held {
    leash: Arc<Leash>,
    pid: u32,
}

impl ControlPlane {
    /// Blocks until it is ready, which it bounds by itself.
    pub(super) fn start(program: &Path) -> anyhow::Result<Self> {
        let dir = new_folder()?;
        let mut child = Command::new(program)
            .args(["up", "--dir"])
            .arg(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| program.display().to_string())?;
        let stdin = child.stdin.take().context("it must have a stdin")?;
        let stdout = child.stdout.take().context("it must have a stdout")?;
        let (log, follower) = follow(child.stderr.take().context("it must have a stderr")?);

        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let Ok(Ready { server, ca, token }) = serde_json::from_str(&line) else {
            drop(stdin);
            let status = child.wait()?;
            let _ = follower.join();
            bail!("the test cluster did not start ({status}):\n{}", tail(&log));
        };
        let admin_kubeconfig = dir.join("kubeconfig");
        let user = json!({"token": token});
        std::fs::write(&admin_kubeconfig, kubeconfig(&server, &ca, &user).to_string())?;
        Ok(Self {
            child,
            log,
            leash: Arc::new(Leash { stdin: Mutex::new(Some(stdin)) }),
            dir,
            server,
            ca,
            admin_token: token,
            admin_kubeconfig,
        })
    }

    pub(super) fn port(&self) -> anyhow::Result<u16> {
        let port = self.server.rsplit(':').next().context("a URL with a port")?;
        port.parse().context("a URL with a port")
    }

    pub(super) fn log_tail(&self) -> String {
        tail(&self.log)
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.leash.close();
        // Nothing could be done about an error, and the kernel reaps it with this process.
        let _ = self.child.wait();
    }
}

impl Leash {
    pub(super) fn hold(self: &Arc<Self>, pid: u32) -> anyhow::Result<Held> {
        self.say("hold", pid)?;
        Ok(Held { leash: Arc::clone(self), pid })
    }

    fn say(&self, verb: &str, pid: u32) -> anyhow::Result<()> {
        let mut stdin = self.stdin.lock().expect("a writer must not have panicked");
        let stdin = stdin.as_mut().context("the test cluster has ended")?;
        writeln!(stdin, "{verb} {pid}").context("the test cluster has ended")
    }

    fn close(&self) {
        drop(self.stdin.lock().expect("a writer must not have panicked").take());
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // When the cluster has ended, it has killed the process.
        let _ = self.leash.say("release", self.pid);
    }
}

/// A kubeconfig for this server with this user.
pub(super) fn kubeconfig(server: &str, ca: &Path, user: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": ca}}],
        "users": [{"name": "test", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    })
}

/// A name that nobody else has. The control plane makes the folder, and refuses one with something in it.
fn new_folder() -> anyhow::Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_nanos();
    let name = format!("penstock-{}-{number}-{now:x}", std::process::id());
    Ok(std::env::temp_dir().join(name))
}

/// Keeps the last lines of a log, and its pipe empty, until it ends.
fn follow(stderr: impl Read + Send + 'static) -> (Log, JoinHandle<()>) {
    let log = Log::default();
    let kept = Arc::clone(&log);
    let follower = std::thread::spawn(move || {
        for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
            let mut kept = kept.lock().expect("a reader must not have panicked");
            if kept.len() == LOG_LINES {
                kept.pop_front();
            }
            kept.push_back(String::from_utf8_lossy(&line).into_owned());
        }
    });
    (log, follower)
}

fn tail(log: &Log) -> String {
    let log = log.lock().expect("the writer must not have panicked");
    log.iter().fold(String::new(), |text, line| text + line + "\n")
}
