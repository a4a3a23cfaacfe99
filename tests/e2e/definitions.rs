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
            let causes = refusal(&api, kind, &spec).await?;
            assert!(causes.is_empty(), "{kind} {spec}: {causes:?}");
            assert!(holds(kind, &spec), "{kind} {spec}");
            for Broken { field, how, spec } in break_every_bound(kind, &spec, &mut tried) {
                let causes = refusal(&api, kind, &spec).await?;
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

/// Specs that break one rule between fields each, with the field that must be named.
const BROKEN_RULES: &[(Kind, &str, &str)] = &[
    (Kind::AIProvider, r#"{"type": "OpenAI", "preset": "Groq"}"#, "spec.preset"),
    (Kind::AIProvider, r#"{"type": "OpenAI", "azure": {}}"#, "spec.azure"),
    (Kind::AIProvider, r#"{"type": "AzureOpenAI", "baseURL": "https://a.example.com"}"#, "spec.azure"),
    (Kind::AIProvider, r#"{"type": "AzureOpenAI", "azure": {}}"#, "spec.baseURL"),
    (Kind::AIProvider, r#"{"type": "OpenAICompatible"}"#, "spec.baseURL"),
    (Kind::AIProvider, r#"{"type": "OpenAICompatible", "preset": "VLLM"}"#, "spec.baseURL"),
    (Kind::AIProvider, r#"{"type": "OpenAI", "baseURL": "api.example.com"}"#, "spec.baseURL"),
    (Kind::AIProvider, r#"{"type": "OpenAI", "baseURL": "https://me:secret@api.example.com"}"#, "spec.baseURL"),
    (Kind::AIProvider, r#"{"type": "OpenAI", "baseURL": "https://api.example.com?key=secret"}"#, "spec.baseURL"),
    (
        Kind::AIProvider,
        r#"{"type": "OpenAI", "credentials": [{"secretRef": {"name": "a", "key": "k"}}, {"secretRef": {"name": "a", "key": "k"}}]}"#,
        "spec.credentials",
    ),
    (Kind::AIProvider, r#"{"type": "OpenAI", "timeouts": {"connect": "0s"}}"#, "spec.timeouts.connect"),
    (Kind::AIProvider, r#"{"type": "OpenAI", "timeouts": {"firstToken": "0ms"}}"#, "spec.timeouts.firstToken"),
    (Kind::AIProvider, r#"{"type": "OpenAI", "timeouts": {"answer": "0m"}}"#, "spec.timeouts.answer"),
    (Kind::AIProvider, r#"{"type": "OpenAI", "timeouts": {"idle": "0h0s"}}"#, "spec.timeouts.idle"),
    (Kind::AIProvider, r#"{"type": "OpenAI", "timeouts": {"request": "00s"}}"#, "spec.timeouts.request"),
    (
        Kind::AIProvider,
        r#"{"type": "OpenAI", "allowedRoutes": {"namespaces": {"from": "Selector"}}}"#,
        "spec.allowedRoutes.namespaces.selector",
    ),
    (
        Kind::AIProvider,
        r#"{"type": "OpenAI", "allowedRoutes": {"namespaces": {"from": "All", "selector": {}}}}"#,
        "spec.allowedRoutes.namespaces.selector",
    ),
    (Kind::RoutePolicy, r#"{"models": ["*", "a"]}"#, "spec.models"),
    (Kind::RoutePolicy, r#"{"models": ["*"], "targets": [{"provider": "p", "model": "a"}]}"#, "spec.targets"),
    (
        Kind::RoutePolicy,
        r#"{"models": ["a"], "allowState": true, "targets": [{"provider": "p", "model": "a"}, {"provider": "q", "model": "a"}]}"#,
        "spec.allowState",
    ),
    (Kind::RoutePolicy, r#"{"models": ["a"], "cache": {"ttl": "0s"}}"#, "spec.cache.ttl"),
    (Kind::RoutePolicy, r#"{"models": ["a"], "timeouts": {"idle": "0s"}}"#, "spec.timeouts.idle"),
    (
        Kind::RoutePolicy,
        r#"{"models": ["a"], "middleware": [{"type": "PIIScrubber"}]}"#,
        "spec.middleware[0].piiScrubber",
    ),
    (
        Kind::RoutePolicy,
        r#"{"models": ["a"], "middleware": [{"type": "RequestLogger", "promptInjection": {"action": "Log"}}]}"#,
        "spec.middleware[0].promptInjection",
    ),
    (Kind::RateLimit, "{}", "spec.requests"),
    (Kind::RateLimit, r#"{"requests": {"limit": 1, "window": "0s"}}"#, "spec.requests.window"),
    (Kind::RateLimit, r#"{"tokens": {"limit": 1, "window": "0s"}}"#, "spec.tokens.window"),
    (Kind::RateLimit, r#"{"cost": {"limit": "1", "window": "0s"}}"#, "spec.cost.window"),
    (Kind::Consumer, "{}", "spec.apiKeys"),
    (
        Kind::Consumer,
        r#"{"apiKeys": [{"secretRef": {"name": "a", "key": "k"}}, {"secretRef": {"name": "a", "key": "k"}}]}"#,
        "spec.apiKeys",
    ),
    (
        Kind::Consumer,
        r#"{"serviceAccounts": [{"namespace": "a", "name": "b"}], "userFrom": {"type": "Claim", "claim": "sub"}}"#,
        "spec.userFrom",
    ),
    (
        Kind::Consumer,
        r#"{"serviceAccounts": [{"namespace": "a", "name": "b"}], "userFrom": {"type": "Header"}}"#,
        "spec.userFrom.header",
    ),
    (
        Kind::Consumer,
        r#"{"serviceAccounts": [{"namespace": "a", "name": "b"}], "userFrom": {"type": "Header", "header": "Authorization"}}"#,
        "spec.userFrom.header",
    ),
    (
        Kind::Consumer,
        r#"{"serviceAccounts": [{"namespace": "a", "name": "b"}], "userFrom": {"type": "Body", "claim": "sub"}}"#,
        "spec.userFrom.claim",
    ),
    (
        Kind::Consumer,
        r#"{"jwt": {"issuer": "i", "audiences": ["a"], "jwksURL": "http://id.example.com/keys"}}"#,
        "spec.jwt.jwksURL",
    ),
];

#[tokio::test]
async fn every_broken_rule_is_refused_with_its_field_and_its_fix() -> anyhow::Result<()> {
    let cluster = Cluster::shared().await?;
    cluster.install_definitions().await?;
    let mut seen = BTreeSet::new();
    for (kind, spec, field) in BROKEN_RULES {
        let spec: Value = serde_json::from_str(spec).with_context(|| (*spec).to_owned())?;
        let causes = refusal(&api(cluster, *kind, "default").await?, *kind, &spec).await?;
        let [cause] = causes.as_slice() else {
            anyhow::bail!("{kind} {spec} must break one rule: {causes:?}");
        };
        assert_eq!(cause.field, *field, "{kind} {spec}: {}", cause.message);
        // The server puts words of its own before ours.
        let rules = breakage::messages(*kind);
        let rule = rules.iter().find(|message| cause.message.ends_with(message.as_str()));
        let rule = rule.with_context(|| format!("{kind} {spec}: {}", cause.message))?;
        let fix = [": ", ", e.g. "].iter().any(|before| rule.contains(before));
        assert!(fix, "{rule:?} must say what is wrong, then what to do");
        seen.insert((*kind, (*field).to_owned(), rule.clone()));
        assert!(!holds(*kind, &spec), "{kind} {spec} is refused by the server alone");
    }
    for kind in Kind::ALL {
        let known: BTreeSet<_> = seen.iter().filter(|seen| seen.0 == kind).map(|seen| seen.2.clone()).collect();
        let untried: Vec<_> = breakage::messages(kind).difference(&known).cloned().collect();
        // A route's timeouts are the provider's type, whose rules are all tried there.
        let untried = untried.into_iter().filter(|message| !message.contains("longer than 0s"));
        assert_eq!(untried.collect::<Vec<_>>(), Vec::<String>::new(), "{kind}: no broken spec for these rules");
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

/// What the API server has against a spec; nothing, when it would take it.
async fn refusal(api: &Api<DynamicObject>, kind: Kind, spec: &Value) -> anyhow::Result<Vec<Cause>> {
    let status = match api.create(&dry_run(), &dynamic(kind, spec)?).await {
        Ok(_) => return Ok(Vec::new()),
        Err(kube::Error::Api(status)) if status.code == 422 => status,
        Err(error) => return Err(error).with_context(|| format!("{kind} {spec}")),
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
