//! TLS for the push listener: handshakes happen beside the accept loop, so that a slow one holds nobody up.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, serve::Listener};
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{ca::Serving, error::Error};

/// Handshakes at the same time; more wait in the kernel's queue.
const HANDSHAKES: usize = 256;
const HANDSHAKE: Duration = Duration::from_secs(5);

type Secured = (TlsStream<TcpStream>, SocketAddr);

/// Connections whose handshake is done. Bounded: when axum does not take them, handshakes wait.
struct Handshaken {
    ready: mpsc::Receiver<Secured>,
    address: SocketAddr,
}

/// Serves `router` over TLS until `stop`. The certificate is whatever `serving` has at the time.
pub(crate) async fn listen(
    tcp: TcpListener,
    serving: Arc<Serving>,
    router: Router,
    stop: CancellationToken,
) -> Result<(), Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(serving);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let address = tcp.local_addr()?;
    let (done, ready) = mpsc::channel(HANDSHAKES);
    tokio::spawn(accept(tcp, TlsAcceptor::from(Arc::new(config)), done));
    axum::serve(Handshaken { ready, address }, router).with_graceful_shutdown(stop.cancelled_owned()).await?;
    Ok(())
}

async fn accept(tcp: TcpListener, acceptor: TlsAcceptor, done: mpsc::Sender<Secured>) {
    let permits = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let permit = permits.clone().acquire_owned().await.expect("must be open: nothing closes it");
        let (socket, from) = tokio::select! {
            accepted = tcp.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, most likely: they come back as connections end.
                    warn!(%error, "a connection could not be accepted");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = done.closed() => return,
        };
        let (acceptor, done) = (acceptor.clone(), done.clone());
        tokio::spawn(async move {
            let _ = socket.set_nodelay(true);
            match timeout(HANDSHAKE, acceptor.accept(socket)).await {
                Ok(Ok(secured)) => drop(done.send((secured, from)).await),
                Ok(Err(error)) => debug!(%from, %error, "a handshake failed"),
                Err(_) => debug!(%from, "a handshake took too long"),
            }
            drop(permit);
        });
    }
}

impl Listener for Handshaken {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Secured {
        match self.ready.recv().await {
            Some(secured) => secured,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}
