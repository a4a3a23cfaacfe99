//! Worlds written as YAML, for tests.

use std::sync::Arc;

use penstock_crds::{AIProvider, Consumer, RateLimit, RoutePolicy};
use serde_json::Value;

use crate::{Meta, ObjectRef, Resource, Secret, SecretState, Settings, World, outbound::Outbound};

/// OpenAI and Anthropic in the platform's namespace, a route over both and a caller.
pub(crate) const QUICKSTART: &str = r#"
kind: Secret
metadata: {name: keys, namespace: platform}
stringData: {openai: sk-openai-0001, anthropic: sk-ant-0001, search: search-team-key-00001}
---
kind: AIProvider
metadata: {name: openai, namespace: platform}
spec:
  type: OpenAI
  credentials: [{secretRef: {name: keys, key: openai}}]
  models: [{name: gpt-4o}, {name: mini, upstreamName: gpt-4o-mini}]
---
kind: AIProvider
metadata: {name: anthropic, namespace: platform}
spec:
  type: Anthropic
  credentials: [{secretRef: {name: keys, key: anthropic}}]
  models: [{name: claude-sonnet-4-5, exposed: false}]
  allowedRoutes: {namespaces: {from: All}}
---
kind: RoutePolicy
metadata: {name: chat, namespace: platform}
spec:
  models: [smart, gpt-4o]
  targets:
    - {provider: anthropic, model: claude-sonnet-4-5, priority: 2}
    - {provider: openai, model: gpt-4o}
---
kind: Consumer
metadata: {name: search, namespace: platform}
spec: {apiKeys: [{secretRef: {name: keys, key: search}}], models: [smart]}
"#;

/// A world of the objects in `yaml` over [`empty`].
pub(crate) fn world(yaml: &str) -> World {
    let mut world = empty();
    apply(&mut world, yaml);
    world
}

/// No objects; the gateway `default`, whose platform namespace is `platform`, in a cluster.
pub(crate) fn empty() -> World {
    World::new(Settings {
        gateway: "default".to_owned(),
        platform_namespaces: ["platform".to_owned()].into(),
        outbound: Outbound::default(),
    })
}

/// Adds or replaces objects.
pub(crate) fn apply(world: &mut World, yaml: &str) {
    for document in yaml.split("\n---\n") {
        let value: Value = serde_saphyr::from_str(document).expect("must be YAML");
        apply_value(world, value);
    }
}

fn apply_value(world: &mut World, mut value: Value) {
    let kind = value["kind"].as_str().expect("must have a kind").to_owned();
    value["apiVersion"] = Value::from("penstock.dev/v1alpha1");
    let namespace = value["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    let name = value["metadata"]["name"].as_str().expect("must have a name").to_owned();
    let key = ObjectRef::new(&namespace, &name);
    macro_rules! insert {
        ($map:ident, $kind:ty) => {{
            let object: $kind = serde_json::from_value(value).expect("must be an object of its kind");
            let resource = Resource::new(Meta::of(&object.metadata), object.spec);
            world.$map.insert(key, Arc::new(resource));
        }};
    }
    match kind.as_str() {
        "AIProvider" => insert!(providers, AIProvider),
        "RoutePolicy" => insert!(routes, RoutePolicy),
        "RateLimit" => insert!(limits, RateLimit),
        "Consumer" => insert!(consumers, Consumer),
        "Secret" => {
            let data = value["stringData"].as_object().expect("must have stringData").iter();
            let data = data.map(|(key, value)| (key.clone(), Secret::new(value.as_str().expect("must be text"))));
            let state = SecretState::Found { resource_version: "1".to_owned(), data: data.collect() };
            world.secrets.insert(key, state);
        }
        "Namespace" => {
            let labels = serde_json::from_value(value["metadata"]["labels"].take()).expect("must be labels");
            world.namespaces.insert(name, labels);
        }
        other => panic!("unknown kind {other}"),
    }
}
