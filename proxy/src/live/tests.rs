use penstock_config::{Secret, Secrets, SnapshotError, protocol::Full};
use serde_json::{Value, json};

use super::{route::Answer, *};

const KEY: &str = "sk-live-0001";

/// A snapshot of these objects, whatever is in them.
fn snapshot(objects: &[(&str, &str, Value)], key: &str) -> Snapshot {
    let mut secrets = Secrets::default();
    secrets.insert(Secret::new(key));
    let entries = objects.iter().map(
        |(kind, name, object)| json!({"key": {"kind": kind, "namespace": "default", "name": name}, "object": object}),
    );
    let entries: Vec<Entry> =
        serde_json::from_value(entries.collect()).expect("an entry must be readable whatever its object is");
    match Snapshot::receive(Hash::of(b"wrong"), entries.clone(), secrets.clone()) {
        Err(SnapshotError::HashMismatch { computed, .. }) => {
            Snapshot::receive(computed, entries, secrets).expect("must be what it says")
        }
        Ok(_) | Err(_) => panic!("the hash must be wrong at first"),
    }
}

fn provider(key: &str) -> Value {
    json!({
        "type": "OpenAI",
        "baseUrl": "https://api.example.com/v1",
        "credentials": [{"secret": "s", "key": "k", "digest": Secret::new(key).digest()}],
        "retries": {"attempts": 0, "waitUpToMs": 0},
    })
}

fn target(provider: &str) -> Value {
    let timeouts = json!({
        "connectMs": 1, "firstTokenMs": 1, "firstTokenReasoningMs": 1, "answerMs": 1, "idleMs": 1, "requestMs": 1,
    });
    let provider = json!({"namespace": "default", "name": provider});
    json!({"provider": provider, "model": "m", "priority": 1, "weight": 1, "timeouts": timeouts})
}

fn route(name: &str, providers: &[&str]) -> Value {
    let targets: Vec<_> = providers.iter().map(|name| target(name)).collect();
    let forward = json!({"targets": targets, "fallbackOn": [], "allowState": false, "onUnsupported": "Drop",
        "balance": "Weighted", "onStreamBreak": "Error", "expectedOutputTokens": 1024});
    json!({"routes": [{"names": [name], "answer": {"forward": forward}}]})
}

fn live() -> Live {
    Live::new(Metrics::new())
}

fn refused(refused: &[Refused]) -> Vec<String> {
    refused.iter().map(|refused| refused.key.to_string()).collect()
}

/// The providers that a name leads to, or the reason of its 503.
fn way(live: &Live, name: &str) -> Result<Vec<String>, String> {
    let tables = live.tables();
    let route = tables.routes.get(name).ok_or("unknown")?;
    match &route.answer {
        Answer::Forward(forward) => Ok(forward.targets.iter().map(|target| target.provider.name.clone()).collect()),
        Answer::Refuse(reason) => Err(reason.clone()),
    }
}

#[test]
fn a_provider_that_can_t_be_built_is_missing_from_its_routes_and_from_nothing_else() {
    let live = live();
    let mut newer = provider(KEY);
    newer["type"] = json!("Quantum");
    let snapshot = snapshot(
        &[
            ("AIProvider", "good", provider(KEY)),
            ("AIProvider", "newer", newer),
            ("RoutePolicy", "both", route("both", &["newer", "good"])),
            ("RoutePolicy", "only", route("only", &["newer"])),
        ],
        KEY,
    );
    assert_eq!(refused(&live.apply(&snapshot)), ["AIProvider/default/newer"]);
    assert_eq!(way(&live, "both"), Ok(vec!["default/good".to_owned()]));
    assert!(way(&live, "only").is_err_and(|reason| reason.contains("default/only")));
}

#[test]
fn a_route_that_can_t_be_built_keeps_its_names_and_answers_503() {
    let live = live();
    let mut newer = route("smart", &["good"]);
    newer["routes"][0]["answer"]["forward"]["middleware"] = json!(["Quantum"]);
    let objects = [
        ("AIProvider", "good", provider(KEY)),
        ("RoutePolicy", "newer", newer),
        ("RoutePolicy", "plain", route("plain", &["good"])),
        ("RateLimit", "limit", json!({})),
    ];
    let refused = refused(&live.apply(&snapshot(&objects, KEY)));
    assert_eq!(refused, ["RateLimit/default/limit", "RoutePolicy/default/newer"]);
    assert!(way(&live, "smart").is_err_and(|reason| reason.contains("RoutePolicy/default/newer")));
    assert!(way(&live, "plain").is_ok());
}

#[test]
fn a_consumer_that_can_t_be_built_can_t_call() {
    let live = live();
    let digest = Hash::of(b"client-key");
    let consumer = |more: Value| json!({"apiKeys": [digest], "models": more, "onlyNamespace": null});
    live.apply(&snapshot(&[("Consumer", "c", consumer(json!([])))], KEY));
    assert!(live.tables().consumers.contains_key(&digest));
    assert_eq!(live.apply(&snapshot(&[("Consumer", "c", consumer(json!("all")))], KEY)).len(), 1);
    assert!(live.tables().consumers.is_empty());
}

#[test]
fn a_rotation_changes_the_key_and_keeps_the_route() {
    let live = live();
    let objects = |key| [("AIProvider", "a", provider(key)), ("RoutePolicy", "r", route("m", &["a"]))];
    live.apply(&snapshot(&objects(KEY), KEY));
    let before = live.tables().routes["m"].clone();
    live.apply(&snapshot(&objects("sk-live-0002"), "sk-live-0002"));
    let after = live.tables().routes["m"].clone();
    assert!(Arc::ptr_eq(&before, &after));
    let Answer::Forward(forward) = &before.answer else { panic!("must forward") };
    let cell = &forward.targets[0].provider.credentials;
    let Ok((credential::Pick::Key(key), ())) = cell.choose(&[], Instant::now(), |_| Ok(())) else {
        panic!("must have a key")
    };
    assert_eq!(key.header, "Bearer sk-live-0002");
}

#[test]
fn a_route_is_built_again_when_a_provider_of_it_changes_comes_or_goes() {
    let live = live();
    let r = ("RoutePolicy", "r", route("m", &["a", "b"]));
    live.apply(&snapshot(&[("AIProvider", "a", provider(KEY)), r.clone()], KEY));
    assert_eq!(way(&live, "m"), Ok(vec!["default/a".to_owned()]));
    live.apply(&snapshot(&[("AIProvider", "a", provider(KEY)), ("AIProvider", "b", provider(KEY)), r.clone()], KEY));
    assert_eq!(way(&live, "m"), Ok(vec!["default/a".to_owned(), "default/b".to_owned()]));
    live.apply(&snapshot(&[("AIProvider", "b", provider(KEY)), r], KEY));
    assert_eq!(way(&live, "m"), Ok(vec!["default/b".to_owned()]));
    live.apply(&snapshot(&[], KEY));
    assert_eq!(way(&live, "m"), Err("unknown".to_owned()));
}

#[test]
fn what_is_live_is_told_without_any_secret() -> anyhow::Result<()> {
    let live = live();
    assert_eq!(live.state(), State::default());
    let mut newer = provider(KEY);
    newer["type"] = json!("Quantum");
    let snapshot = snapshot(&[("AIProvider", "a", provider(KEY)), ("AIProvider", "newer", newer)], KEY);
    live.apply(&snapshot);
    let state = live.state();
    assert_eq!(state.hash, Some(snapshot.hash()));
    assert_eq!(state.objects.iter().map(|object| object.refused.is_some()).collect::<Vec<_>>(), [false, true]);
    assert!(!serde_json::to_string(&state)?.contains(KEY));
    Ok(())
}

#[test]
fn a_snapshot_that_went_over_the_wire_is_the_same_live() -> anyhow::Result<()> {
    let live = live();
    let sent = snapshot(&[("AIProvider", "a", provider(KEY)), ("RoutePolicy", "r", route("m", &["a"]))], KEY);
    let document = serde_json::to_string(&Full::new(Default::default(), &sent))?;
    let received = serde_json::from_str::<Full>(&document)?.into_snapshot()?;
    assert!(live.apply(&received).is_empty());
    assert_eq!(way(&live, "m"), Ok(vec!["default/a".to_owned()]));
    Ok(())
}

#[test]
fn what_is_learned_of_models_counts_at_once_and_leaves_what_is_live_as_it_is() {
    let live = live();
    live.apply(&snapshot(&[("AIProvider", "a", provider(KEY)), ("RoutePolicy", "r", route("m", &["a"]))], KEY));
    let known = |live: &Live| {
        let route = live.tables().routes["m"].clone();
        let Answer::Forward(forward) = &route.answer else { panic!("must forward") };
        (forward.targets[0].facts.max_output, forward.targets[0].price.is_some())
    };
    let before = live.state();
    assert_eq!(known(&live), (None, false), "model m is nowhere listed");
    let row = r#"models: [{provider: OpenAI, model: m, maxOutputTokens: 7, pricing: {input: "1", output: "2"}}]"#;
    live.learn(Models::read(row).expect("must be well formed"));
    assert_eq!((known(&live), live.state()), ((Some(7), true), before));
    live.apply(&snapshot(&[("AIProvider", "a", provider(KEY)), ("RoutePolicy", "r", route("m", &["a", "a"]))], KEY));
    assert_eq!(known(&live), (Some(7), true), "it outlives a change of the configuration");
    live.learn(Models::default());
    assert_eq!(known(&live), (None, false));
}
