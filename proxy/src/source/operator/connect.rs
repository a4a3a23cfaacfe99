//! Finding the leader: addresses in turn, one client for each, until one opens the stream.

use std::{
    collections::{HashSet, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use penstock_config::{
    Hash,
    protocol::{ACK_PATH, Ack, NotLeader, SNAPSHOT_PATH, VERSION},
};
use rand::RngExt;
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode, header::HeaderValue};
use thiserror::Error;
use tokio::time::{self, Instant};
use url::Url;

/// To a stream's head, or to the end of an ACK.
const PATIENCE: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(2);
/// A stream that says nothing for this long is dead: heartbeats come every 3 s.
const SILENCE: Duration = Duration::from_secs(10);
/// The pause after a round of addresses in which none was the leader: doubled each time, up to the cap, and anywhere
/// between half and all of it, so that a thousand proxies do not come back at once.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// Longer than any snapshot should be; a line is held whole.
const LONGEST_LINE: usize = 64 << 20;

/// Above this many different failures they are logged again.
const MOST_COMPLAINTS: usize = 32;

/// Where operators are and what they are shown.
#[derive(Clone, Debug)]
pub(crate) struct Operators {
    pub(crate) urls: Vec<Url>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) token_file: Option<PathBuf>,
}

/// Goes from address to address.
pub(crate) struct Connector {
    operators: Operators,
    /// Random, of this process.
    boot: String,
    round: VecDeque<Place>,
    seen: HashSet<SocketAddr>,
    failed_rounds: u32,
    /// The failures that were logged, so that an outage is not logged at each attempt.
    complained: HashSet<String>,
}

/// One address of one operator. The URL stays the operator's, since its certificate names that host.
#[derive(Clone)]
struct Place {
    url: Url,
    address: SocketAddr,
}

/// An open stream, and the way to answer it: on the same address.
pub(crate) struct Open {
    pub(crate) lines: Lines,
    pub(crate) answers: Answers,
}

/// Lines of a stream.
pub(crate) struct Lines {
    response: Response,
    buffer: BytesMut,
    /// How much of the buffer was searched for a line's end.
    searched: usize,
    /// When the last bytes came.
    heard: Instant,
}

/// Sends ACKs.
#[derive(Clone)]
pub(crate) struct Answers {
    client: Client,
    url: Url,
    token: Option<HeaderValue>,
}

#[derive(Debug, Error)]
pub(crate) enum PushError {
    #[error("can't read {what} {path}: {error}")]
    File { what: &'static str, path: PathBuf, error: io::Error },
    #[error("no CA to check the operator by: give --operator-ca")]
    NoCa,
    #[error("the token is not a header value")]
    Token,
    #[error("can't resolve {host}: {error}")]
    Resolve { host: String, error: io::Error },
    #[error("{0}")]
    Http(String),
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Slow,
    #[error("it is not the leader{}", .0.map(|leader| format!(", {leader} is")).unwrap_or_default())]
    NotLeader(Option<SocketAddr>),
    #[error("it answered {status}: {text}")]
    Status { status: StatusCode, text: String },
    #[error("the operator closed the stream")]
    Closed,
    #[error("nothing came for {} s", SILENCE.as_secs())]
    Silent,
    #[error("a line is longer than {} MiB", LONGEST_LINE >> 20)]
    LongLine,
}

impl Connector {
    pub(crate) fn new(operators: Operators) -> Self {
        Self {
            operators,
            boot: format!("{:032x}", rand::rng().random::<u128>()),
            round: VecDeque::new(),
            seen: HashSet::new(),
            failed_rounds: 0,
            complained: HashSet::new(),
        }
    }

    /// Tries until a stream is open. Cancel-safe: what was tried is remembered.
    pub(crate) async fn open(&mut self, have: Option<Hash>, hello_ca: Option<&str>) -> Open {
        loop {
            let Some(place) = self.round.pop_front() else {
                self.start_round().await;
                continue;
            };
            self.seen.insert(place.address);
            match self.ask(&place, have, hello_ca).await {
                Ok(open) => {
                    tracing::debug!(operator = %place.address, "asked for snapshots");
                    return open;
                }
                Err(PushError::NotLeader(Some(leader))) if !self.seen.contains(&leader) => {
                    let url = place.url;
                    self.round.push_front(Place { url, address: leader });
                }
                Err(error) => self.complain(format!("{}: {error}", place.address)),
            }
        }
    }

    /// A leader greeted us and what runs is current: the next search starts afresh, without a pause.
    pub(crate) fn settled(&mut self) {
        self.round.clear();
        self.seen.clear();
        self.failed_rounds = 0;
        self.complained.clear();
    }

    /// Collects all addresses, in random order, after a pause if the last round led nowhere.
    async fn start_round(&mut self) {
        if self.failed_rounds > 0 {
            let doubled = PAUSE * 2u32.saturating_pow(self.failed_rounds - 1);
            let pause = doubled.min(LONGEST_PAUSE).mul_f64(rand::rng().random_range(0.5..1.0));
            time::sleep(pause).await;
        }
        self.failed_rounds = (self.failed_rounds + 1).min(8);
        self.seen.clear();
        for url in self.operators.urls.clone() {
            match resolve(&url).await {
                Ok(addresses) => {
                    self.round.extend(addresses.into_iter().map(|address| Place { url: url.clone(), address }))
                }
                Err(error) => self.complain(error.to_string()),
            }
        }
        let middle = rand::rng().random_range(0..=self.round.len());
        self.round.rotate_left(middle);
    }

    async fn ask(&self, place: &Place, have: Option<Hash>, hello_ca: Option<&str>) -> Result<Open, PushError> {
        let client = self.client(place, hello_ca).await?;
        let token = self.token().await?;
        let url = place.base();
        let request = client.get(self.stream_url(&url, have));
        let answer = time::timeout(PATIENCE, bearing(request, token.as_ref()).send());
        let response = answer.await.map_err(|_| PushError::Slow)?.map_err(http)?;
        let response = accepted(response).await?;
        Ok(Open { lines: Lines::new(response), answers: Answers { client, url, token } })
    }

    /// The address with a [`StreamQuery`].
    ///
    /// [`StreamQuery`]: penstock_config::protocol::StreamQuery
    fn stream_url(&self, base: &Url, have: Option<Hash>) -> Url {
        let mut url = at(base, SNAPSHOT_PATH);
        let mut query = url.query_pairs_mut();
        query.append_pair("boot", &self.boot).append_pair("version", &VERSION.to_string());
        if let Some(have) = have {
            query.append_pair("have", &have.to_string());
        }
        drop(query);
        url
    }

    /// A client that knows this address alone, and today's CAs.
    async fn client(&self, place: &Place, hello_ca: Option<&str>) -> Result<Client, PushError> {
        let mounted = match &self.operators.ca {
            Some(path) => read(path, "the operator's CA").await?,
            None => String::new(),
        };
        let mut cas = Vec::new();
        for bundle in [mounted.as_str(), hello_ca.unwrap_or_default()] {
            cas.extend(Certificate::from_pem_bundle(bundle.as_bytes()).map_err(http)?);
        }
        if cas.is_empty() {
            return Err(PushError::NoCa);
        }
        let builder =
            Client::builder().http1_only().https_only(true).no_proxy().redirect(reqwest::redirect::Policy::none());
        let builder = builder.connect_timeout(CONNECT).tcp_nodelay(true).tls_certs_only(cas);
        let host = place.url.host_str().unwrap_or_default();
        builder.resolve(host, place.address).build().map_err(http)
    }

    async fn token(&self) -> Result<Option<HeaderValue>, PushError> {
        let Some(path) = &self.operators.token_file else { return Ok(None) };
        let token = read(path, "the token").await?;
        let mut header = HeaderValue::from_str(&format!("Bearer {}", token.trim())).map_err(|_| PushError::Token)?;
        header.set_sensitive(true);
        Ok(Some(header))
    }

    fn complain(&mut self, what: String) {
        if self.complained.len() >= MOST_COMPLAINTS {
            self.complained.clear();
        }
        if self.complained.insert(what.clone()) {
            tracing::warn!("no snapshots from the operator: {what}");
        } else {
            tracing::debug!("still no snapshots from the operator: {what}");
        }
    }
}

impl Place {
    /// The operator's URL at this address: a name keeps its name, for TLS; an address is replaced.
    fn base(&self) -> Url {
        let mut url = self.url.clone();
        if url.host_str().is_some_and(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()) {
            url.set_ip_host(self.address.ip()).expect("an https URL must take an address");
        }
        url.set_port(Some(self.address.port())).expect("an https URL must take a port");
        url
    }
}

impl Lines {
    fn new(response: Response) -> Self {
        Self { response, buffer: BytesMut::new(), searched: 0, heard: Instant::now() }
    }

    /// The next line without its end. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Bytes, PushError> {
        loop {
            if let Some(length) = memchr::memchr(b'\n', &self.buffer[self.searched..]) {
                let line = self.buffer.split_to(self.searched + length + 1).freeze();
                self.searched = 0;
                if self.buffer.is_empty() {
                    // A snapshot's megabytes are not kept for the heartbeats that follow.
                    self.buffer = BytesMut::new();
                }
                return Ok(line.slice(..line.len() - 1));
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > LONGEST_LINE {
                return Err(PushError::LongLine);
            }
            // Bytes count, not lines: a large snapshot on a slow network is one line that takes long.
            let chunk = time::timeout_at(self.heard + SILENCE, self.response.chunk()).await;
            let chunk = chunk.map_err(|_| PushError::Silent)?.map_err(http)?;
            self.buffer.extend_from_slice(&chunk.ok_or(PushError::Closed)?);
            self.heard = Instant::now();
        }
    }
}

impl Answers {
    /// Sends one ACK.
    pub(crate) async fn send(self, ack: Ack) -> Result<(), PushError> {
        let request = self.client.post(at(&self.url, ACK_PATH)).json(&ack);
        let answer = time::timeout(PATIENCE, bearing(request, self.token.as_ref()).send());
        let response = answer.await.map_err(|_| PushError::Slow)?.map_err(http)?;
        accepted(response).await.map(drop)
    }
}

async fn resolve(url: &Url) -> Result<Vec<SocketAddr>, PushError> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| PushError::Resolve { host: host.to_owned(), error })?;
    Ok(addresses.collect())
}

async fn read(path: &PathBuf, what: &'static str) -> Result<String, PushError> {
    tokio::fs::read_to_string(path).await.map_err(|error| PushError::File { what, path: path.clone(), error })
}

/// A success, or the error that the status stands for.
async fn accepted(response: Response) -> Result<Response, PushError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = time::timeout(PATIENCE, response.bytes()).await.map_err(|_| PushError::Slow)?.unwrap_or_default();
    if status == StatusCode::MISDIRECTED_REQUEST {
        let leader = serde_json::from_slice::<NotLeader>(&body).ok().and_then(|answer| answer.leader);
        return Err(PushError::NotLeader(leader));
    }
    let text = String::from_utf8_lossy(&body[..body.len().min(200)]).trim().to_owned();
    Err(PushError::Status { status, text })
}

fn at(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(path);
    url
}

fn bearing(request: RequestBuilder, token: Option<&HeaderValue>) -> RequestBuilder {
    match token {
        Some(token) => request.header(reqwest::header::AUTHORIZATION, token),
        None => request,
    }
}

/// reqwest's error with its causes, which its own text leaves out.
fn http(error: reqwest::Error) -> PushError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    PushError::Http(text)
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt, stream};

    use super::*;

    /// Lines of a body that comes in these parts, with a pause before each, and stays open.
    fn lines(parts: &[&str], pause: Duration) -> Lines {
        let parts: Vec<Bytes> = parts.iter().map(|part| Bytes::from((*part).to_owned())).collect();
        let parts = stream::iter(parts).then(move |part| time::sleep(pause).map(|()| Ok::<_, io::Error>(part)));
        let body = reqwest::Body::wrap_stream(parts.chain(stream::pending()));
        Lines::new(http::Response::new(body).into())
    }

    #[tokio::test(start_paused = true)]
    async fn lines_are_whole_however_they_come() {
        let mut lines = lines(&["{\"a\":", "1}", "\n{}\n", "\n", "x\n"], Duration::from_secs(9));
        for wanted in ["{\"a\":1}", "{}", "", "x"] {
            let line = lines.next().await.expect("must be a line");
            assert_eq!(line, wanted.as_bytes());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_says_nothing_for_ten_seconds_is_dead_even_if_something_else_goes_on_meanwhile() {
        let mut lines = lines(&["x\n"], Duration::ZERO);
        lines.next().await.expect("must be a line");
        let silent = Instant::now();
        let end = loop {
            if let Ok(line) = time::timeout(Duration::from_secs(1), lines.next()).await {
                break line;
            }
        };
        assert!(matches!(end, Err(PushError::Silent)));
        assert_eq!(silent.elapsed(), SILENCE);
    }
}
