//! Keys of providers and of consumers.

use super::*;

#[test]
fn missing_secrets_and_keys_are_named_and_another_credential_serves() {
    let with = |credentials: &str| {
        quickstart_and(&format!(
            "kind: AIProvider\nmetadata: {{name: openai, namespace: platform}}\n\
             spec: {{type: OpenAI, models: [{{name: gpt-4o}}], credentials: [{credentials}]}}"
        ))
    };
    let one = with("{secretRef: {name: gone, key: k}}, {secretRef: {name: keys, key: openai}}");
    let openai = |world: &crate::World, c| condition(world, Kind::AIProvider, "platform/openai", c);
    let expected =
        "spec.credentials[0].secretRef: Secret platform/gone does not exist; create it in namespace platform";
    assert_eq!(openai(&one, ConditionType::PartiallyInvalid), (true, Reason::CredentialMissing, expected.to_owned()));
    assert_eq!(openai(&one, ConditionType::ResolvedRefs).1, Reason::SecretNotFound);
    assert_eq!(targets(&compile(&one).0, "gpt-4o").len(), 2);

    let none = with("{secretRef: {name: keys, key: nope}}");
    let (_, reason, message) = openai(&none, ConditionType::ResolvedRefs);
    assert_eq!(reason, Reason::KeyNotFound);
    assert_eq!(message, "spec.credentials[0].secretRef: Secret platform/keys has no key \"nope\"; add it");
    let (snapshot, _) = compile(&none);
    assert_eq!(provider(&snapshot, "platform/openai"), None);
    assert_eq!(targets(&snapshot, "gpt-4o"), ["platform/anthropic claude-sonnet-4-5"]);
}

#[test]
fn a_key_is_trimmed_and_an_empty_or_unprintable_one_is_refused() {
    let with = |key: &str| {
        quickstart_and(&format!(
            "kind: Secret\nmetadata: {{name: keys, namespace: platform}}\n\
             stringData: {{openai: {key}, anthropic: k, search: search-team-key-00001}}"
        ))
    };
    let openai =
        |world: &crate::World| condition(world, Kind::AIProvider, "platform/openai", ConditionType::ResolvedRefs);
    assert!(openai(&with(r#""  ""#)).2.contains("is empty; set it"));
    assert!(openai(&with(r#""a\nb""#)).2.contains("no HTTP header can carry"));
    let (snapshot, _) = compile(&with(r#""sk-1\n""#));
    let digest = provider(&snapshot, "platform/openai").expect("must be there").credentials[0].digest;
    assert_eq!(snapshot.secrets().get(&digest).map(|secret| secret.expose()), Some("sk-1"));
}

#[test]
fn of_two_consumers_with_one_key_the_older_keeps_it() {
    let world = quickstart_and(
        "
kind: Consumer
metadata: {name: thief, namespace: platform}
spec: {apiKeys: [{secretRef: {name: keys, key: search}}]}
",
    );
    let (status, reason, message) = condition(&world, Kind::Consumer, "platform/thief", ConditionType::Accepted);
    assert_eq!((status, reason), (false, Reason::CallerConflict));
    assert_eq!(message, "spec.apiKeys[0].secretRef: the same key belongs to Consumer platform/search; use another");
    assert!(consumer(&compile(&world).0, "platform/thief").is_none());
}

#[test]
fn a_short_consumer_key_is_refused_and_its_value_is_in_no_message() {
    let world = quickstart_and(
        "
kind: Secret
metadata: {name: keys, namespace: platform}
stringData: {openai: sk, anthropic: k, search: tooshort}
",
    );
    let (status, reason, message) = condition(&world, Kind::Consumer, "platform/search", ConditionType::Accepted);
    assert_eq!((status, reason), (false, Reason::Invalid));
    assert_eq!(message, "spec.apiKeys[0].secretRef: key \"search\" of Secret keys has 8 characters; use at least 20");
    assert!(consumer(&compile(&world).0, "platform/search").is_none());
}
