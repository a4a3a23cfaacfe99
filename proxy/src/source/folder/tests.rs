use std::{os::unix::fs::symlink, time::Duration};

use penstock_config::{Key, Kind, ObjectRef, compile, outbound::Outbound};
use penstock_crds::ConditionType;
use penstock_proxy::{Live, Metrics};
use tempfile::TempDir;
use tokio::sync::watch;

use super::*;
use crate::source::Status;

const PROVIDER: &str = "
apiVersion: penstock.dev/v1alpha1
kind: AIProvider
metadata: {name: openai}
spec:
  type: OpenAI
  credentials:
    - secretRef: {name: openai, key: api-key}
  models:
    - name: gpt-4o
";
const SECRET: &str = "
apiVersion: v1
kind: Secret
metadata: {name: openai}
stringData: {api-key: \"${OPENAI_API_KEY}\"}
";
const ROUTE: &str = "
apiVersion: penstock.dev/v1alpha1
kind: RoutePolicy
metadata: {name: chat}
spec:
  models: [smart]
  targets:
    - {provider: openai, model: gpt-4o}
";

fn settings() -> Settings {
    Settings {
        gateway: "default".to_owned(),
        platform_namespaces: ["default".to_owned()].into(),
        outbound: Outbound { loopback: true, ..Outbound::default() },
    }
}

fn variables(name: &str) -> Option<String> {
    (name == "OPENAI_API_KEY").then(|| "sk-from-the-environment".to_owned())
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("must have a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("must write");
    }
    folder
}

fn contents(files: &[(&str, &str)]) -> Contents {
    read(folder(files).path(), settings(), variables).expect("must read")
}

/// What is complained of, one line each.
fn complaints(files: &[(&str, &str)]) -> Vec<String> {
    let contents = contents(files);
    let (_, verdicts) = compile(&contents.world);
    contents.complaints(&verdicts).iter().map(ToString::to_string).collect()
}

fn key(kind: Kind, name: &str) -> Key {
    Key::new(kind, ObjectRef::new("default", name))
}

#[test]
fn documents_of_all_files_are_one_world_and_good_ones_give_no_complaint() {
    let both = format!("{PROVIDER}---{SECRET}");
    let files = [("a.yaml", both.as_str()), ("b.yml", ROUTE), ("notes.txt", "not: [yaml"), (".hidden.yaml", "{")];
    assert_eq!(complaints(&files), [""; 0]);
    let contents = contents(&files);
    let (snapshot, verdicts) = compile(&contents.world);
    assert!(snapshot.get(&key(Kind::AIProvider, "openai")).is_some());
    assert!(verdicts[&key(Kind::RoutePolicy, "chat")].live);
    let place = contents.place(&key(Kind::RoutePolicy, "chat"));
    assert_eq!(place.file, "b.yml");
}

#[test]
fn a_variable_in_string_data_is_replaced_and_an_unset_one_is_an_empty_key() {
    let value = |template: &str| expand_in_secret(template);
    assert_eq!(value("${OPENAI_API_KEY}"), Some("sk-from-the-environment".to_owned()));
    assert_eq!(value("a-${OPENAI_API_KEY}-${NOT_SET}z"), Some("a-sk-from-the-environment-z".to_owned()));
    assert_eq!(value("${NOT_SET}"), Some(String::new()));
    assert_eq!(value("pa$$word}"), Some("pa$$word}".to_owned()));
}

fn expand_in_secret(template: &str) -> Option<String> {
    let secret = SECRET.replace("${OPENAI_API_KEY}", template);
    let contents = contents(&[("a.yaml", &secret)]);
    match contents.world.secrets.get(&ObjectRef::new("default", "openai")) {
        Some(penstock_config::SecretState::Found { data, .. }) => Some(data["api-key"].expose().to_owned()),
        _ => None,
    }
}

#[test]
fn each_kind_of_bad_document_is_named_with_file_object_field_and_fix_and_the_rest_is_live() {
    let misspelt = ROUTE.replace("targets:", "tragets:");
    let template = ROUTE.replace("model: gpt-4o", "model: \"${MODEL}\"");
    let twice = format!("{ROUTE}---{ROUTE}");
    let other = SECRET.replace("name: openai", "name: other");
    let unclosed = other.replace("${OPENAI_API_KEY}", "${OPENAI");
    let spaced = other.replace("${OPENAI_API_KEY}", "${MY KEY}");
    let kind = ROUTE.replace("RoutePolicy", "RoutPolicy");
    let bad: [(&str, &str, &[&str]); 8] = [
        ("not YAML", "a: [", &["z.yaml:1", "not YAML"]),
        ("an unknown field", &misspelt, &["z.yaml", "RoutePolicy default/chat", "spec.tragets", "targets"]),
        (
            "${} in a resource",
            &template,
            &["z.yaml", "RoutePolicy default/chat", "spec.targets[0].model", "stringData"],
        ),
        ("the same object twice", &twice, &["z.yaml", "RoutePolicy default/chat", "defined already in z.yaml:2"]),
        ("an unclosed variable", &unclosed, &["z.yaml", "Secret default/other", "stringData.api-key", "write ${NAME}"]),
        ("no name of a variable", &spaced, &["z.yaml", "Secret default/other", "stringData.api-key", "write ${NAME}"]),
        ("an unknown kind", &kind, &["z.yaml", "kind", "RoutePolicy"]),
        (
            "a reference to nothing",
            &ROUTE.replace("provider: openai", "provider: nobody"),
            &["z.yaml", "ProviderNotFound"],
        ),
    ];
    for (name, text, parts) in bad {
        let files = [("a.yaml", PROVIDER), ("b.yaml", SECRET), ("z.yaml", text)];
        let complaints = complaints(&files);
        let named = |complaint: &String| parts.iter().all(|part| complaint.contains(part));
        assert!(complaints.iter().any(named), "{name}: {complaints:?} must have {parts:?}");
        let (snapshot, _) = compile(&contents(&files).world);
        assert!(snapshot.get(&key(Kind::AIProvider, "openai")).is_some(), "{name}: the provider must serve on");
    }
}

#[test]
fn a_route_that_cannot_be_read_keeps_its_names() {
    let misspelt = ROUTE.replace("targets:", "tragets:");
    let contents = contents(&[("a.yaml", PROVIDER), ("b.yaml", SECRET), ("c.yaml", &misspelt)]);
    let (snapshot, verdicts) = compile(&contents.world);
    let chat = key(Kind::RoutePolicy, "chat");
    let accepted = verdicts[&chat].finding(ConditionType::Accepted).expect("must be judged");
    assert!(!accepted.status);
    assert!(snapshot.get(&chat).is_some(), "it must answer 503 under its names, not be unknown");
}

#[test]
fn a_file_that_is_not_text_is_a_problem_of_its_own() {
    let folder = folder(&[("a.yaml", PROVIDER)]);
    fs::write(folder.path().join("b.yaml"), [0xff, 0xfe]).expect("must write");
    symlink("nowhere", folder.path().join("c.yaml")).expect("must link");
    let contents = read(folder.path(), settings(), variables).expect("must read");
    let problems: Vec<String> = contents.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("b.yaml: the file: can't be read"), "{problems:?}");
    assert!(contents.world.providers.len() == 1);
}

/// With a key that needs no environment.
fn secret() -> String {
    SECRET.replace("${OPENAI_API_KEY}", "sk-in-the-file")
}

/// A folder that is served.
struct Served {
    live: Live,
    status: watch::Receiver<Status>,
}

impl Served {
    async fn start(folder: &Path) -> Self {
        let live = Live::new(Metrics::new());
        let (sink, status) = Sink::new(live.clone());
        tokio::spawn(run(folder.to_owned(), settings(), sink));
        let mut served = Self { live, status };
        let ready = served.status.wait_for(|status| status.ready);
        time::timeout(Duration::from_secs(20), ready).await.expect("must be ready").expect("must run");
        served
    }

    fn has(&self, kind: Kind, name: &str) -> bool {
        let key = key(kind, name);
        self.live.state().objects.iter().any(|object| object.key == key)
    }

    /// Waits until the live objects are as `wanted`.
    async fn until(&self, what: &str, wanted: impl Fn(&Self) -> bool) {
        let poll = async {
            while !wanted(self) {
                time::sleep(Duration::from_millis(5)).await;
            }
        };
        time::timeout(Duration::from_secs(20), poll).await.expect(what);
    }
}

#[tokio::test]
async fn a_change_of_a_file_is_served_without_a_restart() {
    let folder = folder(&[("a.yaml", PROVIDER), ("secret.yaml", &secret())]);
    let served = Served::start(folder.path()).await;
    assert!(served.has(Kind::AIProvider, "openai") && !served.has(Kind::RoutePolicy, "chat"));
    fs::write(folder.path().join("b.yaml"), ROUTE).expect("must write");
    served.until("a new file must be read", |served| served.has(Kind::RoutePolicy, "chat")).await;
    let renamed = PROVIDER.replace("name: openai}", "name: other}");
    fs::write(folder.path().join("a.yaml.tmp"), renamed).expect("must write");
    fs::rename(folder.path().join("a.yaml.tmp"), folder.path().join("a.yaml")).expect("must rename");
    served.until("a file renamed over must be read", |served| served.has(Kind::AIProvider, "other")).await;
    assert!(!served.has(Kind::AIProvider, "openai"));
    fs::remove_file(folder.path().join("b.yaml")).expect("must remove");
    served.until("a removed file must be noticed", |served| !served.has(Kind::RoutePolicy, "chat")).await;
}

#[tokio::test]
async fn a_volume_whose_link_is_swapped_is_read_again() {
    let folder = folder(&[("secret.yaml", &secret())]);
    for (version, text) in [("..1", PROVIDER), ("..2", &PROVIDER.replace("name: openai}", "name: other}"))] {
        fs::create_dir(folder.path().join(version)).expect("must create");
        fs::write(folder.path().join(version).join("a.yaml"), text).expect("must write");
    }
    symlink("..1", folder.path().join("..data")).expect("must link");
    symlink("..data/a.yaml", folder.path().join("a.yaml")).expect("must link");
    let served = Served::start(folder.path()).await;
    assert!(served.has(Kind::AIProvider, "openai"));
    symlink("..2", folder.path().join("..data_tmp")).expect("must link");
    fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).expect("must rename");
    served.until("the new volume must be read", |served| served.has(Kind::AIProvider, "other")).await;
}

#[tokio::test]
async fn while_the_folder_is_gone_what_runs_goes_on_and_a_new_one_is_taken() {
    let parent = folder(&[]);
    let path = parent.path().join("resources");
    fs::create_dir(&path).expect("must create");
    fs::write(path.join("a.yaml"), format!("{PROVIDER}---{}", secret())).expect("must write");
    let served = Served::start(&path).await;
    assert!(served.has(Kind::AIProvider, "openai"));
    fs::rename(&path, parent.path().join("old")).expect("must rename");
    fs::remove_dir_all(parent.path().join("old")).expect("must remove");
    fs::create_dir(&path).expect("must create");
    fs::write(path.join("b.yaml"), ROUTE).expect("must write");
    served.until("the new folder must be read", |served| served.has(Kind::RoutePolicy, "chat")).await;
    assert!(!served.has(Kind::AIProvider, "openai"));
}

#[tokio::test]
async fn a_bad_document_leaves_the_rest_live_and_is_complained_of_until_it_is_mended() {
    let folder = folder(&[("a.yaml", PROVIDER), ("b.yaml", &secret()), ("c.yaml", "a: [")]);
    let mut served = Served::start(folder.path()).await;
    assert!(served.has(Kind::AIProvider, "openai"));
    assert!(served.status.borrow().complaints.iter().any(|complaint| complaint.starts_with("c.yaml:1")));
    fs::write(folder.path().join("c.yaml"), ROUTE).expect("must write");
    let of_c = |status: &Status| status.complaints.iter().any(|complaint| complaint.starts_with("c.yaml"));
    let mended = served.status.wait_for(|status| !of_c(status));
    time::timeout(Duration::from_secs(20), mended).await.expect("must be mended").expect("must run");
}
