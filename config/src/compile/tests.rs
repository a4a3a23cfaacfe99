//! Outcomes of compilation, one sentence each.

use penstock_crds::{ConditionType, FallbackOn, Reason};

use crate::{
    Key, Kind, ObjectRef, Snapshot, Verdict, compile,
    fixture::{QUICKSTART, apply, world},
    object::{Answer, Consumer, Forward, Object, Provider, Route},
};

mod accounts;
mod addresses;
mod jwt;
mod keys;
mod limits;
mod pricing;
mod trust;

fn key(kind: Kind, object: &str) -> Key {
    let (namespace, name) = object.split_once('/').expect("must be namespace/name");
    Key::new(kind, ObjectRef::new(namespace, name))
}

fn quickstart_and(yaml: &str) -> crate::World {
    let mut world = world(QUICKSTART);
    apply(&mut world, yaml);
    world
}

fn verdict(world: &crate::World, kind: Kind, object: &str) -> Verdict {
    compile(world).1.remove(&key(kind, object)).expect("must be judged")
}

/// The status, reason and message of a condition.
fn condition(world: &crate::World, kind: Kind, object: &str, condition: ConditionType) -> (bool, Reason, String) {
    let verdict = verdict(world, kind, object);
    let finding = verdict.finding(condition).expect("must have the condition");
    (finding.status, finding.reason, finding.message.clone())
}

fn object(snapshot: &Snapshot, kind: Kind, name: &str) -> Option<Object> {
    snapshot.get(&key(kind, name)).map(|entry| entry.parse().expect("must parse"))
}

fn provider(snapshot: &Snapshot, name: &str) -> Option<Provider> {
    match object(snapshot, Kind::AIProvider, name)? {
        Object::Provider(provider) => Some(provider),
        _ => None,
    }
}

fn consumer(snapshot: &Snapshot, name: &str) -> Option<Consumer> {
    match object(snapshot, Kind::Consumer, name)? {
        Object::Consumer(consumer) => Some(consumer),
        _ => None,
    }
}

/// The route that answers to `name`.
fn route(snapshot: &Snapshot, name: &str) -> Option<Route> {
    let routes = snapshot.entries().filter_map(|entry| match entry.parse().expect("must parse") {
        Object::Routes(routes) => Some(routes.routes),
        _ => None,
    });
    let mut found = routes.flatten().filter(|route| route.names.iter().any(|n| n == name));
    let route = found.next();
    assert!(found.next().is_none(), "{name} is in two routes");
    route
}

fn forward(snapshot: &Snapshot, name: &str) -> Forward {
    match route(snapshot, name).map(|route| route.answer) {
        Some(Answer::Forward(forward)) => forward,
        other => panic!("{name} should be forwarded, not {other:?}"),
    }
}

fn refusal(snapshot: &Snapshot, name: &str) -> String {
    match route(snapshot, name).map(|route| route.answer) {
        Some(Answer::Refuse { reason }) => reason,
        other => panic!("{name} should be refused, not {other:?}"),
    }
}

fn targets(snapshot: &Snapshot, name: &str) -> Vec<String> {
    let targets = forward(snapshot, name).targets;
    targets.iter().map(|target| format!("{} {}", target.provider, target.model)).collect()
}

#[test]
fn the_quickstart_compiles_whole() {
    let (snapshot, verdicts) = compile(&world(QUICKSTART));
    for (key, verdict) in &verdicts {
        assert_eq!(verdict.complaints().count(), 0, "{key}: {:?}", verdict.findings);
        assert!(verdict.live, "{key}");
    }
    assert_eq!(verdicts.len(), 4);
    assert_eq!(targets(&snapshot, "smart"), ["platform/openai gpt-4o", "platform/anthropic claude-sonnet-4-5"]);
    assert_eq!(targets(&snapshot, "mini"), ["platform/openai gpt-4o-mini"]);
    assert_eq!(route(&snapshot, "claude-sonnet-4-5"), None, "a model that is not exposed has no route of its own");
    let openai = provider(&snapshot, "platform/openai").expect("must be there");
    assert_eq!(openai.base_url, "https://api.openai.com/v1");
    let secret = snapshot.secrets().get(&openai.credentials[0].digest).expect("must travel along");
    assert_eq!(secret.expose(), "sk-openai-0001");
    assert_eq!(consumer(&snapshot, "platform/search").expect("must be there").models, ["smart"]);
}

#[test]
fn defaults_of_the_five_timeouts_and_of_retries_are_filled_in() {
    let (snapshot, _) = compile(&world(QUICKSTART));
    let timeouts = forward(&snapshot, "smart").targets[0].timeouts;
    let all = [
        timeouts.connect_ms,
        timeouts.first_token_ms,
        timeouts.first_token_reasoning_ms,
        timeouts.answer_ms,
        timeouts.idle_ms,
        timeouts.request_ms,
    ];
    assert_eq!(all, [5_000, 10_000, 60_000, 120_000, 30_000, 600_000]);
    let retries = provider(&snapshot, "platform/openai").expect("must be there").retries;
    assert_eq!((retries.attempts, retries.wait_up_to_ms), (2, 2_000));
}

#[test]
fn a_route_is_its_policy_over_that_of_all_over_the_provider_over_built_in_values() {
    let world = quickstart_and(
        "
kind: RoutePolicy
metadata: {name: all, namespace: platform}
spec: {models: ['*'], fallbackOn: [Timeout], timeouts: {firstToken: 7s, idle: 8s}}
---
kind: RoutePolicy
metadata: {name: chat, namespace: platform}
spec:
  models: [smart]
  timeouts: {firstToken: 5s}
  targets: [{provider: openai, model: gpt-4o}]
",
    );
    let (snapshot, _) = compile(&world);
    let smart = forward(&snapshot, "smart");
    assert_eq!(smart.fallback_on, [FallbackOn::Timeout]);
    let timeouts = smart.targets[0].timeouts;
    assert_eq!((timeouts.first_token_ms, timeouts.idle_ms, timeouts.answer_ms), (5_000, 8_000, 120_000));
    assert_eq!(timeouts.first_token_reasoning_ms, 5_000, "a first token timeout that is set holds for reasoning too");
    assert_eq!(forward(&snapshot, "mini").targets[0].timeouts.first_token_ms, 7_000);
}

#[test]
fn a_policy_without_targets_is_served_by_the_providers_that_list_its_models() {
    let policy = "
kind: RoutePolicy
metadata: {name: chat, namespace: platform}
spec: {models: [gpt-4o, mini, ghost], timeouts: {idle: 9s}}
";
    let world = quickstart_and(policy);
    let (snapshot, _) = compile(&world);
    assert_eq!(targets(&snapshot, "gpt-4o"), ["platform/openai gpt-4o"]);
    assert_eq!(forward(&snapshot, "mini").targets[0].timeouts.idle_ms, 9_000);
    assert_eq!(refusal(&snapshot, "ghost"), "RoutePolicy platform/chat is refused; its conditions say why");
    let (_, reason, message) = condition(&world, Kind::RoutePolicy, "platform/chat", ConditionType::PartiallyInvalid);
    assert_eq!(reason, Reason::TargetDropped);
    assert!(message.contains("no usable provider lists \"ghost\""), "{message}");
}

#[test]
fn providers_that_list_one_model_pool_by_priority() {
    let world = quickstart_and(
        "
kind: AIProvider
metadata: {name: cheap, namespace: platform}
spec: {type: OpenAICompatible, baseURL: 'http://vllm.platform:8000/v1', models: [{name: mini}], priority: 0}
",
    );
    let (snapshot, _) = compile(&world);
    assert_eq!(targets(&snapshot, "mini"), ["platform/cheap mini", "platform/openai gpt-4o-mini"]);
}

#[test]
fn bad_targets_are_left_out_and_told_and_the_rest_serves() {
    let world = quickstart_and(
        "
kind: RoutePolicy
metadata: {name: chat, namespace: platform}
spec:
  models: [smart]
  targets:
    - {provider: nowhere, model: gpt-4o}
    - {provider: openai, model: gpt-5o}
    - {provider: anthropic, model: claude-sonnet-4-5}
",
    );
    assert_eq!(targets(&compile(&world).0, "smart"), ["platform/anthropic claude-sonnet-4-5"]);
    let chat = |c| condition(&world, Kind::RoutePolicy, "platform/chat", c);
    let (status, reason, message) = chat(ConditionType::PartiallyInvalid);
    assert_eq!((status, reason), (true, Reason::TargetDropped));
    assert_eq!(
        message,
        "spec.targets[0]: AIProvider platform/nowhere does not exist; create it or correct provider and namespace; \
         spec.targets[1]: AIProvider platform/openai lists no model \"gpt-5o\"; add it there or correct it"
    );
    assert_eq!(
        (chat(ConditionType::ResolvedRefs).0, chat(ConditionType::ResolvedRefs).1),
        (false, Reason::ProviderNotFound)
    );
    assert!(chat(ConditionType::Accepted).0);
}

#[test]
fn a_policy_with_no_target_left_keeps_its_names_and_answers_for_itself() {
    let world = quickstart_and(
        "
kind: RoutePolicy
metadata: {name: chat, namespace: platform}
spec: {models: [gpt-4o], targets: [{provider: nowhere, model: x}]}
",
    );
    assert_eq!(refusal(&compile(&world).0, "gpt-4o"), "RoutePolicy platform/chat is refused; its conditions say why");
    assert!(!verdict(&world, Kind::RoutePolicy, "platform/chat").live);
}

#[test]
fn what_protects_limits_or_authenticates_and_is_not_built_refuses_its_object() {
    let cases = [
        (Kind::AIProvider, "type: Bedrock, models: [{name: g}]", "type: Bedrock"),
        (
            Kind::RoutePolicy,
            "models: [x], middleware: [{type: PIIScrubber, piiScrubber: {entities: [Email]}}]",
            "middleware[0]: PIIScrubber",
        ),
    ];
    for (kind, spec, field) in cases {
        let world =
            quickstart_and(&format!("kind: {kind}\nmetadata: {{name: new, namespace: platform}}\nspec: {{{spec}}}"));
        let (status, reason, message) = condition(&world, kind.clone(), "platform/new", ConditionType::Accepted);
        assert_eq!((status, reason), (false, Reason::NotSupported), "{spec}");
        assert!(message.contains(field) && message.contains("is not supported by this version"), "{message}");
        assert!(!verdict(&world, kind, "platform/new").live);
    }
}

#[test]
fn what_only_tunes_and_is_not_built_is_accepted_and_named() {
    let world = quickstart_and(
        "
kind: RoutePolicy
metadata: {name: chat, namespace: platform}
spec:
  models: [smart]
  cache: {ttl: 1h}
  targets: [{provider: openai, model: gpt-4o}]
",
    );
    let (status, _, message) = condition(&world, Kind::RoutePolicy, "platform/chat", ConditionType::Accepted);
    assert!(status);
    assert_eq!(message, "spec.cache has no effect in this version");
}

#[test]
fn a_refused_policy_of_all_closes_every_route() {
    let world = quickstart_and(
        "
kind: RoutePolicy
metadata: {name: all, namespace: platform}
spec: {models: ['*'], middleware: [{type: PromptInjection, promptInjection: {action: Reject}}]}
",
    );
    let (snapshot, _) = compile(&world);
    for name in ["smart", "gpt-4o", "mini"] {
        assert_eq!(refusal(&snapshot, name), "RoutePolicy platform/all is refused; its conditions say why");
    }
}

#[test]
fn malformed_urls_are_refused_with_the_fix() {
    let cases = [
        ("ftp://x/v1", "must be an http:// or https:// URL"),
        ("not a url", "must be an http:// or https:// URL"),
        ("http://api.openai.com/v1", "use https://"),
        ("https://user:pass@host/v1", "must be an http:// or https:// URL"),
        ("https://host/v1?key=1", "must be an http:// or https:// URL"),
        ("https://169.254.169.254/v1", "--allow-upstream 169.254.169.254"),
        ("https://localhost/v1", "--allow-upstream 127.0.0.1"),
    ];
    for (url, fix) in cases {
        let world = quickstart_and(&format!(
            "kind: AIProvider\nmetadata: {{name: openai, namespace: platform}}\n\
             spec: {{type: OpenAI, models: [{{name: gpt-4o}}], baseURL: '{url}'}}"
        ));
        let (status, reason, message) = condition(&world, Kind::AIProvider, "platform/openai", ConditionType::Accepted);
        assert_eq!((status, reason), (false, Reason::Invalid), "{url}");
        assert!(message.starts_with("spec.baseURL: ") && message.contains(fix), "{url}: {message}");
    }
}

#[test]
fn a_gemini_provider_s_base_url_ends_before_the_version() {
    for (url, expected) in [
        ("", "https://generativelanguage.googleapis.com"),
        (", baseURL: 'https://host/v1beta/'", "https://host"),
        (", baseURL: 'https://host/a/v1'", "https://host/a"),
    ] {
        let world = quickstart_and(&format!(
            "kind: AIProvider\nmetadata: {{name: gemini, namespace: platform}}\n\
             spec: {{type: Gemini, models: [{{name: gemini-2.5-pro}}]{url}}}"
        ));
        let (snapshot, _) = compile(&world);
        assert_eq!(provider(&snapshot, "platform/gemini").expect("must be there").base_url, expected);
    }
}

#[test]
fn objects_of_another_gateway_are_not_looked_at() {
    let world = quickstart_and(
        "
kind: RoutePolicy
metadata: {name: chat, namespace: platform}
spec: {gateway: staging, models: [smart], targets: [{provider: openai, model: gpt-4o}]}
",
    );
    let (snapshot, verdicts) = compile(&world);
    assert_eq!(route(&snapshot, "smart"), None);
    assert!(!verdicts.contains_key(&key(Kind::RoutePolicy, "platform/chat")));
}

#[test]
fn a_model_whose_providers_are_all_unusable_is_closed_not_gone() {
    let mut world = world(QUICKSTART);
    world.secrets.clear();
    assert_eq!(refusal(&compile(&world).0, "mini"), "no provider of model mini is usable");
}

#[test]
fn a_provider_that_lists_no_models_takes_whatever_a_target_names() {
    let world = quickstart_and(
        "
kind: AIProvider
metadata: {name: openai, namespace: platform}
spec: {type: OpenAI, credentials: [{secretRef: {name: keys, key: openai}}]}
",
    );
    let (snapshot, _) = compile(&world);
    assert_eq!(targets(&snapshot, "smart"), ["platform/openai gpt-4o", "platform/anthropic claude-sonnet-4-5"]);
    assert_eq!(route(&snapshot, "mini"), None);
}
