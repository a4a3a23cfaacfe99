use std::sync::Arc;

use tokio::sync::watch::Sender;

use super::*;
use crate::{
    pods::Pod,
    publish::{Publisher, tests::snapshot},
    sessions::{Process, Sessions},
};

/// A leader with one proxy pod, `x`.
struct Leader {
    publisher: Publisher,
    sessions: Sessions,
    sources: Sources,
    replicas: Sender<u32>,
    role: Sender<Role>,
    pods: Sender<Arc<Pods>>,
}

impl Leader {
    fn new() -> Self {
        let (mut publisher, published) = Publisher::new();
        publisher.lead(Some(1));
        publisher.offer(snapshot(&["a"]));
        let (replicas, counts) = watch::channel(1);
        let until = Instant::now() + Duration::from_secs(3600);
        let (role, roles) = watch::channel(Role::Leader { epoch: 1, until });
        let pod = Pod { name: "proxy-x".to_owned(), ready: true, leaving: false };
        let (pods, known) = watch::channel(Arc::new(Pods::from([("x".to_owned(), pod)])));
        let sources = Sources { published, replicas: counts, role: roles, pods: known };
        Self { publisher, sessions: Sessions::default(), sources, replicas, role, pods }
    }

    fn reader(&self, have: Option<Hash>) -> Reader {
        let process = Process { pod: "x".to_owned(), boot: "1".to_owned() };
        let session = self.sessions.open(process);
        Reader::begin(session, self.sources.clone(), have, 1, "ca".to_owned()).expect("must begin")
    }
}

async fn next(reader: &mut Reader) -> Option<Document> {
    let line = reader.next().await?;
    Some(serde_json::from_slice(&line).expect("must be a document"))
}

async fn hash(reader: &mut Reader) -> Hash {
    match next(reader).await {
        Some(Document::Hello(hello)) => hello.hash,
        Some(Document::Full(full)) => full.hash,
        Some(Document::Delta(document)) => document.delta.hash,
        _ => panic!("must name a hash"),
    }
}

#[tokio::test]
async fn a_reader_that_is_current_hears_hello_and_then_heartbeats() {
    let leader = Leader::new();
    let mut reader = leader.reader(Some(snapshot(&["a"]).hash()));
    assert_eq!(hash(&mut reader).await, snapshot(&["a"]).hash());
    tokio::time::pause();
    let silent = Instant::now();
    assert!(matches!(next(&mut reader).await, Some(Document::Heartbeat(_))));
    assert_eq!(silent.elapsed().as_secs(), HEARTBEAT_SECONDS);
}

#[tokio::test]
async fn a_slow_reader_skips_to_the_latest() {
    let mut leader = Leader::new();
    let mut reader = leader.reader(None);
    hash(&mut reader).await;
    assert!(matches!(next(&mut reader).await, Some(Document::Full(_))));
    for models in [&["b"][..], &["c"], &["d"]] {
        leader.publisher.offer(snapshot(models));
    }
    let Some(Document::Full(full)) = next(&mut reader).await else { panic!("must be the whole: no delta fits") };
    assert_eq!((full.hash, full.position.sequence), (snapshot(&["d"]).hash(), 4));
}

#[tokio::test]
async fn what_a_process_could_not_decode_is_not_sent_to_it_again_and_the_next_is_sent_whole() {
    let mut leader = Leader::new();
    let mut reader = leader.reader(None);
    hash(&mut reader).await;
    let bad = hash(&mut reader).await;
    leader.sessions.mark_undecodable(&Process { pod: "x".to_owned(), boot: "1".to_owned() }, bad);
    let mut again = leader.reader(None);
    hash(&mut again).await;
    leader.replicas.send_replace(2);
    assert!(matches!(next(&mut again).await, Some(Document::Replicas(Replicas { n: 2 }))));
    leader.publisher.offer(snapshot(&["b"]));
    for reader in [&mut reader, &mut again] {
        let whole = loop {
            match next(reader).await {
                Some(Document::Full(full)) => break full,
                Some(Document::Replicas(_)) => {}
                _ => panic!("must be the whole"),
            }
        };
        assert_eq!(whole.hash, snapshot(&["b"]).hash());
    }
}

#[tokio::test]
async fn a_number_of_proxies_that_changes_while_nothing_else_does_is_told_at_once() {
    let leader = Leader::new();
    let mut reader = leader.reader(None);
    hash(&mut reader).await;
    hash(&mut reader).await;
    for proxies in [2, 1] {
        let told = async {
            // The reader waits by now.
            tokio::task::yield_now().await;
            leader.replicas.send_replace(proxies);
        };
        let (line, ()) = tokio::join!(next(&mut reader), told);
        assert!(matches!(line, Some(Document::Replicas(Replicas { n })) if n == proxies), "{proxies}");
    }
}

#[tokio::test]
async fn a_stream_ends_with_leadership_and_with_its_pod() {
    let leader = Leader::new();
    let mut reader = leader.reader(None);
    leader.role.send_replace(Role::Leader { epoch: 1, until: Instant::now() });
    assert!(reader.next().await.is_none(), "past the deadline nothing is sent, not even the hello");

    let leader = Leader::new();
    let mut reader = leader.reader(Some(snapshot(&["a"]).hash()));
    hash(&mut reader).await;
    leader.role.send_replace(Role::Leader { epoch: 1, until: Instant::now() + Duration::from_secs(1) });
    tokio::time::pause();
    assert!(reader.next().await.is_none(), "nor a heartbeat, though nobody has said yet that it passed");
    tokio::time::resume();

    let leader = Leader::new();
    let mut reader = leader.reader(None);
    hash(&mut reader).await;
    leader.pods.send_replace(Arc::default());
    assert!(reader.next().await.is_none());
    drop(reader);
    assert!(leader.sessions.processes().is_empty());
}
