//! Every way that a token can be wrong, by the reason that it is told.

use penstock_config::object::ClaimMatch;
use serde_json::json;

use super::*;
use crate::auth::signer::Signer;

const NOW: f64 = 1_800_000_000.0;

fn rules() -> Jwt {
    Jwt {
        issuer: "https://id.example.com".into(),
        audiences: vec!["llm".into(), "llm-eu".into()],
        jwks_url: String::new(),
        claims: vec![ClaimMatch { name: "team".into(), values: vec!["search".into(), "ads".into()] }],
        created: None,
    }
}

fn claims() -> Value {
    json!({"iss": "https://id.example.com", "aud": "llm", "exp": NOW + 300.0, "team": "search", "sub": "ada"})
}

/// The claims with one of them changed; null takes it away.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match (claims.as_object_mut(), value) {
        (Some(claims), Value::Null) => drop(claims.remove(name)),
        (Some(claims), value) => drop(claims.insert(name.to_owned(), value)),
        (None, _) => {}
    }
    claims
}

fn keys(of: &[Value]) -> Keys {
    Keys::read(json!({"keys": of}).to_string().as_bytes()).expect("must be a set of keys")
}

/// The verdict on a text; none where it is no token.
fn judge(text: &str, keys: &Keys) -> Option<Result<(), Why>> {
    let token = Token::read(text.as_bytes())?;
    Some(token.and_then(|token| token.meets(&rules(), NOW).and_then(|()| token.signed_by(keys))))
}

#[test]
fn a_token_is_believed_by_each_algorithm_with_its_key() {
    for signer in Signer::all() {
        let keys = keys(&[signer.jwk("k1")]);
        for algorithm in signer.algorithms() {
            let header = json!({"alg": algorithm, "kid": "k1", "typ": "JWT"});
            assert_eq!(judge(&signer.sign_as(algorithm, &header, &claims()), &keys), Some(Ok(())), "{algorithm}");
        }
    }
}

#[test]
fn what_a_token_says_must_be_what_is_asked_for() {
    let signer = Signer::ed25519();
    let keys = keys(&[signer.jwk("k1")]);
    let rows = [
        ("iss", json!("https://id.example.com/"), Err(Why::Issuer)),
        ("iss", json!(["https://id.example.com"]), Err(Why::Issuer)),
        ("iss", json!(null), Err(Why::Issuer)),
        ("aud", json!("other"), Err(Why::Audience)),
        ("aud", json!(["other", 7]), Err(Why::Audience)),
        ("aud", json!([]), Err(Why::Audience)),
        ("aud", json!(null), Err(Why::Audience)),
        ("aud", json!(["other", "llm-eu"]), Ok(())),
        ("team", json!(null), Err(Why::Claim)),
        ("team", json!("sales"), Err(Why::Claim)),
        ("team", json!({"search": true}), Err(Why::Claim)),
        ("team", json!(["sales", "ads"]), Ok(())),
        ("team", json!([["ads"]]), Err(Why::Claim)),
        ("exp", json!(null), Err(Why::Endless)),
        ("exp", json!("1900000000"), Err(Why::Endless)),
        ("exp", json!(NOW - 60.0), Err(Why::Expired)),
        ("exp", json!(NOW - 59.5), Ok(())),
        ("exp", json!(-1), Err(Why::Expired)),
        ("nbf", json!(NOW + 60.0), Ok(())),
        ("nbf", json!(NOW + 61.0), Err(Why::NotYet)),
        ("nbf", json!("soon"), Err(Why::Malformed)),
        ("iat", json!(NOW + 9e9), Ok(())),
    ];
    for (name, value, expected) in rows {
        let token = signer.sign("k1", &with(name, value.clone()));
        assert_eq!(judge(&token, &keys), Some(expected), "{name}: {value}");
    }
}

#[test]
fn no_header_gets_past_the_key() {
    let (signer, other) = (Signer::rsa(), Signer::ed25519());
    let published = signer.jwk("k1");
    let mut for_rs512 = Signer::rsa().jwk("rs512");
    for_rs512["alg"] = json!("RS512");
    let keys = keys(&[published.clone(), other.jwk("k2"), for_rs512]);
    let with = |header: Value| signer.sign_as("RS256", &header, &claims());
    let shared_secret = |secret: &[u8]| Signer::hmac(secret, &json!({"alg": "HS256", "kid": "k1"}), &claims());
    let rows = [
        ("none", Signer::unsigned(&json!({"alg": "none", "kid": "k1"}), &claims()), Why::Algorithm),
        ("None", Signer::unsigned(&json!({"alg": "None", "kid": "k1"}), &claims()), Why::Algorithm),
        ("none, and signed", with(json!({"alg": "none", "kid": "k1"})), Why::Algorithm),
        ("the public key as a secret", shared_secret(published.to_string().as_bytes()), Why::Algorithm),
        ("its modulus as a secret", shared_secret(published["n"].to_string().as_bytes()), Why::Algorithm),
        ("an unsigned RS256", Signer::unsigned(&json!({"alg": "RS256", "kid": "k1"}), &claims()), Why::Signature),
        ("an unknown key", with(json!({"alg": "RS256", "kid": "k9"})), Why::UnknownKey),
        ("a key of another type", with(json!({"alg": "RS256", "kid": "k2"})), Why::OtherAlgorithm),
        ("a key for another algorithm", with(json!({"alg": "RS256", "kid": "rs512"})), Why::OtherAlgorithm),
        ("another algorithm than it says", with(json!({"alg": "PS256", "kid": "k1"})), Why::Signature),
        ("the key of somebody else", other.sign("k1", &claims()), Why::OtherAlgorithm),
        ("no algorithm", with(json!({"kid": "k1"})), Why::Malformed),
        ("a name that is no text", with(json!({"alg": "RS256", "kid": 1})), Why::Malformed),
        ("an extension", with(json!({"alg": "RS256", "kid": "k1", "crit": ["b64"], "b64": false})), Why::Malformed),
        ("its own key", with(json!({"alg": "RS256", "kid": "k9", "jwk": published})), Why::UnknownKey),
    ];
    for (what, token, why) in rows {
        assert_eq!(judge(&token, &keys), Some(Err(why)), "{what}");
    }
}

#[test]
fn a_byte_that_is_changed_breaks_the_signature() {
    let signer = Signer::p256();
    let keys = keys(&[signer.jwk("k1")]);
    let token = signer.sign("k1", &claims());
    let richer = signer.sign("k1", &with("sub", json!("root")));
    let (head, signature) = token.rsplit_once('.').expect("must have three parts");
    let (other, _) = richer.rsplit_once('.').expect("must have three parts");
    assert_eq!(judge(&format!("{head}.{signature}"), &keys), Some(Ok(())));
    assert_eq!(judge(&format!("{other}.{signature}"), &keys), Some(Err(Why::Signature)));
    assert_eq!(judge(&format!("{head}.{}", &signature[..84]), &keys), Some(Err(Why::Signature)));
}

#[test]
fn a_token_without_a_key_s_name_needs_the_only_key_of_its_kind() {
    let (rsa, p256) = (Signer::rsa(), Signer::p256());
    let nameless = |signer: &Signer, algorithm| signer.sign_as(algorithm, &json!({"alg": algorithm}), &claims());
    let both = keys(&[rsa.jwk("k1"), p256.jwk("k2")]);
    assert_eq!(judge(&nameless(&rsa, "RS256"), &both), Some(Ok(())));
    assert_eq!(judge(&nameless(&p256, "ES256"), &both), Some(Ok(())));
    assert_eq!(judge(&nameless(&Signer::ed25519(), "EdDSA"), &both), Some(Err(Why::UnknownKey)));
    assert_eq!(judge(&nameless(&Signer::p256(), "ES256"), &both), Some(Err(Why::UnknownKey)), "it was rotated");
    let two = keys(&[p256.jwk("k1"), Signer::p256().jwk("k2")]);
    assert_eq!(judge(&nameless(&p256, "ES256"), &two), Some(Err(Why::WhichKey)));
}

#[test]
fn keys_that_are_not_for_signatures_or_broken_are_left_out() {
    let signer = Signer::rsa();
    let with = |name: &str, value: Value| {
        let mut key = signer.jwk("k1");
        key[name] = value;
        key
    };
    let useless = [
        with("use", json!("enc")),
        with("key_ops", json!(["encrypt"])),
        with("alg", json!("RSA-OAEP")),
        with("kty", json!("oct")),
        with("n", json!("???")),
        with("kid", json!(7)),
        json!("no key"),
    ];
    for key in useless {
        let keys = keys(&[key.clone(), Signer::ed25519().jwk("other")]);
        assert_eq!(keys.len(), 1, "{key}");
        assert_eq!(judge(&signer.sign("k1", &claims()), &keys), Some(Err(Why::UnknownKey)), "{key}");
    }
    let zeros = with("n", json!(Signer::with_leading_zero(&signer.jwk("k1")["n"])));
    assert_eq!(judge(&signer.sign("k1", &claims()), &keys(&[zeros])), Some(Ok(())));
    assert!(Keys::read(b"[]").is_err() && Keys::read(b"<html>").is_err());
}

#[test]
fn a_megabyte_is_refused_before_it_is_decoded_and_what_is_no_token_is_left_to_the_keys() {
    let keys = keys(&[]);
    let signer = Signer::ed25519();
    let large = signer.sign("k1", &with("padding", json!("x".repeat(1 << 20))));
    assert_eq!(judge(&large, &keys), Some(Err(Why::TooLong)));
    let just = signer.sign("k1", &with("padding", json!("x".repeat(11 << 10))));
    assert_eq!(judge(&just, &keys), Some(Err(Why::UnknownKey)));
    for text in ["", "..", "a.b.c", "sk-live-0001", "e30.e30", "e30.e30.e30.e30", "e30=.e30.", "W10.e30.", "e30. .e30"]
    {
        assert_eq!(judge(text, &keys), None, "{text}");
    }
    for (text, why) in [("e30.e30.", Why::Malformed), ("eyJhbGciOiJFUzI1NiJ9.W10.", Why::Malformed)] {
        assert_eq!(judge(text, &keys), Some(Err(why)), "{text}");
    }
}
