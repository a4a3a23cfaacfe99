use penstock_config::{Meta, Resource, Settings, World, compile};
use penstock_crds::AIProviderSpec;
use serde_json::json;

use super::*;

/// A snapshot of an OpenAI provider for each model.
pub(crate) fn snapshot(models: &[&str]) -> Snapshot {
    let settings = Settings {
        gateway: "default".to_owned(),
        platform_namespaces: ["ns".to_owned()].into(),
        outbound: Default::default(),
    };
    let mut world = World::new(settings);
    for model in models {
        let spec = json!({"type": "OpenAI", "models": [{"name": model}]});
        let spec: AIProviderSpec = serde_json::from_value(spec).expect("must be a spec");
        let meta = Meta { namespace: "ns".to_owned(), name: (*model).to_owned(), ..Meta::default() };
        let provider = Resource::new(meta, spec);
        world.providers.insert(provider.object_ref(), provider.into());
    }
    compile(&world).0
}

fn read(line: &Bytes) -> Document {
    assert!(line.ends_with(b"\n"));
    serde_json::from_slice(line).expect("must be a document")
}

fn publisher() -> Publisher {
    let (mut publisher, _) = Publisher::new();
    publisher.lead(Some(3));
    publisher
}

#[test]
fn a_follower_publishes_nothing_and_sequences_go_on_in_the_next_epoch() {
    let (mut publisher, readers) = Publisher::new();
    assert!(publisher.offer(snapshot(&["a"])).is_none());
    publisher.lead(Some(3));
    let first = publisher.offer(snapshot(&["a"])).expect("must publish");
    assert_eq!(first.position, Position { epoch: 3, sequence: 1 });
    publisher.lead(None);
    assert!(readers.borrow().is_none(), "every stream ends");
    publisher.lead(Some(5));
    let again = publisher.offer(snapshot(&["a"])).expect("must publish");
    assert_eq!(again.position, Position { epoch: 5, sequence: 2 });
}

#[test]
fn the_same_content_is_not_published_again() {
    let mut publisher = publisher();
    publisher.offer(snapshot(&["a"])).expect("must publish");
    assert!(publisher.offer(snapshot(&["a"])).is_none());
    let next = publisher.offer(snapshot(&["a", "b"])).expect("must publish");
    assert_eq!(next.position.sequence, 2);
}

#[test]
fn a_reader_of_the_last_snapshot_gets_the_delta_and_any_other_gets_all_of_it() {
    let mut publisher = publisher();
    let (old, new) = (snapshot(&["a"]), snapshot(&["a", "b"]));
    publisher.offer(old.clone());
    let published = publisher.offer(new.clone()).expect("must publish");
    let Document::Delta(document) = read(&published.since(Some(old.hash()))) else { panic!("must be a delta") };
    let applied = old.apply(document.delta).expect("must fit");
    assert_eq!(applied.hash(), new.hash());
    for base in [None, Some(snapshot(&["c"]).hash())] {
        let Document::Full(full) = read(&published.since(base)) else { panic!("must be the whole") };
        assert_eq!(full.into_snapshot().expect("must be whole").hash(), new.hash());
    }
}

#[test]
fn a_reader_that_skipped_a_change_and_its_undoing_is_told_the_place_with_an_empty_delta() {
    let mut publisher = publisher();
    publisher.offer(snapshot(&["a"]));
    publisher.offer(snapshot(&["b"]));
    let published = publisher.offer(snapshot(&["a"])).expect("must publish");
    let Document::Delta(document) = read(&published.since(Some(snapshot(&["a"]).hash()))) else {
        panic!("must be a delta")
    };
    assert_eq!(document.position.sequence, 3);
    assert!(document.delta.upsert.is_empty() && document.delta.remove.is_empty());
}

#[test]
fn all_readers_share_one_encoding() {
    let mut publisher = publisher();
    let published = publisher.offer(snapshot(&["a"])).expect("must publish");
    assert_eq!(published.full().as_ptr(), published.full().as_ptr());
}
