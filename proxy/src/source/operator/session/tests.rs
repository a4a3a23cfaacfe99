use std::{collections::BTreeMap, sync::LazyLock};

use penstock_config::{
    Delta, Meta, ObjectRef, Resource, Secret, SecretState, Settings, World, compile, outbound::Outbound,
    protocol::Heartbeat,
};
use proptest::prelude::*;

use super::*;

/// A snapshot with one provider that lists `model`, and its key.
pub(crate) fn snapshot(model: &str, key: &str) -> Snapshot {
    let mut world = World::new(Settings {
        gateway: "default".to_owned(),
        platform_namespaces: ["default".to_owned()].into(),
        outbound: Outbound::default(),
    });
    let spec = serde_json::json!({
        "gateway": "default",
        "type": "OpenAI",
        "credentials": [{"secretRef": {"name": "openai", "key": "api-key"}}],
        "models": [{"name": model}],
    });
    let meta = Meta { namespace: "default".to_owned(), name: "openai".to_owned(), ..Meta::default() };
    let object = ObjectRef::new("default", "openai");
    let spec = serde_json::from_value(spec).expect("must be a spec");
    world.providers.insert(object.clone(), Resource::<penstock_crds::AIProviderSpec>::new(meta, spec).into());
    let data = BTreeMap::from([("api-key".to_owned(), Secret::new(key))]);
    world.secrets.insert(object, SecretState::Found { resource_version: "1".to_owned(), data });
    let (snapshot, _) = compile(&world);
    assert_eq!(snapshot.secrets().len(), 1, "the provider must be accepted");
    snapshot
}

pub(crate) fn position(epoch: u64, sequence: u64) -> Position {
    Position { epoch, sequence }
}

pub(crate) fn hello(position: Position, snapshot: &Snapshot) -> Document {
    Document::Hello(Hello {
        session: "s".to_owned(),
        position,
        hash: snapshot.hash(),
        replicas: 2,
        ca_bundle: String::new(),
    })
}

pub(crate) fn full(position: Position, snapshot: &Snapshot) -> Document {
    Document::Full(Full::new(position, snapshot))
}

pub(crate) fn delta(position: Position, delta: Delta) -> Document {
    Document::Delta(DeltaDocument { position, delta })
}

pub(crate) fn line(document: &Document) -> Vec<u8> {
    serde_json::to_vec(document).expect("must serialise")
}

/// A session with a clock that only the test moves.
struct Proxy {
    session: Session,
    now: Instant,
}

impl Proxy {
    fn new() -> Self {
        Self { session: Session::new(), now: Instant::now() }
    }

    /// One that follows a leader at (1, 1) and runs what it said.
    fn running(snapshot: &Snapshot) -> Self {
        let mut proxy = Self::new();
        proxy.open();
        assert_eq!(proxy.hear(&hello(position(1, 1), snapshot)), "answer");
        assert_eq!(proxy.hear(&full(position(1, 1), snapshot)), "apply");
        proxy
    }

    fn open(&mut self) {
        self.session.closed();
        self.session.opened();
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn hear(&mut self, document: &Document) -> String {
        self.hear_line(&line(document))
    }

    /// What the session does, in a word; snapshots are applied.
    fn hear_line(&mut self, line: &[u8]) -> String {
        match self.session.receive(line, self.now) {
            Action::Nothing => "nothing".to_owned(),
            Action::Answer => "answer".to_owned(),
            Action::Leave(leave) => format!("leave {leave:?}"),
            Action::Apply(snapshot) => {
                self.session.applied(snapshot, vec![]);
                "apply".to_owned()
            }
        }
    }

    fn ack(&mut self) -> Ack {
        self.session.ack(vec![], self.now).expect("must follow a leader")
    }
}

#[test]
fn a_full_snapshot_is_applied_and_answered_with_its_own_name() {
    let one = snapshot("gpt-4o", "sk-one");
    let mut proxy = Proxy::running(&one);
    let ack = proxy.ack();
    assert_eq!((ack.session.as_str(), ack.position, ack.hash), ("s", position(1, 1), one.hash()));
    assert_eq!(ack.undecodable, None);
    assert!(proxy.session.current());
    assert_eq!(proxy.session.have(), Some(one.hash()));
    assert_eq!(proxy.session.replicas(), Some(2));
}

#[test]
fn a_hello_of_something_newer_is_answered_with_what_still_runs() {
    let (one, two) = (snapshot("gpt-4o", "sk-one"), snapshot("gpt-4o", "sk-two"));
    let mut proxy = Proxy::running(&one);
    proxy.open();
    assert_eq!(proxy.hear(&hello(position(2, 5), &two)), "answer");
    let ack = proxy.ack();
    assert_eq!((ack.position, ack.hash), (position(1, 1), one.hash()));
    assert!(!proxy.session.current());
}

#[test]
fn after_a_restart_with_the_same_hash_nothing_is_applied_and_the_ack_has_the_new_position() {
    let one = snapshot("gpt-4o", "sk-one");
    let mut proxy = Proxy::running(&one);
    proxy.open();
    assert_eq!(proxy.hear(&hello(position(2, 1), &one)), "answer");
    let ack = proxy.ack();
    assert_eq!((ack.position, ack.hash), (position(2, 1), one.hash()));
    assert!(proxy.session.current());
}

#[test]
fn a_delta_leads_on_from_what_runs() {
    let (one, two) = (snapshot("gpt-4o", "sk-one"), snapshot("gpt-4o", "sk-two"));
    let mut proxy = Proxy::running(&one);
    assert_eq!(proxy.hear(&delta(position(1, 2), two.since(&one))), "apply");
    assert_eq!(proxy.ack().hash, two.hash());
    assert_eq!(proxy.session.position(), Some(position(1, 2)));
}

#[test]
fn a_delta_with_another_base_means_everything_again() {
    let [one, two, three] = ["sk-one", "sk-two", "sk-three"].map(|key| snapshot("gpt-4o", key));
    let mut proxy = Proxy::running(&one);
    assert_eq!(proxy.hear(&delta(position(1, 3), three.since(&two))), "leave OtherBase");
    assert_eq!(proxy.session.have(), None, "the next stream must begin with a full snapshot");
    proxy.open();
    assert_eq!(proxy.hear(&hello(position(1, 3), &three)), "answer");
    assert_eq!(proxy.hear(&full(position(1, 3), &three)), "apply");
    assert_eq!(proxy.session.have(), Some(three.hash()));
}

#[test]
fn a_document_that_does_not_decode_is_refused_whole_and_the_old_snapshot_stays() {
    let (one, two) = (snapshot("gpt-4o", "sk-one"), snapshot("gpt-4o", "sk-two"));
    let mut tampered = Full::new(position(1, 2), &one);
    tampered.hash = two.hash();
    let named = format!(r#"{{"full":{{"position":{{"epoch":1,"sequence":2}},"hash":"{}","objects":7}}}}"#, two.hash());
    for (name, bytes) in [("wrong hash", line(&Document::Full(tampered))), ("wrong shape", named.into_bytes())] {
        let mut proxy = Proxy::running(&one);
        assert_eq!(proxy.hear_line(&bytes), "answer", "{name}");
        let ack = proxy.ack();
        assert!(ack.undecodable.is_some(), "{name}");
        assert_eq!((ack.position, ack.hash), (position(1, 2), two.hash()), "{name}");
        assert_eq!(proxy.session.have(), Some(one.hash()), "{name}");
        assert!(!proxy.session.current(), "{name}");
    }
}

#[test]
fn a_line_that_is_not_json_is_answered_without_quoting_it() {
    let one = snapshot("gpt-4o", "sk-one");
    let mut proxy = Proxy::running(&one);
    assert_eq!(proxy.hear_line(br#"{"full":{"secrets":{"a":"sk-secret"#), "answer");
    let why = proxy.ack().undecodable.expect("must be refused");
    assert!(why.contains("not JSON") && !why.contains("sk-secret"), "{why}");
    let unknown = br#"{"full":{"position":{"epoch":1,"sequence":2},"secrets":"sk-secret"}}"#;
    assert_eq!(proxy.hear_line(unknown), "answer");
    let why = proxy.ack().undecodable.expect("must be refused");
    assert!(!why.contains("sk-secret"), "{why}");
}

#[test]
fn the_next_good_document_ends_a_refusal() {
    let (one, two) = (snapshot("gpt-4o", "sk-one"), snapshot("gpt-4o", "sk-two"));
    let mut proxy = Proxy::running(&one);
    proxy.hear_line(b"{");
    assert_eq!(proxy.hear(&full(position(1, 2), &two)), "apply");
    assert_eq!(proxy.ack().undecodable, None);
}

#[test]
fn an_older_position_is_not_taken_within_a_minute_of_a_newer_one() {
    let (one, two) = (snapshot("gpt-4o", "sk-one"), snapshot("gpt-4o", "sk-two"));
    for (older, name) in [(position(1, 9), "an older epoch"), (position(2, 1), "an older sequence")] {
        let mut proxy = Proxy::running(&one);
        proxy.open();
        proxy.hear(&hello(position(2, 2), &one));
        proxy.pass(50);
        proxy.hear(&Document::Heartbeat(Heartbeat {}));
        proxy.pass(59);
        proxy.open();
        assert_eq!(proxy.hear(&hello(older, &two)), "leave Stale", "{name}");
        proxy.pass(1);
        proxy.open();
        assert_eq!(proxy.hear(&hello(older, &two)), "answer", "{name}, a minute after the newer one was last heard");
        assert_eq!(proxy.hear(&full(older, &two)), "apply", "{name}");
    }
}

#[test]
fn a_stream_must_begin_with_a_hello_and_have_only_one() {
    let one = snapshot("gpt-4o", "sk-one");
    for first in [full(position(1, 1), &one), Document::Heartbeat(Heartbeat {})] {
        let mut proxy = Proxy::new();
        proxy.open();
        assert_eq!(proxy.hear(&first), "leave NoHello");
    }
    let mut proxy = Proxy::new();
    proxy.open();
    assert_eq!(proxy.hear_line(b"nonsense"), "leave NoHello");
    let mut proxy = Proxy::running(&one);
    assert_eq!(proxy.hear(&hello(position(1, 2), &one)), "leave NoHello");
}

#[test]
fn what_could_not_be_built_is_in_every_later_ack() {
    let (one, two) = (snapshot("gpt-4o", "sk-one"), snapshot("gpt-4o", "sk-two"));
    let mut proxy = Proxy::new();
    proxy.open();
    proxy.hear(&hello(position(1, 1), &one));
    let Action::Apply(applied) = proxy.session.receive(&line(&full(position(1, 1), &one)), proxy.now) else {
        panic!("must apply")
    };
    let refused = vec![Refused {
        key: one.entries().next().expect("must have an entry").key().clone(),
        reason: "unknown variant".to_owned(),
    }];
    proxy.session.applied(applied, refused.clone());
    assert_eq!(proxy.ack().refused, refused);
    proxy.open();
    proxy.hear(&hello(position(2, 1), &one));
    assert_eq!(proxy.ack().refused, refused, "on the next stream too");
    proxy.hear(&full(position(2, 2), &two));
    assert_eq!(proxy.ack().refused, []);
}

#[test]
fn reports_that_changed_are_sent_at_most_every_five_seconds() {
    let one = snapshot("gpt-4o", "sk-one");
    let report = Report::CredentialRejected {
        provider: ObjectRef::new("default", "openai"),
        secret: "openai".to_owned(),
        key: "api-key".to_owned(),
    };
    let reports = [report];
    let mut proxy = Proxy::running(&one);
    proxy.ack();
    proxy.pass(4);
    assert!(!proxy.session.report_due(&reports, proxy.now));
    proxy.pass(1);
    assert!(proxy.session.report_due(&reports, proxy.now));
    proxy.session.ack(reports.to_vec(), proxy.now).expect("must follow a leader");
    proxy.pass(5);
    assert!(!proxy.session.report_due(&reports, proxy.now), "nothing new");
    assert!(proxy.session.report_due(&[], proxy.now), "that it is over is news");
}

#[test]
fn a_document_that_could_not_be_read_is_said_so_on_the_next_stream_too() {
    let (one, two) = (snapshot("gpt-4o", "sk-one"), snapshot("gpt-4o", "sk-two"));
    let mut proxy = Proxy::running(&one);
    let bad = format!(r#"{{"full":{{"position":{{"epoch":1,"sequence":2}},"hash":"{}"}}}}"#, two.hash());
    proxy.hear_line(bad.as_bytes());
    proxy.open();
    proxy.hear(&hello(position(2, 1), &two));
    let ack = proxy.ack();
    assert!(ack.undecodable.is_some());
    assert_eq!((ack.position, ack.hash), (position(2, 1), two.hash()));
    proxy.open();
    proxy.hear(&hello(position(2, 2), &one));
    assert_eq!(proxy.ack().undecodable, None, "another document is live");
}

#[test]
fn a_stored_snapshot_is_what_the_first_stream_is_asked_with() {
    let one = snapshot("gpt-4o", "sk-one");
    let mut proxy = Proxy::new();
    proxy.session.booted(one.clone(), position(4, 4), vec![]);
    assert_eq!(proxy.session.have(), Some(one.hash()));
    proxy.open();
    assert_eq!(proxy.hear(&hello(position(1, 1), &one)), "answer", "its position was read, not heard");
    assert!(proxy.session.current());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever two operators say in turn: what runs was sent whole or follows from it, and no older position is taken
    /// within a minute of a newer one.
    #[test]
    fn any_sequence_of_lines_leaves_a_snapshot_that_was_sent_and_never_an_older_one_too_soon(
        steps in proptest::collection::vec((0u8..7, 0u64..3, 0u64..4, 0usize..3, 0u64..40), 1..40),
    ) {
        static SNAPSHOTS: LazyLock<[Snapshot; 3]> =
            LazyLock::new(|| ["sk-one", "sk-two", "sk-three"].map(|key| snapshot("gpt-4o", key)));
        let mut proxy = Proxy::new();
        proxy.open();
        let mut taken: Vec<(Position, Instant)> = vec![];
        for (kind, epoch, sequence, which, wait) in steps {
            proxy.pass(wait);
            let (at, one) = (position(epoch, sequence), &SNAPSHOTS[which]);
            let bytes = match kind {
                0 => {
                    proxy.open();
                    line(&hello(at, one))
                }
                1 | 2 => line(&full(at, one)),
                3 | 4 => line(&delta(at, one.since(&SNAPSHOTS[(which + 1) % 3]))),
                5 => line(&Document::Heartbeat(Heartbeat {})),
                _ => br#"{"full":{"#.to_vec(),
            };
            let done = proxy.hear_line(&bytes);
            if done == "apply" {
                let newer = taken.iter().find(|(heard, when)| *heard > at && proxy.now.duration_since(*when) < MEMORY);
                prop_assert!(newer.is_none(), "{at:?} after {newer:?}");
                prop_assert_eq!(proxy.session.have(), Some(one.hash()));
                prop_assert_eq!(proxy.session.position(), Some(at));
                taken.push((at, proxy.now));
            }
            if done.starts_with("leave") {
                proxy.open();
            }
        }
    }
}
