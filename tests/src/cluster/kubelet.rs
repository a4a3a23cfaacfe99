//! A small fake kubelet: it runs a program of this machine as a Pod of the test cluster, with what the real one and the
//! controllers around it would supply. Tokens are bound to the Pod, volumes are folders that follow their objects, and
//! Ready follows the readiness probe. Each Pod has an address of its own in the loopback network.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use futures::stream::{BoxStream, SelectAll};
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, PodTemplateSpec, ServiceAccount};
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Client, Resource};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

mod container;
mod life;
mod volumes;

use super::Cluster;
use container::{Process, Readiness, SERVICE_ACCOUNT, only_container};
use life::{Command, Life};
use volumes::{Change, Source, Volumes};

/// How long a Pod may wait for the Secrets and ConfigMaps that it mounts.
const VOLUMES_WITHIN: Duration = Duration::from_secs(30);

/// The node that Pods say they are on.
const NODE: &str = "test";

/// Runs Pods. It belongs to the runtime that it is made in: make one for each test.
pub struct Kubelet<'a> {
    cluster: &'a Cluster,
    client: Client,
    probes: reqwest::Client,
    /// Where Pods find the API server, if not at its own address.
    relay: Option<String>,
}

/// A Pod to run, and the program that stands for its image.
pub struct PodInput {
    /// With one container. Its image and command are not looked at.
    pub pod: Pod,
    /// The program, which gets the container's arguments and environment, and no other environment.
    pub program: PathBuf,
}

/// A Pod whose process was started. Dropping it kills the process and leaves the Pod as it is, as a node that fails.
pub struct RunningPod {
    /// The Pod's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its uid, which tokens are bound to.
    pub uid: String,
    /// Its own address; a port that the program binds on `0.0.0.0` by an argument is bound here.
    pub ip: IpAddr,
    /// Where its volumes and its log are.
    pub dir: PathBuf,
    pods: Api<Pod>,
    volumes: BTreeMap<String, PathBuf>,
    commands: mpsc::Sender<Command>,
}

impl PodInput {
    /// A Pod as a Deployment would make it.
    #[must_use]
    pub fn from_template(namespace: &str, name: &str, template: PodTemplateSpec, program: PathBuf) -> Self {
        let metadata = template.metadata.unwrap_or_default();
        Self {
            pod: Pod {
                metadata: ObjectMeta { name: Some(name.to_owned()), namespace: Some(namespace.to_owned()), ..metadata },
                spec: template.spec,
                status: None,
            },
            program,
        }
    }
}

impl<'a> Kubelet<'a> {
    /// A kubelet for this cluster.
    ///
    /// # Errors
    /// When no client can be made.
    pub async fn new(cluster: &'a Cluster) -> anyhow::Result<Self> {
        // The first to install one wins, and there is only one kind.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            cluster,
            client: cluster.client().await?,
            probes: reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build()?,
            relay: None,
        })
    }

    /// Pods that are run from now on find the API server at this URL.
    pub fn relay_through(&mut self, url: String) {
        self.relay = Some(url);
    }

    /// Makes what controllers put into every namespace: the ServiceAccount `default` and the API server's certificate.
    /// [`Kubelet::run`] does this for its Pod's namespace.
    ///
    /// # Errors
    /// When the API server refuses them.
    pub async fn prepare(&self, namespace: &str) -> anyhow::Result<()> {
        self.service_account(namespace, "default").await?;
        let ca = std::fs::read_to_string(&self.cluster.control_plane.ca)?;
        let root = ConfigMap {
            metadata: named("kube-root-ca.crt"),
            data: Some(BTreeMap::from([("ca.crt".to_owned(), ca)])),
            ..ConfigMap::default()
        };
        let config_maps = Api::namespaced(self.client.clone(), namespace);
        create_if_absent(&config_maps, &root).await
    }

    /// Makes a ServiceAccount if it is not there.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn service_account(&self, namespace: &str, name: &str) -> anyhow::Result<()> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let account = ServiceAccount { metadata: named(name), ..ServiceAccount::default() };
        create_if_absent(&accounts, &account).await
    }

    /// Creates the Pod, waits for what it mounts, and starts its process.
    ///
    /// # Errors
    /// When the API server refuses the Pod, when something it mounts is not there within 30 s, or when it asks for what
    /// is not known here.
    pub async fn run(&self, input: PodInput) -> anyhow::Result<RunningPod> {
        let namespace = input.pod.metadata.namespace.as_deref();
        let namespace = namespace.context("a Pod must have a namespace")?.to_owned();
        self.prepare(&namespace).await?;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &namespace);
        let address = self.cluster.addresses.take()?;
        let pod = create(&pods, input.pod, address.ip()).await?;
        let name = pod.metadata.name.clone().context("a Pod must have a name")?;
        let uid = pod.metadata.uid.clone().context("a Pod must have a uid")?;

        let dir = self.cluster.control_plane.dir.join("pods").join(&uid);
        let mut volumes = Volumes::new(dir.join("volumes"), &pod)?;
        self.request_tokens(&pod, &mut volumes).await?;
        let mut changes = self.follow(&namespace, &volumes);
        fill(&mut volumes, &mut changes).await?;

        let container = only_container(&pod)?;
        let mounts = mounts(&pod, &volumes)?;
        let kubeconfig = self.kubeconfig(&dir, &mounts)?;
        let process = Process::new(&input.program, &pod, &volumes, kubeconfig.as_deref())?;
        let readiness = Readiness::new(container, address.ip())?;
        let life = Life {
            pods: pods.clone(),
            name: name.clone(),
            container: container.clone(),
            process,
            probes: life::probes(self.probes.clone(), readiness),
            changes,
            volumes,
            leash: self.cluster.leash(),
            log: dir.join("log"),
            grace: grace(&pod),
            restarts: 0,
        };
        let ip = address.ip();
        let (commands, received) = mpsc::channel(1);
        let (started, outcome) = oneshot::channel();
        tokio::spawn(async move {
            // Free for another Pod once the process is gone.
            let _address = address;
            life.run(started, received).await;
        });
        outcome.await.context("the Pod's life ended early")??;
        Ok(RunningPod { name, namespace, uid, ip, dir, pods, volumes: mounts, commands })
    }

    /// Asks for every token that the Pod's volumes want, bound to the Pod.
    async fn request_tokens(&self, pod: &Pod, volumes: &mut Volumes) -> anyhow::Result<()> {
        let account = pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref());
        for (volume, wanted) in volumes.tokens_wanted() {
            let token = self
                .token(pod, account.unwrap_or("default"), wanted.audience.as_deref(), wanted.expiration_seconds)
                .await?;
            volumes.set_token(volume, wanted.path, token);
        }
        Ok(())
    }

    /// A token of a ServiceAccount for an audience (the API server itself when there is none), bound to a Pod.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn token(
        &self,
        pod: &Pod,
        account: &str,
        audience: Option<&str>,
        expiration_seconds: Option<i64>,
    ) -> anyhow::Result<String> {
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                audiences: Some(audience.into_iter().map(str::to_owned).collect()),
                bound_object_ref: Some(BoundObjectReference {
                    api_version: Some("v1".to_owned()),
                    kind: Some("Pod".to_owned()),
                    name: pod.metadata.name.clone(),
                    uid: pod.metadata.uid.clone(),
                }),
                expiration_seconds,
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let namespace = pod.metadata.namespace.as_deref().context("a Pod must have a namespace")?;
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let answer = accounts.create_token_request(account, &PostParams::default(), &request).await?;
        let token = answer.status.and_then(|status| status.token);
        token.context("a token request must be answered")
    }

    fn follow(&self, namespace: &str, volumes: &Volumes) -> SelectAll<BoxStream<'static, Change>> {
        let sources = volumes.sources().into_iter();
        sources.map(|source| source.watch(self.client.clone(), namespace)).collect()
    }

    /// For a Pod with a token for the API server, what stands in for the environment that finds the server.
    fn kubeconfig(&self, dir: &Path, mounts: &BTreeMap<String, PathBuf>) -> anyhow::Result<Option<PathBuf>> {
        let Some(folder) = mounts.get(SERVICE_ACCOUNT) else {
            return Ok(None);
        };
        let path = dir.join("kubeconfig");
        let mut kubeconfig = self.cluster.kubeconfig_for(&json!({"tokenFile": folder.join("token")}));
        if let Some(relay) = &self.relay {
            kubeconfig["clusters"][0]["cluster"]["server"] = json!(relay);
        }
        std::fs::write(&path, kubeconfig.to_string())?;
        Ok(Some(path))
    }
}

impl RunningPod {
    /// The folder that is mounted at a path.
    ///
    /// # Errors
    /// When nothing is mounted there.
    pub fn mount(&self, path: &str) -> anyhow::Result<&Path> {
        let folder = self.volumes.get(path);
        Ok(folder.with_context(|| format!("nothing is mounted at {path}"))?)
    }

    /// The process, if it runs.
    ///
    /// # Errors
    /// When the Pod is gone.
    pub async fn pid(&self) -> anyhow::Result<Option<u32>> {
        self.ask(Command::Pid).await
    }

    /// Kills the process with SIGKILL. The Pod stays and is no longer Ready.
    ///
    /// # Errors
    /// When the Pod is gone.
    pub async fn kill(&self) -> anyhow::Result<()> {
        self.ask(Command::Kill).await
    }

    /// Starts the container again in the same Pod, killing its process if it still runs.
    ///
    /// # Errors
    /// When the Pod is gone or the process can't be started.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.ask(Command::Restart).await?
    }

    /// Deletes the Pod as `kubectl delete` does: SIGTERM, the grace period, SIGKILL. Returns when it is gone.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.pods.delete(&self.name, &DeleteParams::default()).await?;
        self.commands.closed().await;
        Ok(())
    }

    /// Waits until the Pod is Ready.
    ///
    /// # Errors
    /// When it is not within the time; the message ends with its log.
    pub async fn ready(&self, within: Duration) -> anyhow::Result<()> {
        let ready = await_condition(self.pods.clone(), &self.name, |pod: Option<&Pod>| pod.is_some_and(is_ready));
        match tokio::time::timeout(within, ready).await {
            Ok(outcome) => outcome.map(drop).context("watching the Pod"),
            Err(_) => bail!("Pod {} is not ready after {within:?}:\n{}", self.name, self.logs()?),
        }
    }

    /// All that its processes have printed.
    ///
    /// # Errors
    /// When the log can't be read.
    pub fn logs(&self) -> anyhow::Result<String> {
        let log = std::fs::read(self.dir.join("log"))?;
        Ok(String::from_utf8_lossy(&log).into_owned())
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> anyhow::Result<T> {
        let (reply, answer) = oneshot::channel();
        let gone = || format!("Pod {} is gone", self.name);
        self.commands.send(command(reply)).await.ok().with_context(gone)?;
        answer.await.with_context(gone)
    }
}

impl Drop for RunningPod {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(log) = self.logs()
        {
            eprintln!("--- log of Pod {}\n{log}---", self.name);
        }
    }
}

/// Whether a Pod has the condition Ready.
#[must_use]
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }
}

async fn create_if_absent<K>(objects: &Api<K>, object: &K) -> anyhow::Result<()>
where
    K: Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + serde::Serialize,
{
    match objects.create(&PostParams::default(), object).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        outcome => Ok(outcome.map(drop)?),
    }
}

/// Creates the Pod on the node of these tests, and gives it its address.
async fn create(pods: &Api<Pod>, mut pod: Pod, ip: IpAddr) -> anyhow::Result<Pod> {
    pod.spec.get_or_insert_default().node_name = Some(NODE.to_owned());
    let created = pods.create(&PostParams::default(), &pod).await?;
    let name = created.metadata.name.context("a created Pod must have a name")?;
    let status = json!({"status": {"phase": "Pending", "podIP": ip, "podIPs": [{"ip": ip}]}});
    let patch = Patch::Strategic(status);
    Ok(pods.patch_status(&name, &PatchParams::default(), &patch).await?)
}

/// Waits for what the volumes need, and writes them for the first time.
async fn fill(volumes: &mut Volumes, changes: &mut SelectAll<BoxStream<'static, Change>>) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + VOLUMES_WITHIN;
    while !volumes.missing().is_empty() {
        match tokio::time::timeout_at(deadline, changes.next()).await {
            Ok(Some((source, files))) => volumes.set(source, files),
            Ok(None) | Err(_) => {
                let missing: Vec<_> = volumes.missing().iter().map(Source::to_string).collect();
                bail!("not there after {VOLUMES_WITHIN:?}: {}", missing.join(", "));
            }
        }
    }
    volumes.write()
}

/// Folders by the path that they are mounted at.
fn mounts(pod: &Pod, volumes: &Volumes) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mounts = only_container(pod)?.volume_mounts.iter().flatten();
    Ok(mounts.map(|mount| (mount.mount_path.clone(), volumes.folder(&mount.name))).collect())
}

fn grace(pod: &Pod) -> Duration {
    let seconds = pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
    Duration::from_secs(seconds.and_then(|seconds| seconds.try_into().ok()).unwrap_or(30))
}
