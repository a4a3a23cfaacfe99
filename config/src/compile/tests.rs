//! Outcomes of compilation, one sentence each.

use penstock_crds::{ConditionType, FallbackOn, Reason};

use crate::{
    Key, Kind, ObjectRef, Snapshot, Verdict, compile,
    fixture::{QUICKSTART, apply, world},
    object::{Answer, Consumer, Forward, Object, Provider, Route},
};

mod addresses;
mod pricing;

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
        (Kind::AIProvider, "type: OpenAI, models: [{name: g}], maxConcurrentRequests: 5", "maxConcurrentRequests"),
        (Kind::RoutePolicy, "models: [x], maxCostPerRequest: '0.05'", "maxCostPerRequest"),
        (
            Kind::RoutePolicy,
            "models: [x], middleware: [{type: PIIScrubber, piiScrubber: {entities: [Email]}}]",
            "middleware[0]: PIIScrubber",
        ),
        (Kind::Consumer, "serviceAccounts: [{namespace: a, name: b}]", "serviceAccounts"),
        (
            Kind::Consumer,
            "apiKeys: [{secretRef: {name: keys, key: search}}], budget: {limit: '5', period: Day}",
            "budget",
        ),
        (Kind::RateLimit, "requests: {limit: 5, window: 1m}", "RateLimit"),
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
  balance: LowestCost
  onStreamBreak: Continue
  cache: {ttl: 1h}
  targets: [{provider: openai, model: gpt-4o}]
",
    );
    let (status, _, message) = condition(&world, Kind::RoutePolicy, "platform/chat", ConditionType::Accepted);
    assert!(status);
    assert_eq!(
        message,
        "spec.cache has no effect in this version; spec.balance: LowestCost has no effect in this version; \
         spec.onStreamBreak: Continue has no effect in this version"
    );
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
fn missing_secrets_and_keys_are_named_and_another_credential_serves() {
    let with = |credentials: &str| {
        quickstart_and(&format!(
            "kind: AIProvider\nmetadata: {{name: openai, namespace: platform}}\n\
             spec: {{type: OpenAI, models: [{{name: gpt-4o}}], credentials: [{credentials}]}}"
        ))
    };
    let one = with("{secretRef: {name: gone, key: k}}, {secretRef: {name: keys, key: openai}}");
    let openai = |world: &crate::World, c| condition(world, Kind::AIProvider, "platform/openai", c);
    let expected =
        "spec.credentials[0].secretRef: Secret platform/gone does not exist; create it in namespace platform";
    assert_eq!(openai(&one, ConditionType::PartiallyInvalid), (true, Reason::CredentialMissing, expected.to_owned()));
    assert_eq!(openai(&one, ConditionType::ResolvedRefs).1, Reason::SecretNotFound);
    assert_eq!(targets(&compile(&one).0, "gpt-4o").len(), 2);

    let none = with("{secretRef: {name: keys, key: nope}}");
    let (_, reason, message) = openai(&none, ConditionType::ResolvedRefs);
    assert_eq!(reason, Reason::KeyNotFound);
    assert_eq!(message, "spec.credentials[0].secretRef: Secret platform/keys has no key \"nope\"; add it");
    let (snapshot, _) = compile(&none);
    assert_eq!(provider(&snapshot, "platform/openai"), None);
    assert_eq!(targets(&snapshot, "gpt-4o"), ["platform/anthropic claude-sonnet-4-5"]);
}

#[test]
fn a_key_is_trimmed_and_an_empty_or_unprintable_one_is_refused() {
    let with = |key: &str| {
        quickstart_and(&format!(
            "kind: Secret\nmetadata: {{name: keys, namespace: platform}}\n\
             stringData: {{openai: {key}, anthropic: k, search: search-team-key-00001}}"
        ))
    };
    let openai =
        |world: &crate::World| condition(world, Kind::AIProvider, "platform/openai", ConditionType::ResolvedRefs);
    assert!(openai(&with(r#""  ""#)).2.contains("is empty; set it"));
    assert!(openai(&with(r#""a\nb""#)).2.contains("no HTTP header can carry"));
    let (snapshot, _) = compile(&with(r#""sk-1\n""#));
    let digest = provider(&snapshot, "platform/openai").expect("must be there").credentials[0].digest;
    assert_eq!(snapshot.secrets().get(&digest).map(|secret| secret.expose()), Some("sk-1"));
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
fn only_platform_namespaces_claim_bare_names_and_all() {
    let world = quickstart_and(
        "
kind: RoutePolicy
metadata: {name: grab, namespace: search}
spec: {models: ['*']}
---
kind: RoutePolicy
metadata: {name: mine, namespace: search}
spec: {models: [gpt-4o], targets: [{provider: anthropic, namespace: platform, model: claude-sonnet-4-5}]}
---
kind: Consumer
metadata: {name: app, namespace: search}
spec: {apiKeys: [{secretRef: {name: app, key: key}}], models: [gpt-4o]}
---
kind: Secret
metadata: {name: app, namespace: search}
stringData: {key: search-app-key-000001}
",
    );
    let (status, reason, message) = condition(&world, Kind::RoutePolicy, "search/grab", ConditionType::Accepted);
    assert_eq!((status, reason), (false, Reason::NotAllowed));
    assert_eq!(message, "spec.models[0]: only platform namespaces may claim \"*\", search is none; name the models");
    let (snapshot, _) = compile(&world);
    assert_eq!(targets(&snapshot, "search/gpt-4o"), ["platform/anthropic claude-sonnet-4-5"]);
    assert_eq!(targets(&snapshot, "gpt-4o").len(), 2, "the platform's own is untouched");
    let app = consumer(&snapshot, "search/app").expect("must be there");
    assert_eq!(
        (app.only_namespace.as_deref(), app.models.as_slice()),
        (Some("search"), &["search/gpt-4o".to_owned()][..])
    );
}

#[test]
fn allowed_routes_decide_whose_routes_may_use_a_provider() {
    let route = "
kind: RoutePolicy
metadata: {name: mine, namespace: search}
spec: {models: [m], targets: [{provider: shared, namespace: platform, model: m}]}
---
kind: Namespace
metadata: {name: search, labels: {tier: gold}}";
    let with = |allowed: &str| {
        quickstart_and(&format!(
            "kind: AIProvider\nmetadata: {{name: shared, namespace: platform}}\n\
             spec: {{type: OpenAI, models: [{{name: m}}], allowedRoutes: {{namespaces: {allowed}}}}}\n---\n{route}"
        ))
    };
    for allowed in ["{from: All}", "{from: Selector, selector: {matchLabels: {tier: gold}}}"] {
        assert_eq!(targets(&compile(&with(allowed)).0, "search/m"), ["platform/shared m"], "{allowed}");
    }
    for allowed in ["{from: Same}", "{from: Selector, selector: {matchLabels: {tier: free}}}"] {
        let world = with(allowed);
        let (_, reason, message) = condition(&world, Kind::RoutePolicy, "search/mine", ConditionType::ResolvedRefs);
        assert_eq!(reason, Reason::NotPermitted, "{allowed}");
        assert!(message.contains("does not admit routes of namespace search; widen its allowedRoutes"), "{message}");
        refusal(&compile(&world).0, "search/m");
    }
}

#[test]
fn a_policy_without_targets_does_not_reach_a_provider_that_does_not_admit_it() {
    let route = |allowed: &str| {
        let yaml = format!(
            "kind: AIProvider\nmetadata: {{name: own, namespace: search}}\n\
             spec: {{type: OpenAI, models: [{{name: smart}}], allowedRoutes: {{namespaces: {{from: {allowed}}}}}}}\n---\n\
             kind: RoutePolicy\nmetadata: {{name: reach, namespace: platform}}\nspec: {{models: [search/smart]}}"
        );
        quickstart_and(&yaml)
    };
    assert_eq!(targets(&compile(&route("All")).0, "search/smart"), ["search/own smart"]);
    let world = route("Same");
    refusal(&compile(&world).0, "search/smart");
    let (_, reason, message) = condition(&world, Kind::RoutePolicy, "platform/reach", ConditionType::PartiallyInvalid);
    assert_eq!(reason, Reason::TargetDropped);
    assert!(
        message.starts_with(
            "spec.models: of those that list \"search/smart\", AIProvider search/own does not admit routes of \
             namespace platform; widen its allowedRoutes"
        ),
        "{message}"
    );
}

#[test]
fn a_selector_has_a_verdict_where_labels_of_namespaces_are_not_known() {
    let mut world = quickstart_and(
        "
kind: AIProvider
metadata: {name: openai, namespace: platform}
spec:
  type: OpenAI
  models: [{name: gpt-4o}]
  allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {tier: gold}}}}
",
    );
    let openai = |world: &crate::World| condition(world, Kind::AIProvider, "platform/openai", ConditionType::Accepted);
    assert!(openai(&world).0);
    world.namespaces_known = false;
    let (status, reason, message) = openai(&world);
    assert_eq!((status, reason), (false, Reason::NotSupported));
    assert!(message.starts_with("spec.allowedRoutes.namespaces.from: Selector"), "{message}");
    assert!(message.ends_with("use Same or All"), "{message}");
}

#[test]
fn of_two_policies_that_claim_a_name_the_older_wins_and_the_other_loses_just_that() {
    let policy = |name: &str, created: &str, models: &str| {
        format!(
            "kind: RoutePolicy\nmetadata: {{name: {name}, namespace: platform, creationTimestamp: '{created}'}}\n\
             spec: {{models: [{models}], targets: [{{provider: openai, model: gpt-4o}}]}}"
        )
    };
    let world = quickstart_and(
        &[
            policy("a-newer", "2026-02-01T00:00:00Z", "one, two"),
            policy("b-older", "2026-01-01T00:00:00Z", "one"),
            policy("c-none-left", "2026-03-01T00:00:00Z", "one"),
        ]
        .join("\n---\n"),
    );
    let newer = condition(&world, Kind::RoutePolicy, "platform/a-newer", ConditionType::PartiallyInvalid);
    assert_eq!(newer.1, Reason::NameLost);
    assert_eq!(
        newer.2,
        "spec.models[0]: \"one\" belongs to RoutePolicy platform/b-older; choose another name or change that one"
    );
    let left = condition(&world, Kind::RoutePolicy, "platform/c-none-left", ConditionType::Accepted);
    assert_eq!((left.0, left.1), (false, Reason::ModelConflict));
    let (snapshot, _) = compile(&world);
    assert!(object(&snapshot, Kind::RoutePolicy, "platform/c-none-left").is_none());
    assert_eq!(targets(&snapshot, "two"), ["platform/openai gpt-4o"]);
}

#[test]
fn a_platform_name_wins_over_a_tenants_and_the_tenant_is_told() {
    let world = quickstart_and(
        "
kind: AIProvider
metadata: {name: own, namespace: search}
spec: {type: OpenAI, models: [{name: smart}, {name: other}]}
---
kind: RoutePolicy
metadata: {name: shadow, namespace: platform}
spec: {models: [search/smart], targets: [{provider: openai, model: gpt-4o}]}
",
    );
    let (snapshot, _) = compile(&world);
    assert_eq!(targets(&snapshot, "search/smart"), ["platform/openai gpt-4o"]);
    assert_eq!(targets(&snapshot, "search/other"), ["search/own other"]);
    let (_, reason, message) = condition(&world, Kind::AIProvider, "search/own", ConditionType::PartiallyInvalid);
    assert_eq!(reason, Reason::NameLost);
    assert!(message.contains("belongs to RoutePolicy platform/shadow"), "{message}");
}

#[test]
fn a_tenants_provider_is_told_that_a_platforms_provider_has_its_name_whichever_came_first() {
    for priority in [0, 5] {
        let world = quickstart_and(&format!(
            "kind: AIProvider\nmetadata: {{name: own, namespace: search}}\n\
             spec: {{type: OpenAI, models: [{{name: smart}}], priority: {priority}}}\n---\n\
             kind: AIProvider\nmetadata: {{name: shadow, namespace: platform}}\n\
             spec: {{type: OpenAI, models: [{{name: search/smart}}], priority: 3}}"
        ));
        assert_eq!(targets(&compile(&world).0, "search/smart"), ["platform/shadow search/smart"]);
        let (_, reason, message) = condition(&world, Kind::AIProvider, "search/own", ConditionType::PartiallyInvalid);
        assert_eq!(reason, Reason::NameLost);
        assert_eq!(message, "spec.models: \"search/smart\" is the name of a platform's model; choose another name");
        assert!(
            verdict(&world, Kind::AIProvider, "platform/shadow").finding(ConditionType::PartiallyInvalid).is_none()
        );
    }
}

#[test]
fn a_provider_knows_the_entries_that_stand_for_its_names() {
    let models = |provider: &str| verdict(&world(QUICKSTART), Kind::AIProvider, provider).models;
    assert_eq!(models("platform/openai"), [Key::new(Kind::Model, ObjectRef::new("", "mini"))]);
    assert_eq!(models("platform/anthropic"), [], "no name of its own is exposed");
}

#[test]
fn of_two_consumers_with_one_key_the_older_keeps_it() {
    let world = quickstart_and(
        "
kind: Consumer
metadata: {name: thief, namespace: platform}
spec: {apiKeys: [{secretRef: {name: keys, key: search}}]}
",
    );
    let (status, reason, message) = condition(&world, Kind::Consumer, "platform/thief", ConditionType::Accepted);
    assert_eq!((status, reason), (false, Reason::CallerConflict));
    assert_eq!(message, "spec.apiKeys[0].secretRef: the same key belongs to Consumer platform/search; use another");
    assert!(consumer(&compile(&world).0, "platform/thief").is_none());
}

#[test]
fn a_short_consumer_key_is_refused_and_its_value_is_in_no_message() {
    let world = quickstart_and(
        "
kind: Secret
metadata: {name: keys, namespace: platform}
stringData: {openai: sk, anthropic: k, search: tooshort}
",
    );
    let (status, reason, message) = condition(&world, Kind::Consumer, "platform/search", ConditionType::Accepted);
    assert_eq!((status, reason), (false, Reason::Invalid));
    assert_eq!(message, "spec.apiKeys[0].secretRef: key \"search\" of Secret keys has 8 characters; use at least 20");
    assert!(consumer(&compile(&world).0, "platform/search").is_none());
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
