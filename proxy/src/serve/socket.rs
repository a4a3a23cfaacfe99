//! A client's socket, with a bound on how long it may refuse what is written to it, and a watch on whether it is gone.

use std::{
    io::{self, IoSlice},
    net::Shutdown,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::{Sleep, sleep},
};

/// What the runtime is asked about to learn that the peer has closed. Urgent data is not among the events that a socket is
/// registered for, so on Linux this is the end of what comes and nothing else, and costs no call of the kernel. Elsewhere
/// only a reset is noticed behind bytes that nobody reads.
#[cfg(target_os = "linux")]
const CLOSED: Interest = Interest::PRIORITY;
#[cfg(not(target_os = "linux"))]
const CLOSED: Interest = Interest::ERROR;

/// Fails a write that made no progress for the timeout. The clock runs only while a write waits.
pub(super) struct Socket {
    /// Reads through the half, which alone spares the kernel a call that would say there is nothing more.
    read: OwnedReadHalf,
    tcp: Rc<OwnedWriteHalf>,
    timeout: Duration,
    stuck: Option<Pin<Box<Sleep>>>,
    heard: Arc<AtomicBool>,
}

/// Tells when the client is gone, also while nobody reads: hyper does not as long as it holds bytes of the next request.
pub(super) struct Watch(Rc<OwnedWriteHalf>);

impl Watch {
    /// Waits until the client has closed its side, or reset the connection.
    pub(super) async fn gone(&self) {
        let tcp: &TcpStream = self.0.as_ref().as_ref();
        // An error here is the runtime's own end.
        let _ = tcp.ready(CLOSED).await;
    }
}

impl Socket {
    /// `heard` is set whenever bytes have come.
    pub(super) fn new(socket: std::net::TcpStream, timeout: Duration, heard: Arc<AtomicBool>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        let (read, write) = TcpStream::from_std(socket)?.into_split();
        Ok(Self { read, tcp: Rc::new(write), timeout, stuck: None, heard })
    }

    pub(super) fn watch(&self) -> Watch {
        Watch(self.tcp.clone())
    }

    /// Writes when the kernel takes something, within the timeout.
    fn write(
        &mut self,
        cx: &mut Context<'_>,
        write: impl Fn(&OwnedWriteHalf) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match write(&self.tcp) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return self.bounded(cx, Poll::Ready(written)),
            }
            let tcp: &TcpStream = (*self.tcp).as_ref();
            match tcp.poll_write_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return self.bounded(cx, Poll::Pending),
            }
        }
    }

    fn bounded<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let timeout = self.timeout;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(timeout)));
        match stuck.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.read).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.heard.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, |tcp| tcp.try_write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |tcp| tcp.try_write_vectored(pieces))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What was written is with the kernel.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tcp: &TcpStream = (*self.tcp).as_ref();
        Poll::Ready(SockRef::from(tcp).shutdown(Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn a_client_that_reads_nothing_is_given_up_after_the_write_timeout() -> io::Result<()> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let client = TcpStream::connect(listener.local_addr()?).await?;
        let (accepted, _) = listener.accept().await?;
        let mut socket = Socket::new(accepted.into_std()?, Duration::from_secs(30), Arc::default())?;
        let chunk = vec![0; 64 << 10];
        let mut write = async || poll_fn(|cx| Pin::new(&mut socket).poll_write(cx, &chunk)).await;
        // The kernel's buffers fill on the real clock; then only the timeout can end the write.
        while let Ok(written) = tokio::time::timeout(Duration::from_millis(200), write()).await {
            written?;
        }
        tokio::time::pause();
        let given_up = write().await;
        assert_eq!(given_up.map_err(|error| error.kind()), Err(io::ErrorKind::TimedOut));
        drop(client);
        Ok(())
    }
}
