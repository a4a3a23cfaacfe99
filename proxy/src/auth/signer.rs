//! Signs tokens, for tests.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
        RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
    },
};
use serde_json::{Value, json};

use super::keys::Keys;

/// ring makes no RSA keys. This one signs nothing but tests, made by
/// `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 | openssl pkcs8 -topk8 -nocrypt -outform DER`.
const RSA: &[u8] = include_bytes!("fixtures/rsa.pk8");

/// An issuer's private key.
pub(crate) enum Signer {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    pub(crate) fn rsa() -> Self {
        Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(RSA).expect("must be an RSA key")))
    }

    pub(crate) fn p256() -> Self {
        Self::P256(ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING))
    }

    pub(crate) fn ed25519() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("must be made");
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("must be a key"))
    }

    /// One of each kind.
    pub(crate) fn all() -> [Self; 4] {
        [Self::rsa(), Self::p256(), Self::P384(ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING)), Self::ed25519()]
    }

    pub(crate) fn algorithms(&self) -> &'static [&'static str] {
        match self {
            Self::Rsa(_) => &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
            Self::P256(_) => &["ES256"],
            Self::P384(_) => &["ES384"],
            Self::Ed25519(_) => &["EdDSA", "Ed25519"],
        }
    }

    /// The public key as it is published under a name.
    pub(crate) fn jwk(&self, id: &str) -> Value {
        let point = |curve: &str, key: &EcdsaKeyPair| {
            let (x, y) = key.public_key().as_ref()[1..].split_at((key.public_key().as_ref().len() - 1) / 2);
            json!({"kty": "EC", "crv": curve, "kid": id, "x": BASE64.encode(x), "y": BASE64.encode(y)})
        };
        match self {
            Self::Rsa(key) => {
                let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(key.public_key());
                let (n, e) = (BASE64.encode(public.n), BASE64.encode(public.e));
                json!({"kty": "RSA", "use": "sig", "kid": id, "n": n, "e": e})
            }
            Self::P256(key) => point("P-256", key),
            Self::P384(key) => point("P-384", key),
            Self::Ed25519(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": BASE64.encode(key.public_key())})
            }
        }
    }

    /// The only key of an issuer.
    pub(crate) fn keys(&self, id: &str) -> Keys {
        Keys::read(json!({"keys": [self.jwk(id)]}).to_string().as_bytes()).expect("must be a set of keys")
    }

    /// A token by the first of its algorithms.
    pub(crate) fn sign(&self, id: &str, claims: &Value) -> String {
        let algorithm = self.algorithms()[0];
        self.sign_as(algorithm, &json!({"alg": algorithm, "kid": id}), claims)
    }

    /// A token that is signed by one algorithm, whatever its header says.
    pub(crate) fn sign_as(&self, algorithm: &str, header: &Value, claims: &Value) -> String {
        let signed = signed(header, claims);
        let message = signed.as_bytes();
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(rsa_encoding(algorithm), &random, message, &mut signature).expect("must sign");
                signature
            }
            Self::P256(key) | Self::P384(key) => key.sign(&random, message).expect("must sign").as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        };
        format!("{signed}.{}", BASE64.encode(signature))
    }

    /// A token that a shared secret signs.
    pub(crate) fn hmac(secret: &[u8], header: &Value, claims: &Value) -> String {
        let signed = signed(header, claims);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(tag))
    }

    pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
        format!("{}.", signed(header, claims))
    }

    /// A number with a zero before it, as some issuers write it.
    pub(crate) fn with_leading_zero(number: &Value) -> String {
        let number = BASE64.decode(number.as_str().unwrap_or_default()).expect("must be base64url");
        BASE64.encode([&[0], number.as_slice()].concat())
    }
}

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("must be made");
    EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).expect("must be a key")
}

fn rsa_encoding(algorithm: &str) -> &'static dyn RsaEncoding {
    match algorithm {
        "RS384" => &RSA_PKCS1_SHA384,
        "RS512" => &RSA_PKCS1_SHA512,
        "PS256" => &RSA_PSS_SHA256,
        "PS384" => &RSA_PSS_SHA384,
        "PS512" => &RSA_PSS_SHA512,
        _ => &RSA_PKCS1_SHA256,
    }
}

fn signed(header: &Value, claims: &Value) -> String {
    format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()))
}
