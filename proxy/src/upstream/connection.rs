//! One HTTP/1.1 connection to a provider, polled by whoever uses it: no task of its own.

use std::{
    cell::Cell,
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
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

use super::Outgoing;

/// The largest head of an answer, and the most that is read at once.
const BUFFER: usize = 128 << 10;

pub(super) struct Connection {
    sender: http1::SendRequest<Outgoing>,
    driver: Pin<Box<http1::Connection<TokioIo<Stream>, Outgoing>>>,
    /// The driver has ended and must not be polled again.
    over: bool,
    wire: Rc<Wire>,
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
        let (sender, driver) = handshake.await?;
        Ok(Self { sender, driver: Box::pin(driver), over: false, wire })
    }

    /// Lets the connection read and write. True once it has ended.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.over
            && let Poll::Ready(end) = self.driver.as_mut().poll(cx)
        {
            self.over = true;
            if let Err(error) = end {
                tracing::debug!(%error, "an upstream connection ended");
            }
        }
        self.over
    }

    /// Ready for another request: the last exchange is over on both sides.
    pub(super) fn is_idle(&mut self, cx: &mut Context<'_>) -> bool {
        !self.drive(cx) && matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(())))
    }

    /// Asks the socket itself whether the peer has closed, or sent what nobody asked for.
    pub(super) fn is_fresh(&mut self, cx: &mut Context<'_>) -> bool {
        self.wire.probe.set(Probe::Asked);
        let idle = self.is_idle(cx);
        idle && self.wire.probe.replace(Probe::Off) == Probe::Quiet
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> Result<Response<hyper::body::Incoming>, NoAnswer> {
        self.wire.read.set(0);
        let mut answer = std::pin::pin!(self.sender.try_send_request(request));
        let (driver, over) = (&mut self.driver, &mut self.over);
        let answer = std::future::poll_fn(|cx| {
            *over = *over || driver.as_mut().poll(cx).is_ready();
            answer.as_mut().poll(cx)
        });
        answer.await.map_err(|mut failed| {
            let unsent = failed.take_message().is_some();
            NoAnswer { reason: failed.into_error(), untouched: unsent || self.wire.read.get() == 0 }
        })
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
