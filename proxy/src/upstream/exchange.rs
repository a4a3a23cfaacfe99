//! One request and its answer.

use std::{
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::time::timeout;

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
    pub(crate) async fn sweep(self: Rc<Self>) {
        let mut ticks = tokio::time::interval(SWEEP);
        loop {
            ticks.tick().await;
            poll_fn(|cx| {
                self.pool.sweep(cx);
                Poll::Ready(())
            })
            .await;
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
        if let Some(mut connection) = poll_fn(|cx| Poll::Ready(self.pool.take(origin, cx))).await {
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
        // What has arrived first; then the connection reads, and may have more.
        let mut chunk = self.poll_body(cx);
        if chunk.is_pending()
            && let Some(connection) = &mut self.connection
        {
            connection.drive(cx);
            chunk = self.poll_body(cx);
        }
        if matches!(chunk, Poll::Ready(None)) || self.body.is_end_stream() {
            self.release(cx);
        }
        chunk
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Bytes>>> {
        loop {
            match std::pin::Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => {
                    self.connection = None;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }

    /// The answer is over: the connection goes back, if the request is over too.
    fn release(&mut self, cx: &mut Context<'_>) {
        if let Some(mut connection) = self.connection.take()
            && connection.is_idle(cx)
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
