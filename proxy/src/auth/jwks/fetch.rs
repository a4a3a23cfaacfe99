//! One request for the keys of an issuer.

use std::{error::Error, net::IpAddr, sync::Arc, time::Duration};

use penstock_config::outbound::Outbound;
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use rustls::RootCertStore;

use crate::{
    auth::keys::Keys,
    pace::Pace,
    upstream::{permitted, tls},
};

/// From DNS to the last byte.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of the largest set of keys.
const LARGEST: usize = 1 << 20;

/// Fetches under the outbound rules.
pub(crate) struct Fetcher {
    client: Client,
    outbound: Arc<Outbound>,
}

/// Names lead only to permitted addresses.
struct Resolver(Arc<Outbound>);

impl Fetcher {
    pub(crate) fn new(outbound: Outbound, roots: RootCertStore, pace: Pace) -> Result<Self, String> {
        let outbound = Arc::new(outbound);
        // A proxy of the environment would be called instead of what was judged.
        let builder = Client::builder().no_proxy().redirect(Policy::none()).http1_only().pool_max_idle_per_host(0);
        let builder = builder.timeout(pace.of(TIMEOUT)).dns_resolver(Arc::new(Resolver(outbound.clone())));
        let client = builder.tls_backend_preconfigured(tls(roots)).build().map_err(|error| causes(&error))?;
        Ok(Self { client, outbound })
    }

    /// What the URL publishes now.
    ///
    /// # Errors
    /// In words, with their causes.
    pub(super) async fn fetch(&self, url: &str) -> Result<Keys, String> {
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        // An address in a URL meets no resolver.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        if let Ok(address) = host.parse::<IpAddr>()
            && !self.outbound.permits(address)
        {
            return Err(format!("the outbound rules forbid {address}"));
        }
        let mut response = self.client.get(url).send().await.map_err(|error| causes(&error))?;
        if !response.status().is_success() {
            return Err(format!("it answered {}", response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| causes(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                return Err(format!("it answered with more than {LARGEST} bytes"));
            }
        }
        Keys::read(&body).map_err(|error| format!("it answered with no JWK Set: {error}"))
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let outbound = self.0.clone();
        Box::pin(async move {
            // The client puts the URL's port in place of 0.
            let addresses = permitted(&outbound, name.as_str(), 0).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// An error with its causes, which reqwest's own text leaves out.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, http::header::LOCATION, response::IntoResponse, routing::get};
    use reqwest::StatusCode;
    use rustls::ServerConfig;
    use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
    use tokio::io::AsyncWriteExt;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    fn fetcher(outbound: Outbound, roots: RootCertStore) -> Fetcher {
        // Another test has installed it already, if it fails.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Fetcher::new(outbound, roots, Pace::REAL).expect("must be a client")
    }

    fn loopback() -> Outbound {
        Outbound { loopback: true, ..Outbound::default() }
    }

    /// Answers the first two connections over TLS, if they get so far; with its port and its certificate.
    async fn tls_server() -> Result<(u16, CertificateDer<'static>), Box<dyn Error>> {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key.into())?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        tokio::spawn(async move {
            for _ in 0..2 {
                let (socket, _) = listener.accept().await?;
                let Ok(mut stream) = TlsAcceptor::from(Arc::new(config.clone())).accept(socket).await else { continue };
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"keys\":[]}").await?;
                stream.shutdown().await?;
            }
            std::io::Result::Ok(())
        });
        Ok((port, own.cert.der().clone()))
    }

    #[tokio::test]
    async fn over_tls_the_server_must_be_vouched_for_as_providers_are() -> Result<(), Box<dyn Error>> {
        let (port, certificate) = tls_server().await?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate)?;
        let url = format!("https://localhost:{port}/keys");
        assert!(fetcher(loopback(), RootCertStore::empty()).fetch(&url).await.is_err());
        assert_eq!(fetcher(loopback(), roots).fetch(&url).await.map(|keys| keys.len()), Ok(0));
        Ok(())
    }

    /// A server of good and bad answers, and its port.
    async fn server() -> std::io::Result<u16> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let pages = Router::new()
            .route("/keys", get(|| async { r#"{"keys": [], "more": 1}"# }))
            .route("/moved", get(|| async { (StatusCode::FOUND, [(LOCATION, "/keys")]).into_response() }))
            .route("/page", get(|| async { "<html>" }))
            .route(
                "/endless",
                get(|| async {
                    Body::from_stream(futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1 << 16])))
                }),
            );
        tokio::spawn(axum::serve(listener, pages).into_future());
        Ok(port)
    }

    #[tokio::test]
    async fn only_a_set_of_keys_of_at_most_a_mebibyte_is_taken_and_no_redirect_is_followed() -> std::io::Result<()> {
        let port = server().await?;
        let fetcher = fetcher(loopback(), RootCertStore::empty());
        let fetch =
            async |path: &str| fetcher.fetch(&format!("http://localhost:{port}{path}")).await.map(|keys| keys.len());
        assert_eq!(fetch("/keys").await, Ok(0));
        for (path, says) in [
            ("/moved", "it answered 302 Found"),
            ("/gone", "it answered 404 Not Found"),
            ("/page", "it answered with no JWK Set"),
            ("/endless", "it answered with more than 1048576 bytes"),
        ] {
            assert!(fetch(path).await.is_err_and(|error| error.starts_with(says)), "{path}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn what_the_outbound_rules_forbid_is_not_called_by_address_or_by_name() -> std::io::Result<()> {
        let port = server().await?;
        let fetcher = fetcher(Outbound::default(), RootCertStore::empty());
        for host in ["127.0.0.1", "localhost", "169.254.169.254"] {
            let fetched = fetcher.fetch(&format!("http://{host}:{port}/keys")).await.map(|keys| keys.len());
            assert!(fetched.is_err_and(|error| error.contains("outbound rules forbid")), "{host}");
        }
        Ok(())
    }
}
