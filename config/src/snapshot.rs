//! What is live: every object by key, the secrets they refer to, and the hash that identifies both.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::{Hash, Key, Secrets, object::Object};

/// One object of a snapshot: its key and its bytes, exactly as sent. Cheap to clone.
#[derive(Clone)]
pub struct Entry {
    key: Key,
    json: Arc<RawValue>,
    digest: Hash,
}

/// An immutable whole. Equal hashes mean equal objects and equal key values.
#[derive(Clone)]
pub struct Snapshot {
    hash: Hash,
    objects: BTreeMap<Key, Entry>,
    secrets: Secrets,
}

/// The way from one snapshot to another.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delta {
    /// The hash of the snapshot that it applies to, and of the result.
    pub base: Hash,
    pub hash: Hash,
    pub upsert: Vec<Entry>,
    pub remove: Vec<Key>,
    /// Values that the base lacks.
    pub secrets: Secrets,
    /// Digests of values that the result no longer has.
    pub forget: Vec<Hash>,
}

/// Why a document can't become the snapshot that it says it is.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SnapshotError {
    #[error("the delta starts from {base}, this is {have}")]
    OtherBase { base: Hash, have: Hash },
    #[error("the objects hash to {computed}, the document says {said}")]
    HashMismatch { said: Hash, computed: Hash },
}

impl Entry {
    /// Serialises an object; the same object gives the same bytes.
    pub(crate) fn new(key: Key, object: &Object) -> Self {
        let json =
            serde_json::value::to_raw_value(object).expect("an object must serialise: its maps have string keys");
        Self::from_json(key, json.into())
    }

    fn from_json(key: Key, json: Arc<RawValue>) -> Self {
        let digest = Hash::of(json.get().as_bytes());
        Self { key, json, digest }
    }

    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The digest of the bytes: an object whose digest is unchanged need not be built again.
    pub fn digest(&self) -> Hash {
        self.digest
    }

    /// The object's bytes, for what can still be read of one that does not parse.
    pub fn json(&self) -> &str {
        self.json.get()
    }

    /// Reads the object. An error concerns this object alone.
    pub fn parse(&self) -> Result<Object, serde_json::Error> {
        Object::parse(&self.key, self.json.get())
    }
}

impl Default for Snapshot {
    fn default() -> Self {
        Self::new(BTreeMap::new(), Secrets::default())
    }
}

impl Snapshot {
    pub(crate) fn new(objects: BTreeMap<Key, Entry>, secrets: Secrets) -> Self {
        let hash = hash_of(&objects);
        Self { hash, objects, secrets }
    }

    /// A snapshot as received. The hash is computed again and compared.
    pub fn receive(said: Hash, entries: Vec<Entry>, secrets: Secrets) -> Result<Self, SnapshotError> {
        let objects = entries.into_iter().map(|entry| (entry.key.clone(), entry)).collect();
        Self::new(objects, secrets).checked(said)
    }

    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// In the order of their keys.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.objects.values()
    }

    pub fn get(&self, key: &Key) -> Option<&Entry> {
        self.objects.get(key)
    }

    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The delta that leads from `base` to this snapshot.
    pub fn since(&self, base: &Snapshot) -> Delta {
        let (mut upsert, mut remove) = (Vec::new(), Vec::new());
        // Both are in the order of keys, so one walk finds what differs.
        let mut old = base.entries().peekable();
        for entry in self.entries() {
            while let Some(gone) = old.next_if(|old| old.key < entry.key) {
                remove.push(gone.key.clone());
            }
            let same = old.next_if(|old| old.key == entry.key);
            if same.is_none_or(|old| old.digest != entry.digest) {
                upsert.push(entry.clone());
            }
        }
        remove.extend(old.map(|gone| gone.key.clone()));
        Delta {
            base: base.hash,
            hash: self.hash,
            upsert,
            remove,
            secrets: self.secrets.without(&base.secrets),
            forget: base.secrets.without(&self.secrets).digests().collect(),
        }
    }

    /// The snapshot that `delta` leads to. An error leaves this one as it is.
    pub fn apply(&self, delta: Delta) -> Result<Self, SnapshotError> {
        if delta.base != self.hash {
            return Err(SnapshotError::OtherBase { base: delta.base, have: self.hash });
        }
        let mut next = self.clone();
        for key in &delta.remove {
            next.objects.remove(key);
        }
        for entry in delta.upsert {
            next.objects.insert(entry.key.clone(), entry);
        }
        next.secrets.extend(delta.secrets);
        next.secrets.retain(|digest| !delta.forget.contains(digest));
        Self::new(next.objects, next.secrets).checked(delta.hash)
    }

    fn checked(self, said: Hash) -> Result<Self, SnapshotError> {
        if self.hash == said {
            return Ok(self);
        }
        Err(SnapshotError::HashMismatch { said, computed: self.hash })
    }
}

/// H(sorted (kind, namespace, name, H(bytes as sent))).
fn hash_of(objects: &BTreeMap<Key, Entry>) -> Hash {
    Hash::of_parts(objects.values().flat_map(|Entry { key, digest, .. }| {
        [key.kind.as_str().as_bytes(), key.object.namespace.as_bytes(), key.object.name.as_bytes(), digest.as_bytes()]
    }))
}

/// An entry as it stands in a document.
#[derive(Serialize, Deserialize)]
struct Wire<K, J> {
    key: K,
    object: J,
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire { key: &self.key, object: &*self.json }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Wire { key, object } = Wire::<Key, Box<RawValue>>::deserialize(deserializer)?;
        Ok(Self::from_json(key, object.into()))
    }
}
