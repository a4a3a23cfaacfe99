//! Connections to providers: opened under the outbound rules, pooled by each thread for itself, and polled by the request
//! that uses them.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use url::Url;

pub(crate) use connect::{Connector, permitted, tls};
pub(crate) use exchange::{Failure, Incoming};

pub(crate) use outgoing::Outgoing;

mod bell;
mod connect;
mod connection;
mod exchange;
mod outgoing;
mod pool;

/// Where connections lead to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) tls: bool,
    /// As in a URL: an IPv6 address is in brackets.
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
}

/// A thread's way to providers.
pub(crate) struct Upstream {
    connector: Connector,
    pool: pool::Pool,
}

/// The CAs that providers are checked against: those of the web, and the PEM certificates given.
pub fn roots(extra: Option<&[u8]>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let mut found = 0;
    for certificate in extra.into_iter().flat_map(CertificateDer::pem_slice_iter) {
        let certificate = certificate.map_err(|error| format!("not a PEM certificate: {error}"))?;
        roots.add(certificate).map_err(|error| format!("not a CA certificate: {error}"))?;
        found += 1;
    }
    if extra.is_some() && found == 0 {
        return Err("no PEM certificate in it".into());
    }
    Ok(roots)
}

impl Origin {
    /// `None` for anything but http:// and https:// with a host.
    pub(crate) fn of(url: &Url) -> Option<Self> {
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Some(Self { tls, host: url.host_str()?.into(), port: url.port_or_known_default()? })
    }
}
