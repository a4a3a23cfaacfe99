//! An operator for tests: speaks the push protocol over TLS, and each test says what it answers.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Frame, Incoming},
    header::AUTHORIZATION,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use penstock_config::protocol::{Ack, Document};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    time,
};
use tokio_rustls::TlsAcceptor;

/// What a test waits for comes within this time, or it fails.
const PATIENCE: Duration = Duration::from_secs(20);

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A listening operator.
pub(super) struct Fake {
    pub(super) address: SocketAddr,
    asked: mpsc::UnboundedReceiver<Asked>,
    acks: mpsc::UnboundedReceiver<Ack>,
    forgetful: Arc<AtomicBool>,
}

/// A proxy that asks for a stream and waits for the test's answer.
pub(super) struct Asked {
    pub(super) query: String,
    pub(super) authorization: Option<String>,
    answer: oneshot::Sender<Response<Body>>,
}

/// An open stream; it ends when dropped.
pub(super) struct Stream(mpsc::UnboundedSender<Bytes>);

/// The CA of all fakes of a test.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) pem: String,
}

#[derive(Clone)]
struct Told {
    asked: mpsc::UnboundedSender<Asked>,
    acks: mpsc::UnboundedSender<Ack>,
    forgetful: Arc<AtomicBool>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().expect("must make a key");
        let mut params = CertificateParams::new(vec![]).expect("must be parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("must sign").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn acceptor(&self) -> TlsAcceptor {
        let names = ["127.0.0.1", "localhost"].map(str::to_owned);
        let key = KeyPair::generate().expect("must make a key");
        let params = CertificateParams::new(names).expect("must be parameters");
        let leaf = params.signed_by(&key, &self.issuer).expect("must sign");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("must have versions").with_no_client_auth();
        let config = config.with_single_cert(vec![leaf.der().clone()], key).expect("must be a certificate");
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Fake {
    pub(super) async fn start(authority: &Authority) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("must bind");
        let address = listener.local_addr().expect("must have an address");
        let acceptor = authority.acceptor();
        let (asked, asked_receiver) = mpsc::unbounded_channel();
        let (acks, acks_receiver) = mpsc::unbounded_channel();
        let forgetful = Arc::new(AtomicBool::new(false));
        let told = Told { asked, acks, forgetful: forgetful.clone() };
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, told) = (acceptor.clone(), told.clone());
                tokio::spawn(async move {
                    let Ok(socket) = acceptor.accept(socket).await else { return };
                    let service = service_fn(move |request| told.clone().answer(request));
                    http1::Builder::new().serve_connection(TokioIo::new(socket), service).await.ok();
                });
            }
        });
        Self { address, asked: asked_receiver, acks: acks_receiver, forgetful }
    }

    /// The next request for a stream.
    pub(super) async fn asked(&mut self) -> Asked {
        within(self.asked.recv()).await.expect("the fake must run")
    }

    /// From now on it knows no session, or does again.
    pub(super) fn forget_sessions(&self, forgetful: bool) {
        self.forgetful.store(forgetful, Ordering::SeqCst);
    }

    /// Nobody has asked since the last time.
    pub(super) fn not_asked(&mut self) -> bool {
        self.asked.try_recv().is_err()
    }

    /// The next ACK.
    pub(super) async fn ack(&mut self) -> Ack {
        within(self.acks.recv()).await.expect("the fake must run")
    }
}

impl Asked {
    pub(super) fn stream(self) -> Stream {
        let (lines, receiver) = mpsc::unbounded_channel();
        let frames = futures::stream::unfold(receiver, async |mut receiver| {
            let line: Bytes = receiver.recv().await?;
            Some((Ok(Frame::data(line)), receiver))
        });
        self.send(Response::new(StreamBody::new(frames).boxed_unsync()));
        Stream(lines)
    }

    pub(super) fn refuse(self, code: StatusCode, body: String) {
        self.send(status(code, body));
    }

    fn send(self, response: Response<Body>) {
        assert!(self.answer.send(response).is_ok(), "the proxy must still wait for the answer");
    }
}

impl Stream {
    pub(super) fn send(&self, document: &Document) {
        self.send_line(&serde_json::to_string(document).expect("must serialise"));
    }

    pub(super) fn send_line(&self, line: &str) {
        self.send_part(&format!("{line}\n"));
    }

    /// A part of a line: what a slow network brings.
    pub(super) fn send_part(&self, part: &str) {
        self.0.send(Bytes::from(part.to_owned())).expect("the proxy must still read");
    }

    /// The proxy has left the stream.
    pub(super) async fn left(&self) {
        within(self.0.closed()).await;
    }
}

impl Told {
    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let (head, body) = request.into_parts();
        if head.uri.path() == penstock_config::protocol::ACK_PATH {
            if self.forgetful.load(Ordering::SeqCst) {
                return Ok(status(StatusCode::GONE, String::new()));
            }
            let body = body.collect().await.expect("must have a body").to_bytes();
            self.acks.send(serde_json::from_slice(&body).expect("must be an ACK")).ok();
            return Ok(Response::new(Full::default().boxed_unsync()));
        }
        let (answer, answered) = oneshot::channel();
        let authorization = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let asked = Asked {
            query: head.uri.query().unwrap_or_default().to_owned(),
            authorization: authorization.map(str::to_owned),
            answer,
        };
        self.asked.send(asked).ok();
        let unanswered = |_| status(StatusCode::SERVICE_UNAVAILABLE, String::new());
        Ok(answered.await.unwrap_or_else(unanswered))
    }
}

fn status(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Full::from(body).boxed_unsync());
    *response.status_mut() = status;
    response
}

/// Fails the test when it takes too long.
pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    time::timeout(PATIENCE, future).await.expect("must happen in time")
}
