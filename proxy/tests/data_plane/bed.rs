//! A data plane on a free port, and a client.

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroUsize, sync::Arc, time::Duration};

use anyhow::Context as _;
use penstock_config::{
    ClusterIssuer, Meta, ObjectRef, Resource, Secret, SecretState, Settings, Snapshot, World, compile, object::Cluster,
    outbound::Outbound, protocol::Report,
};
use penstock_proxy::{Auth, DataConfig, DataPlane, Limits, Live, Metrics, Pace, upstream};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::provider::{PATIENCE, Provider};

pub(crate) const PATH: &str = "/v1/chat/completions";

/// Resources, most of them said in a few words.
pub(crate) struct Resources(World);

pub(crate) struct Bed {
    pub(crate) live: Live,
    pub(crate) metrics: Metrics,
    pub(crate) address: SocketAddr,
    pub(crate) client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) run: JoinHandle<std::io::Result<()>>,
}

/// What a client got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Resources {
    pub(crate) fn new() -> Self {
        let outbound = Outbound { loopback: true, ..Outbound::default() };
        let platform_namespaces = ["default".to_owned()].into();
        Self(World::new(Settings { gateway: "default".into(), platform_namespaces, outbound }))
    }

    /// A provider of model `m` with keys `NAME-key-0`, .. and no retries, unless `more` says otherwise.
    pub(crate) fn provider(&mut self, name: &str, provider: &Provider, more: Value) -> anyhow::Result<&mut Self> {
        let base = format!("http://{}/v1", provider.address);
        self.provider_at(name, &base, &[&format!("{name}-key-0")], more)
    }

    pub(crate) fn provider_at(
        &mut self,
        name: &str,
        base: &str,
        keys: &[&str],
        more: Value,
    ) -> anyhow::Result<&mut Self> {
        let credentials = (0..keys.len()).map(|i| json!({"secretRef": {"name": name, "key": format!("key-{i}")}}));
        let mut spec = json!({
            "type": "OpenAI",
            "baseURL": base,
            "credentials": credentials.collect::<Vec<_>>(),
            "models": [{"name": "m"}],
            "retries": {"attempts": 0},
        });
        merge(&mut spec, more);
        let values = keys.iter().enumerate().map(|(i, key)| (format!("key-{i}"), Secret::new(key)));
        self.secret(name, values.collect());
        let resource = Resource::new(meta("default", name), serde_json::from_value(spec)?);
        self.0.providers.insert(resource.object_ref(), Arc::new(resource));
        Ok(self)
    }

    /// A route of name `m` over model `m` of these providers, in this order.
    pub(crate) fn route(&mut self, providers: &[&str], more: Value) -> anyhow::Result<&mut Self> {
        let targets = providers.iter().enumerate();
        let targets = targets.map(|(i, name)| json!({"provider": name, "model": "m", "priority": i + 1}));
        let mut spec = json!({"models": ["m"], "targets": targets.collect::<Vec<_>>()});
        merge(&mut spec, more);
        let resource = Resource::new(meta("default", "route"), serde_json::from_value(spec)?);
        self.0.routes.insert(resource.object_ref(), Arc::new(resource));
        Ok(self)
    }

    pub(crate) fn consumer(&mut self, name: &str, key: &str, models: &[&str]) -> anyhow::Result<&mut Self> {
        self.consumer_with(name, key, json!({"models": models}))
    }

    pub(crate) fn consumer_with(&mut self, name: &str, key: &str, more: Value) -> anyhow::Result<&mut Self> {
        self.secret(name, BTreeMap::from([("api-key".to_owned(), Secret::new(key))]));
        let mut spec = json!({"apiKeys": [{"secretRef": {"name": name, "key": "api-key"}}]});
        merge(&mut spec, more);
        self.consumer_of(name, spec)
    }

    /// A Consumer that is exactly this.
    pub(crate) fn consumer_of(&mut self, name: &str, spec: Value) -> anyhow::Result<&mut Self> {
        let resource = Resource::new(meta("default", name), serde_json::from_value(spec)?);
        self.0.consumers.insert(resource.object_ref(), Arc::new(resource));
        Ok(self)
    }

    /// The cluster, as the operator knows it.
    pub(crate) fn cluster(&mut self, cluster: Cluster) -> &mut Self {
        self.0.issuer = ClusterIssuer::Known(cluster.into());
        self
    }

    pub(crate) fn limit(&mut self, name: &str, spec: Value) -> anyhow::Result<&mut Self> {
        let resource = Resource::new(meta("default", name), serde_json::from_value(spec)?);
        self.0.limits.insert(resource.object_ref(), Arc::new(resource));
        Ok(self)
    }

    fn secret(&mut self, name: &str, data: BTreeMap<String, Secret>) {
        let state = SecretState::Found { resource_version: "1".into(), data };
        self.0.secrets.insert(ObjectRef::new("default", name), state);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let (snapshot, verdicts) = compile(&self.0);
        let refused: Vec<_> = verdicts.iter().filter(|(_, verdict)| !verdict.live).collect();
        assert!(refused.is_empty(), "the test's own resources must be good: {refused:?}");
        snapshot
    }
}

impl Bed {
    /// Serves the resources to everybody, on one thread.
    pub(crate) fn start(resources: &Resources) -> anyhow::Result<Self> {
        Self::start_with(resources, |_| {})
    }

    pub(crate) fn start_with(resources: &Resources, change: impl FnOnce(&mut DataConfig)) -> anyhow::Result<Self> {
        Self::start_at(resources, Pace::REAL, change)
    }

    /// The same, with all of the proxy's waits at another pace.
    pub(crate) fn start_at(
        resources: &Resources,
        pace: Pace,
        change: impl FnOnce(&mut DataConfig),
    ) -> anyhow::Result<Self> {
        // Another test has installed it already, if it fails.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut config = DataConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            workers: NonZeroUsize::new(1),
            auth: Auth::Open,
            trusted_proxies: Vec::new(),
            max_body: 1 << 20,
            limits: Limits { requests: 1000, connections: 1000, held: 64 << 20 },
            hold_head: Duration::from_secs(15),
            grace: Duration::ZERO,
            drain: PATIENCE,
            store: None,
            state: None,
            outbound: Outbound { loopback: true, ..Outbound::default() },
            roots: upstream::roots(None).map_err(anyhow::Error::msg)?,
        };
        change(&mut config);
        let metrics = Metrics::new();
        let live = Live::at(metrics.clone(), pace);
        let issuers = live.follow_issuers(config.outbound.clone(), config.roots.clone());
        tokio::spawn(issuers.map_err(anyhow::Error::msg)?);
        let plane = DataPlane::bind(config, live.clone(), metrics.clone())?;
        let refused = live.apply(&resources.snapshot());
        anyhow::ensure!(refused.is_empty(), "{refused:?}");
        let address = plane.local_addr();
        let (stop, stopped) = oneshot::channel();
        let run = tokio::spawn(plane.run(async move { drop(stopped.await) }));
        let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
        Ok(Self { live, metrics, address, client, stop: Some(stop), run })
    }

    /// Ends it as a signal does, and waits for that.
    pub(crate) async fn finish(mut self) -> anyhow::Result<()> {
        self.stop.take();
        Ok((&mut self.run).await??)
    }

    pub(crate) fn stop(&mut self) {
        self.stop.take();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn request(&self, body: Value) -> reqwest::RequestBuilder {
        self.client.post(self.url(PATH)).header("content-type", "application/json").body(body.to_string())
    }

    pub(crate) async fn ask(&self, body: Value) -> anyhow::Result<Got> {
        Got::read(self.request(body)).await
    }

    pub(crate) async fn unary(&self) -> anyhow::Result<Got> {
        self.ask(question(false)).await
    }

    /// Until the metrics say this line.
    pub(crate) async fn metric_is(&self, line: &str) -> anyhow::Result<()> {
        let poll = async {
            while !self.metrics.render().lines().any(|said| said == line) {
                tokio::task::yield_now().await;
            }
        };
        let said = tokio::time::timeout(PATIENCE, poll).await;
        said.with_context(|| format!("{line} is not in {}", self.metrics.render()))
    }

    /// What goes to the operator of providers that do not answer as they should.
    pub(crate) fn troubles(&self) -> Vec<Report> {
        let all = self.live.reports().into_iter();
        all.filter(|report| !matches!(report, Report::PriceMissing { .. })).collect()
    }

    pub(crate) async fn stream(&self) -> anyhow::Result<Got> {
        self.ask(question(true)).await
    }
}

pub(crate) fn question(stream: bool) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": stream})
}

/// A member of a stream's deltas, one after the other.
pub(crate) fn spoken(body: &str, member: &str) -> String {
    let chunks = body.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    chunks.filter_map(|chunk| chunk["choices"][0]["delta"][member].as_str().map(str::to_owned)).collect()
}

impl Got {
    pub(crate) async fn read(request: reqwest::RequestBuilder) -> anyhow::Result<Self> {
        let response = request.send().await.context("no answer")?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Self { status, headers, body: response.text().await.context("no whole answer")? })
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Refused for what was shown: one of some, or of too many.
    pub(crate) fn is_nobody_s(&self) -> bool {
        matches!(self.status, 401 | 429)
    }

    /// `type` and `code` of OpenAI's error object.
    pub(crate) fn error(&self) -> anyhow::Result<(String, String)> {
        let body: Value = serde_json::from_str(&self.body).with_context(|| format!("no JSON: {}", self.body))?;
        let text = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
        Ok((text("type"), text("code")))
    }
}

fn meta(namespace: &str, name: &str) -> Meta {
    Meta { namespace: namespace.into(), name: name.into(), ..Meta::default() }
}

fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}
