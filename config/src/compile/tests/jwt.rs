//! Consumers that are known by tokens.

use super::*;
use crate::object::{ClaimMatch, Jwt, UserFrom};

const TOKENS: &str = "issuer: id, audiences: [llm], jwksURL: 'https://id.example.com/keys'";

fn with(namespace: &str, spec: &str) -> crate::World {
    quickstart_and(&format!("kind: Consumer\nmetadata: {{name: new, namespace: {namespace}}}\nspec: {{{spec}}}"))
}

#[test]
fn a_consumer_may_have_tokens_and_no_key() {
    let spec = format!(
        "jwt: {{{TOKENS}, claims: [{{name: team, values: [a, b]}}]}}, userFrom: {{type: Claim, claim: sub}}, \
         models: [smart]"
    );
    let mut world = with("platform", &spec);
    let new = ObjectRef::new("platform", "new");
    let resource = world.consumers.get_mut(&new).expect("must be there");
    std::sync::Arc::make_mut(resource).meta.created = Some(1_700_000_000);
    let (snapshot, _) = compile(&world);
    let found = consumer(&snapshot, "platform/new").expect("must be live");
    let jwt = Jwt {
        issuer: "id".into(),
        audiences: vec!["llm".into()],
        jwks_url: "https://id.example.com/keys".into(),
        claims: vec![ClaimMatch { name: "team".into(), values: vec!["a".into(), "b".into()] }],
        created: Some(1_700_000_000),
    };
    assert_eq!((found.jwt, found.user_from), (Some(jwt), UserFrom::Claim("sub".into())));
    assert_eq!((found.api_keys.len(), found.models.as_slice()), (0, &["smart".to_owned()][..]));
    assert_eq!(verdict(&world, Kind::Consumer, "platform/new").complaints().count(), 0);
}

#[test]
fn a_tenant_s_tokens_open_its_own_models_alone() {
    let found = consumer(&compile(&with("search", &format!("jwt: {{{TOKENS}}}"))).0, "search/new");
    assert_eq!(found.expect("must be live").only_namespace.as_deref(), Some("search"));
}

#[test]
fn keys_of_an_issuer_are_fetched_only_where_providers_may_be_called() {
    let rows = [
        ("http://id.example.com/keys", "use https://"),
        ("https://169.254.169.254/keys", "169.254.169.254 is not allowed as an upstream"),
        ("http://127.0.0.1/keys", "127.0.0.1 is not allowed as an upstream"),
    ];
    for (url, says) in rows {
        let spec = format!(
            "apiKeys: [{{secretRef: {{name: keys, key: search}}}}], jwt: {{issuer: id, audiences: [llm], jwksURL: '{url}'}}"
        );
        let mut world = quickstart_and(&format!(
            "kind: Consumer\nmetadata: {{name: search, namespace: platform}}\nspec: {{{spec}}}"
        ));
        let (status, reason, message) = condition(&world, Kind::Consumer, "platform/search", ConditionType::Accepted);
        assert_eq!((status, reason), (false, Reason::Invalid), "{url}");
        assert!(message.starts_with("spec.jwt.jwksURL: ") && message.contains(says), "{message}");
        assert!(consumer(&compile(&world).0, "platform/search").is_none(), "a refused one has no working key either");
        std::sync::Arc::make_mut(&mut world.settings).outbound.loopback = true;
        let live = consumer(&compile(&world).0, "platform/search").is_some();
        assert_eq!(live, url.contains("127.0.0.1"), "{url}");
    }
}

#[test]
fn a_consumer_whose_keys_are_all_bad_serves_by_its_tokens() {
    let rows = [
        ("gone, key: k", Reason::CredentialMissing),
        // It is too short, as a Consumer's.
        ("keys, key: anthropic", Reason::CredentialMissing),
        // The key of somebody who comes first.
        ("keys, key: search", Reason::NameLost),
    ];
    for (key, expected) in rows {
        let spec = format!("apiKeys: [{{secretRef: {{name: {key}}}}}], jwt: {{{TOKENS}}}");
        let world =
            quickstart_and(&format!("kind: Consumer\nmetadata: {{name: zoe, namespace: platform}}\nspec: {{{spec}}}"));
        let (_, reason, _) = condition(&world, Kind::Consumer, "platform/zoe", ConditionType::PartiallyInvalid);
        assert_eq!(reason, expected, "{key}");
        let found = consumer(&compile(&world).0, "platform/zoe").expect("must be live");
        assert!(found.api_keys.is_empty() && found.jwt.is_some());
    }
}
