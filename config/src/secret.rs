//! Values of Secrets: the one type that can be sent, and can't be printed.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Hash;

/// A key's value. It has no `Debug`, no `Display` and no serialiser of its own.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    pub fn new(value: &str) -> Self {
        Self(value.into())
    }

    /// The value itself: for the request header that needs it, and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What objects refer to the value by.
    pub fn digest(&self) -> Hash {
        Hash::of(self.0.as_bytes())
    }
}

/// The side table of a snapshot in which all key values travel, by digest. The only thing that serialises them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<Hash, Secret>);

impl Secrets {
    pub fn get(&self, digest: &Hash) -> Option<&Secret> {
        self.0.get(digest)
    }

    /// Adds a value and returns its digest.
    pub fn insert(&mut self, secret: Secret) -> Hash {
        let digest = secret.digest();
        self.0.insert(digest, secret);
        digest
    }

    pub(crate) fn digests(&self) -> impl Iterator<Item = Hash> + '_ {
        self.0.keys().copied()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn extend(&mut self, other: Secrets) {
        self.0.extend(other.0);
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&Hash) -> bool) {
        self.0.retain(|digest, _| keep(digest));
    }

    /// The entries that `base` does not have.
    pub(crate) fn without(&self, base: &Secrets) -> Secrets {
        let new = self.0.iter().filter(|(digest, _)| !base.0.contains_key(digest));
        Secrets(new.map(|(digest, secret)| (*digest, secret.clone())).collect())
    }
}

impl Serialize for Secrets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(digest, secret)| (digest, secret.expose())))
    }
}

impl<'de> Deserialize<'de> for Secrets {
    /// Digests are computed again, so an entry under a wrong digest can't stand for another.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = BTreeMap::<String, String>::deserialize(deserializer)?;
        let mut secrets = Secrets::default();
        for value in values.values() {
            secrets.insert(Secret::new(value));
        }
        Ok(secrets)
    }
}
