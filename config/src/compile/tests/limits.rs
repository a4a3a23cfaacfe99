//! RateLimits.

use penstock_crds::{BudgetPeriod, StoreFailure};

use super::*;
use crate::{
    World,
    object::{Budget, Limit, Rate},
};

fn limit(world: &World, name: &str) -> Limit {
    let (snapshot, _) = compile(world);
    let entry = snapshot.get(&key(Kind::RateLimit, name)).expect("must be live");
    let Ok(Object::Limit(limit)) = entry.parse() else { panic!("must be a limit") };
    limit
}

#[test]
fn a_limit_is_resolved_to_names_consumers_and_numbers() {
    let world = quickstart_and(
        "
kind: Consumer
metadata: {name: trial, namespace: platform, labels: {tier: free}}
spec: {apiKeys: [{secretRef: {name: keys, key: search}}], userFrom: {type: Header, header: X-End-User}}
---
kind: RateLimit
metadata: {name: free, namespace: platform}
spec:
  match: {models: [smart], consumers: {matchLabels: {tier: free}}}
  per: [User, Model]
  requests: {limit: 60, window: 1m, burst: 10}
  tokens: {limit: 100000, window: 1h}
  cost: {limit: '10.00', window: 24h}
  onStoreFailure: Deny
---
kind: RateLimit
metadata: {name: all, namespace: platform}
spec: {requests: {limit: 1000, window: 1m}}
",
    );
    let rate = |limit, seconds: u64, burst| Some(Rate { limit, window_ms: seconds * 1_000, burst });
    let free = Limit {
        models: vec!["smart".into()],
        consumers: Some(vec![ObjectRef::new("platform", "trial")]),
        per_consumer: false,
        per_user: true,
        per_model: true,
        per_provider: false,
        requests: rate(60, 60, 10),
        tokens: rate(100_000, 3_600, 100_000),
        cost: rate(10_000_000_000_000, 86_400, 10_000_000_000_000),
        on_store_failure: StoreFailure::Deny,
    };
    assert_eq!(limit(&world, "platform/free"), free);
    let all = limit(&world, "platform/all");
    assert_eq!((all.models.len(), all.consumers, all.requests), (0, None, rate(1_000, 60, 1_000)));
}

#[test]
fn a_tenant_limits_its_own_models_by_name_and_nothing_else() {
    let tenant = |more: &str| {
        quickstart_and(&format!(
            "kind: RateLimit\nmetadata: {{name: l, namespace: search}}\nspec: {{requests: {{limit: 5, window: 1m}}{more}}}"
        ))
    };
    let all = tenant("");
    let (status, reason, message) = condition(&all, Kind::RateLimit, "search/l", ConditionType::Accepted);
    assert_eq!((status, reason), (false, Reason::NotAllowed));
    assert!(message.starts_with("spec.match.models: ") && message.ends_with("name the models"), "{message}");
    assert_eq!(limit(&tenant(", match: {models: [smart]}"), "search/l").models, ["search/smart"]);
}

#[test]
fn a_limit_that_binds_nobody_says_so() {
    let world = quickstart_and(
        "
kind: RateLimit
metadata: {name: none, namespace: platform}
spec: {match: {consumers: {matchLabels: {tier: gold}}}, requests: {limit: 5, window: 1m}}
",
    );
    let (status, _, message) = condition(&world, Kind::RateLimit, "platform/none", ConditionType::Accepted);
    assert!(status && message.contains("chooses no Consumer"), "{message}");
}

#[test]
fn a_budget_is_the_consumer_s_and_each_of_its_users() {
    let world = |more: &str| {
        quickstart_and(&format!(
            "
kind: Consumer
metadata: {{name: trial, namespace: platform}}
spec:
  jwt: {{issuer: 'https://id.example.com', audiences: [llm], jwksURL: 'https://id.example.com/keys'}}
  budget: {{limit: '500.00', userLimit: '5', period: Month}}
  {more}
"
        ))
    };
    let body = world("userFrom: {type: Body}");
    let entry = key(Kind::Consumer, "platform/trial");
    let (snapshot, _) = compile(&body);
    let Ok(Object::Consumer(consumer)) = snapshot.get(&entry).expect("must be live").parse() else {
        panic!("must be a Consumer")
    };
    let (limit, user_limit) = (500_000_000_000_000, Some(5_000_000_000_000));
    assert_eq!(consumer.budget, Some(Budget { limit, user_limit, period: BudgetPeriod::Month }));
    let said = |world: &World| condition(world, Kind::Consumer, "platform/trial", ConditionType::Accepted).2;
    assert!(!said(&body).contains("userLimit"));
    assert!(said(&world("")).contains("spec.budget.userLimit: the Consumer is its own only user"));
}
