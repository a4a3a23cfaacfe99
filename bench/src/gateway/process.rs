//! The gateways as processes, on one core, measured from outside.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

/// What no gateway takes longer for to be there.
const PATIENCE: Duration = Duration::from_secs(5);

/// A program under load.
pub(super) trait Gateway {
    fn address(&self) -> SocketAddr;
    /// Processes that do the work.
    fn workers(&self) -> Result<Vec<u32>>;

    /// Nanoseconds that all threads of all workers have run so far, by the scheduler's count: `/proc/PID/stat` has ticks of a
    /// hundredth of a second.
    fn cpu_nanos(&self) -> Result<u64> {
        let mut nanos = 0;
        for pid in self.workers()? {
            for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
                let schedstat = fs::read_to_string(thread?.path().join("schedstat"))?;
                nanos += schedstat.split(' ').next().context("schedstat")?.parse::<u64>()?;
            }
        }
        Ok(nanos)
    }
}

/// Until the proxy has read its resources.
async fn ready(admin: SocketAddr) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (mut socket, mut answer) = (TcpStream::connect(admin).await?, Vec::new());
        socket.write_all(b"GET /readyz HTTP/1.1\r\nhost: proxy\r\nconnection: close\r\n\r\n").await?;
        socket.read_to_end(&mut answer).await?;
        if answer.starts_with(b"HTTP/1.1 200") {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < deadline, "is not ready: {}", String::from_utf8_lossy(&answer));
    }
}

/// A child that ends with the benchmark.
struct Process {
    child: Child,
    dir: PathBuf,
}

impl Process {
    fn start(name: &str, core: usize, dir: PathBuf, command: &[&str]) -> Result<Self> {
        let child = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .args(command)
            .stdout(Stdio::piped())
            .stderr(fs::File::create(dir.join("stderr"))?)
            .spawn()
            .with_context(|| format!("{name} did not start"))?;
        Ok(Self { child, dir })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Killed and gone already are equally good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn fresh_dir(name: &str) -> Result<PathBuf> {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let (process, number) = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let dir = std::env::temp_dir().join(format!("penstock-bench-{name}-{process}-{number}"));
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

pub(super) struct Nginx {
    process: Process,
    address: SocketAddr,
}

impl Nginx {
    pub(super) async fn start(binary: &Path, core: usize, upstream: SocketAddr) -> Result<Self> {
        let dir = fresh_dir("nginx")?;
        let address = super::free_port()?;
        let config = dir.join("nginx.conf");
        let d = dir.display();
        let text = format!(
            "daemon off; master_process off; pid {d}/pid; error_log {d}/error.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n  access_log off; keepalive_requests 1000000; client_max_body_size 32m;\n  \
             client_body_temp_path {d}/b; proxy_temp_path {d}/p; fastcgi_temp_path {d}/f; uwsgi_temp_path {d}/u; \
             scgi_temp_path {d}/s;\n  client_body_buffer_size 256k;\n  \
             upstream mock {{ server {upstream}; keepalive 64; keepalive_requests 1000000; }}\n  \
             server {{ listen {address}; location / {{ proxy_pass http://mock; proxy_http_version 1.1; \
             proxy_set_header Connection \"\"; proxy_buffering off; }} }}\n}}\n"
        );
        fs::write(&config, text)?;
        let binary = binary.to_str().context("nginx's path must be UTF-8")?;
        let config = config.to_str().context("the temporary folder must be UTF-8")?;
        let process = Process::start("nginx", core, dir.clone(), &[binary, "-c", config])?;
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).await.is_err() {
            let log = || fs::read_to_string(dir.join("stderr")).unwrap_or_default();
            anyhow::ensure!(Instant::now() < deadline, "does not listen: {}", log());
            tokio::task::yield_now().await;
        }
        Ok(Self { process, address })
    }
}

impl Gateway for Nginx {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn workers(&self) -> Result<Vec<u32>> {
        Ok(vec![self.process.child.id()])
    }
}

pub(super) struct Penstock {
    process: Process,
    address: SocketAddr,
}

/// A caller, and three limits that it never meets: for all, for each user and for each model.
const LIMITED: &str = "---
apiVersion: v1
kind: Secret
metadata: {name: caller}
stringData: {key: a-key-of-twenty-characters}
---
apiVersion: penstock.dev/v1alpha1
kind: Consumer
metadata: {name: caller}
spec: {apiKeys: [{secretRef: {name: caller, key: key}}]}
---
apiVersion: penstock.dev/v1alpha1
kind: RateLimit
metadata: {name: all}
spec: {requests: {limit: 1000000000, window: 1m}}
---
apiVersion: penstock.dev/v1alpha1
kind: RateLimit
metadata: {name: users}
spec: {per: [User], tokens: {limit: 1000000000000, window: 1m}}
---
apiVersion: penstock.dev/v1alpha1
kind: RateLimit
metadata: {name: models}
spec: {per: [Model], requests: {limit: 1000000000, window: 1m}}
";

impl Penstock {
    pub(super) async fn start(binary: &Path, core: usize, upstream: SocketAddr) -> Result<Self> {
        Self::start_with("proxy", "open", "", binary, core, upstream).await
    }

    /// Who calls must be known, and is limited.
    pub(super) async fn limited(binary: &Path, core: usize, upstream: SocketAddr) -> Result<Self> {
        Self::start_with("limited", "required", LIMITED, binary, core, upstream).await
    }

    async fn start_with(
        name: &str,
        auth: &str,
        more: &str,
        binary: &Path,
        core: usize,
        upstream: SocketAddr,
    ) -> Result<Self> {
        let dir = fresh_dir(name)?;
        let resources = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: mock}}\nstringData: {{key: sk-of-the-mock}}\n---\n\
             apiVersion: penstock.dev/v1alpha1\nkind: AIProvider\nmetadata: {{name: mock}}\n\
             spec: {{type: OpenAI, baseURL: 'http://{upstream}/v1', models: [{{name: gpt-4o}}], \
             credentials: [{{secretRef: {{name: mock, key: key}}}}]}}\n{more}"
        );
        fs::write(dir.join("resources.yaml"), resources)?;
        let binary = binary.to_str().context("the proxy's path must be UTF-8")?;
        let resources = dir.to_str().context("the temporary folder must be UTF-8")?.to_owned();
        let command = [
            binary,
            "serve",
            "--resources",
            &resources,
            "--auth",
            auth,
            "--workers",
            "1",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--log-level",
            "warn",
        ];
        let log = dir.join("stderr");
        let mut process = Process::start("penstock-proxy", core, dir, &command)?;
        let stdout = process.child.stdout.take().context("stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let listening: serde_json::Value = serde_json::from_str(&line)
            .with_context(|| format!("does not listen: {}", fs::read_to_string(log).unwrap_or_default()))?;
        let address = |name: &str| anyhow::Ok(listening[name].as_str().context("no address")?.parse()?);
        ready(address("admin")?).await?;
        Ok(Self { process, address: address("data")? })
    }

    pub(super) fn resident_mib(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).context("VmRSS")?.parse()?;
        Ok(kib / 1024.0)
    }
}

impl Gateway for Penstock {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn workers(&self) -> Result<Vec<u32>> {
        Ok(vec![self.process.child.id()])
    }
}
