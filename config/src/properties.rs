//! What holds for every world.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::{
    ClusterIssuer, Compiler, Delta, Entry, Hash, Key, Kind, ObjectRef, SecretState, Snapshot, World, compile,
    fixture::{apply, empty},
    object::Cluster,
    protocol::{Document, Full, Position},
};

/// Objects that refer to each other, claim the same names and are bad in many ways.
fn object() -> impl Strategy<Value = String> {
    let namespace = prop_oneof![3 => Just("platform"), 1 => Just("search"), 1 => Just("billing")];
    let name = 0..4u8;
    let day = 1..4u8;
    let spec = prop_oneof![provider(), route(), consumer(), limit()];
    (namespace, name, day, spec).prop_map(|(namespace, name, day, (kind, spec))| {
        format!(
            "kind: {kind}\nmetadata: {{namespace: {namespace}, name: n{name}, \
             creationTimestamp: '2026-01-0{day}T00:00:00Z'}}\nspec: {{{spec}}}"
        )
    })
}

fn provider() -> impl Strategy<Value = (&'static str, String)> {
    let kind = prop_oneof![5 => Just("OpenAI"), 3 => Just("Anthropic"), 1 => Just("Bedrock")];
    let url = prop_oneof![
        4 => Just(""),
        1 => Just(", baseURL: 'https://eu.example.com/v1'"),
        1 => Just(", baseURL: 'http://127.0.0.1/v1'"),
    ];
    let allowed = prop_oneof![Just("Same"), Just("All")];
    (kind, url, 0..4u8, 0..4u8, 0..3u8, allowed).prop_map(|(kind, url, model, secret, priority, allowed)| {
        let spec = format!(
            "type: {kind}{url}, priority: {priority}, models: [{{name: m{model}}}, {{name: shared}}], \
             credentials: [{{secretRef: {{name: s{secret}, key: key}}}}], \
             allowedRoutes: {{namespaces: {{from: {allowed}}}}}"
        );
        ("AIProvider", spec)
    })
}

fn route() -> impl Strategy<Value = (&'static str, String)> {
    let models =
        prop_oneof![Just("[m0]"), Just("[m1, smart]"), Just("[search/smart]"), Just("[shared]"), Just("['*']"),];
    let extra = prop_oneof![
        4 => Just(""),
        1 => Just(", middleware: [{type: PromptInjection, promptInjection: {action: Reject}}]"),
        1 => Just(", maxCostPerRequest: '0.05'"),
        1 => Just(", timeouts: {idle: 9s}"),
        1 => Just(", fallbackOn: []"),
    ];
    (models, 0..4u8, 0..4u8, extra).prop_map(|(models, provider, model, extra)| {
        let targets = format!(", targets: [{{provider: n{provider}, namespace: platform, model: m{model}}}]");
        let targets = if models.contains('*') || model == 3 { String::new() } else { targets };
        ("RoutePolicy", format!("models: {models}{targets}{extra}"))
    })
}

fn consumer() -> impl Strategy<Value = (&'static str, String)> {
    let jwt = prop_oneof![
        3 => Just(""),
        1 => Just(", jwt: {issuer: id, audiences: [llm], jwksURL: 'https://id.example.com/keys'}"),
        1 => Just(", jwt: {issuer: id, audiences: [llm], jwksURL: 'http://id.example.com/keys'}"),
    ];
    let accounts = prop_oneof![
        3 => Just(""),
        1 => Just(", serviceAccounts: [{namespace: search, name: a}]"),
        1 => Just(", serviceAccounts: [{namespace: search, name: a}, {namespace: search, name: b}]"),
    ];
    let spec = (0..4u8, 0..2u8, jwt, accounts).prop_map(|(a, b, jwt, accounts)| {
        let keys = format!("{{secretRef: {{name: s{a}, key: key}}}}, {{secretRef: {{name: s{b}, key: key}}}}");
        format!("apiKeys: [{keys}]{jwt}{accounts}")
    });
    spec.prop_map(|spec| ("Consumer", spec))
}

fn limit() -> impl Strategy<Value = (&'static str, String)> {
    let requests = prop_oneof![
        Just(""),
        Just(", match: {models: [m0]}"),
        Just(", match: {models: [m0], consumers: {matchLabels: {tier: free}}}")
    ];
    let per = prop_oneof![Just("[]"), Just("[User, Model]"), Just("[Provider]")];
    (requests, per)
        .prop_map(|(requests, per)| ("RateLimit", format!("requests: {{limit: 5, window: 1m}}, per: {per}{requests}")))
}

fn secret() -> impl Strategy<Value = String> {
    let namespace = prop_oneof![Just("platform"), Just("search")];
    (namespace, 0..3u8, 0..3u8).prop_map(|(namespace, name, value)| {
        format!(
            "kind: Secret\nmetadata: {{namespace: {namespace}, name: s{name}}}\n\
             stringData: {{key: 'value-{value}-of-twenty-characters'}}"
        )
    })
}

fn objects() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop_oneof![4 => object(), 1 => secret()], 0..24)
}

fn world_of(objects: &[String]) -> World {
    let mut world = empty();
    let cluster = Cluster { issuer: "https://kubernetes".into(), audience: "llm".into(), keys: vec![] };
    world.issuer = ClusterIssuer::Known(cluster.into());
    for object in objects {
        apply(&mut world, object);
    }
    world
}

/// The digest of every entry.
fn digests(snapshot: &Snapshot) -> BTreeMap<Key, Hash> {
    snapshot.entries().map(|entry: &Entry| (entry.key().clone(), entry.digest())).collect()
}

/// One document a line, there and back.
fn over_the_wire(document: &Document) -> Document {
    let line = serde_json::to_string(document).expect("must serialise");
    assert!(!line.contains('\n'));
    serde_json::from_str(&line).expect("must decode")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_way_to_a_world_does_not_matter(
        (before, objects) in (objects(), objects()),
        order in any::<prop::sample::Index>(),
    ) {
        let fresh = compile(&world_of(&objects));
        // Last writer wins for objects of one name, so only distinct ones may change places.
        let mut distinct: BTreeMap<String, String> = BTreeMap::new();
        for object in &objects {
            let name = object.lines().take(2).map(|line| line.split(", creation").next().unwrap_or(line));
            distinct.insert(name.collect(), object.clone());
        }
        let mut shuffled: Vec<String> = distinct.into_values().collect();
        let middle = order.index(shuffled.len().max(1));
        shuffled.rotate_left(middle);
        shuffled.reverse();
        let mut compiler = Compiler::default();
        compiler.compile(&world_of(&before));
        let again = compiler.compile(&world_of(&shuffled));
        prop_assert_eq!(fresh.0.hash(), again.0.hash());
        prop_assert_eq!(fresh.1, again.1);
    }

    #[test]
    fn a_bad_object_changes_nothing_of_objects_that_do_not_refer_to_it(objects in objects(), which in 0..4usize) {
        let bad = [
            "kind: AIProvider\nmetadata: {namespace: platform, name: bad}\nspec: {type: OpenAI, baseURL: 'nonsense', models: [{name: only-here}]}",
            "kind: RoutePolicy\nmetadata: {namespace: platform, name: bad}\nspec: {models: [only-here], targets: [{provider: nobody, model: x}]}",
            "kind: Consumer\nmetadata: {namespace: platform, name: bad}\nspec: {apiKeys: [{secretRef: {name: nobody, key: x}}]}",
            "kind: RoutePolicy\nmetadata: {namespace: search, name: bad}\nspec: {models: ['*']}",
        ][which];
        let mut world = world_of(&objects);
        let (before, mut verdicts_before) = compile(&world);
        apply(&mut world, bad);
        let (after, verdicts_after) = compile(&world);
        let after = digests(&after);
        for (key, digest) in digests(&before) {
            prop_assert_eq!(after.get(&key), Some(&digest), "{}", key);
        }
        for (key, verdict) in verdicts_after {
            if let Some(before) = verdicts_before.remove(&key) {
                prop_assert_eq!(before, verdict, "{}", key);
            }
        }
    }

    #[test]
    fn a_delta_applied_to_its_base_equals_the_full_snapshot(before in objects(), after in objects()) {
        let (base, _) = compile(&world_of(&before));
        let (next, _) = compile(&world_of(&after));
        let position = Position { epoch: 1, sequence: 2 };
        let Document::Full(full) = over_the_wire(&Document::Full(Full::new(position, &next))) else {
            panic!("must stay a full document");
        };
        let full = full.into_snapshot().expect("must be whole");
        let delta: Delta = serde_json::from_str(&serde_json::to_string(&next.since(&base)).expect("must serialise"))
            .expect("must decode");
        let applied = base.apply(delta).expect("must fit its base");
        prop_assert_eq!(applied.hash(), next.hash());
        prop_assert_eq!(digests(&applied), digests(&next));
        prop_assert_eq!(digests(&full), digests(&next));
        prop_assert!(applied.secrets() == next.secrets() && full.secrets() == next.secrets());
    }

    #[test]
    fn what_is_outside_the_hash_does_not_change_it(objects in objects()) {
        let mut world = world_of(&objects);
        let (before, _) = compile(&world);
        for state in world.secrets.values_mut() {
            if let SecretState::Found { resource_version, .. } = state {
                resource_version.push('9');
            }
        }
        world.namespaces.insert("unrelated".to_owned(), BTreeMap::new());
        let (after, _) = compile(&world);
        prop_assert_eq!(before.hash(), after.hash());
    }

    #[test]
    fn every_name_is_answered_by_one_route(objects in objects()) {
        let (snapshot, _) = compile(&world_of(&objects));
        let mut seen = std::collections::BTreeSet::new();
        for entry in snapshot.entries() {
            if let crate::object::Object::Routes(routes) = entry.parse().expect("must parse") {
                for name in routes.routes.into_iter().flat_map(|route| route.names) {
                    prop_assert!(seen.insert(name.clone()), "{} is in two routes", name);
                }
            }
        }
    }
}

#[test]
fn a_changed_secret_value_changes_the_hash_and_no_other_digest() {
    let objects: Vec<String> = [crate::fixture::QUICKSTART.to_owned()].into();
    let mut world = world_of(&objects);
    let (before, _) = compile(&world);
    apply(
        &mut world,
        "kind: Secret\nmetadata: {name: keys, namespace: platform}\n\
         stringData: {openai: sk-openai-0002, anthropic: sk-ant-0001, search: search-team-key-00001}",
    );
    let (after, _) = compile(&world);
    assert_ne!(before.hash(), after.hash());
    let delta = after.since(&before);
    assert_eq!(delta.upsert.len(), 1);
    assert_eq!((delta.secrets.len(), delta.forget.len()), (1, 1));
}

#[test]
fn a_document_whose_objects_do_not_hash_to_what_it_says_is_refused() {
    let (snapshot, _) = compile(&world_of(&[crate::fixture::QUICKSTART.to_owned()]));
    let full = Full::new(Position::default(), &snapshot);
    let line = serde_json::to_string(&full).expect("must serialise").replace("gpt-4o-mini", "gpt-4o-maxi");
    let forged: Full = serde_json::from_str(&line).expect("must decode");
    assert!(forged.into_snapshot().is_err());
}

#[test]
fn an_entry_of_a_kind_that_nobody_knows_is_refused_alone() {
    let (snapshot, _) = compile(&world_of(&[crate::fixture::QUICKSTART.to_owned()]));
    let budget = Key::new(Kind::from("Budget"), ObjectRef::new("platform", "search"));
    let routes = crate::object::Object::Routes(crate::object::Routes { routes: vec![] });
    let entries = snapshot.entries().cloned().chain([Entry::new(budget.clone(), &routes)]);
    let objects = entries.map(|entry| (entry.key().clone(), entry)).collect();
    let newer = Snapshot::new(objects, snapshot.secrets().clone());
    let Document::Full(full) = over_the_wire(&Document::Full(Full::new(Position::default(), &newer))) else {
        panic!("must stay a full document");
    };
    let received = full.into_snapshot().expect("must be whole");
    let kinds: Vec<_> = received.entries().map(|entry| entry.key().kind.to_string()).collect();
    assert!(kinds.is_sorted(), "{kinds:?}");
    for entry in received.entries() {
        match entry.parse() {
            Ok(_) => assert_ne!(entry.key(), &budget),
            Err(error) => {
                assert_eq!((entry.key(), error.to_string().as_str()), (&budget, "this version knows no Budget"))
            }
        }
    }
}
