//! Operator, proxies and fake providers in a namespace of their own, with the chart's rights and Pods.

use std::{array, time::Duration};

use anyhow::{Context as _, ensure};
use futures::future::{try_join, try_join_all};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec, Secret};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use penstock_crds::{GROUP, Kind, VERSION};
use penstock_tests::client::client;
use penstock_tests::cluster::Cluster;
use penstock_tests::cluster::kubelet::{Kubelet, PodInput, RunningPod};
use penstock_tests::fake::Fakes;
use penstock_tests::setup;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{chart, readme};

pub(crate) const WITHIN: Duration = Duration::from_secs(60);
/// The README's Secret, provider, Consumer's key and model.
pub(crate) const SECRET: &str = "keys";
pub(crate) const CALLER: &str = "a-long-random-string-of-your-own";
const MODEL: &str = "gpt-4o";
/// The provider's key until it is rotated.
pub(crate) const FIRST_KEY: &str = "openai-key-0";

pub(crate) struct Installation<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) kubelet: Kubelet<'a>,
    pub(crate) client: Client,
    pub(crate) namespace: String,
    operator: PodTemplateSpec,
    proxy: PodTemplateSpec,
    pub(crate) fakes: Fakes,
    pub(crate) http: reqwest::Client,
}

impl<'a> Installation<'a> {
    /// A namespace with everything but the programs, for objects in that namespace alone.
    pub(crate) async fn new(cluster: &'a Cluster, prefix: &str) -> anyhow::Result<Self> {
        Self::with(cluster, prefix, &[]).await
    }

    /// The same, with these values of the chart too.
    pub(crate) async fn with(cluster: &'a Cluster, prefix: &str, values: &[&str]) -> anyhow::Result<Self> {
        let namespace = cluster.namespace(prefix).await?;
        let watched = namespace.clone();
        Self::install_for(cluster, namespace, &watched, values).await
    }

    /// The same, for objects in one more namespace too.
    pub(crate) async fn watching(cluster: &'a Cluster, prefix: &str, other: &str) -> anyhow::Result<Self> {
        let namespace = cluster.namespace(prefix).await?;
        let watched = format!("{namespace},{other}");
        Self::install_for(cluster, namespace, &watched, &[]).await
    }

    /// The chart as it is, for objects in all namespaces: in a cluster that nobody shares.
    pub(crate) async fn everywhere(cluster: &'a Cluster, prefix: &str) -> anyhow::Result<Self> {
        Self::install(cluster, cluster.namespace(prefix).await?, &[]).await
    }

    async fn install_for(
        cluster: &'a Cluster,
        namespace: String,
        watched: &str,
        values: &[&str],
    ) -> anyhow::Result<Self> {
        let watch = format!("watchNamespaces={{{watched}}}");
        let values = [&[&watch, "proxy.drainDeadline=5s", "operator.log=debug"], values].concat();
        Self::install(cluster, namespace, &values).await
    }

    async fn install(cluster: &'a Cluster, namespace: String, values: &[&str]) -> anyhow::Result<Self> {
        cluster.install_definitions().await?;
        // The fakes are on this machine.
        let values = [&["allowUpstream={127.0.0.0/8}"], values].concat();
        let rendered: Vec<Value> = serde_saphyr::from_multiple(&chart::template(&namespace, &values).await?)?;
        let (deployments, others): (Vec<_>, Vec<_>) =
            rendered.into_iter().partition(|object| object["kind"] == "Deployment");
        // The definitions are there, and shared with other tests.
        let others = others.iter().filter(|object| object["kind"] != "CustomResourceDefinition");
        let others: String = others.map(|object| format!("{object}\n---\n")).collect();
        cluster.kubectl(&["apply", "--filename=-"], &others).await?;
        let template = |name: &str| {
            let found = deployments.iter().find(|object| object["metadata"]["name"] == name);
            let template =
                found.with_context(|| format!("the chart has no Deployment {name}"))?["spec"]["template"].clone();
            anyhow::Ok(serde_json::from_value(template)?)
        };
        let (operator, proxy) = (template("penstock-operator")?, template("penstock-proxy")?);
        Ok(Self {
            cluster,
            kubelet: Kubelet::new(cluster).await?,
            client: cluster.client().await?,
            namespace,
            operator,
            proxy,
            fakes: Fakes::start()?,
            http: client(),
        })
    }

    /// What the README tells a user to apply, with the fakes as providers.
    pub(crate) async fn apply_quickstart(&self) -> anyhow::Result<()> {
        let openai = format!("{}/v1", self.fakes.url("openai"));
        let objects = readme::objects(&self.namespace, &openai, &self.fakes.url("anthropic"))?;
        ensure!(objects.contains(CALLER), "the README's Consumer must have the key {CALLER}");
        self.apply(&objects.replace(" sk-...", &format!(" {FIRST_KEY}"))).await
    }

    pub(crate) async fn apply(&self, objects: &str) -> anyhow::Result<()> {
        self.cluster.kubectl(&["apply", "--namespace", &self.namespace, "--filename=-"], objects).await?;
        Ok(())
    }

    /// `kubectl wait --for=condition=Programmed` on everything that was applied.
    pub(crate) async fn wait_programmed(&self) -> anyhow::Result<()> {
        let objects = ["aiproviders/openai", "aiproviders/anthropic", "routepolicies/chat", "consumers/search-team"];
        let mut args = vec!["wait", "--for=condition=Programmed", "--timeout=60s", "--namespace", &self.namespace];
        args.extend(objects);
        match self.cluster.kubectl(&args, "").await {
            Ok(_) => Ok(()),
            Err(error) => {
                let all = self.cluster.kubectl(&["get", "penstock", "-o", "yaml", "-n", &self.namespace], "").await?;
                Err(error.context(all))
            }
        }
    }

    /// An operator and proxies that serve the quickstart, all of them ready.
    pub(crate) async fn serving<const PROXIES: usize>(&self) -> anyhow::Result<(RunningPod, [RunningPod; PROXIES])> {
        self.serving_at(1.0).await
    }

    /// The same, with proxies whose waits last this share of what is written.
    pub(crate) async fn serving_at<const PROXIES: usize>(
        &self,
        pace: f64,
    ) -> anyhow::Result<(RunningPod, [RunningPod; PROXIES])> {
        let start = async {
            let operator = self.operator("operator-0").await?;
            let names: [String; PROXIES] = array::from_fn(|number| format!("proxy-{number}"));
            let known = [&operator];
            let proxies = try_join_all(names.iter().map(|name| self.proxy_at(name, pace, &known))).await?;
            anyhow::Ok((operator, proxies))
        };
        let ((operator, proxies), ()) = try_join(start, self.apply_quickstart()).await?;
        self.wait_programmed().await?;
        try_join_all(proxies.iter().chain([&operator]).map(|pod| pod.ready(WITHIN))).await?;
        Ok((operator, proxies.try_into().ok().context("as many proxies as were started")?))
    }

    /// An operator's Pod. Its process may not be ready yet.
    pub(crate) async fn operator(&self, name: &str) -> anyhow::Result<RunningPod> {
        // There is no DNS here: certificates are for addresses.
        self.run(name, &self.operator, &self.service(), "$(POD_IP)").await
    }

    /// A proxy's Pod that knows these operators.
    pub(crate) async fn proxy(&self, name: &str, operators: &[&RunningPod]) -> anyhow::Result<RunningPod> {
        self.proxy_at(name, 1.0, operators).await
    }

    /// The same, whose waits last this share of what is written.
    pub(crate) async fn proxy_at(
        &self,
        name: &str,
        pace: f64,
        operators: &[&RunningPod],
    ) -> anyhow::Result<RunningPod> {
        let mut template = self.proxy.clone();
        for container in template.spec.iter_mut().flat_map(|spec| &mut spec.containers) {
            container.args.get_or_insert_default().push(format!("--pace={pace}"));
        }
        let operators: Vec<String> = operators.iter().map(|pod| format!("https://{}:8443", pod.ip)).collect();
        self.run(name, &template, &format!("https://{}:8443", self.service()), &operators.join(",")).await
    }

    /// The name that the operators have in a cluster's DNS.
    fn service(&self) -> String {
        format!("penstock-operator.{}.svc", self.namespace)
    }

    /// Runs one of the chart's Pods with one text of its arguments replaced.
    async fn run(&self, name: &str, template: &PodTemplateSpec, from: &str, to: &str) -> anyhow::Result<RunningPod> {
        let mut template = template.clone();
        let container = template.spec.as_mut().and_then(|spec| spec.containers.first_mut()).context("a container")?;
        let program = setup::binary(&format!("penstock-{}", container.name))?;
        for arg in container.args.iter_mut().flatten() {
            *arg = arg.replace(from, to);
        }
        self.kubelet.run(PodInput::from_template(&self.namespace, name, template, program)).await
    }

    /// One request of a caller, to be sent.
    pub(crate) fn ask(&self, proxy: &RunningPod, stream: bool) -> reqwest::RequestBuilder {
        self.ask_for(proxy, MODEL, stream)
    }

    /// The same at an address.
    pub(crate) fn ask_at(&self, ip: &str) -> reqwest::RequestBuilder {
        self.ask_model_at(ip, MODEL, false)
    }

    /// The same for another model.
    pub(crate) fn ask_for(&self, proxy: &RunningPod, model: &str, stream: bool) -> reqwest::RequestBuilder {
        self.ask_model_at(&proxy.ip.to_string(), model, stream)
    }

    fn ask_model_at(&self, ip: &str, model: &str, stream: bool) -> reqwest::RequestBuilder {
        self.ask_with(CALLER, ip, model, stream)
    }

    /// One request of who has this key, to be sent.
    pub(crate) fn ask_as(&self, key: &str, ip: &str) -> reqwest::RequestBuilder {
        self.ask_with(key, ip, MODEL, false)
    }

    fn ask_with(&self, key: &str, ip: &str, model: &str, stream: bool) -> reqwest::RequestBuilder {
        let body =
            json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Say something."}]});
        self.http.post(format!("http://{ip}:8000/v1/chat/completions")).bearer_auth(key).json(&body)
    }

    /// One unary request that must succeed; the provider that answered.
    pub(crate) async fn answered_by(&self, proxy: &RunningPod) -> anyhow::Result<String> {
        let answer = self.ask(proxy, false).send().await?;
        let provider =
            answer.headers().get("x-penstock-provider").and_then(|name| name.to_str().ok()).map(str::to_owned);
        let (status, body) = (answer.status(), answer.text().await?);
        ensure!(status == 200, "{status}: {body}");
        provider.context("an answer must name its provider")
    }

    /// Writes the key of `OpenAI`; returns the Secret's resourceVersion.
    pub(crate) async fn rotate(&self, key: &str) -> anyhow::Result<String> {
        self.change_secret(json!({"stringData": {"openai": key}})).await
    }

    /// The same with any change.
    pub(crate) async fn change_secret(&self, change: Value) -> anyhow::Result<String> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let patch = Patch::Merge(change);
        let written = secrets.patch(SECRET, &PatchParams::default(), &patch).await?;
        written.metadata.resource_version.context("a Secret must have a resourceVersion")
    }

    /// Until the provider's status says that every proxy uses this version of its Secret.
    pub(crate) async fn credential_programmed(&self, provider: &str, version: &str) -> anyhow::Result<()> {
        let wanted = |object: Option<&DynamicObject>| {
            let credentials = object.and_then(|object| object.data.pointer("/status/credentials")?.as_array());
            credentials.into_iter().flatten().any(|c| c["resourceVersion"] == version && c["programmed"] == true)
        };
        self.until(Kind::AIProvider, provider, wanted).await
    }

    /// Until an object is as wanted; the error shows how it was instead.
    pub(crate) async fn until(
        &self,
        kind: Kind,
        name: &str,
        wanted: impl Fn(Option<&DynamicObject>) -> bool,
    ) -> anyhow::Result<()> {
        self.until_in(&self.namespace, kind, name, wanted).await
    }

    /// The same in another namespace.
    pub(crate) async fn until_in(
        &self,
        namespace: &str,
        kind: Kind,
        name: &str,
        wanted: impl Fn(Option<&DynamicObject>) -> bool,
    ) -> anyhow::Result<()> {
        let objects = self.objects_in(namespace, kind);
        match timeout(WITHIN, await_condition(objects.clone(), name, wanted)).await {
            Ok(outcome) => Ok(outcome.map(drop)?),
            Err(_) => anyhow::bail!("{kind} {name} stayed {:#?}", objects.get(name).await?.data.get("status")),
        }
    }

    pub(crate) fn objects(&self, kind: Kind) -> Api<DynamicObject> {
        self.objects_in(&self.namespace, kind)
    }

    fn objects_in(&self, namespace: &str, kind: Kind) -> Api<DynamicObject> {
        let resource =
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, VERSION, kind.as_str()), kind.plural());
        Api::namespaced_with(self.client.clone(), namespace, &resource)
    }

    /// The resourceVersion of every object of ours: equal ones mean that nobody wrote anything.
    pub(crate) async fn versions(&self) -> anyhow::Result<Vec<(String, Option<String>)>> {
        let mut versions = Vec::new();
        for kind in Kind::ALL {
            for object in self.objects(kind).list(&kube::api::ListParams::default()).await? {
                let name = format!("{kind}/{}", object.metadata.name.unwrap_or_default());
                versions.push((name, object.metadata.resource_version));
            }
        }
        Ok(versions)
    }

    /// A proxy Pod of this account without a process: a test plays it.
    pub(crate) async fn played_proxy(&self, name: &str, account: &str) -> anyhow::Result<Pod> {
        self.kubelet.prepare(&self.namespace).await?;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let labels = self.proxy.metadata.as_ref().and_then(|metadata| metadata.labels.clone());
        let pod = serde_json::from_value(json!({
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "nodeName": "test",
                "serviceAccountName": account,
                "automountServiceAccountToken": false,
                "containers": [{"name": "proxy", "image": "penstock-proxy"}],
            },
        }))?;
        Ok(pods.create(&kube::api::PostParams::default(), &pod).await?)
    }
}

/// A condition's status, reason and message.
pub(crate) fn condition(object: &DynamicObject, type_: &str) -> Option<(String, String, String)> {
    let conditions = object.data.pointer("/status/conditions")?.as_array()?;
    let found = conditions.iter().find(|condition| condition["type"] == type_)?;
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    Some((text("status"), text("reason"), text("message")))
}
