use std::{fs, io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};
use hyper::StatusCode;
use penstock_config::{
    Snapshot, SnapshotError,
    protocol::{Document, Full, Heartbeat, Hello, NotLeader, Position, Replicas},
};
use penstock_proxy::{Live, Metrics};
use tempfile::TempDir;
use tokio::sync::watch;

use super::{
    fake::{Authority, Fake, Stream, within},
    session::tests::{delta, full, hello, position, snapshot},
    *,
};
use crate::source::{Sink, Status};

/// A proxy's control side, without a data plane.
struct Proxy {
    live: Live,
    status: watch::Receiver<Status>,
    mounted: TempDir,
}

impl Proxy {
    fn start(authority: &Authority, urls: &[String]) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let mounted = tempfile::tempdir().expect("must have a folder");
        let (ca, token) = (mounted.path().join("ca.crt"), mounted.path().join("token"));
        fs::write(&ca, &authority.pem).expect("must write");
        fs::write(&token, "first\n").expect("must write");
        let live = Live::new(Metrics::new());
        let (sink, status) = Sink::new(live.clone());
        let urls = urls.iter().map(|url| url.parse().expect("must be a URL")).collect();
        let operators = Operators { urls, ca: Some(ca), token_file: Some(token) };
        tokio::spawn(run(operators, Some(mounted.path().to_owned()), sink));
        Self { live, status, mounted }
    }

    /// Beside one operator.
    async fn with_operator() -> (Self, Fake) {
        let authority = Authority::new();
        let fake = Fake::start(&authority).await;
        (Self::start(&authority, &[url(&fake)]), fake)
    }

    /// One that runs `snapshot`, at (1, 1).
    async fn running(snapshot: &Snapshot) -> (Self, Fake, Stream) {
        let (mut proxy, mut fake) = Self::with_operator().await;
        let stream = fake.asked().await.stream();
        stream.send(&hello(position(1, 1), snapshot));
        fake.ack().await;
        stream.send(&full(position(1, 1), snapshot));
        fake.ack().await;
        proxy.ready().await;
        (proxy, fake, stream)
    }

    fn runs(&self, snapshot: &Snapshot) -> bool {
        self.live.state().hash == Some(snapshot.hash())
    }

    fn ready_now(&self) -> bool {
        self.status.borrow().ready
    }

    async fn ready(&mut self) {
        let ready = self.status.wait_for(|status| status.ready);
        within(ready).await.expect("the source must run");
    }
}

fn url(fake: &Fake) -> String {
    format!("https://{}", fake.address)
}

fn store(folder: &Path, position: Position, snapshot: &Snapshot) {
    let file = fs::File::create(folder.join("snapshot.json.gz")).expect("must create");
    let mut archive = GzEncoder::new(file, Compression::default());
    let json = serde_json::to_vec(&Full::new(position, snapshot)).expect("must serialise");
    archive.write_all(&json).and_then(|()| archive.finish().map(drop)).expect("must write");
}

#[tokio::test]
async fn a_new_proxy_asks_for_everything_applies_it_answers_and_is_ready() {
    let one = snapshot("gpt-4o", "sk-one");
    let (mut proxy, mut fake) = Proxy::with_operator().await;
    let asked = fake.asked().await;
    assert!(asked.query.contains("version=1") && asked.query.contains("boot="), "{}", asked.query);
    assert!(!asked.query.contains("have="), "{}", asked.query);
    assert_eq!(asked.authorization.as_deref(), Some("Bearer first"));
    let stream = asked.stream();
    stream.send(&hello(position(1, 1), &one));
    assert_ne!(fake.ack().await.hash, one.hash(), "it does not run that yet");
    assert!(!proxy.ready_now());
    stream.send(&full(position(1, 1), &one));
    let ack = fake.ack().await;
    assert_eq!((ack.session.as_str(), ack.position, ack.hash), ("s", position(1, 1), one.hash()));
    assert_eq!(ack.refused, []);
    proxy.ready().await;
    assert!(proxy.runs(&one));
    assert_eq!(proxy.status.borrow().source, Some(Origin::Operator));
}

#[tokio::test]
async fn deltas_and_replicas_follow() {
    let (one, two) = (snapshot("gpt-4o", "sk-one"), snapshot("gpt-4o", "sk-two"));
    let (mut proxy, mut fake, stream) = Proxy::running(&one).await;
    stream.send(&delta(position(1, 2), two.since(&one)));
    let ack = fake.ack().await;
    assert_eq!((ack.position, ack.hash), (position(1, 2), two.hash()));
    assert!(proxy.runs(&two));
    stream.send(&Document::Replicas(Replicas { n: 7 }));
    let seven = proxy.status.wait_for(|status| status.replicas == Some(7));
    within(seven).await.expect("the source must run");
}

#[tokio::test]
async fn a_snapshot_that_arrives_in_pieces_is_applied_once_it_is_whole() {
    let one = snapshot("gpt-4o", "sk-one");
    let (mut proxy, mut fake) = Proxy::with_operator().await;
    let stream = fake.asked().await.stream();
    stream.send(&hello(position(1, 1), &one));
    fake.ack().await;
    let line = serde_json::to_string(&full(position(1, 1), &one)).expect("must serialise");
    let (first, rest) = line.split_at(line.len() / 2);
    stream.send_part(first);
    // The line after it proves that the first half was read and not acted on.
    assert!(!proxy.ready_now());
    stream.send_part(&format!("{rest}\n{}\n", r#"{"heartbeat":{}}"#));
    assert_eq!(fake.ack().await.hash, one.hash());
    proxy.ready().await;
}

#[tokio::test]
async fn a_delta_that_does_not_fit_is_answered_by_asking_for_everything() {
    let [one, two, three] = ["sk-one", "sk-two", "sk-three"].map(|key| snapshot("gpt-4o", key));
    let (proxy, mut fake, stream) = Proxy::running(&one).await;
    stream.send(&delta(position(1, 3), three.since(&two)));
    let asked = fake.asked().await;
    assert!(!asked.query.contains("have="), "{}", asked.query);
    assert!(proxy.runs(&one), "what runs goes on");
    let stream = asked.stream();
    stream.send(&hello(position(1, 3), &three));
    fake.ack().await;
    stream.send(&full(position(1, 3), &three));
    assert_eq!(fake.ack().await.hash, three.hash());
    assert!(proxy.runs(&three));
}

#[tokio::test]
async fn a_document_that_does_not_decode_is_refused_in_an_ack_and_the_stream_goes_on() {
    let (one, two) = (snapshot("gpt-4o", "sk-one"), snapshot("gpt-4o", "sk-two"));
    let (proxy, mut fake, stream) = Proxy::running(&one).await;
    stream.send_line(&format!(r#"{{"full":{{"position":{{"epoch":1,"sequence":2}},"hash":"{}"}}}}"#, two.hash()));
    let ack = fake.ack().await;
    assert!(ack.undecodable.is_some());
    assert_eq!(ack.hash, two.hash());
    assert!(proxy.runs(&one) && proxy.ready_now());
    stream.send(&full(position(1, 3), &two));
    let ack = fake.ack().await;
    assert_eq!((ack.undecodable, ack.hash), (None, two.hash()));
}

#[tokio::test]
async fn an_object_of_a_newer_version_is_refused_alone() {
    let one = snapshot("gpt-4o", "sk-one");
    let newer = serde_json::to_string(&full(position(1, 2), &one)).expect("must serialise");
    let newer = newer.replace("\"type\":\"OpenAI\"", "\"type\":\"Quantum\"");
    let document = serde_json::from_str::<Document>(&newer).expect("must decode");
    let Document::Full(mut full) = document else { panic!("must be a full snapshot") };
    let Err(SnapshotError::HashMismatch { computed, .. }) = full.clone().into_snapshot() else {
        panic!("must have another hash")
    };
    full.hash = computed;
    let (_proxy, mut fake, stream) = Proxy::running(&one).await;
    stream.send(&Document::Full(full));
    let ack = fake.ack().await;
    assert_eq!((ack.undecodable, ack.hash), (None, computed));
    let refused: Vec<String> = ack.refused.iter().map(|refused| refused.key.to_string()).collect();
    assert!(refused.contains(&"AIProvider/default/openai".to_owned()), "{refused:?}");
}

#[tokio::test]
async fn after_a_restart_with_nothing_changed_the_hello_is_all_that_is_needed() {
    let one = snapshot("gpt-4o", "sk-one");
    let (proxy, mut fake, stream) = Proxy::running(&one).await;
    let applied = proxy.live.state().applied;
    fs::write(proxy.mounted.path().join("token"), "second").expect("must write");
    drop(stream);
    let asked = fake.asked().await;
    assert!(asked.query.contains(&format!("have={}", one.hash())), "{}", asked.query);
    assert_eq!(asked.authorization.as_deref(), Some("Bearer second"), "the token is read again");
    let stream = asked.stream();
    stream.send(&hello(position(2, 1), &one));
    let ack = fake.ack().await;
    assert_eq!((ack.position, ack.hash), (position(2, 1), one.hash()));
    assert_eq!(proxy.live.state().applied, applied, "nothing was applied again");
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_given_again_on_another_stream() {
    let (one, two) = (snapshot("gpt-4o", "sk-one"), snapshot("gpt-4o", "sk-two"));
    let (_proxy, mut fake, stream) = Proxy::running(&one).await;
    fake.forget_sessions(true);
    stream.send(&delta(position(1, 2), two.since(&one)));
    stream.left().await;
    let asked = fake.asked().await;
    assert!(asked.query.contains(&format!("have={}", two.hash())), "{}", asked.query);
    fake.forget_sessions(false);
    let stream = asked.stream();
    stream.send(&hello(position(1, 2), &two));
    let ack = fake.ack().await;
    assert_eq!((ack.position, ack.hash), (position(1, 2), two.hash()));
}

#[tokio::test]
async fn an_old_leader_is_left_at_once() {
    let (one, two) = (snapshot("gpt-4o", "sk-one"), snapshot("gpt-4o", "sk-two"));
    let (proxy, mut fake, stream) = Proxy::running(&one).await;
    stream.send(&delta(position(5, 1), two.since(&one)));
    fake.ack().await;
    drop(stream);
    let stream = fake.asked().await.stream();
    stream.send(&hello(position(4, 99), &one));
    stream.left().await;
    assert!(proxy.runs(&two));
}

#[tokio::test]
async fn a_follower_sends_the_proxy_to_the_leader() {
    let authority = Authority::new();
    let (mut follower, mut leader) = (Fake::start(&authority).await, Fake::start(&authority).await);
    let one = snapshot("gpt-4o", "sk-one");
    let mut proxy = Proxy::start(&authority, &[url(&follower)]);
    let elsewhere = NotLeader { leader: Some(leader.address) };
    let body = serde_json::to_string(&elsewhere).expect("must serialise");
    follower.asked().await.refuse(StatusCode::MISDIRECTED_REQUEST, body);
    let stream = leader.asked().await.stream();
    stream.send(&hello(position(1, 1), &one));
    stream.send(&full(position(1, 1), &one));
    proxy.ready().await;
    leader.ack().await;
}

#[tokio::test]
async fn operators_and_their_addresses_are_tried_in_turn() {
    let authority = Authority::new();
    let mut fake = Fake::start(&authority).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let closed = format!("https://{}", closed.expect("must have an address"));
    // `localhost` may be ::1 as well, where nobody listens.
    let named = format!("https://localhost:{}", fake.address.port());
    let _proxy = Proxy::start(&authority, &[closed, named]);
    fake.asked().await.refuse(StatusCode::FORBIDDEN, "not a proxy pod".to_owned());
    fake.asked().await.stream();
}

#[tokio::test]
async fn an_operator_with_another_ca_is_never_asked() {
    let (authority, other) = (Authority::new(), Authority::new());
    let mut impostor = Fake::start(&other).await;
    let mut fake = Fake::start(&authority).await;
    let _proxy = Proxy::start(&authority, &[url(&impostor), url(&fake)]);
    for _ in 0..3 {
        fake.asked().await.refuse(StatusCode::FORBIDDEN, String::new());
    }
    assert!(impostor.not_asked(), "the token must not have been sent to it");
}

#[tokio::test]
async fn the_ca_of_the_last_hello_is_trusted_beside_the_mounted_one() {
    let (old, new) = (Authority::new(), Authority::new());
    let (mut before, mut after) = (Fake::start(&old).await, Fake::start(&new).await);
    let one = snapshot("gpt-4o", "sk-one");
    let _proxy = Proxy::start(&old, &[url(&before), url(&after)]);
    let stream = before.asked().await.stream();
    let Document::Hello(greeting) = hello(position(1, 1), &one) else { panic!("must be a hello") };
    stream.send(&Document::Hello(Hello { ca_bundle: new.pem.clone(), ..greeting }));
    before.ack().await;
    drop(stream);
    // From here on it refuses.
    drop(before);
    after.asked().await.stream();
}

/// A proxy whose operator is nobody, with this folder for the stored snapshot.
fn alone(folder: &Path) -> (Live, watch::Receiver<Status>) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let url = format!("https://{}", closed.expect("must have an address")).parse().expect("must be a URL");
    let live = Live::new(Metrics::new());
    let (sink, status) = Sink::new(live.clone());
    let operators = Operators { urls: vec![url], ca: None, token_file: None };
    tokio::spawn(run(operators, Some(folder.to_owned()), sink));
    (live, status)
}

#[tokio::test(start_paused = true)]
async fn without_an_operator_the_stored_snapshot_serves_after_three_seconds() {
    let one = snapshot("gpt-4o", "sk-one");
    let folder = tempfile::tempdir().expect("must have a folder");
    store(folder.path(), position(3, 9), &one);
    let began = Instant::now();
    let (live, mut status) = alone(folder.path());
    status.wait_for(|status| status.ready).await.expect("the source must run");
    assert_eq!(began.elapsed().as_secs(), 3);
    assert_eq!(live.state().hash, Some(one.hash()));
    let status = status.borrow();
    assert_eq!((status.source, status.position), (Some(Origin::Stored), Some(position(3, 9))));
}

#[tokio::test(start_paused = true)]
async fn a_stored_snapshot_that_is_mounted_late_serves_as_soon_as_it_is_seen() {
    let one = snapshot("gpt-4o", "sk-one");
    let folder = tempfile::tempdir().expect("must have a folder");
    let (live, mut status) = alone(folder.path());
    time::sleep(Duration::from_secs(20)).await;
    assert!(!status.borrow().ready);
    store(folder.path(), position(3, 9), &one);
    status.wait_for(|status| status.ready).await.expect("the source must run");
    assert_eq!(live.state().hash, Some(one.hash()));
}

#[tokio::test]
async fn an_operator_that_comes_back_takes_over_from_the_stored_snapshot() {
    let (one, two) = (snapshot("gpt-4o", "sk-one"), snapshot("gpt-4o", "sk-two"));
    let (mut proxy, mut fake) = Proxy::with_operator().await;
    store(proxy.mounted.path(), position(3, 9), &one);
    // It is there, but says nothing: no leader has answered.
    let silent = fake.asked().await;
    proxy.ready().await;
    assert!(proxy.runs(&one));
    assert_eq!(proxy.status.borrow().source, Some(Origin::Stored));
    let stream = silent.stream();
    stream.send(&hello(position(4, 1), &two));
    assert_eq!(fake.ack().await.hash, one.hash());
    stream.send(&delta(position(4, 1), two.since(&one)));
    assert_eq!(fake.ack().await.hash, two.hash());
    assert!(proxy.runs(&two));
    stream.send(&Document::Heartbeat(Heartbeat {}));
    let back = proxy.status.wait_for(|status| status.source == Some(Origin::Operator));
    within(back).await.expect("the source must run");
}
