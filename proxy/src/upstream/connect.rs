//! Opening a connection: DNS, the outbound rules, TCP, TLS.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use penstock_config::outbound::Outbound;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::ServerName;
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;

use super::{Origin, connection::Stream};

/// Opens connections. Shared by all threads, so that TLS sessions are resumed whoever opened them.
#[derive(Clone)]
pub(crate) struct Connector {
    outbound: Arc<Outbound>,
    tls: TlsConnector,
}

impl Connector {
    pub(crate) fn new(outbound: Outbound, roots: RootCertStore) -> Self {
        Self { outbound: Arc::new(outbound), tls: TlsConnector::from(Arc::new(tls(roots))) }
    }

    /// Opens a connection within the timeout, DNS and TLS included. Each address of a name is judged by itself, and they
    /// are tried in order.
    pub(super) async fn connect(&self, origin: &Origin, within: Duration) -> io::Result<Stream> {
        let deadline = Instant::now() + within;
        let connecting = async {
            let tcp = self.open(origin, deadline).await?;
            tcp.set_nodelay(true)?;
            if !origin.tls {
                return Ok(Stream::plain(tcp));
            }
            let name = ServerName::try_from(bare(&origin.host).to_owned()).map_err(io::Error::other)?;
            Ok(Stream::tls(self.tls.connect(name, tcp).await?))
        };
        timeout_at(deadline, connecting).await?
    }

    async fn open(&self, origin: &Origin, deadline: Instant) -> io::Result<TcpStream> {
        let addresses = permitted(&self.outbound, bare(&origin.host), origin.port).await?;
        let mut error = io::Error::from(io::ErrorKind::AddrNotAvailable);
        let mut left = addresses.len() as u32;
        for address in addresses {
            // A silent address leaves time for those after it.
            let share = deadline.saturating_duration_since(Instant::now()) / left;
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => return Ok(tcp),
                Ok(Err(failed)) => error = failed,
                Err(elapsed) => error = elapsed.into(),
            }
            left -= 1;
        }
        Err(error)
    }
}

/// What a client offers to servers that these vouch for.
pub(crate) fn tls(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring must support the default TLS versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The addresses of a name that may be called.
///
/// # Errors
/// When there is no such name, or none of its addresses may be.
pub(crate) async fn permitted(outbound: &Outbound, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let all: Vec<_> = lookup_host((host, port)).await?.collect();
    let permitted: Vec<_> = all.iter().copied().filter(|address| outbound.permits(address.ip())).collect();
    if permitted.is_empty() && !all.is_empty() {
        let denied = format!("{host} leads to {}, which the outbound rules forbid", all[0].ip());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, denied));
    }
    Ok(permitted)
}

/// A host as DNS and TLS write it: without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connector(outbound: Outbound) -> Connector {
        Connector::new(outbound, RootCertStore::empty())
    }

    fn origin(host: &str, port: u16) -> Origin {
        Origin { tls: false, host: host.into(), port }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_forbidden_address_is_refused_after_dns() -> io::Result<()> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let origin = origin("localhost", listener.local_addr()?.port());
        let refused = connector(Outbound::default()).connect(&origin, Duration::from_secs(5)).await;
        assert_eq!(refused.map(|_| ()).map_err(|error| error.kind()), Err(io::ErrorKind::PermissionDenied));
        let allowed = Outbound { loopback: true, ..Outbound::default() };
        connector(allowed).connect(&origin, Duration::from_secs(5)).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_peer_that_does_not_speak_tls_meets_the_connect_timeout() -> io::Result<()> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let origin = Origin { tls: true, ..origin("127.0.0.1", listener.local_addr()?.port()) };
        let connector = connector(Outbound { loopback: true, ..Outbound::default() });
        let slow = connector.connect(&origin, Duration::from_millis(50)).await;
        assert_eq!(slow.map(|_| ()).map_err(|error| error.kind()), Err(io::ErrorKind::TimedOut));
        Ok(())
    }
}
