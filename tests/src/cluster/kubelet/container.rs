//! What a container's spec says of its process: arguments, environment, and where its files and addresses are.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::IpAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use k8s_openapi::api::core::v1::{Container, Pod, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::process::{Child, Command};

use super::volumes::Volumes;

/// Where a Pod finds its token and the API server's certificate.
pub(super) const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// How to start a container's process, as often as wanted.
pub(super) struct Process {
    program: std::path::PathBuf,
    args: Vec<String>,
    env: BTreeMap<String, String>,
}

/// A readiness probe over HTTP.
pub(super) struct Readiness {
    pub(super) url: String,
    pub(super) timeout: Duration,
}

/// The only container that a Pod may have here.
pub(super) fn only_container(pod: &Pod) -> anyhow::Result<&Container> {
    let spec = pod.spec.as_ref().context("a Pod must have a spec")?;
    ensure!(spec.init_containers.iter().flatten().count() == 0, "init containers are not known here");
    match spec.containers.as_slice() {
        [container] => Ok(container),
        others => bail!("a Pod has one container here, not {}", others.len()),
    }
}

impl Process {
    /// Resolves `$(VARIABLE)`, mount paths, and the address of all interfaces, which is the Pod's own address here: Pods
    /// share one network, so each has an address of the loopback network instead.
    pub(super) fn new(program: &Path, pod: &Pod, volumes: &Volumes, kubeconfig: Option<&Path>) -> anyhow::Result<Self> {
        let container = only_container(pod)?;
        let ip = field(pod, "status.podIP")?;
        let mut mounts = Vec::new();
        for mount in container.volume_mounts.iter().flatten() {
            let sub_path = mount.sub_path.is_some() || mount.sub_path_expr.is_some();
            ensure!(!sub_path, "subPath of {} is not known here", mount.mount_path);
            let folder = volumes.folder(&mount.name).display().to_string();
            mounts.push((mount.mount_path.clone(), folder));
        }
        let resolve = |text: &str| in_folders(text, &mounts).replace("0.0.0.0:", &format!("{ip}:"));

        let mut env = BTreeMap::new();
        for variable in container.env.iter().flatten() {
            let value = match &variable.value_from {
                None => expand(variable.value.as_deref().unwrap_or_default(), &env),
                Some(from) => {
                    let from = from.field_ref.as_ref();
                    let from = from.with_context(|| format!("{}: only fieldRef is known here", variable.name))?;
                    field(pod, &from.field_path)?
                }
            };
            env.insert(variable.name.clone(), resolve(&value));
        }
        let args = container.args.iter().flatten();
        let args = args.map(|arg| resolve(&expand(arg, &env))).collect();
        if let Some(kubeconfig) = kubeconfig {
            env.insert("KUBECONFIG".to_owned(), kubeconfig.display().to_string());
        }
        Ok(Self { program: program.to_owned(), args, env })
    }

    /// Starts it with nothing of this process's own environment; what it prints goes to the end of `log`.
    pub(super) fn start(&self, log: &Path) -> anyhow::Result<Child> {
        let log = File::options().create(true).append(true).open(log)?;
        Command::new(&self.program)
            .args(&self.args)
            .env_clear()
            .envs(&self.env)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| self.program.display().to_string())
    }
}

impl Readiness {
    /// What the container says of it; none means ready once started.
    pub(super) fn new(container: &Container, ip: IpAddr) -> anyhow::Result<Option<Self>> {
        let Some(Probe { http_get, timeout_seconds, .. }) = &container.readiness_probe else {
            return Ok(None);
        };
        let get = http_get.as_ref().context("a readinessProbe is httpGet here")?;
        let port = match &get.port {
            IntOrString::Int(port) => *port,
            IntOrString::String(name) => {
                let mut ports = container.ports.iter().flatten();
                let port = ports.find(|port| port.name.as_ref() == Some(name));
                port.with_context(|| format!("no port is named {name}"))?.container_port
            }
        };
        let scheme = get.scheme.as_deref().unwrap_or("HTTP").to_lowercase();
        let path = get.path.as_deref().unwrap_or("/").trim_start_matches('/');
        let timeout = timeout_seconds.unwrap_or(1).try_into()?;
        Ok(Some(Self { url: format!("{scheme}://{ip}:{port}/{path}"), timeout: Duration::from_secs(timeout) }))
    }
}

/// A field of a Pod by its path in the downward API.
pub(super) fn field(pod: &Pod, path: &str) -> anyhow::Result<String> {
    let spec = pod.spec.as_ref();
    let value = match path {
        "metadata.name" => pod.metadata.name.clone(),
        "metadata.namespace" => pod.metadata.namespace.clone(),
        "metadata.uid" => pod.metadata.uid.clone(),
        "spec.nodeName" => spec.and_then(|spec| spec.node_name.clone()),
        "spec.serviceAccountName" => spec.and_then(|spec| spec.service_account_name.clone()),
        "status.podIP" => pod.status.as_ref().and_then(|status| status.pod_ip.clone()),
        _ => bail!("the field {path} is not known here"),
    };
    value.with_context(|| format!("the Pod has no {path}"))
}

/// Kubernetes' own rule: `$(NAME)` of a variable that is defined before is its value, any other stays as it is.
fn expand(text: &str, env: &BTreeMap<String, String>) -> String {
    let mut text = text.to_owned();
    for (name, value) in env {
        text = text.replace(&format!("$({name})"), value);
    }
    text
}

/// The text with every path in a mount leading into the mount's folder instead.
fn in_folders(text: &str, mounts: &[(String, String)]) -> String {
    let ends_path = |c: char| !c.is_alphanumeric() && !"-_./".contains(c);
    let mut result = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let starts = result.chars().next_back().is_none_or(ends_path);
        // The longest, so that a mount inside of another is found.
        let mount = mounts
            .iter()
            .filter(|(path, _)| {
                let after = rest.strip_prefix(path.as_str()).map(|after| after.chars().next());
                starts && after.is_some_and(|next| next.is_none_or(|next| next == '/' || ends_path(next)))
            })
            .max_by_key(|(path, _)| path.len());
        let eaten = match mount {
            Some((path, folder)) => {
                result.push_str(folder);
                path.len()
            }
            None => {
                result.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[eaten..];
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_paths_in_a_mount_lead_into_its_folder() {
        let mounts = [("/tmp", "/tmp/run/scratch"), ("/etc/app", "/tmp/run/app"), ("/etc/app/tls", "/tmp/run/tls")];
        let mounts = mounts.map(|(path, folder)| (path.to_owned(), folder.to_owned()));
        let cases = [
            ("--tls=/etc/app/tls/ca.crt,/etc/app/x", "--tls=/tmp/run/tls/ca.crt,/tmp/run/app/x"),
            ("/etc/app-other /srv/etc/app", "/etc/app-other /srv/etc/app"),
            ("/tmp", "/tmp/run/scratch"),
        ];
        for (text, wanted) in cases {
            assert_eq!(in_folders(text, &mounts), wanted);
        }
    }

    #[test]
    fn a_variable_that_is_not_defined_stays_as_it_is() {
        let env = BTreeMap::from([("POD".to_owned(), "a".to_owned())]);
        assert_eq!(expand("$(POD)-$(OTHER)", &env), "a-$(OTHER)");
    }
}
