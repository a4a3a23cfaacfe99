//! The program as a process: what it prints, what its admin pages say, how it ends.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdout, Command},
    time,
};

/// 32 MiB.
const DEFAULT_BOUND: usize = 33_554_432;
const PATIENCE: Duration = Duration::from_secs(30);
const KEY: &str = "sk-a-key-that-nobody-may-see";
const GOOD: &str = "
apiVersion: penstock.dev/v1alpha1
kind: AIProvider
metadata: {name: openai}
spec:
  type: OpenAI
  credentials: [{secretRef: {name: openai, key: api-key}}]
  models: [{name: gpt-4o}]
---
apiVersion: v1
kind: Secret
metadata: {name: openai}
stringData: {api-key: \"${PENSTOCK_TEST_KEY}\"}
";

/// A running proxy; killed when dropped.
struct Proxy {
    child: Child,
    stdout: BufReader<ChildStdout>,
    first_line: String,
    data: SocketAddr,
    admin: SocketAddr,
}

impl Proxy {
    async fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut command = program();
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", "1"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().expect("must be piped"));
        let mut first_line = String::new();
        time::timeout(PATIENCE, stdout.read_line(&mut first_line)).await??;
        let listening: serde_json::Value = serde_json::from_str(&first_line)?;
        let address = |field: &str| listening[field].as_str().unwrap_or_default().parse::<SocketAddr>();
        let (data, admin) = (address("data")?, address("admin")?);
        Ok(Self { child, stdout, first_line, data, admin })
    }

    async fn admin(&self, path: &str) -> anyhow::Result<(u16, String)> {
        get(self.admin, path).await
    }

    async fn until_ready(&self) -> anyhow::Result<()> {
        self.until("/readyz", |status, _| status == 200).await
    }

    async fn until(&self, path: &str, wanted: impl Fn(u16, &str) -> bool) -> anyhow::Result<()> {
        let poll = async {
            loop {
                let (status, body) = self.admin(path).await?;
                if wanted(status, &body) {
                    return Ok(());
                }
                time::sleep(Duration::from_millis(5)).await;
            }
        };
        time::timeout(PATIENCE, poll).await?
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        Ok(kill_process(id.ok_or_else(|| anyhow::anyhow!("must run"))?, signal)?)
    }

    /// Its exit, and all else that it wrote to stdout and stderr.
    async fn end(mut self) -> anyhow::Result<(ExitStatus, String, String)> {
        let status = time::timeout(PATIENCE, self.child.wait()).await??;
        let (mut out, mut err) = (String::new(), String::new());
        self.stdout.read_to_string(&mut out).await?;
        self.child.stderr.take().expect("must be piped").read_to_string(&mut err).await?;
        Ok((status, out, err))
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_penstock-proxy"));
    command.env("PENSTOCK_TEST_KEY", KEY);
    command
}

async fn get(address: SocketAddr, path: &str) -> anyhow::Result<(u16, String)> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    let response = client.get(format!("http://{address}{path}")).send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}

fn folder(text: &str) -> anyhow::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("resources.yaml"), text)?;
    Ok(folder)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("must be UTF-8")
}

#[tokio::test]
async fn it_says_where_it_listens_serves_its_pages_and_never_shows_a_key() -> anyhow::Result<()> {
    let folder = folder(GOOD)?;
    let proxy = Proxy::start(&["--resources", text(folder.path()), "--log-level", "trace"]).await?;
    let wanted = format!("{{\"event\":\"listening\",\"data\":\"{}\",\"admin\":\"{}\"}}\n", proxy.data, proxy.admin);
    assert_eq!(proxy.first_line, wanted);
    proxy.until_ready().await?;
    assert_eq!(proxy.admin("/healthz").await?, (200, "ok\n".to_owned()));
    assert_eq!(proxy.admin("/elsewhere").await?.0, 404);
    let (_, metrics) = proxy.admin("/metrics").await?;
    assert!(metrics.contains("\npenstock_snapshot_age_seconds "), "{metrics}");
    let (_, config) = proxy.admin("/config").await?;
    let live: serde_json::Value = serde_json::from_str(&config)?;
    assert_eq!(live["source"], "folder");
    assert_eq!(live["hash"].as_str().map(str::len), Some(64));
    let named = |object: &serde_json::Value| object["kind"] == "AIProvider" && object["name"] == "openai";
    assert!(live["objects"].as_array().is_some_and(|objects| objects.iter().any(named)), "{config}");
    for shown in [&live["targets"][0], &live["providers"][0]] {
        assert_eq!(
            (shown["provider"].as_str(), shown["inFlight"].as_u64()),
            (Some("default/openai"), Some(0)),
            "{config}"
        );
    }
    proxy.signal(Signal::TERM)?;
    let (status, out, err) = proxy.end().await?;
    assert!(status.success(), "{status}");
    assert_eq!(out, "", "stdout has one line");
    assert!(err.contains("snapshot applied"), "{err}");
    for shown in [metrics, config, err] {
        assert!(!shown.contains(KEY), "{shown}");
    }
    Ok(())
}

#[tokio::test]
async fn a_body_over_the_default_bound_is_refused_with_the_bound_before_it_is_read() -> anyhow::Result<()> {
    let folder = folder(GOOD)?;
    let proxy = Proxy::start(&["--resources", text(folder.path()), "--auth", "open"]).await?;
    proxy.until_ready().await?;
    let mut socket = TcpStream::connect(proxy.data).await?;
    let length = DEFAULT_BOUND + 1;
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
    socket.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    time::timeout(PATIENCE, socket.read_to_string(&mut answer)).await??;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains(&format!("{DEFAULT_BOUND} bytes")), "{answer}");
    Ok(())
}

#[tokio::test]
async fn after_a_signal_readiness_fails_first_and_requests_are_still_taken_for_the_grace() -> anyhow::Result<()> {
    let folder = folder(GOOD)?;
    let arguments =
        ["--resources", text(folder.path()), "--auth", "open", "--drain-grace", "10m", "--drain-deadline", "10m"];
    let proxy = Proxy::start(&arguments).await?;
    proxy.until_ready().await?;
    proxy.signal(Signal::INT)?;
    proxy.until("/readyz", |status, body| status == 503 && body == "draining\n").await?;
    let (status, models) = get(proxy.data, "/v1/models").await?;
    assert_eq!(status, 200, "{models}");
    assert!(models.contains("gpt-4o"), "{models}");
    proxy.signal(Signal::TERM)?;
    let (_, _, err) = proxy.end().await?;
    assert!(err.contains("ending at once"), "{err}");
    Ok(())
}

#[tokio::test]
async fn without_an_operator_and_a_stored_snapshot_it_runs_and_is_not_ready() -> anyhow::Result<()> {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let proxy = Proxy::start(&["--operator", &format!("https://{nobody}")]).await?;
    assert_eq!(proxy.admin("/readyz").await?, (503, "no snapshot yet\n".to_owned()));
    assert_eq!(proxy.admin("/healthz").await?.0, 200);
    Ok(())
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_an_error_at_once() -> anyhow::Result<()> {
    let output = program().args(["serve", "--resources", "nowhere", "--listen", "127.0.0.1:0"]).output().await?;
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr)?.contains("--resources nowhere"));
    Ok(())
}

async fn check(text_of_folder: &str, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    let folder = folder(text_of_folder)?;
    let Output { status, stdout, .. } = program().arg("check").arg(folder.path()).args(arguments).output().await?;
    Ok((status.code(), String::from_utf8(stdout)?))
}

/// A provider that gives every request the same answer.
async fn provider() -> anyhow::Result<SocketAddr> {
    const ANSWER: &str = r#"{"model":"gpt-4o","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":500}}"#;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{ANSWER}",
                ANSWER.len()
            );
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    Ok(address)
}

#[tokio::test]
async fn the_cost_of_an_answer_is_in_its_log_line_by_the_price_of_the_user_s_own_file() -> anyhow::Result<()> {
    let resources =
        GOOD.replace("type: OpenAI\n", &format!("type: OpenAI\n  baseURL: http://{}/v1\n", provider().await?));
    let (folder, own) = (folder(&resources)?, tempfile::tempdir()?);
    let file = own.path().join("pricing.yaml");
    let row = r#"models: [{provider: OpenAI, model: gpt-4o, pricing: {input: "3", output: "20"}}]"#;
    for (text_of_file, picodollars) in [("# nothing", 7_500_000_000_u64), (row, 13_000_000_000)] {
        fs::write(&file, text_of_file)?;
        let arguments =
            ["--resources", text(folder.path()), "--model-facts", text(&file), "--auth", "open", "--log", "json"];
        let proxy = Proxy::start(&arguments).await?;
        proxy.until_ready().await?;
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
        let url = format!("http://{}/v1/chat/completions", proxy.data);
        let question = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}"#;
        assert_eq!(client.post(url).body(question).send().await?.status(), 200);
        drop(client);
        proxy.signal(Signal::TERM)?;
        let (_, _, log) = proxy.end().await?;
        assert!(log.contains(&format!("\"cost_picodollars\":{picodollars}")), "{log}");
    }
    Ok(())
}

#[tokio::test]
async fn malformed_own_prices_are_refused_with_file_line_and_field_by_serve_and_by_check() -> anyhow::Result<()> {
    let (folder, own) = (folder(GOOD)?, tempfile::tempdir()?);
    let file = own.path().join("pricing.yaml");
    fs::write(&file, "models:\n- provider: OpenAI\n  model: gpt-4o\n  pricing: {input: 2.5}\n")?;
    let wanted = "models[0].pricing.input: must be a string (put it in quotes), not a number";
    let (code, out) = check(GOOD, &["--model-facts", text(&file)]).await?;
    assert!(code == Some(1) && out.contains(&format!("pricing.yaml:4: model facts: {wanted}")), "{code:?} {out}");
    let arguments = ["serve", "--resources", text(folder.path()), "--model-facts", text(&file)];
    let Output { status, stderr, .. } = program().args(arguments).output().await?;
    let said = String::from_utf8(stderr)?;
    assert!(
        !status.success() && said.contains("--model-facts") && said.contains(&format!("line 4: {wanted}")),
        "{said}"
    );
    fs::write(&file, "models: []")?;
    assert_eq!(check(GOOD, &["--model-facts", text(&file)]).await?.0, Some(0));
    assert_eq!(check(GOOD, &["--model-facts", "nowhere.yaml"]).await?.0, Some(2));
    Ok(())
}

#[tokio::test]
async fn check_prints_verdicts_and_fails_when_something_is_refused() -> anyhow::Result<()> {
    let (code, out) = check(GOOD, &[]).await?;
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("AIProvider default/openai  (resources.yaml:2)\n"), "{out}");
    assert!(out.ends_with("\n1 of 1 accepted\n"), "{out}");

    let bad = GOOD.replace("gpt-4o}]", "gpt-4o, upstraemName: x}]");
    let (code, out) = check(&bad, &[]).await?;
    assert_eq!(code, Some(1), "{out}");
    for part in ["Accepted", "Invalid", "line 8: spec.models[0].upstraemName", "upstreamName?"] {
        assert!(out.contains(part), "{part} must be in {out}");
    }

    let (code, out) = check(&bad, &["-o", "json"]).await?;
    assert_eq!(code, Some(1), "{out}");
    let report: serde_json::Value = serde_json::from_str(&out)?;
    assert_eq!(report["accepted"], false);
    assert_eq!(report["objects"][0]["conditions"][0]["reason"], "Invalid");

    assert_eq!(program().args(["check", "nowhere"]).output().await?.status.code(), Some(2));
    assert_eq!(program().args(["check", "--what"]).output().await?.status.code(), Some(2));
    Ok(())
}
