//! The definitions on a real API server: `kubectl apply -f crds/` installs them, and they say what they should.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::Context as _;
use futures::{StreamExt as _, stream};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use penstock_crds::{
    AIProviderSpec, ConsumerSpec, GROUP, Kind, RateLimitSpec, RoutePolicySpec, Spec, VERSION, crd, validate,
};
use penstock_tests::cluster::Cluster;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

mod breakage;
mod complete;

use breakage::{Broken, break_every_bound};
use complete::complete;

/// How many questions the server is asked at once.
const AT_ONCE: usize = 8;

/// Something that a server says is wrong with a field.
struct Cause {
    field: String,
    message: String,
}

/// The cluster, with the definitions installed as a user would.
async fn cluster() -> anyhow::Result<&'static Cluster> {
    let cluster = Cluster::shared().await?;
    cluster.install_definitions().await?;
    Ok(cluster)
}

#[tokio::test]
async fn kubectl_finds_the_kinds_by_category_and_short_name_and_explains_their_fields() -> anyhow::Result<()> {
    let cluster = cluster().await?;
    let kinds = cluster.kubectl(&["api-resources", "--categories=penstock", "--no-headers"], "").await?;
    for (short, kind) in [("aip", "AIProvider"), ("rp", "RoutePolicy"), ("rl", "RateLimit"), ("con", "Consumer")] {
        let line = kinds.lines().find(|line| line.ends_with(kind)).with_context(|| kinds.clone())?;
        assert!(line.split_whitespace().any(|word| word == short), "{line}");
    }
    let said = cluster.kubectl(&["explain", "aiprovider.spec.credentials"], "").await?;
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("The keys that open the provider, in order: the first that works is used."), "{said}");
    Ok(())
}

#[tokio::test]
async fn kubectl_get_shows_what_a_person_wants_to_know() -> anyhow::Result<()> {
    let cluster = cluster().await?;
    let namespace = cluster.namespace("columns").await?;
    let provider = format!(
        "{{apiVersion: {GROUP}/{VERSION}, kind: AIProvider, metadata: {{name: openai, namespace: {namespace}}}, \
         spec: {{type: OpenAI, models: [{{name: gpt-4o}}]}}}}"
    );
    cluster.kubectl(&["apply", "--filename=-"], &provider).await?;
    let said = cluster.kubectl(&["get", "aip", "--namespace", &namespace], "").await?;
    let mut lines = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(lines.next(), Some(vec!["NAME", "TYPE", "ACCEPTED", "PROGRAMMED", "HEALTHY", "AGE"]));
    assert!(lines.next().is_some_and(|line| line.starts_with(&["openai", "OpenAI"])), "{said}");
    Ok(())
}

#[tokio::test]
async fn the_api_server_refuses_the_same_objects_for_the_same_reasons_as_a_folder() -> anyhow::Result<()> {
    let client = cluster().await?.client().await?;
    let documents: Vec<Value> = serde_saphyr::from_multiple(include_str!("../../crds/tests/refused.yaml"))?;
    assert!(documents.len() > 50, "{}", documents.len());
    let answers = stream::iter(&documents).map(|document| refusal(&client, document)).buffered(AT_ONCE);
    let answers: Vec<_> = answers.collect().await;
    for (document, answer) in documents.iter().zip(answers) {
        let annotation = |name: &str| document["metadata"]["annotations"][name].as_str().unwrap_or_default();
        let (field, says, causes) = (annotation("field"), annotation("says"), answer?);
        let told = causes.iter().any(|cause| cause.field == field && cause.message.contains(says));
        assert!(told, "{document}: {causes:?}");
    }
    Ok(())
}

#[tokio::test]
async fn every_field_is_taken_and_every_bound_is_kept() -> anyhow::Result<()> {
    let client = cluster().await?.client().await?;
    for kind in Kind::ALL {
        let mut tried = BTreeSet::new();
        for spec in complete(kind) {
            let causes = refusal(&client, &object(kind, &spec)).await?;
            assert!(causes.is_empty(), "{kind} {spec}: {causes:?}");
            assert!(holds(kind, &spec), "{kind} {spec}");

            let all = break_every_bound(kind, &spec, &mut tried);
            let objects: Vec<_> = all.iter().map(|broken| object(kind, &broken.spec)).collect();
            let answers = stream::iter(&objects).map(|object| refusal(&client, object)).buffered(AT_ONCE);
            for (Broken { field, how, spec }, answer) in all.iter().zip(answers.collect::<Vec<_>>().await) {
                let causes = answer?;
                // Of an item that is there twice, the server names the second.
                let named = causes.iter().any(|cause| cause.field.starts_with(field));
                assert!(named, "{kind} {field} {how}: {causes:?}");
                assert!(!holds(kind, spec), "{kind} {field} {how} is refused by the server alone");
            }
        }
        let untried: Vec<_> = breakage::fields(kind).difference(&tried).cloned().collect();
        assert!(untried.is_empty(), "{kind}: no example has {untried:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_route_that_says_nothing_stays_so_and_other_kinds_get_their_defaults() -> anyhow::Result<()> {
    let client = cluster().await?.client().await?;
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
        let given = serde_json::from_value(object(kind, &given))?;
        let stored = api(&client, kind.as_str(), "default").create(&dry_run(), &given).await?;
        assert_eq!(stored.data["spec"], kept);
    }
    Ok(())
}

#[tokio::test]
async fn conditions_are_a_map_by_type_so_two_writers_do_not_overwrite_each_other() -> anyhow::Result<()> {
    let cluster = cluster().await?;
    let namespace = cluster.namespace("conditions").await?;
    let provider = object(Kind::AIProvider, &json!({"type": "OpenAI"}));
    let api = api(&cluster.client().await?, "AIProvider", &namespace);
    api.create(&PostParams::default(), &serde_json::from_value(provider.clone())?).await?;
    let condition = |name: &str| {
        json!({
            "type": name, "status": "True", "reason": name, "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
        })
    };
    let status = |conditions: Vec<Value>| {
        json!({
            "apiVersion": provider["apiVersion"], "kind": provider["kind"], "metadata": provider["metadata"],
            "status": {"conditions": conditions},
        })
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

fn api(client: &kube::Client, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, VERSION, kind));
    Api::namespaced_with(client.clone(), namespace, &resource)
}

fn object(kind: Kind, spec: &Value) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": kind.as_str(), "metadata": {"name": "object"}, "spec": spec,
    })
}

fn dry_run() -> PostParams {
    PostParams { dry_run: true, ..PostParams::default() }
}

/// What the API server has against an object, which is not kept in any case; nothing, when it would take it.
async fn refusal(client: &kube::Client, object: &Value) -> anyhow::Result<Vec<Cause>> {
    let kind = object["kind"].as_str().context("a kind")?;
    let dynamic = serde_json::from_value(object.clone())?;
    let status = match api(client, kind, "default").create(&dry_run(), &dynamic).await {
        Ok(_) => return Ok(Vec::new()),
        Err(kube::Error::Api(status)) if status.code == 422 => status,
        Err(error) => return Err(error).with_context(|| object.to_string()),
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

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}
