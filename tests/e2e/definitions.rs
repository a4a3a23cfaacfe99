//! The definitions in `crds/`, judged by a real API server.

use std::collections::BTreeSet;

use anyhow::Context as _;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use penstock_crds::{AIProviderSpec, ConsumerSpec, Kind, RateLimitSpec, RoutePolicySpec, Spec, crd, validate};
use penstock_tests::cluster::Cluster;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

mod breakage;
mod complete;

use breakage::{Broken, break_every_bound};
use complete::complete;

/// Something that a server says is wrong with a field.
struct Cause {
    field: String,
    message: String,
}

#[tokio::test]
async fn kubectl_explains_and_lists_the_kinds() -> anyhow::Result<()> {
    let cluster = Cluster::shared().await?;
    cluster.install_definitions().await?;
    let namespace = cluster.namespace("explain").await?;

    let explained = cluster.kubectl(&["explain", "aiprovider.spec.credentials"], "").await?;
    let explained = explained.split_whitespace().collect::<Vec<_>>().join(" ");
    for sentence in [
        "FIELD: credentials <[]Object>",
        "The keys that open the provider, in order: the first that works is used.",
        "secretRef <Object> -required- The Secret, in the AIProvider's own namespace,",
    ] {
        assert!(explained.contains(sentence), "{sentence:?} is not in {explained}");
    }

    let object = object(Kind::AIProvider, &json!({"type": "OpenAI"})).to_string();
    cluster.kubectl(&["--namespace", &namespace, "create", "--filename=-"], &object).await?;
    for name in ["aip", "aiprovider", "penstock"] {
        let listed = cluster.kubectl(&["--namespace", &namespace, "get", name], "").await?;
        let header: Vec<_> = listed.lines().next().unwrap_or_default().split_whitespace().collect();
        assert_eq!(header, ["NAME", "TYPE", "ACCEPTED", "PROGRAMMED", "HEALTHY", "AGE"], "{listed}");
    }
    Ok(())
}

#[tokio::test]
async fn every_field_is_taken_and_every_bound_is_kept() -> anyhow::Result<()> {
    let cluster = Cluster::shared().await?;
    cluster.install_definitions().await?;
    for kind in Kind::ALL {
        let api = api(cluster, kind, "default").await?;
        let mut tried = BTreeSet::new();
        for spec in complete(kind) {
            let causes = refusal(&api, &dynamic(kind, &spec)?).await?;
            assert!(causes.is_empty(), "{kind} {spec}: {causes:?}");
            assert!(holds(kind, &spec), "{kind} {spec}");
            for Broken { field, how, spec } in break_every_bound(kind, &spec, &mut tried) {
                let causes = refusal(&api, &dynamic(kind, &spec)?).await?;
                let named = causes.iter().any(|cause| cause.field.starts_with(&field));
                assert!(named, "{kind} {field} {how}: {causes:?}");
                assert!(!holds(kind, &spec), "{kind} {field} {how} is refused by the server alone");
            }
        }
        let untried: Vec<_> = breakage::fields(kind).difference(&tried).cloned().collect();
        assert!(untried.is_empty(), "{kind}: no example has {untried:?}");
    }
    Ok(())
}

/// The objects that a folder refuses too, which is where every rule is seen to be among them.
#[tokio::test]
async fn every_bad_object_is_refused_at_its_field_with_its_fix() -> anyhow::Result<()> {
    let cluster = Cluster::shared().await?;
    cluster.install_definitions().await?;
    let objects: Vec<DynamicObject> = serde_saphyr::from_multiple(include_str!("../../crds/tests/refused.yaml"))?;
    assert!(!objects.is_empty());
    for bad in objects {
        let name = bad.metadata.name.clone().context("a name")?;
        let kind = bad.types.as_ref().map(|types| types.kind.clone()).unwrap_or_default();
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind).context("a kind")?;
        let expected = bad.metadata.annotations.clone().unwrap_or_default();
        let field = expected.get("field").context("a field")?;
        let says = expected.get("says").map_or("", String::as_str);
        let causes = refusal(&api(cluster, kind, "default").await?, &bad).await?;
        // Of an item, the server may name the list; it puts words of its own before ours.
        let told = |cause: &Cause| cause.field.starts_with(field.as_str()) && cause.message.contains(says);
        assert!(causes.iter().any(told), "{name} must be refused at {field}, saying {says:?}: {causes:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_route_that_says_nothing_stays_so_and_other_kinds_get_their_defaults() -> anyhow::Result<()> {
    let cluster = Cluster::shared().await?;
    cluster.install_definitions().await?;
    let cases = [
        (Kind::RoutePolicy, json!({"models": ["a"]}), json!({"models": ["a"]})),
        (
            Kind::AIProvider,
            json!({"type": "OpenAI", "models": [{"name": "a"}]}),
            json!({
                "type": "OpenAI", "models": [{"name": "a", "exposed": true}], "gateway": "default", "priority": 1,
                "allowedRoutes": {"namespaces": {"from": "Same"}},
            }),
        ),
    ];
    for (kind, given, kept) in cases {
        let api = api(cluster, kind, "default").await?;
        let stored = api.create(&dry_run(), &dynamic(kind, &given)?).await?;
        assert_eq!(stored.data["spec"], kept);
    }
    Ok(())
}

#[tokio::test]
async fn conditions_are_a_map_by_type_so_two_writers_do_not_overwrite_each_other() -> anyhow::Result<()> {
    let cluster = Cluster::shared().await?;
    cluster.install_definitions().await?;
    let namespace = cluster.namespace("conditions").await?;
    let api = api(cluster, Kind::AIProvider, &namespace).await?;
    let kind = Kind::AIProvider;
    api.create(&PostParams::default(), &dynamic(kind, &json!({"type": "OpenAI"}))?).await?;
    let condition = |name: &str| {
        json!({
            "type": name, "status": "True", "reason": name, "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
        })
    };
    let status = |conditions: Vec<Value>| {
        let mut status = object(kind, &Value::Null);
        if let Some(members) = status.as_object_mut() {
            members.remove("spec");
        }
        status["status"] = json!({"conditions": conditions});
        status
    };
    for name in ["Accepted", "Healthy"] {
        let patch = Patch::Apply(status(vec![condition(name)]));
        api.patch_status("object", &PatchParams::apply(name), &patch).await?;
    }
    let stored = api.get("object").await?;
    let conditions = stored.data["status"]["conditions"].as_array().context("conditions")?;
    let types: Vec<_> = conditions.iter().map(|condition| condition["type"].clone()).collect();
    assert_eq!(types, ["Accepted", "Healthy"]);

    let twice = Patch::Merge(status(vec![condition("Accepted"), condition("Accepted")]));
    assert!(api.patch_status("object", &PatchParams::default(), &twice).await.is_err());
    Ok(())
}

async fn api(cluster: &Cluster, kind: Kind, namespace: &str) -> anyhow::Result<Api<DynamicObject>> {
    let client = cluster.client().await?;
    Ok(Api::namespaced_with(client, namespace, &resource(kind)))
}

fn resource(kind: Kind) -> ApiResource {
    let kind_name = GroupVersionKind::gvk(penstock_crds::GROUP, penstock_crds::VERSION, kind.as_str());
    ApiResource::from_gvk_with_plural(&kind_name, kind.plural())
}

fn object(kind: Kind, spec: &Value) -> Value {
    json!({
        "apiVersion": format!("{}/{}", penstock_crds::GROUP, penstock_crds::VERSION),
        "kind": kind.as_str(),
        "metadata": {"name": "object"},
        "spec": spec,
    })
}

fn dynamic(kind: Kind, spec: &Value) -> anyhow::Result<DynamicObject> {
    Ok(serde_json::from_value(object(kind, spec))?)
}

fn dry_run() -> PostParams {
    PostParams { dry_run: true, ..PostParams::default() }
}

/// What the API server has against an object; nothing, when it would take it.
async fn refusal(api: &Api<DynamicObject>, object: &DynamicObject) -> anyhow::Result<Vec<Cause>> {
    let status = match api.create(&dry_run(), object).await {
        Ok(_) => return Ok(Vec::new()),
        Err(kube::Error::Api(status)) if status.code == 422 => status,
        Err(error) => return Err(error).with_context(|| format!("{object:?}")),
    };
    let causes = status.details.map(|details| details.causes).unwrap_or_default();
    Ok(causes.into_iter().map(|cause| Cause { field: cause.field, message: cause.message }).collect())
}

/// Whether the same spec passes where there is no API server.
fn holds(kind: Kind, spec: &Value) -> bool {
    fn valid<S: Spec + DeserializeOwned>(spec: &Value) -> bool {
        serde_json::from_value::<S>(spec.clone()).is_ok_and(|spec| validate(&spec).is_empty())
    }
    match kind {
        Kind::AIProvider => valid::<AIProviderSpec>(spec),
        Kind::RoutePolicy => valid::<RoutePolicySpec>(spec),
        Kind::RateLimit => valid::<RateLimitSpec>(spec),
        Kind::Consumer => valid::<ConsumerSpec>(spec),
    }
}

/// The schema of a kind's `spec`, as the API server gets it.
fn schema(kind: Kind) -> Value {
    let definition = serde_json::to_value(crd::definition(kind)).expect("must serialise: a definition is plain data");
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

impl std::fmt::Debug for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}
