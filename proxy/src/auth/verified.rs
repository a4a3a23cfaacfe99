//! Tokens whose signatures were verified. Callers show the same one again and again, and one that is known needs no more of it.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use penstock_config::Hash;

/// So many are remembered. When there are more, it begins anew.
const MOST: usize = 16_384;

/// By their digests. Kept beside the keys that signed them, and gone with these.
#[derive(Default)]
pub(super) struct Verified(Mutex<HashSet<Hash>>);

impl Verified {
    pub(super) fn has(&self, token: &Hash) -> bool {
        self.lock().contains(token)
    }

    pub(super) fn add(&self, token: Hash) {
        let mut verified = self.lock();
        if verified.len() >= MOST {
            verified.clear();
        }
        verified.insert(token);
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Hash>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_most_are_remembered_and_the_last_one_is() {
        let verified = Verified::default();
        let digest = |n: usize| Hash::of(&n.to_be_bytes());
        for n in 0..3 * MOST {
            verified.add(digest(n));
            assert!(verified.has(&digest(n)));
        }
        assert_eq!(verified.lock().len(), MOST);
        assert!(!verified.has(&digest(0)));
    }
}
