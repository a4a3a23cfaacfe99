//! Consumers that are known by the tokens of ServiceAccounts.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::{
    ClusterIssuer, World,
    object::{Cluster, ServiceAccounts},
};

fn issuer(key: &str) -> Cluster {
    let keys = vec![json!({"kty": "EC", "crv": "P-256", "kid": key, "x": "x", "y": "y"})];
    Cluster { issuer: "https://kubernetes".into(), audience: "llm.penstock.dev".into(), keys }
}

/// A Consumer of these ServiceAccounts, made on a day.
fn consumer_of(name: &str, namespace: &str, day: u8, accounts: &str) -> String {
    format!(
        "kind: Consumer\nmetadata: {{name: {name}, namespace: {namespace}, creationTimestamp: '2026-01-0{day}T00:00:00Z'}}\n\
         spec: {{serviceAccounts: [{accounts}]}}"
    )
}

fn in_a_cluster(consumers: &[String]) -> World {
    let mut world = world(QUICKSTART);
    consumers.iter().for_each(|consumer| apply(&mut world, consumer));
    world.issuer = ClusterIssuer::Known(issuer("k1").into());
    world
}

fn subjects(world: &World, name: &str) -> Option<Vec<String>> {
    consumer(&compile(world).0, name)?.service_accounts.map(|ServiceAccounts { subjects, .. }| subjects)
}

fn told(world: &World) -> Option<Cluster> {
    match object(&compile(world).0, Kind::Cluster, "/issuer")? {
        Object::Cluster(cluster) => Some(cluster),
        _ => None,
    }
}

const INDEXER: &str = "{namespace: search, name: indexer}";
const OTHERS: &str = "{namespace: search, name: indexer}, {namespace: billing, name: job}";

#[test]
fn a_platform_s_consumer_may_name_any_service_account_and_a_tenant_s_those_of_its_namespace() {
    let world = in_a_cluster(&[consumer_of("all", "platform", 1, OTHERS)]);
    let both = ["system:serviceaccount:search:indexer", "system:serviceaccount:billing:job"].map(str::to_owned);
    assert_eq!(subjects(&world, "platform/all"), Some(both.to_vec()));
    assert_eq!(verdict(&world, Kind::Consumer, "platform/all").complaints().count(), 0);
    assert_eq!(told(&world), Some(issuer("k1")));
    assert_eq!(verdict(&world, Kind::Consumer, "platform/all").made, [key(Kind::Cluster, "/issuer")]);

    let own = in_a_cluster(&[consumer_of("own", "search", 1, INDEXER)]);
    let found = consumer(&compile(&own).0, "search/own").expect("must be live");
    assert_eq!(found.only_namespace.as_deref(), Some("search"));

    let grabs = in_a_cluster(&[consumer_of("grab", "search", 1, OTHERS), consumer_of("all", "platform", 2, OTHERS)]);
    let (status, reason, message) = condition(&grabs, Kind::Consumer, "search/grab", ConditionType::Accepted);
    assert_eq!((status, reason), (false, Reason::NotAllowed));
    assert_eq!(
        message,
        "spec.serviceAccounts[1].namespace: only Consumers of platform namespaces may name ServiceAccounts of others, search \
         is none; name one of search"
    );
    assert_eq!((subjects(&grabs, "search/grab"), subjects(&grabs, "platform/all")), (None, Some(both.to_vec())));
}

#[test]
fn of_two_consumers_that_name_a_service_account_the_older_has_it_and_the_other_loses_just_that() {
    let world = in_a_cluster(&[
        consumer_of("newer", "platform", 2, OTHERS),
        consumer_of("older", "search", 1, INDEXER),
        consumer_of("none-left", "platform", 3, INDEXER),
    ]);
    let one = |subject: &str| Some(vec![subject.to_owned()]);
    assert_eq!(subjects(&world, "search/older"), one("system:serviceaccount:search:indexer"));
    assert_eq!(subjects(&world, "platform/newer"), one("system:serviceaccount:billing:job"));
    let (_, reason, message) = condition(&world, Kind::Consumer, "platform/newer", ConditionType::PartiallyInvalid);
    assert_eq!(reason, Reason::NameLost);
    let whose = "spec.serviceAccounts[0]: ServiceAccount search/indexer belongs to Consumer search/older; name another";
    assert_eq!(message, whose);
    let left = condition(&world, Kind::Consumer, "platform/none-left", ConditionType::Accepted);
    assert_eq!(left, (false, Reason::CallerConflict, whose.to_owned()));
    assert_eq!(subjects(&world, "platform/none-left"), None);
}

#[test]
fn without_a_cluster_or_its_issuer_a_consumer_is_accepted_and_told_so() {
    for (unknown, says) in
        [(ClusterIssuer::NoCluster, "there is no cluster here"), (ClusterIssuer::Untold, "API server")]
    {
        let mut world = in_a_cluster(&[consumer_of("app", "search", 1, INDEXER)]);
        world.issuer = unknown;
        let (status, _, message) = condition(&world, Kind::Consumer, "search/app", ConditionType::Accepted);
        assert!(status && message.starts_with("spec.serviceAccounts: ") && message.contains(says), "{message}");
        assert_eq!(told(&world), None);
    }
}

#[test]
fn proxies_are_told_who_signs_tokens_only_where_a_consumer_has_some_and_of_each_change() {
    let mut world = in_a_cluster(&[]);
    let before = compile(&world).0.hash();
    assert_eq!(told(&world), None);
    world.issuer = ClusterIssuer::Known(issuer("k2").into());
    assert_eq!(compile(&world).0.hash(), before, "what nobody uses changes nothing");
    apply(&mut world, &consumer_of("app", "search", 1, INDEXER));
    let (used, _) = compile(&world);
    assert_eq!(told(&world), Some(issuer("k2")));
    world.issuer = ClusterIssuer::Known(Arc::new(issuer("k2")));
    assert_eq!(compile(&world).0.hash(), used.hash());
    world.issuer = ClusterIssuer::Known(Arc::new(issuer("k3")));
    let delta = compile(&world).0.since(&used);
    assert_eq!((delta.upsert.len(), delta.remove.len()), (1, 0));
}
