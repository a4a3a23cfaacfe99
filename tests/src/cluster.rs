//! A real Kubernetes API server, and what stands in for the rest of a cluster.
//!
//! [`Cluster::shared`] is one API server for all tests of a test binary; give each test its own namespaces.
//! [`kubelet::Kubelet`] runs programs as Pods.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use penstock_crds::Kind;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::OnceCell;

mod addresses;
mod control_plane;
pub mod kubelet;

use addresses::Addresses;
use control_plane::{ControlPlane, Leash};

/// etcd and kube-apiserver, with RBAC and bound service account tokens. They end with this value, and with this process
/// however that ends.
pub struct Cluster {
    control_plane: ControlPlane,
    kubectl: PathBuf,
    kubeconfigs: AtomicU32,
    addresses: Arc<Addresses>,
}

impl Cluster {
    /// Starts a cluster of its own, with nothing in it; 2 to 4 s and 350 MB. Most tests want [`Cluster::shared`].
    ///
    /// # Errors
    /// When the cluster's program is not installed or is not ready within 90 s; the message ends with its log.
    pub async fn start() -> anyhow::Result<Self> {
        let program = crate::setup::testcluster()?;
        let started = tokio::task::spawn_blocking(move || -> anyhow::Result<Self> {
            let control_plane = ControlPlane::start(&program)?;
            Ok(Self {
                addresses: Addresses::new(control_plane.port()?),
                control_plane,
                kubectl: program,
                kubeconfigs: AtomicU32::new(0),
            })
        });
        started.await.context("starting a cluster")?
    }

    /// The cluster that all tests of this process share; the first caller starts it.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn shared() -> anyhow::Result<&'static Self> {
        // A static is never dropped: the cluster ends because the kernel closes its stdin with this process.
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// A client with all rights. It belongs to the runtime that it is made in: make one for each test.
    ///
    /// # Errors
    /// When the configuration can't be turned into a client.
    pub async fn client(&self) -> anyhow::Result<kube::Client> {
        self.client_as(&self.control_plane.admin_token).await
    }

    /// A client with the rights of a bearer token.
    ///
    /// # Errors
    /// When the configuration can't be turned into a client.
    pub async fn client_as(&self, token: &str) -> anyhow::Result<kube::Client> {
        let kubeconfig: Kubeconfig = serde_json::from_value(self.kubeconfig_for(&json!({"token": token})))?;
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(kube::Client::try_from(config)?)
    }

    /// The path of a new kubeconfig file with the rights of a bearer token.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn kubeconfig(&self, token: &str) -> anyhow::Result<PathBuf> {
        let number = self.kubeconfigs.fetch_add(1, Ordering::Relaxed);
        let path = self.control_plane.dir.join(format!("kubeconfig-{number}"));
        std::fs::write(&path, self.kubeconfig_for(&json!({"token": token})).to_string())?;
        Ok(path)
    }

    /// The API server's address.
    ///
    /// # Errors
    /// When it is not a URL with an address and a port.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        let address = self.control_plane.server.trim_start_matches("https://").parse();
        address.with_context(|| format!("{} must be an address", self.control_plane.server))
    }

    /// The administrator's bearer token.
    #[must_use]
    pub fn admin_token(&self) -> &str {
        &self.control_plane.admin_token
    }

    /// A new namespace whose name begins with `prefix`.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn namespace(&self, prefix: &str) -> anyhow::Result<String> {
        let namespaces: Api<Namespace> = Api::all(self.client().await?);
        let namespace = Namespace {
            metadata: ObjectMeta { generate_name: Some(format!("{prefix}-")), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        let created = namespaces.create(&PostParams::default(), &namespace).await?;
        created.metadata.name.context("a created namespace must have a name")
    }

    /// Applies the definitions of `crds/`, and waits until they are served. Doing so again changes nothing.
    ///
    /// # Errors
    /// When the API server refuses one, or does not establish it within 30 s.
    pub async fn install_definitions(&self) -> anyhow::Result<()> {
        let folder = crate::setup::repository().join("crds");
        let folder = folder.to_str().context("the repository's path must be text")?;
        self.kubectl(&["apply", "--server-side", "--filename", folder], "").await?;
        let names = Kind::ALL.map(|kind| format!("crd/{}.{}", kind.plural(), penstock_crds::GROUP));
        let mut wait = vec!["wait", "--for=condition=Established", "--timeout=30s"];
        wait.extend(names.iter().map(String::as_str));
        self.kubectl(&wait, "").await.map(drop)
    }

    /// Runs kubectl as the administrator with `stdin` and returns what it printed.
    ///
    /// # Errors
    /// When kubectl fails; the message is what it printed on stderr.
    pub async fn kubectl(&self, args: &[&str], stdin: &str) -> anyhow::Result<String> {
        let mut child = tokio::process::Command::new(&self.kubectl)
            .arg("kubectl")
            .arg("--kubeconfig")
            .arg(&self.control_plane.admin_kubeconfig)
            // The default is by host and port, and ports come again.
            .arg("--cache-dir")
            .arg(self.control_plane.dir.join("kubectl-cache"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("kubectl")?;
        let mut pipe = child.stdin.take().context("kubectl must have a stdin")?;
        let write = async move {
            // kubectl may end without reading it; its own words say why.
            let _ = pipe.write_all(stdin.as_bytes()).await;
        };
        let ((), output) = tokio::join!(write, child.wait_with_output());
        let output = output?;
        ensure!(
            output.status.success(),
            "kubectl {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The last lines that etcd and the API server logged.
    #[must_use]
    pub fn log_tail(&self) -> String {
        self.control_plane.log_tail()
    }

    /// A kubeconfig with this user, who is in kubeconfig's own words (`token`, `tokenFile`).
    fn kubeconfig_for(&self, user: &Value) -> Value {
        control_plane::kubeconfig(&self.control_plane.server, &self.control_plane.ca, user)
    }

    fn leash(&self) -> Arc<Leash> {
        Arc::clone(&self.control_plane.leash)
    }
}
