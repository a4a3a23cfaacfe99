//! The definitions on a real API server: `kubectl apply -f crds/` installs them, and they say what they should.

use std::path::Path;

use anyhow::{Context as _, bail};
use futures::{StreamExt as _, stream};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, PostParams};
use penstock_crds::{GROUP, Kind, VERSION};
use penstock_tests::cluster::Cluster;
use serde_json::Value;

/// The cluster, with the definitions installed as a user would.
async fn cluster() -> anyhow::Result<&'static Cluster> {
    let cluster = Cluster::shared().await?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds");
    let folder = folder.to_str().context("a path of text")?;
    cluster.kubectl(&["apply", "--server-side", "--filename", folder], "").await?;
    let names = Kind::ALL.map(|kind| format!("customresourcedefinition/{}.{GROUP}", kind.plural()));
    let mut wait = vec!["wait", "--for=condition=Established", "--timeout=30s"];
    wait.extend(names.iter().map(String::as_str));
    cluster.kubectl(&wait, "").await?;
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
    let cluster = cluster().await?;
    let client = cluster.client().await?;
    let namespace = cluster.namespace("refused").await?;
    let documents: Vec<Value> = serde_saphyr::from_multiple(include_str!("../../crds/tests/refused.yaml"))?;
    assert!(documents.len() > 50, "{}", documents.len());
    let answers: Vec<_> =
        stream::iter(&documents).map(|document| refusal(&client, &namespace, document)).buffered(8).collect().await;
    for (document, answer) in documents.iter().zip(answers) {
        let annotation = |name: &str| document["metadata"]["annotations"][name].as_str().unwrap_or_default();
        let (field, says, answer) = (annotation("field"), annotation("says"), answer?);
        assert!(answer.contains(&format!("{field}: ")) && answer.contains(says), "{document}: {answer}");
    }
    Ok(())
}

/// What the API server says against an object, which is not kept in any case.
async fn refusal(client: &kube::Client, namespace: &str, document: &Value) -> anyhow::Result<String> {
    let object: DynamicObject = serde_json::from_value(document.clone())?;
    let kind = document["kind"].as_str().context("a kind")?;
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, VERSION, kind));
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let params = PostParams { dry_run: true, ..PostParams::default() };
    match api.create(&params, &object).await {
        Ok(_) => bail!("{document} must be refused"),
        Err(kube::Error::Api(status)) if status.code == 422 => Ok(status.message.clone()),
        Err(error) => Err(error.into()),
    }
}
