//! Clients of every sort: patient ones, some that leave, some that hardly read.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{interval, timeout};

use super::LARGE;
use crate::wall::fault::{Case, Client};

/// Longer than anything takes at the soak's pace.
const WITHIN: Duration = Duration::from_secs(60);
/// So long a client that gives up has waited.
const GIVES_UP: Duration = Duration::from_millis(100);
/// How a slow reader reads: so little at a time, so often, and then all of it.
const SIP: usize = 2 << 10;
const SIPS: usize = 50;
const PAUSE: Duration = Duration::from_millis(10);

/// What a client does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// Reads all of it.
    Patient(Case),
    /// Leaves after the first bytes of a stream.
    Leaves(Case),
    /// Leaves before there is an answer, of a route that has none.
    GivesUp,
    /// Reads a long stream slower than it comes.
    Slow,
}

/// The class of the status that a client got, as the proxy counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Success,
    Client,
    Server,
}

impl Manner {
    /// That of the request of this number: every case in turn, and the others between them.
    pub(crate) fn of(number: usize, cases: &[Case]) -> Self {
        let case = cases[number % cases.len()];
        // Eleven has no factor in common with the number of cases, so each comes in every manner.
        match number % 11 {
            0 => Self::GivesUp,
            1 => Self::Slow,
            2 | 3 if case.stream => Self::Leaves(case),
            _ => Self::Patient(case),
        }
    }

    pub(crate) async fn ask(self, http: &reqwest::Client, data: SocketAddr) -> anyhow::Result<Class> {
        let asked = timeout(WITHIN, async {
            match self {
                Self::Patient(case) => {
                    let answer = post(http, data, case).send().await?;
                    let status = answer.status().as_u16();
                    answer.bytes().await?;
                    Class::of(status)
                }
                Self::Leaves(case) => {
                    let mut answer = post(http, data, case).send().await?;
                    answer.chunk().await?;
                    Class::of(answer.status().as_u16())
                }
                Self::GivesUp => give_up(data).await,
                Self::Slow => sip(data).await,
            }
        });
        asked.await.context("no end").flatten().with_context(|| format!("{self:?}"))
    }
}

impl Class {
    pub(crate) const ALL: [Self; 3] = [Self::Success, Self::Client, Self::Server];

    /// As `penstock_requests_total` has it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::Client => "4xx",
            Self::Server => "5xx",
        }
    }

    fn of(status: u16) -> anyhow::Result<Self> {
        match status {
            200..300 => Ok(Self::Success),
            400..500 => Ok(Self::Client),
            500..600 => Ok(Self::Server),
            _ => bail!("status {status}"),
        }
    }
}

/// What a client of the case's dialect sends.
fn post(http: &reqwest::Client, data: SocketAddr, case: Case) -> reqwest::RequestBuilder {
    let (model, stream) = (case.name(), case.stream);
    let messages = json!([{"role": "user", "content": "hello there"}]);
    let (path, body) = match (case.client, stream) {
        (Client::OpenAI, _) => {
            ("/v1/chat/completions".to_owned(), json!({"model": model, "stream": stream, "messages": messages}))
        }
        (Client::Anthropic, _) => (
            "/v1/messages".to_owned(),
            json!({"model": model, "stream": stream, "max_tokens": 500, "messages": messages}),
        ),
        (Client::Gemini, false) => (format!("/v1beta/models/{model}:generateContent"), contents()),
        (Client::Gemini, true) => (format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"), contents()),
    };
    http.post(format!("http://{data}{path}")).json(&body)
}

fn contents() -> serde_json::Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]})
}

/// Nobody answers on that route, so it is 499 for sure: the proxy's word for a client that left.
async fn give_up(data: SocketAddr) -> anyhow::Result<Class> {
    let mut socket = TcpSocket::new_v4()?.connect(data).await?;
    send(&mut socket, &json!({"model": super::NEVER, "messages": [{"role": "user", "content": "hello there"}]}))
        .await?;
    ensure!(timeout(GIVES_UP, socket.read_u8()).await.is_err(), "an answer where there is none");
    Ok(Class::Client)
}

/// All of a request, so that the proxy has seen it whatever becomes of the connection.
async fn send(socket: &mut TcpStream, body: &serde_json::Value) -> anyhow::Result<()> {
    let body = body.to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    Ok(socket.write_all((head + &body).as_bytes()).await?)
}

/// With a small buffer of its own, so that the proxy has to wait for it.
async fn sip(data: SocketAddr) -> anyhow::Result<Class> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4096)?;
    let mut socket = socket.connect(data).await?;
    let messages = json!([{"role": "user", "content": "hello there"}]);
    send(&mut socket, &json!({"model": LARGE, "stream": true, "messages": messages})).await?;
    let mut pauses = interval(PAUSE);
    let (mut begun, mut sip) = (Vec::new(), [0; SIP]);
    for _ in 0..SIPS {
        pauses.tick().await;
        let count = socket.read(&mut sip).await?;
        begun.extend_from_slice(&sip[..count]);
    }
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).await?;
    let (head, end) = (String::from_utf8_lossy(&begun), String::from_utf8_lossy(&rest));
    ensure!(end.contains("data: [DONE]"), "a slow reader's answer was cut: {head:?} {:?}", end.lines().last());
    let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok()).context("no status")?;
    Class::of(status)
}
