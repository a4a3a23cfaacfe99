//! What other providers want back with their thoughts, in the place where Gemini's clients keep Gemini's own proof: the
//! `thoughtSignature`. It is base64, and its clients may write it in another alphabet, so all of it is encoded once more.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a call is given that has no signature, so that Gemini takes it all the same
/// (ai.google.dev, gemini-api/docs/thought-signatures, on history from other models).
pub(crate) const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Begins what is not Gemini's own. A multiple of three bytes, so that its base64 is always the same letters.
const SIGNATURE: &str = "penstock:sig";
const REDACTED: &str = "penstock:red";

/// How both begin in base64.
const MARK: &str = "cGVuc3RvY2s6";

/// What is carried.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Carried {
    /// Proves that the provider wrote the thoughts beside it.
    Signature(String),
    /// Thoughts that the provider alone reads.
    Redacted(String),
}

/// A `thoughtSignature` for the signature of another provider.
pub(crate) fn signature(signature: &str) -> String {
    STANDARD.encode([SIGNATURE, signature].concat())
}

/// A `thoughtSignature` for thoughts that another provider alone reads.
pub(super) fn redacted(data: &str) -> String {
    STANDARD.encode([REDACTED, data].concat())
}

/// What a `thoughtSignature` carries for another provider; nothing if it is Gemini's own.
pub(super) fn read(thought_signature: &str) -> Option<Carried> {
    let bytes = STANDARD.decode(standard(thought_signature)).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let signature = text.strip_prefix(SIGNATURE).map(|rest| Carried::Signature(rest.to_owned()));
    signature.or_else(|| text.strip_prefix(REDACTED).map(|rest| Carried::Redacted(rest.to_owned())))
}

/// Whether a `thoughtSignature`, a JSON string, is not Gemini's own.
pub(crate) fn is_foreign(json: &str) -> bool {
    json.strip_prefix('"').is_some_and(|text| text.starts_with(MARK))
}

/// Base64 of either alphabet in the standard one, padded.
pub(super) fn standard(base64: &str) -> String {
    let mut standard = base64.trim_end_matches('=').replace('-', "+").replace('_', "/");
    while !standard.len().is_multiple_of(4) {
        standard.push('=');
    }
    standard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_of_others_come_back_from_a_client_that_writes_another_alphabet() {
        for text in ["EqQBCg==", "a?>~ÿ", ""] {
            let sent = signature(text);
            for back in [sent.clone(), sent.replace('+', "-").replace('/', "_"), sent.replace('=', "")] {
                assert_eq!(read(&back), Some(Carried::Signature(text.to_owned())), "{back}");
            }
            assert!(is_foreign(&format!("\"{sent}\"")));
            assert_eq!(read(&redacted(text)), Some(Carried::Redacted(text.to_owned())));
        }
    }

    #[test]
    fn gemini_s_own_signatures_carry_nothing() {
        for own in ["", "QUJD", "skip_thought_signature_validator", "not base64!", "CpgBAdHtim9="] {
            assert_eq!(read(own), None, "{own}");
        }
    }
}
