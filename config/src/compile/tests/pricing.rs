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
