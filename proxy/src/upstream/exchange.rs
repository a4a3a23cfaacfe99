//! One request and its answer.

use std::{
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::time::timeout;

use crate::pace::Pace;

use super::{Connector, Origin, Outgoing, Upstream, connection::Connection, pool::Pool};

/// How often idle connections are looked over.
const SWEEP: Duration = Duration::from_secs(30);
/// What is read of an answer that is over for its client, so that its connection can be used again.
const REST_BYTES: usize = 64 << 10;
const REST_TIME: Duration = Duration::from_secs(1);

/// Why there is no answer. No byte of one came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("can't connect: {0}")]
    Connect(#[from] std::io::Error),
    #[error("the connection broke before an answer: {0}")]
    Reset(#[from] hyper::Error),
    #[error("the request may not be sent any more")]
    Withdrawn,
}

impl Failure {
    /// The time to connect has passed.
    pub(crate) fn is_slow_connect(&self) -> bool {
        matches!(self, Failure::Connect(error) if error.kind() == std::io::ErrorKind::TimedOut)
    }
}

/// The body of an answer, and the connection that it comes from. Dropped before its end, it takes the connection with it.
pub(crate) struct Incoming {
    body: hyper::body::Incoming,
    connection: Option<Connection>,
    origin: Origin,
    home: Rc<Upstream>,
}

impl Upstream {
    pub(crate) fn new(connector: &Connector) -> Rc<Self> {
        Rc::new(Self { connector: connector.clone(), pool: Pool::default() })
    }

    /// Closes idle connections in time, for ever.
    pub(crate) async fn sweep(self: Rc<Self>, pace: Pace) {
        let mut ticks = tokio::time::interval(pace.of(SWEEP));
        loop {
            ticks.tick().await;
            self.pool.sweep();
        }
    }

    /// Sends a request and returns its answer once the head is there. A pooled connection that breaks before a byte of an
    /// answer came had gone stale: the request is sent again on a fresh one, once. The request is made in the moment before
    /// it is sent, each time.
    pub(crate) async fn exchange(
        self: &Rc<Self>,
        origin: &Origin,
        connect_within: Duration,
        request: impl Fn() -> Option<Request<Outgoing>>,
    ) -> Result<Response<Incoming>, Failure> {
        if let Some(mut connection) = self.pool.take(origin) {
            match connection.send(request().ok_or(Failure::Withdrawn)?).await {
                Ok(answer) => return Ok(self.answer(origin, connection, answer)),
                Err(stale) if stale.untouched => {
                    tracing::debug!(error = %stale.reason, "a pooled connection was stale")
                }
                Err(broken) => return Err(broken.reason.into()),
            }
        }
        let stream = self.connector.connect(origin, connect_within).await?;
        let mut connection = Connection::open(stream).await?;
        let request = request().ok_or(Failure::Withdrawn)?;
        let answer = connection.send(request).await.map_err(|failed| failed.reason)?;
        Ok(self.answer(origin, connection, answer))
    }

    fn answer(
        self: &Rc<Self>,
        origin: &Origin,
        connection: Connection,
        answer: Response<hyper::body::Incoming>,
    ) -> Response<Incoming> {
        let (home, origin) = (self.clone(), origin.clone());
        answer.map(|body| Incoming { body, connection: Some(connection), origin, home })
    }
}

impl Incoming {
    /// The next bytes, or `None` at the end. After an error there is nothing more.
    pub(crate) async fn chunk(&mut self) -> Option<hyper::Result<Bytes>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Bytes>>> {
        let chunk = match &mut self.connection {
            Some(connection) => connection.poll_body(cx, |cx| data(&mut self.body, cx)),
            None => data(&mut self.body, cx),
        };
        match &chunk {
            Poll::Ready(Some(Err(_))) => self.connection = None,
            Poll::Ready(None) => self.release(),
            Poll::Ready(Some(Ok(_))) | Poll::Pending if self.body.is_end_stream() => self.release(),
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        chunk
    }

    /// The answer is over: the connection goes back, if the request is over too.
    fn release(&mut self) {
        if let Some(mut connection) = self.connection.take()
            && connection.is_idle()
        {
            self.home.pool.put(&self.origin, connection);
        }
    }

    /// The rest is of no interest. What is near its end anyway is read in the background, so that the connection survives.
    pub(crate) fn finish(mut self) {
        if self.connection.is_none() {
            return;
        }
        tokio::task::spawn_local(timeout(REST_TIME, async move {
            let mut read = 0;
            while let Some(Ok(chunk)) = self.chunk().await {
                read += chunk.len();
                if read > REST_BYTES {
                    break;
                }
            }
        }));
    }
}

/// The next bytes of a body; trailers are passed over.
fn data(body: &mut hyper::body::Incoming, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Bytes>>> {
    while let Some(frame) = ready!(Pin::new(&mut *body).poll_frame(cx)?) {
        if let Ok(data) = frame.into_data() {
            return Poll::Ready(Some(Ok(data)));
        }
    }
    Poll::Ready(None)
}

#[cfg(test)]
mod tests {
    use std::{
        net::SocketAddr,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Wake, Waker},
    };

    use penstock_config::outbound::Outbound;
    use rustls::RootCertStore;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// So long a test waits for what would otherwise never come.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn asking(address: SocketAddr) -> (Rc<Upstream>, Origin) {
        let outbound = Outbound { loopback: true, ..Outbound::default() };
        let upstream = Upstream::new(&Connector::new(outbound, RootCertStore::empty()));
        (upstream, Origin { tls: false, host: address.ip().to_string().into(), port: address.port() })
    }

    /// Answers every request on one connection with a body of so many bytes.
    async fn answer_all(listener: TcpListener, length: usize) -> std::io::Result<()> {
        let (mut socket, _) = listener.accept().await?;
        let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").into_bytes();
        answer.resize(answer.len() + length, b' ');
        let mut request = [0; 1024];
        while socket.read(&mut request).await? > 0 {
            socket.write_all(&answer).await?;
        }
        Ok(())
    }

    /// The bytes of an answer's body.
    async fn ask(upstream: &Rc<Upstream>, origin: &Origin) -> anyhow::Result<usize> {
        let answer = upstream.exchange(origin, PATIENCE, || Some(Request::new(Outgoing::new(Vec::new())))).await?;
        let (mut body, mut length) = (answer.into_body(), 0);
        while let Some(chunk) = body.chunk().await {
            length += chunk?.len();
        }
        Ok(length)
    }

    /// How often a task was woken.
    struct Counted(AtomicUsize, Waker);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
            self.1.wake_by_ref();
        }
    }

    #[tokio::test]
    async fn an_answer_wakes_its_reader_once() -> anyhow::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (upstream, origin) = asking(listener.local_addr()?);
        tokio::spawn(answer_all(listener, 100));
        ask(&upstream, &origin).await?;
        let task = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let counted = Arc::new(Counted(AtomicUsize::new(0), task));
        let waker = Waker::from(counted.clone());
        let mut asking = std::pin::pin!(ask(&upstream, &origin));
        let asking = poll_fn(|_| asking.as_mut().poll(&mut Context::from_waker(&waker)));
        assert_eq!(timeout(PATIENCE, asking).await??, 100);
        assert_eq!(counted.0.load(Ordering::Relaxed), 1);
        Ok(())
    }

    #[tokio::test]
    async fn a_large_answer_comes_whole_though_its_reader_must_let_others_run() -> anyhow::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (upstream, origin) = asking(listener.local_addr()?);
        tokio::spawn(answer_all(listener, 64 << 20));
        assert_eq!(timeout(PATIENCE, ask(&upstream, &origin)).await??, 64 << 20);
        Ok(())
    }
}
