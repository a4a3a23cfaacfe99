//! The keys of an issuer of tokens, as it publishes them (RFC 7517), and signatures by them (RFC 7518).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use penstock_config::Hash;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

use super::token::Why;

/// Those that can verify tokens.
pub(crate) struct Keys {
    all: Vec<Key>,
    /// Of what was published.
    digest: Hash,
}

struct Key {
    id: Option<String>,
    /// The only one that it is for, where its issuer says so.
    algorithm: Option<Algorithm>,
    public: Public,
}

enum Public {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// An uncompressed point.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// How tokens may be signed: only such that the key which verifies can't sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// A key as it is published.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

impl Algorithm {
    /// By its name in a token's header. `none` and the ones with a shared secret have none here.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::RS256,
            "RS384" => Self::RS384,
            "RS512" => Self::RS512,
            "PS256" => Self::PS256,
            "PS384" => Self::PS384,
            "PS512" => Self::PS512,
            "ES256" => Self::ES256,
            "ES384" => Self::ES384,
            // RFC 9864 gives the curve its own name.
            "EdDSA" | "Ed25519" => Self::EdDSA,
            _ => return None,
        })
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        Some(match self {
            Self::RS256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::RS384 => &RSA_PKCS1_2048_8192_SHA384,
            Self::RS512 => &RSA_PKCS1_2048_8192_SHA512,
            Self::PS256 => &RSA_PSS_2048_8192_SHA256,
            Self::PS384 => &RSA_PSS_2048_8192_SHA384,
            Self::PS512 => &RSA_PSS_2048_8192_SHA512,
            Self::ES256 | Self::ES384 | Self::EdDSA => return None,
        })
    }
}

impl Keys {
    /// Reads a JWK Set. What is no key for tokens here, or is broken, is left out, as RFC 7517 (section 5) wants it.
    ///
    /// # Errors
    /// When it is no JWK Set.
    pub(crate) fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        let set: Jwks = serde_json::from_slice(json)?;
        let keys = set.keys.into_iter().filter_map(|key| Key::of(serde_json::from_value(key).ok()?));
        Ok(Self { all: keys.collect(), digest: Hash::of(json) })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn digest(&self) -> Hash {
        self.digest
    }

    /// Was this signed by the key of this name, or, where the token names none, by the only key that it can be?
    pub(crate) fn verify(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Why> {
        let key = self.pick(id, algorithm)?;
        match key.public.verify(algorithm, message, signature) {
            true => Ok(()),
            // Without names a new key can't be told from an old one.
            false if id.is_none() => Err(Why::UnknownKey),
            false => Err(Why::Signature),
        }
    }

    fn pick(&self, id: Option<&str>, algorithm: Algorithm) -> Result<&Key, Why> {
        let named = || self.all.iter().filter(|key| id.is_none_or(|id| key.id.as_deref() == Some(id)));
        let mut fitting = named().filter(|key| key.fits(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(Why::WhichKey),
            (None, _) if id.is_some() && named().next().is_some() => Err(Why::OtherAlgorithm),
            (None, _) => Err(Why::UnknownKey),
        }
    }
}

impl Key {
    fn of(jwk: Jwk) -> Option<Self> {
        let verifies = jwk.r#use.as_ref().is_none_or(|of| of == "sig")
            && jwk.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
        let algorithm = match &jwk.alg {
            Some(name) => Some(Algorithm::named(name)?),
            None => None,
        };
        let public = Public::of(&jwk)?;
        verifies.then_some(Self { id: jwk.kid, algorithm, public })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        let of_its_type = match self.public {
            Public::Rsa(_) => algorithm.rsa().is_some(),
            Public::P256(_) => algorithm == Algorithm::ES256,
            Public::P384(_) => algorithm == Algorithm::ES384,
            Public::Ed25519(_) => algorithm == Algorithm::EdDSA,
        };
        of_its_type && self.algorithm.is_none_or(|own| own == algorithm)
    }
}

impl Public {
    fn of(jwk: &Jwk) -> Option<Self> {
        match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => {
                let (n, e) = (number(&jwk.n)?, number(&jwk.e)?);
                Some(Self::Rsa(RsaPublicKeyComponents { n, e }))
            }
            ("EC", Some("P-256")) => point(jwk, 32).map(Self::P256),
            ("EC", Some("P-384")) => point(jwk, 48).map(Self::P384),
            ("OKP", Some("Ed25519")) => bytes(&jwk.x).filter(|x| x.len() == 32).map(Self::Ed25519),
            _ => None,
        }
    }

    /// The pair of key and algorithm was found to fit; one that does not verifies nothing.
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let verified = match (self, algorithm) {
            (Self::Rsa(key), _) => match algorithm.rsa() {
                Some(parameters) => key.verify(parameters, message, signature),
                None => return false,
            },
            (Self::P256(key), Algorithm::ES256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(message, signature)
            }
            (Self::P384(key), Algorithm::ES384) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key).verify(message, signature)
            }
            (Self::Ed25519(key), Algorithm::EdDSA) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            (Self::P256(_) | Self::P384(_) | Self::Ed25519(_), _) => return false,
        };
        verified.is_ok()
    }
}

fn bytes(text: &Option<String>) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text.as_ref()?).ok()
}

/// ring takes numbers without the leading zeros that some issuers write.
fn number(text: &Option<String>) -> Option<Vec<u8>> {
    let mut number = bytes(text)?;
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.drain(..zeros);
    Some(number)
}

/// SEC 1, section 2.3.3: the uncompressed form.
fn point(jwk: &Jwk, size: usize) -> Option<Vec<u8>> {
    let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
    (x.len() == size && y.len() == size).then(|| [&[4], x.as_slice(), &y].concat())
}
