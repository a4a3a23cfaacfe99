//! One HTTP/1.1 connection to a provider, polled by whoever uses it: no task of its own.

use std::{
    cell::Cell,
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use http::{Request, Response};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use super::{Outgoing, bell::Bell};

/// The largest head of an answer, and the most that is read at once.
const BUFFER: usize = 128 << 10;

pub(super) struct Connection {
    sender: http1::SendRequest<Outgoing>,
    driver: Driver,
    wire: Rc<Wire>,
}

/// What reads and writes, polled only when there is something to do.
struct Driver {
    work: Pin<Box<http1::Connection<TokioIo<Stream>, Outgoing>>>,
    /// It has ended and must not be polled again.
    over: bool,
    bell: Arc<Bell>,
    /// Rings the bell.
    waker: Waker,
}

/// A connection's bytes, with or without TLS.
pub(super) struct Stream {
    io: Io,
    wire: Rc<Wire>,
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What is known of the bytes below hyper.
#[derive(Default)]
struct Wire {
    /// Bytes read since the last request was sent.
    read: Cell<u64>,
    probe: Cell<Probe>,
}

/// A question to the socket itself, since what the runtime knows of it may be older than the peer's farewell.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Probe {
    #[default]
    Off,
    Asked,
    Quiet,
}

/// Why no answer came.
pub(super) struct NoAnswer {
    pub(super) reason: hyper::Error,
    /// Not a byte of an answer was read, so nobody can have seen one.
    pub(super) untouched: bool,
}

impl Connection {
    pub(super) async fn open(stream: Stream) -> hyper::Result<Self> {
        let wire = stream.wire.clone();
        let handshake = http1::Builder::new().max_buf_size(BUFFER).handshake(TokioIo::new(stream));
        let (sender, work) = handshake.await?;
        let bell = Bell::rung();
        let waker = Waker::from(bell.clone());
        Ok(Self { sender, driver: Driver { work: Box::pin(work), over: false, bell, waker }, wire })
    }

    /// Ready for another request: the last exchange is over on both sides.
    pub(super) fn is_idle(&mut self) -> bool {
        !self.driver.run() && matches!(self.sender.poll_ready(&mut self.driver.context()), Poll::Ready(Ok(())))
    }

    /// Asks the socket itself whether the peer has closed, or sent what nobody asked for.
    pub(super) fn is_fresh(&mut self) -> bool {
        self.wire.probe.set(Probe::Asked);
        self.driver.bell.ring();
        let idle = self.is_idle();
        idle && self.wire.probe.replace(Probe::Off) == Probe::Quiet
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> Result<Response<hyper::body::Incoming>, NoAnswer> {
        self.wire.read.set(0);
        let mut answer = std::pin::pin!(self.sender.try_send_request(request));
        let driver = &mut self.driver;
        let answer = std::future::poll_fn(|cx| {
            driver.poll(cx, |driver| {
                driver.run();
                answer.as_mut().poll(&mut driver.context())
            })
        });
        answer.await.map_err(|mut failed| {
            let unsent = failed.take_message().is_some();
            NoAnswer { reason: failed.into_error(), untouched: unsent || self.wire.read.get() == 0 }
        })
    }

    /// Polls the body of an answer of this connection.
    pub(super) fn poll_body<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut body: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.driver.poll(cx, |driver| {
            // What has arrived first; then the connection reads, and may have more.
            let arrived = body(&mut driver.context());
            if arrived.is_ready() {
                return arrived;
            }
            driver.run();
            body(&mut driver.context())
        })
    }
}

impl Driver {
    /// What all of a connection is polled with.
    fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }

    /// Lets the connection read and write, if it has a reason to. True once it has ended.
    fn run(&mut self) -> bool {
        if self.bell.take()
            && !self.over
            && let Poll::Ready(end) = self.work.as_mut().poll(&mut Context::from_waker(&self.waker))
        {
            self.over = true;
            if let Err(error) = end {
                tracing::debug!(%error, "an upstream connection ended");
            }
        }
        self.over
    }

    /// Polls something of the connection for a user, who is woken when it is worth while to poll it again.
    fn poll<T>(&mut self, cx: &mut Context<'_>, poll: impl FnOnce(&mut Self) -> Poll<T>) -> Poll<T> {
        let bell = self.bell.clone();
        bell.answer(cx, || poll(self))
    }
}

impl Stream {
    pub(super) fn plain(tcp: TcpStream) -> Self {
        Self { io: Io::Plain(tcp), wire: Rc::default() }
    }

    pub(super) fn tls(tls: TlsStream<TcpStream>) -> Self {
        Self { io: Io::Tls(Box::new(tls)), wire: Rc::default() }
    }

    fn tcp(&self) -> &TcpStream {
        match &self.io {
            Io::Plain(tcp) => tcp,
            Io::Tls(tls) => tls.get_ref().0,
        }
    }

    /// Nothing to read, not even the end.
    fn is_quiet(&self) -> bool {
        let peeked = SockRef::from(self.tcp()).peek(&mut [MaybeUninit::uninit()]);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.wire.probe.get() == Probe::Asked {
            if !self.is_quiet() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            self.wire.probe.set(Probe::Quiet);
        }
        let before = buffer.filled().len();
        ready!(match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Io::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
        })?;
        let read = buffer.filled().len() - before;
        self.wire.read.set(self.wire.read.get() + read as u64);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Io::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, pieces),
            Io::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Plain(tcp) => tcp.is_write_vectored(),
            Io::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Io::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Io::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
