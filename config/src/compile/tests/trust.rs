//! Whose names and whose routes: namespaces and conflicts.

use super::*;

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
    let models = |provider: &str| verdict(&world(QUICKSTART), Kind::AIProvider, provider).made;
    assert_eq!(models("platform/openai"), [Key::new(Kind::Model, ObjectRef::new("", "mini"))]);
    assert_eq!(models("platform/anthropic"), [], "no name of its own is exposed");
}
