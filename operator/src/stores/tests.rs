use kube::api::DynamicObject;
use penstock_config::{Kind, Secret, Settings, object::Cluster};
use penstock_crds::ConditionType;
use serde_json::{Value, json};

use super::*;

const PROVIDERS: Source = Source::Objects(penstock_crds::Kind::AIProvider, None);
const ROUTES: Source = Source::Objects(penstock_crds::Kind::RoutePolicy, None);
const SECRETS: Source = Source::Secrets(None);

fn stores() -> Stores {
    let settings = Settings {
        gateway: "default".to_owned(),
        platform_namespaces: ["ns".to_owned()].into(),
        outbound: Default::default(),
    };
    let mut stores = Stores::new(World::new(settings), vec![PROVIDERS, ROUTES, SECRETS]);
    for source in [PROVIDERS, ROUTES, SECRETS] {
        stores.apply(Change { source: source.clone(), happened: Happened::ListBegins });
        stores.apply(Change { source, happened: Happened::ListEnds });
    }
    assert!(stores.is_synced());
    stores
}

fn item(name: &str, generation: i64, spec: Value) -> Item {
    let object = json!({
        "metadata": {"name": name, "namespace": "ns", "uid": name, "generation": generation, "resourceVersion": "1"},
        "spec": spec,
    });
    let object: DynamicObject = serde_json::from_value(object).expect("must be an object");
    Item::Object(Box::new(object))
}

fn provider(name: &str, generation: i64, secret: &str) -> Item {
    let credentials = json!([{"secretRef": {"name": secret, "key": "api-key"}}]);
    item(name, generation, json!({"type": "OpenAI", "models": [{"name": "m"}], "credentials": credentials}))
}

fn applied(source: Source, item: Item) -> Change {
    Change { source, happened: Happened::Applied(item) }
}

fn found(value: &str, version: &str) -> SecretState {
    let data = [("api-key".to_owned(), Secret::new(value))].into();
    SecretState::Found { resource_version: version.to_owned(), data }
}

fn name(name: &str) -> ObjectRef {
    ObjectRef::new("ns", name)
}

/// The Secrets that the provider in the world refers to.
fn refers_to(stores: &Stores, provider: &str) -> Option<String> {
    let resource = stores.world.providers.get(&name(provider))?;
    Some(resource.spec.credentials.first()?.secret_ref.name.clone())
}

#[test]
fn an_object_waits_alone_until_its_secret_was_read_and_its_old_form_serves_meanwhile() {
    let mut stores = stores();
    stores.apply(applied(PROVIDERS, provider("a", 1, "old")));
    stores.apply(applied(PROVIDERS, item("keyless", 1, json!({"type": "OpenAI", "models": [{"name": "m"}]}))));
    assert!(!stores.is_complete());
    assert_eq!(stores.world.providers.keys().collect::<Vec<_>>(), [&name("keyless")]);
    let ask = stores.secrets_due(Instant::now()).pop().expect("must ask");
    assert!(stores.secret_answered(ask, found("key", "1")).compile);
    assert_eq!(refers_to(&stores, "a").as_deref(), Some("old"));

    stores.apply(applied(PROVIDERS, provider("a", 2, "new")));
    assert_eq!(refers_to(&stores, "a").as_deref(), Some("old"));
    let ask = stores.secrets_due(Instant::now()).pop().expect("must ask");
    let (_, verdicts) = penstock_config::compile(&stores.world);
    assert!(verdicts[&Key::new(Kind::AIProvider, name("a"))].live, "its old key is still there");
    assert!(stores.secret_answered(ask, SecretState::Missing).compile);
    assert_eq!(refers_to(&stores, "a").as_deref(), Some("new"));
    assert!(stores.is_complete());
    assert_eq!(stores.secrets_due(Instant::now()), []);
    assert_eq!(stores.world.secrets.keys().collect::<Vec<_>>(), [&name("new")], "nothing else is kept");
}

#[test]
fn only_generation_labels_and_bytes_of_secrets_ask_for_a_compile() {
    let mut stores = stores();
    let spec = json!({"type": "OpenAI", "models": [{"name": "m"}]});
    assert!(stores.apply(applied(PROVIDERS, item("a", 1, spec.clone()))).compile);
    assert_eq!(stores.apply(applied(PROVIDERS, item("a", 1, spec.clone()))), NOTHING);
    assert!(stores.apply(applied(PROVIDERS, item("a", 2, spec))).compile);

    stores.apply(applied(PROVIDERS, provider("b", 1, "key")));
    let ask = stores.secrets_due(Instant::now()).pop().expect("must ask");
    stores.secret_answered(ask, found("bytes", "1"));
    let again = Item::Secret { name: name("key"), version: "2".to_owned() };
    let effect = stores.apply(applied(SECRETS, again));
    assert!(effect.secrets && !effect.compile);
    let ask = stores.secrets_due(Instant::now()).pop().expect("must ask");
    assert!(!stores.secret_answered(ask, found("bytes", "2")).compile, "only its annotations changed");
    assert_eq!(stores.secret_version(&name("key")), Some("2"), "and yet somebody may wait for the version");
    let unrelated = Item::Secret { name: name("helm-release"), version: "3".to_owned() };
    assert_eq!(stores.apply(applied(SECRETS, unrelated)), NOTHING);
}

#[test]
fn what_a_new_list_does_not_name_is_gone() {
    let mut stores = stores();
    let spec = json!({"type": "OpenAI", "models": [{"name": "m"}]});
    for object in ["a", "b"] {
        stores.apply(applied(PROVIDERS, item(object, 1, spec.clone())));
    }
    stores.apply(Change { source: PROVIDERS, happened: Happened::ListBegins });
    stores.apply(Change { source: PROVIDERS, happened: Happened::Listed(item("b", 1, spec)) });
    assert!(stores.apply(Change { source: PROVIDERS, happened: Happened::ListEnds }).compile);
    assert_eq!(stores.world.providers.keys().collect::<Vec<_>>(), [&name("b")]);
}

#[test]
fn an_object_that_cannot_be_read_is_named_and_a_route_among_them_keeps_its_names() {
    let mut stores = stores();
    stores.apply(applied(PROVIDERS, item("poison", 1, json!({"type": "Telepathy", "models": [{"name": "m"}]}))));
    let route = json!({"models": ["smart"], "targets": "everywhere"});
    stores.apply(applied(ROUTES, item("chat", 1, route)));
    let unreadable: Vec<_> = stores.unreadable().map(|(key, why)| (key.kind.clone(), why.to_owned())).collect();
    assert_eq!(unreadable.len(), 1);
    assert!(unreadable[0].0 == Kind::AIProvider && unreadable[0].1.contains("Telepathy"), "{unreadable:?}");
    assert!(stores.world.providers.is_empty());
    let (snapshot, verdicts) = penstock_config::compile(&stores.world);
    let key = Key::new(Kind::RoutePolicy, name("chat"));
    assert!(!verdicts[&key].live);
    let accepted = verdicts[&key].finding(ConditionType::Accepted).expect("must be there");
    assert_eq!(accepted.message, "spec.targets: must be a list, not a string");
    assert!(snapshot.get(&key).is_some(), "a closed route is told to proxies");
}

#[test]
fn a_stored_field_that_this_version_does_not_know_refuses_its_object_as_in_a_folder() {
    let mut stores = stores();
    let spec = json!({"type": "OpenAI", "models": [{"name": "m"}], "maxTokensPerDay": 5});
    stores.apply(applied(PROVIDERS, item("a", 1, spec)));
    let verdict = &penstock_config::compile(&stores.world).1[&Key::new(Kind::AIProvider, name("a"))];
    assert!(!verdict.live);
    let accepted = verdict.finding(ConditionType::Accepted).expect("must be there");
    assert!(accepted.message.starts_with("spec.maxTokensPerDay: is not a known field; "), "{}", accepted.message);
}

#[test]
fn an_object_of_another_gateway_is_not_looked_at_even_after_it_was_ours() {
    let mut stores = stores();
    let spec = |gateway| json!({"gateway": gateway, "type": "OpenAI", "models": [{"name": "m"}]});
    stores.apply(applied(PROVIDERS, item("a", 1, spec("default"))));
    assert!(stores.apply(applied(PROVIDERS, item("a", 2, spec("other")))).compile);
    assert!(stores.world.providers.is_empty() && stores.objects.is_empty());
}

#[test]
fn a_kind_that_is_not_installed_counts_as_empty() {
    let settings = Settings {
        gateway: "default".to_owned(),
        platform_namespaces: Default::default(),
        outbound: Default::default(),
    };
    let mut stores = Stores::new(World::new(settings), vec![PROVIDERS]);
    assert!(!stores.is_synced());
    assert!(stores.apply(Change { source: PROVIDERS, happened: Happened::NotInstalled }).compile);
    assert!(stores.is_synced());
}

#[test]
fn who_signs_tokens_is_waited_for_once_and_then_counts_only_when_it_changes() {
    let issuer = |key: &str| {
        let keys = vec![json!({"kty": "EC", "kid": key})];
        let cluster = Cluster { issuer: "https://kubernetes".to_owned(), audience: "llm".to_owned(), keys };
        applied(Source::Issuer, Item::Issuer(Arc::new(cluster)))
    };
    let untold = || Change { source: Source::Issuer, happened: Happened::NotInstalled };
    let fresh = || {
        let settings = stores().world.settings;
        Stores::new(World::new((*settings).clone()), vec![Source::Issuer])
    };
    let mut stores = fresh();
    assert!(!stores.is_synced());
    assert!(stores.apply(issuer("k1")).compile && stores.is_synced());
    assert_eq!(stores.apply(issuer("k1")), Effect::default());
    assert_eq!(stores.apply(untold()), Effect::default());
    assert!(matches!(&stores.world.issuer, ClusterIssuer::Known(_)), "what was known serves on");
    assert!(stores.apply(issuer("k2")).compile);

    let mut stores = fresh();
    assert!(stores.apply(untold()).compile, "all else is served without it");
    assert!(stores.is_synced());
}
