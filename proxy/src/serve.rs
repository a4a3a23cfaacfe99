//! A client's connection: HTTP/1.1 on a socket, and a match on the path.

use std::{
    cell::Cell,
    convert::Infallible,
    net::{IpAddr, TcpStream},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{ALLOW, CONNECTION, CONTENT_TYPE, EXPECT, RETRY_AFTER},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use penstock_llm::{Dialect, call::Call};
use tokio::{sync::watch, time::sleep};

use crate::{
    auth::door::Door,
    bounds::Bounds,
    data::{DataConfig, Load, Phase},
    error::Error,
    limits::Lane,
    live::Live,
    metrics::{Metrics, Unrouted},
    request::{self, Record},
    upstream::{Connector, Upstream},
};
use body::{Answer, Whole};
use heads::Heads;
use path::Wanted;
use socket::Socket;

pub(crate) mod body;
mod heads;
mod models;
mod path;
mod socket;

/// A connection without a request is kept so long.
const IDLE: Duration = Duration::from_secs(75);
/// A head must be there so long after its first bytes.
const HEAD: Duration = Duration::from_secs(15);
/// What was accepted as the drain began may still bring its first request in this time: such a connection was in the queue,
/// and its client would not send the request again.
const FIRST: Duration = Duration::from_secs(1);
/// A client that takes nothing for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest head, and what is written ahead of a slow reader.
const BUFFER: usize = 64 << 10;
const MAX_HEADERS: usize = 100;

/// What all data threads share.
pub(crate) struct Shared {
    pub(crate) live: Live,
    pub(crate) metrics: Metrics,
    pub(crate) connector: Connector,
    pub(crate) door: Door,
    pub(crate) bounds: Bounds,
    pub(crate) max_body: usize,
    pub(crate) hold_head: Duration,
    /// Names this process in the header that breaks loops.
    pub(crate) instance: String,
}

/// What a data thread's connections share.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) load: Arc<Load>,
    pub(crate) phase: watch::Receiver<Phase>,
    /// To the store of limits, where there is one.
    pub(crate) lane: Option<Rc<Lane>>,
}

/// A request whose head is there.
enum Begun {
    Call(Call, Rc<Record>),
    /// What is known of all models, or of one, for whom this connection leads to.
    Models(Option<String>, IpAddr),
}

/// Counts one until it is dropped.
struct Counted<'a>(&'a AtomicUsize);

impl Shared {
    pub(crate) fn new(config: &DataConfig, live: Live, metrics: Metrics) -> Arc<Self> {
        let door = Door::new(config.auth, &config.trusted_proxies, live.pace(), metrics.clone());
        Arc::new(Self {
            live,
            metrics,
            connector: Connector::new(config.outbound.clone(), config.roots.clone()),
            door,
            bounds: Bounds::new(config.limits),
            max_body: config.max_body,
            hold_head: config.hold_head,
            instance: format!("{:016x}", rand::random::<u64>()),
        })
    }
}

/// Serves one connection to its end, or until its client is gone: then all that is done for it is dropped at once, and the
/// connection to the provider with it.
pub(crate) async fn connection(worker: Worker, upstream: Rc<Upstream>, socket: TcpStream, peer: IpAddr) {
    let pace = worker.shared.live.pace();
    let heads = Heads::new(pace.of(HEAD));
    let Ok(socket) = Socket::new(socket, pace.of(WRITE_TIMEOUT), heads.heard()) else { return };
    let _open = Counted::new(&worker.load.connections);
    let watch = socket.watch();
    let asked = Cell::new(false);
    let service = service_fn(|request| {
        asked.set(true);
        answer(&worker, &upstream, peer, request)
    });
    let connection = http1::Builder::new()
        .timer(heads)
        .header_read_timeout(pace.of(IDLE))
        .max_buf_size(BUFFER)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        // A socket that was accepted just before the end is read once: its request may be there already.
        biased;
        ended = connection.as_mut() => ended,
        () = watch.gone() => return,
        () = leaving(worker.phase.clone(), &asked, pace.of(FIRST)) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                biased;
                ended = connection => ended,
                () = watch.gone() => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a client's connection ended");
    }
}

/// Waits until a connection is to be closed as soon as it is idle.
async fn leaving(mut phase: watch::Receiver<Phase>, asked: &Cell<bool>, first: Duration) {
    // What it waits with is a lock on the phase, so it must be let go at once.
    drop(phase.wait_for(|phase| *phase >= Phase::Draining).await);
    if !asked.get() {
        sleep(first).await;
    }
}

/// The request counts from here on, also if its client has left already and nothing more is done for it.
fn answer(
    worker: &Worker,
    upstream: &Rc<Upstream>,
    peer: IpAddr,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Answer>, Infallible>> {
    let wanted = path::wanted(request.method(), request.uri(), request.headers());
    let begun = wanted.map(|wanted| match wanted {
        Wanted::Call(call) => Begun::Call(call, Record::begin(worker, peer)),
        Wanted::Models(only) => Begun::Models(only, peer),
    });
    async {
        let mut response = route(begun, worker, upstream, request).await;
        if *worker.phase.borrow() != Phase::Serving {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}

async fn route(
    begun: Result<Begun, Error>,
    worker: &Worker,
    upstream: &Rc<Upstream>,
    request: Request<Incoming>,
) -> Response<Answer> {
    let shared = &worker.shared;
    let answered = match begun {
        Ok(Begun::Call(call, record)) => return request::serve(call, record, worker, upstream, request).await,
        Ok(Begun::Models(only, peer)) => models::answer(shared, &request, only.as_deref(), peer),
        Err(error) => Err(error),
    };
    let error = match answered {
        Ok(response) => return response,
        Err(error) => error,
    };
    shared.metrics.unrouted(match &error {
        error if error.is_about_the_caller() => Unrouted::Unauthenticated,
        Error::UnknownModel(_) => Unrouted::UnknownModel,
        _ => Unrouted::NotFound,
    });
    let client = path::dialect(request.uri().path(), request.headers());
    let (head, mut body) = request.into_parts();
    request::body::drain(head.headers.contains_key(EXPECT), &mut body, shared.max_body).await;
    refuse(client, &error)
}

pub(crate) fn json(status: StatusCode, body: Vec<u8>) -> Response<Answer> {
    let mut response = Response::new(Answer::Whole(Whole { bytes: body.into(), room: None }));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An error as a response, in the client's words.
pub(crate) fn refuse(client: Dialect, error: &Error) -> Response<Answer> {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = json(status, error.body(client));
    let headers = response.headers_mut();
    if let Error::Method { allowed, .. } = error {
        headers.insert(ALLOW, HeaderValue::from_static(allowed));
    }
    if let Some(wait) = error.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs_f64().ceil() as u64));
    }
    if error.is_final() {
        headers.insert("x-should-retry", HeaderValue::from_static("false"));
    }
    response
}

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
