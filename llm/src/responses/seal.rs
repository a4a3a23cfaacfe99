//! Proof of thinking of other providers, in the member where OpenAI keeps its own.

/// What an `encrypted_content` that Penstock wrote holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sealed<'t> {
    /// The signature of the item's text.
    Signature(&'t str),
    /// Thinking that only its provider reads.
    Redacted(&'t str),
}

const SIGNATURE: &str = "penstock:signature:";
const REDACTED: &str = "penstock:redacted:";

/// Whether a JSON string, as it stands in a body, is thinking that Penstock sealed.
pub(crate) fn is_sealed(literal: &str) -> bool {
    literal.strip_prefix('"').is_some_and(|text| Sealed::open(text).is_some())
}

impl<'t> Sealed<'t> {
    /// `None` for what another provider encrypted: nobody else can read it.
    pub(super) fn open(encrypted: &'t str) -> Option<Self> {
        let signature = encrypted.strip_prefix(SIGNATURE).map(Self::Signature);
        signature.or_else(|| encrypted.strip_prefix(REDACTED).map(Self::Redacted))
    }

    pub(super) fn close(self) -> String {
        match self {
            Self::Signature(signature) => format!("{SIGNATURE}{signature}"),
            Self::Redacted(data) => format!("{REDACTED}{data}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_again_and_what_others_encrypted_does_not() {
        for sealed in [Sealed::Signature("sig=="), Sealed::Redacted("")] {
            assert_eq!(Sealed::open(&sealed.close()), Some(sealed));
        }
        assert_eq!(Sealed::open("gAAAAABo"), None);
    }
}
