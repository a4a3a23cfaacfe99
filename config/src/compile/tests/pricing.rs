//! Prices that providers' objects say of their models.

use super::*;

const PROVIDER: &str = "
kind: AIProvider
metadata: {name: cheap, namespace: platform}
spec:
  type: OpenAICompatible
  baseURL: https://cheap.example.com/v1
  models:
    - {name: priced, upstreamName: m-1, pricing: {input: '0.15', output: '0.60'}}
    - {name: plain, upstreamName: m-1}
";

const POLICY: &str = "
kind: RoutePolicy
metadata: {name: one, namespace: platform}
spec: {models: [one], targets: [{provider: cheap, model: priced}]}
";

#[test]
fn a_model_s_own_price_goes_with_its_targets_and_with_no_others() {
    let mut world = quickstart_and(PROVIDER);
    apply(&mut world, POLICY);
    let (accepted, _, message) = condition(&world, Kind::AIProvider, "platform/cheap", ConditionType::Accepted);
    assert!(accepted && !message.contains("has no effect"), "{message}");
    let (snapshot, _) = compile(&world);
    for (name, input) in [("priced", Some(150_000)), ("one", Some(150_000)), ("plain", None), ("smart", None)] {
        let targets = forward(&snapshot, name).targets;
        let pricing = targets[0].pricing.as_ref();
        assert_eq!(pricing.map(|pricing| pricing.input.micros()), input, "{name}");
    }
}

#[test]
fn what_a_request_may_cost_is_what_its_policy_says_or_that_of_all() {
    let mut world = quickstart_and(PROVIDER);
    apply(&mut world, POLICY);
    apply(
        &mut world,
        "kind: RoutePolicy\nmetadata: {name: all, namespace: platform}\nspec: {models: ['*'], maxCostPerRequest: '0.05'}",
    );
    let bound = |world: &_, name| forward(&compile(world).0, name).max_cost_picodollars;
    assert_eq!(bound(&world, "one"), Some(50_000_000_000));
    assert_eq!(bound(&world, "plain"), Some(50_000_000_000), "of a model without a policy too");
    let own = POLICY.replace("models: [one]", "models: [one], maxCostPerRequest: '7'");
    apply(&mut world, &own);
    assert_eq!(bound(&world, "one"), Some(7_000_000_000_000));
    assert!(condition(&world, Kind::RoutePolicy, "platform/one", ConditionType::Accepted).0);
}

#[test]
fn a_route_without_a_bound_says_nothing_of_one_so_that_its_hash_is_what_it_was() {
    let (snapshot, _) = compile(&world(QUICKSTART));
    assert!(!serde_json::to_string(&forward(&snapshot, "smart")).expect("must serialise").contains("maxCost"));
}
