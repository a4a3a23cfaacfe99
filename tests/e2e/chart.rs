//! The Helm chart: what it installs is taken by a real API server, and gives no more rights than it should.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::api::rbac::v1::PolicyRule;
use penstock_tests::cluster::Cluster;
use penstock_tests::setup;
use serde_json::Value;
use tokio::process::Command;

const NAMESPACE: &str = "penstock-system";
const PER_NAMESPACE: &str = "watchNamespaces={search,platform}";
const EVERYTHING: [&str; 12] = [
    "allowUpstream={10.0.0.0/8,fd00::/8}",
    "upstreamCA=corporate-ca",
    "redis.secret=redis",
    "redis.cluster=true",
    "redis.ca=redis-ca",
    "platformNamespaces={platform}",
    "operator.tokenAudience=llm.example.com",
    "proxy.workers=2",
    "proxy.trustedProxies={10.0.0.0/8,fd00::/8}",
    "proxy.modelFacts=own-prices",
    "proxy.nodeSelector.pool=edge",
    "imagePullSecrets[0].name=registry",
];

/// What Helm makes of the chart with these `--set` values.
pub(crate) async fn template(namespace: &str, values: &[&str]) -> anyhow::Result<String> {
    let chart = setup::repository().join("charts/penstock");
    let mut helm = Command::new(setup::helm()?);
    helm.args(["template", "penstock", "--namespace", namespace]).arg(chart).kill_on_drop(true);
    for value in values {
        helm.args(["--set", value]);
    }
    let output = helm.output().await.context("helm")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

async fn render(values: &[&str]) -> anyhow::Result<Vec<Value>> {
    Ok(serde_saphyr::from_multiple(&template(NAMESPACE, values).await?)?)
}

#[tokio::test]
async fn a_real_api_server_takes_everything_that_the_chart_installs() -> anyhow::Result<()> {
    let cluster = Cluster::shared().await?;
    let namespace = cluster.namespace("chart").await?;
    for values in [&[][..], &EVERYTHING, &["storeSnapshot=false"]] {
        let manifests = template(&namespace, values).await?;
        let apply = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict"];
        let said = cluster.kubectl(&[&apply[..], &["--filename=-"]].concat(), &manifests).await?;
        for object in
            ["deployment.apps/penstock-operator", "deployment.apps/penstock-proxy", "aiproviders.penstock.dev"]
        {
            assert!(said.contains(object), "{values:?}: {said}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_chart_gives_the_reviewed_rights_and_the_proxy_none() -> anyhow::Result<()> {
    for (file, values) in [("rights.txt", &[][..]), ("rights-per-namespace.txt", &[PER_NAMESPACE])] {
        let found = rights(&render(values).await?)?;
        let path = setup::repository().join("tests/e2e/chart").join(file);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &found)?;
        }
        let reviewed = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        assert_eq!(found, reviewed, "review it, then UPDATE=1 cargo test -p penstock-tests chart");
        assert!(!found.contains("penstock-proxy"), "{found}");
    }
    Ok(())
}

#[tokio::test]
async fn every_container_is_locked_down_and_only_the_operator_has_a_token_for_the_api() -> anyhow::Result<()> {
    for deployment in deployments(&render(&[]).await?)? {
        let (name, pod) = pod(&deployment)?;
        let json = serde_json::to_value(pod)?;
        assert_eq!(json["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_eq!(json["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        for container in json["containers"].as_array().context("containers")? {
            let context = &container["securityContext"];
            assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
            assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]), "{name}");
            assert!(container["resources"]["limits"]["memory"].is_string(), "{name}");
        }
        assert_eq!(pod.automount_service_account_token, Some(name == "penstock-operator"), "{name}");
        assert_eq!(pod.service_account_name.as_deref(), Some(name), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_pod_is_given_longer_than_its_own_drain_deadline() -> anyhow::Result<()> {
    for deployment in deployments(&render(&["proxy.drainDeadline=90s"]).await?)? {
        let (name, pod) = pod(&deployment)?;
        if name == "penstock-proxy" {
            assert_eq!(pod.termination_grace_period_seconds, Some(105));
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_programs_know_every_flag_that_the_chart_gives_them() -> anyhow::Result<()> {
    for values in [&[][..], &EVERYTHING, &[PER_NAMESPACE]] {
        for deployment in deployments(&render(values).await?)? {
            let (name, pod) = pod(&deployment)?;
            let args = pod.containers.iter().flat_map(|container| container.args.iter().flatten());
            let args = args.map(|arg| arg.replace("$(POD_IP)", "10.0.0.1").replace("$(POD_NAME)", "a"));
            let mut program = Command::new(setup::binary(name)?);
            // Unknown flags and bad values are told before the help is.
            let output = program.args(args).arg("--help").kill_on_drop(true).output().await?;
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    Ok(())
}

#[tokio::test]
async fn values_that_the_chart_does_not_know_are_refused_by_name() -> anyhow::Result<()> {
    for (value, named) in [
        ("proxy.auth=maybe", "/proxy/auth"),
        ("proxy.trustedProxies={ingress}", "/proxy/trustedProxies/0"),
        ("operator.tokenAudience=penstock", "/operator/tokenAudience"),
        ("proxy.replica=3", "replica"),
        ("watchNamespaces={Search}", "/watchNamespaces/0"),
        ("proxy.drainDeadline=10m", "/proxy/drainDeadline"),
    ] {
        let Err(error) = template(NAMESPACE, &[value]).await else { bail!("{value} must be refused") };
        assert!(error.to_string().contains(named), "{value}: {error}");
    }
    Ok(())
}

fn deployments(objects: &[Value]) -> anyhow::Result<Vec<Deployment>> {
    let found: Vec<Deployment> = objects
        .iter()
        .filter(|object| object["kind"] == "Deployment")
        .map(|object| serde_json::from_value(object.clone()))
        .collect::<Result<_, _>>()?;
    ensure!(found.len() == 2, "{} Deployments", found.len());
    Ok(found)
}

fn pod(deployment: &Deployment) -> anyhow::Result<(&str, &PodSpec)> {
    let name = deployment.metadata.name.as_deref().context("a name")?;
    let pod = deployment.spec.template.spec.as_ref();
    Ok((name, pod.context("a pod")?))
}

/// Who may do what where, a line each.
fn rights(objects: &[Value]) -> anyhow::Result<String> {
    let roles: BTreeMap<String, &Value> =
        objects.iter().map(|object| (role_name(&object["kind"], &object["metadata"]), object)).collect();
    let mut lines = BTreeSet::new();
    for binding in objects.iter().filter(|object| object["kind"].as_str().is_some_and(|kind| kind.ends_with("Binding")))
    {
        let namespace = binding["metadata"]["namespace"].as_str();
        let mut reference = binding["roleRef"].clone();
        if reference["kind"] == "Role" {
            reference["namespace"] = binding["metadata"]["namespace"].clone();
        }
        let role = roles.get(&role_name(&reference["kind"], &reference)).context("the role of a binding")?;
        let rules: Vec<PolicyRule> = serde_json::from_value(role["rules"].clone())?;
        for subject in binding["subjects"].as_array().context("subjects")? {
            let who =
                format!("{}/{}", subject["namespace"].as_str().unwrap_or("-"), subject["name"].as_str().unwrap_or("-"));
            let place = namespace.map_or("everywhere".to_owned(), |namespace| format!("in {namespace}"));
            lines.extend(rules.iter().flat_map(said).map(|what| format!("{who} {place}: {what}\n")));
        }
    }
    Ok(lines.into_iter().collect())
}

fn role_name(kind: &Value, metadata: &Value) -> String {
    let part = |name: &str| metadata[name].as_str().unwrap_or_default();
    format!("{} {}/{}", kind.as_str().unwrap_or_default(), part("namespace"), part("name"))
}

/// What a rule allows, a line for each resource.
fn said(rule: &PolicyRule) -> Vec<String> {
    let groups = rule.api_groups.iter().flatten();
    let names = rule.resource_names.as_ref().map(|names| format!(" ({} alone)", names.join(", "))).unwrap_or_default();
    groups
        .flat_map(|group| rule.resources.iter().flatten().map(move |resource| (group, resource)))
        .map(|(group, resource)| {
            let dot = if group.is_empty() { "" } else { "." };
            format!("{} {resource}{dot}{group}{names}", rule.verbs.join(", "))
        })
        .chain(rule.non_resource_urls.iter().flatten().map(|url| format!("{} {url}", rule.verbs.join(", "))))
        .collect()
}
