//! A proxy played by a test: it reads the stream, and answers what the test tells it to.

use anyhow::{Context as _, bail, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::Api;
use penstock_config::Hash;
use penstock_config::protocol::{ACK_PATH, AUDIENCE, Ack, Document, Hello, Position, Refused, SNAPSHOT_PATH, VERSION};
use penstock_tests::cluster::kubelet::RunningPod;
use reqwest::{Certificate, Client, Response, StatusCode};
use tokio::time::timeout;

use super::installation::{Installation, WITHIN};

pub(crate) struct Reader {
    client: Client,
    base: String,
    response: Response,
    buffer: Vec<u8>,
    pub(crate) hello: Hello,
}

/// A client that trusts the bundle which the operator published.
pub(crate) async fn trusting(installation: &Installation<'_>) -> anyhow::Result<Client> {
    let maps: Api<ConfigMap> = Api::namespaced(installation.client.clone(), &installation.namespace);
    let bundle = maps.get("penstock-ca-bundle").await?.data.unwrap_or_default();
    let bundle = bundle.get("ca.crt").context("the bundle must be published")?;
    let ca = Certificate::from_pem_bundle(bundle.as_bytes())?;
    Ok(Client::builder().no_proxy().tls_certs_only(ca).build()?)
}

/// Asks for a stream with a token; whatever the answer is.
pub(crate) async fn ask(
    installation: &Installation<'_>,
    operator: &RunningPod,
    token: &str,
    boot: &str,
    have: Option<Hash>,
) -> anyhow::Result<(Client, Response)> {
    let client = trusting(installation).await?;
    let have = have.map_or_else(String::new, |have| format!("&have={have}"));
    let url = format!("https://{}:8443{SNAPSHOT_PATH}?boot={boot}&version={VERSION}{have}", operator.ip);
    let response = timeout(WITHIN, client.get(url).bearer_auth(token).send()).await??;
    Ok((client, response))
}

impl Reader {
    pub(crate) async fn connect(
        installation: &Installation<'_>,
        operator: &RunningPod,
        pod: &Pod,
        have: Option<Hash>,
    ) -> anyhow::Result<Self> {
        let token = installation.kubelet.token(pod, "penstock-proxy", Some(AUDIENCE), None).await?;
        let (client, response) = ask(installation, operator, &token, "played", have).await?;
        ensure!(response.status() == StatusCode::OK, "{}", response.status());
        let base = format!("https://{}:8443", operator.ip);
        let hello = Hello {
            session: String::new(),
            position: Position::default(),
            hash: Hash::of(b""),
            replicas: 0,
            ca_bundle: String::new(),
        };
        let mut reader = Self { client, base, response, buffer: Vec::new(), hello };
        match reader.next().await? {
            Document::Hello(hello) => reader.hello = hello,
            _ => bail!("a stream must begin with a hello"),
        }
        Ok(reader)
    }

    pub(crate) async fn next(&mut self) -> anyhow::Result<Document> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(serde_json::from_slice(&line)?);
            }
            let chunk = timeout(WITHIN, self.response.chunk()).await??;
            self.buffer.extend_from_slice(&chunk.context("the stream ended")?);
        }
    }

    /// The next snapshot, whole or as a delta: where it stands and what it is.
    pub(crate) async fn snapshot(&mut self) -> anyhow::Result<(Position, Hash)> {
        loop {
            match self.next().await? {
                Document::Full(full) => return Ok((full.position, full.hash)),
                Document::Delta(document) => return Ok((document.position, document.delta.hash)),
                Document::Hello(_) => bail!("a second hello"),
                Document::Replicas(_) | Document::Heartbeat(_) => {}
            }
        }
    }

    /// What comes until the next heartbeat: whether a snapshot, whole or as a delta, is among it.
    pub(crate) async fn is_sent_a_snapshot_before_a_heartbeat(&mut self) -> anyhow::Result<bool> {
        loop {
            match self.next().await? {
                Document::Full(_) | Document::Delta(_) => return Ok(true),
                Document::Heartbeat(_) => return Ok(false),
                Document::Hello(_) => bail!("a second hello"),
                Document::Replicas(_) => {}
            }
        }
    }

    pub(crate) async fn ack(&self, at: (Position, Hash), refused: Vec<Refused>) -> anyhow::Result<StatusCode> {
        let (position, hash) = at;
        let session = self.hello.session.clone();
        let ack = Ack { session, position, hash, undecodable: None, refused, reports: Vec::new() };
        let answer = self.client.post(format!("{}{ACK_PATH}", self.base)).json(&ack).send().await?;
        Ok(answer.status())
    }
}
