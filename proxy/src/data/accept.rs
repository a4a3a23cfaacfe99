//! The acceptor: every connection goes to a thread, or is told that there is no room.

use std::{
    io,
    net::{IpAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use penstock_llm::Dialect;
use rand::RngExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::Worker;
use crate::{
    bounds::{Limit, Share},
    error::Error,
    serve::Shared,
};

/// The acceptor rests so long when there are no descriptors left.
const REST: Duration = Duration::from_millis(50);
/// So long a client that there is no room for may take to send its request and to read why it is refused.
const LINGER: Duration = Duration::from_secs(2);
/// How many of these are waited for at once. Any more are told without a look at whether they can hear it.
const LINGERING: usize = 256;

pub(super) struct Acceptor<'w> {
    workers: &'w [Worker],
    shared: Arc<Shared>,
    lingering: Arc<Semaphore>,
    refusal: Bytes,
}

/// A connection on its way to a thread.
pub(super) struct Accepted {
    pub(super) socket: TcpStream,
    /// Whom it leads to.
    pub(super) peer: IpAddr,
    /// Its place among the connections of the process.
    pub(super) place: Share,
}

impl<'w> Acceptor<'w> {
    pub(super) fn new(workers: &'w [Worker], shared: Arc<Shared>) -> Self {
        Self { workers, shared, lingering: Arc::new(Semaphore::new(LINGERING)), refusal: refusal() }
    }

    /// Accepts until it is dropped.
    pub(super) async fn run(&self, listener: &tokio::net::TcpListener) {
        loop {
            match listener.accept().await.and_then(|(socket, peer)| Ok((socket.into_std()?, peer.ip()))) {
                Ok((socket, peer)) => self.take(socket, peer).await,
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "no connection can be accepted");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    /// Takes what still waits in the kernel's queue, and closes the listener: connections in the queue of a listener that
    /// is closed are reset. Asks the kernel itself, since the runtime may not have heard of them yet.
    pub(super) async fn finish(&self, listener: tokio::net::TcpListener) -> io::Result<()> {
        let listener = listener.into_std()?;
        loop {
            match listener.accept() {
                Ok((socket, peer)) => {
                    socket.set_nonblocking(true)?;
                    self.take(socket, peer.ip()).await;
                }
                Err(error) if is_of_the_peer(&error) || error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Ok(()),
            }
        }
    }

    async fn take(&self, socket: TcpStream, peer: IpAddr) {
        match self.shared.bounds.connections.take(1) {
            Ok(place) => self.hand_over(Accepted { socket, peer, place }).await,
            Err(limit) => self.refuse(socket, limit),
        }
    }

    /// To the less busy of two threads picked at random.
    async fn hand_over(&self, accepted: Accepted) {
        let pick = || &self.workers[rand::rng().random_range(0..self.workers.len())];
        // A thread that is gone has panicked, which ends the process.
        let _ = Worker::less_busy(pick(), pick()).inbox.send(accepted).await;
    }

    fn refuse(&self, socket: TcpStream, limit: Limit) {
        self.shared.metrics.overloaded(limit);
        let Ok(socket) = tokio::net::TcpStream::from_std(socket) else { return };
        match self.lingering.clone().try_acquire_owned() {
            Ok(permit) => drop(tokio::spawn(linger(socket, self.refusal.clone(), permit))),
            // The buffer of a new socket takes so little at once.
            Err(_) => drop(socket.try_write(&self.refusal)),
        }
    }
}

/// Refuses a client that has sent something, and lets it read why before the connection is closed under what it still sends.
async fn linger(mut socket: tokio::net::TcpStream, refusal: Bytes, _permit: OwnedSemaphorePermit) {
    let mut rest = [0; 4096];
    let talk = async {
        socket.readable().await?;
        socket.write_all(&refusal).await?;
        socket.shutdown().await?;
        while socket.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = timeout(LINGER, talk).await;
}

/// The whole response. What the client speaks is not known: nothing of it is read.
fn refusal() -> Bytes {
    let error = Error::Overloaded(Limit::Connections);
    let body = error.body(Dialect::OpenAI);
    let wait = error.retry_after().unwrap_or_default().as_secs();
    let head = format!(
        "HTTP/1.1 {} Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {}\r\nretry-after: {wait}\r\n\
        connection: close\r\n\r\n",
        error.status(),
        body.len(),
    );
    [head.as_bytes(), &body].concat().into()
}

/// The peer was gone before it was accepted.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
