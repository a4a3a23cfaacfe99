//! JSON Web Tokens (RFC 7519): what one says, and whether to believe it. Pure: the time and the keys are given.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use penstock_config::object::{ClaimMatch, Jwt};
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

use super::keys::{Algorithm, Keys};

#[cfg(test)]
mod tests;

/// Bytes of the largest token that is read at all.
const LARGEST: usize = 16 << 10;
/// By how many seconds the clocks of issuers may differ from this one.
const SKEW: f64 = 60.0;

/// A token that was read, and is not to be believed yet.
pub(crate) struct Token<'a> {
    /// Its first two parts, as they were signed.
    signed: &'a [u8],
    signature: Vec<u8>,
    algorithm: Algorithm,
    key: Option<String>,
    claims: Map<String, Value>,
}

/// Why a token is refused. Later ones are closer to being right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub(crate) enum Why {
    #[error("it is longer than {LARGEST} bytes")]
    TooLong,
    #[error("it is malformed")]
    Malformed,
    #[error(
        "it is not signed in a way that is accepted: use RS256, PS256, ES256, EdDSA or the longer ones of their kinds"
    )]
    Algorithm,
    #[error("its issuer (iss) is not known")]
    Issuer,
    #[error("it is not for this gateway (aud)")]
    Audience,
    #[error("it lacks a claim that is asked for")]
    Claim,
    #[error("its ServiceAccount (sub) is no Consumer's")]
    Account,
    #[error("it does not say when it expires (exp)")]
    Endless,
    #[error("it is not valid yet (nbf)")]
    NotYet,
    #[error("it has expired (exp)")]
    Expired,
    #[error("it names no key (kid), and its issuer has several")]
    WhichKey,
    #[error("its key is not for the way it is signed (alg)")]
    OtherAlgorithm,
    #[error("its issuer has no such key (kid)")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood; none are.
    crit: Option<Value>,
}

impl<'a> Token<'a> {
    /// Reads a token without judging it; none where the text does not even look like one: three parts in base64url, the first
    /// of them a JSON object.
    pub(crate) fn read(text: &'a [u8]) -> Option<Result<Self, Why>> {
        let parts = || text.split(|byte| *byte == b'.');
        if parts().take(4).count() != 3 {
            return None;
        }
        if text.len() > LARGEST {
            return Some(Err(Why::TooLong));
        }
        let mut decoded = parts().map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).ok());
        let (header, payload, signature) = (decoded.next()??, decoded.next()??, decoded.next()??);
        let header: Value = serde_json::from_slice(&header).ok().filter(Value::is_object)?;
        let signed = &text[..memchr::memrchr(b'.', text)?];
        Some(Self::of(header, &payload, signed, signature))
    }

    fn of(header: Value, payload: &[u8], signed: &'a [u8], signature: Vec<u8>) -> Result<Self, Why> {
        let header: Header = serde_json::from_value(header).map_err(|_| Why::Malformed)?;
        if header.crit.is_some() {
            return Err(Why::Malformed);
        }
        let algorithm = Algorithm::named(&header.alg).ok_or(Why::Algorithm)?;
        let claims = serde_json::from_slice(payload).map_err(|_| Why::Malformed)?;
        Ok(Self { signed, signature, algorithm, key: header.kid, claims })
    }

    /// Does it say what the rules ask for, at this time in seconds since 1970? Looked at before its signature, so that a token
    /// for somebody else costs nothing.
    pub(crate) fn meets(&self, rules: &Jwt, now: f64) -> Result<(), Why> {
        if self.claim("iss").and_then(Value::as_str) != Some(&rules.issuer) {
            return Err(Why::Issuer);
        }
        if !self.has("aud", &rules.audiences) {
            return Err(Why::Audience);
        }
        if !rules.claims.iter().all(|ClaimMatch { name, values }| self.has(name, values)) {
            return Err(Why::Claim);
        }
        match self.claim("nbf").map(Value::as_f64) {
            Some(None) => return Err(Why::Malformed),
            Some(Some(start)) if start > now + SKEW => return Err(Why::NotYet),
            Some(Some(_)) | None => {}
        }
        match self.claim("exp").and_then(Value::as_f64) {
            None => Err(Why::Endless),
            Some(end) if end <= now - SKEW => Err(Why::Expired),
            Some(_) => Ok(()),
        }
    }

    /// Did its issuer sign it?
    pub(crate) fn signed_by(&self, keys: &Keys) -> Result<(), Why> {
        keys.verify(self.key.as_deref(), self.algorithm, self.signed, &self.signature)
    }

    pub(crate) fn names_its_key(&self) -> bool {
        self.key.is_some()
    }

    pub(crate) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    /// Is the claim one of these values, or a list that holds one?
    fn has(&self, name: &str, values: &[String]) -> bool {
        let is_one = |value: &Value| value.as_str().is_some_and(|value| values.iter().any(|wanted| wanted == value));
        self.claim(name).is_some_and(|claim| match claim {
            Value::Array(list) => list.iter().any(is_one),
            one => is_one(one),
        })
    }
}
