//! The sockets: accepting, refusing, and sending a plan piece by piece.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use futures::stream::BoxStream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::admin;
use super::desk::{Arrival, Desk, Door};
use super::plan::{Piece, Plan, Response};
use super::record::End;

type Body = StreamBody<BoxStream<'static, io::Result<Frame<Bytes>>>>;

/// Runs every fake and the admin API; never returns.
pub(crate) async fn all(desk: Desk, doors: Vec<Door>, admin_listener: std::net::TcpListener) {
    let connections = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for door in doors {
        tasks.spawn(keep_door(desk.clone(), door, connections.clone()));
    }
    tasks.spawn(async move {
        if let Ok(listener) = TcpListener::from_std(admin_listener) {
            drop(axum::serve(listener, admin::router(desk)).await);
        }
    });
    while tasks.join_next().await.is_some() {}
}

/// A port that is listened on, or kept but closed.
enum Port {
    Open(TcpListener),
    /// Bound and not listening: who connects is refused, and nobody else can take the port.
    Closed(TcpSocket),
}

async fn keep_door(desk: Desk, door: Door, numbers: Arc<AtomicU64>) {
    let Door { provider, listener, mut turns } = door;
    let (Ok(address), Ok(listener)) = (listener.local_addr(), TcpListener::from_std(listener)) else {
        return;
    };
    let mut port = Port::Open(listener);
    let mut connections = JoinSet::new();
    loop {
        let turn = match &port {
            Port::Open(listener) => tokio::select! {
                accepted = listener.accept() => {
                    if let Ok((socket, _)) = accepted {
                        let number = numbers.fetch_add(1, Ordering::Relaxed);
                        connections.spawn(connection(desk.clone(), provider, number, socket));
                    }
                    continue;
                }
                Some(_) = connections.join_next() => continue,
                turn = turns.recv() => turn,
            },
            Port::Closed(_) => turns.recv().await,
        };
        let Some(turn) = turn else { return };
        port = match (port, turn.open) {
            (Port::Open(listener), false) => {
                drop(listener);
                connections.shutdown().await;
                let Ok(socket) = keep(address) else { return };
                Port::Closed(socket)
            }
            (Port::Closed(socket), true) => {
                let Ok(listener) = socket.listen(1024) else {
                    return;
                };
                Port::Open(listener)
            }
            (port, _) => port,
        };
        turn.done.send(()).ok();
    }
}

fn keep(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// A socket that can be told to vanish with a reset.
struct Socket {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            drop(self.stream.set_zero_linger());
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reset.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

async fn connection(desk: Desk, provider: usize, number: u64, stream: TcpStream) {
    drop(stream.set_nodelay(true));
    let reset = Arc::new(AtomicBool::new(false));
    let io = TokioIo::new(Socket { stream, reset: reset.clone() });
    let service = service_fn(|request| exchange(desk.clone(), provider, number, reset.clone(), request));
    // How it ended is in the records.
    drop(http1::Builder::new().serve_connection(io, service).await);
}

/// The connection is meant to break here.
fn broken() -> io::Error {
    io::Error::other("broken off by a script")
}

async fn exchange(
    desk: Desk,
    provider: usize,
    connection: u64,
    reset: Arc<AtomicBool>,
    request: hyper::Request<Incoming>,
) -> io::Result<hyper::Response<Body>> {
    let at = Instant::now();
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let arrival = Arrival {
        provider,
        connection,
        at,
        method: head.method.to_string(),
        path: head.uri.path_and_query().map_or_else(|| head.uri.to_string(), ToString::to_string),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body,
    };
    let (id, plan) = desk.receive(&arrival);
    let mut running = Running { desk, id, events: 0, ended: false };
    match plan {
        Plan::Respond(response) => {
            tokio::time::sleep(response.delay).await;
            running.desk.answered(id, response.status);
            respond(running, response, reset)
        }
        Plan::Hang => std::future::pending().await,
        Plan::Close => {
            running.end(End::Broken { events: 0 });
            Err(broken())
        }
        Plan::Reset => {
            reset.store(true, Ordering::Relaxed);
            running.end(End::Broken { events: 0 });
            Err(broken())
        }
    }
}

fn respond(running: Running, response: Response, reset: Arc<AtomicBool>) -> io::Result<hyper::Response<Body>> {
    let mut builder = hyper::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        builder = builder.header(name, value);
    }
    if let Some(length) = response.length {
        builder = builder.header("content-length", length);
    }
    let body = StreamBody::new(Box::pin(send(running, response.pieces, reset)) as BoxStream<'static, _>);
    builder.body(body).map_err(io::Error::other)
}

fn send(
    mut running: Running,
    pieces: Vec<Piece>,
    reset: Arc<AtomicBool>,
) -> impl futures::Stream<Item = io::Result<Frame<Bytes>>> {
    async_stream::stream! {
        let last = pieces.len().saturating_sub(1);
        for (index, piece) in pieces.into_iter().enumerate() {
            match piece {
                Piece::Bytes { bytes, events } => {
                    running.events += events;
                    // Known now: with a content-length nobody asks for the end of the body.
                    if index == last {
                        running.end(End::Complete);
                    }
                    yield Ok(Frame::data(bytes));
                    // Lets hyper write this piece out before it sees the next one.
                    tokio::task::yield_now().await;
                }
                Piece::Pause(time) => tokio::time::sleep(time).await,
                Piece::Gate => running.desk.gate_is_open().await,
                Piece::Stall => std::future::pending().await,
                Piece::Cut { reset: with_reset } => {
                    reset.store(with_reset, Ordering::Relaxed);
                    running.end(End::Broken { events: running.events });
                    yield Err(broken());
                }
            }
        }
        running.end(End::Complete);
    }
}

/// An exchange under way; dropped before its end, the client has gone.
struct Running {
    desk: Desk,
    id: u64,
    events: u32,
    ended: bool,
}

impl Running {
    fn end(&mut self, end: End) {
        if !self.ended {
            self.ended = true;
            self.desk.ended(self.id, end);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end(End::ClientClosed { events: self.events });
    }
}
