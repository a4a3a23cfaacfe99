//! What was seen of the cluster, as plain maps. Changes go in, a [`World`] comes out; nothing here waits or sends.

pub(crate) mod object;
pub(crate) mod secrets;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use penstock_config::{ClusterIssuer, Key, ObjectRef, SecretState, World};
use tokio::time::Instant;
use tracing::info;

use self::{
    object::{Read, Seen, config_kind, leave},
    secrets::{Ask, Index, Wanted, same_bytes},
};
use crate::{
    pods::Pods,
    watch::{Change, Happened, Item, Source},
};

/// What a change asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effect {
    /// What proxies run may have changed.
    pub(crate) compile: bool,
    /// Only what stands in status may have.
    pub(crate) status: bool,
    /// Proxy pods came, went or changed.
    pub(crate) pods: bool,
    /// A Secret may have to be read. Whether its bytes changed is known after that.
    pub(crate) secrets: bool,
}

/// Everything that was seen.
pub(crate) struct Stores {
    pub(crate) world: World,
    pub(crate) objects: BTreeMap<Key, Seen>,
    pub(crate) pods: Arc<Pods>,
    /// Objects that refer to a Secret which exists and was not fetched yet. What they were before serves on.
    waiting: BTreeMap<Key, Read>,
    secrets: Index,
    unsynced: BTreeSet<Source>,
    /// What a list that has begun has named so far.
    lists: BTreeMap<Source, BTreeSet<String>>,
}

impl std::ops::BitOrAssign for Effect {
    fn bitor_assign(&mut self, other: Self) {
        self.compile |= other.compile;
        self.status |= other.status;
        self.pods |= other.pods;
        self.secrets |= other.secrets;
    }
}

const NOTHING: Effect = Effect { compile: false, status: false, pods: false, secrets: false };
const COMPILE: Effect = Effect { compile: true, status: true, ..NOTHING };
const STATUS: Effect = Effect { status: true, ..NOTHING };
const PODS: Effect = Effect { pods: true, status: true, ..NOTHING };
const OBJECT: Effect = Effect { secrets: true, ..COMPILE };

impl Stores {
    /// Empty; synced once each of `sources` has been listed.
    pub(crate) fn new(world: World, sources: Vec<Source>) -> Self {
        Self {
            world,
            objects: BTreeMap::new(),
            pods: Arc::default(),
            waiting: BTreeMap::new(),
            secrets: Index::default(),
            unsynced: sources.into_iter().collect(),
            lists: BTreeMap::new(),
        }
    }

    /// Has everything been listed once? Nothing may be compiled before.
    pub(crate) fn is_synced(&self) -> bool {
        self.unsynced.is_empty()
    }

    /// Is every object in the world in its present form?
    pub(crate) fn is_complete(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn apply(&mut self, change: Change) -> Effect {
        let Change { source, happened } = change;
        match happened {
            Happened::ListBegins => {
                self.lists.insert(source, BTreeSet::new());
                NOTHING
            }
            Happened::Listed(item) => {
                if let Some(list) = self.lists.get_mut(&source) {
                    list.insert(identity(&item));
                }
                self.put(&source, item)
            }
            Happened::ListEnds => self.list_ends(source),
            Happened::Applied(item) => self.put(&source, item),
            Happened::Deleted(item) => self.remove(&source, &identity(&item)),
            Happened::NotInstalled => self.synced(&source),
        }
    }

    fn synced(&mut self, source: &Source) -> Effect {
        let first = self.unsynced.remove(source);
        if first && self.is_synced() {
            info!(objects = self.objects.len(), pods = self.pods.len(), "everything was listed");
            return OBJECT;
        }
        NOTHING
    }

    fn list_ends(&mut self, source: Source) -> Effect {
        let listed = self.lists.remove(&source).unwrap_or_default();
        let mut effect = NOTHING;
        for name in self.names_of(&source) {
            if !listed.contains(&name) {
                effect |= self.remove(&source, &name);
            }
        }
        effect |= self.synced(&source);
        effect
    }

    /// The identities that are known from a source.
    fn names_of(&self, source: &Source) -> Vec<String> {
        let within = |scope: &Option<String>, name: &ObjectRef| scope.as_ref().is_none_or(|s| **s == *name.namespace);
        match source {
            Source::Objects(kind, scope) => {
                let of_kind = self.objects.keys().filter(|key| key.kind == config_kind(*kind));
                of_kind.filter(|key| within(scope, &key.object)).map(|key| key.object.to_string()).collect()
            }
            Source::Secrets(scope) => {
                self.secrets.existing().filter(|name| within(scope, name)).map(ObjectRef::to_string).collect()
            }
            Source::Namespaces => self.world.namespaces.keys().cloned().collect(),
            Source::Pods => self.pods.keys().cloned().collect(),
            Source::Issuer => Vec::new(),
        }
    }

    fn put(&mut self, source: &Source, item: Item) -> Effect {
        match (source, item) {
            (Source::Objects(kind, _), Item::Object(object)) => {
                let (key, read) = Read::new(*kind, &object);
                self.put_object(key, read)
            }
            (Source::Secrets(_), Item::Secret { name, version }) => {
                let secrets = self.wants(&name);
                self.secrets.exists(name, version);
                Effect { secrets, ..NOTHING }
            }
            (Source::Namespaces, Item::Namespace { name, labels }) => {
                let before = self.world.namespaces.insert(name, labels.clone());
                if before.as_ref() == Some(&labels) { NOTHING } else { COMPILE }
            }
            (Source::Issuer, Item::Issuer(cluster)) => {
                let now = ClusterIssuer::Known(cluster);
                let mut effect = if self.world.issuer == now { NOTHING } else { COMPILE };
                self.world.issuer = now;
                effect |= self.synced(source);
                effect
            }
            (Source::Pods, Item::Pod { uid, pod }) => {
                let before = Arc::make_mut(&mut self.pods).insert(uid, pod.clone());
                if before == Some(pod) { NOTHING } else { PODS }
            }
            _ => NOTHING,
        }
    }

    fn put_object(&mut self, key: Key, read: Read) -> Effect {
        if read.gateway != self.world.settings.gateway {
            return self.remove_object(&key);
        }
        let before = self.objects.insert(key.clone(), read.seen.clone());
        let changed = before.as_ref().is_none_or(|before| read.seen.differs_from(before));
        if !changed {
            return if before.as_ref() == Some(&read.seen) { NOTHING } else { STATUS };
        }
        self.waiting.insert(key, read);
        self.admit();
        OBJECT
    }

    /// Lets in every object whose Secrets are all known.
    fn admit(&mut self) -> bool {
        let known = |read: &Read| read.seen.references.iter().all(|(name, key)| self.secrets.knows(name, key));
        let ready: Vec<Key> = self.waiting.iter().filter(|(_, read)| known(read)).map(|(key, _)| key.clone()).collect();
        for key in &ready {
            let Some(read) = self.waiting.remove(key) else { continue };
            leave(&mut self.world, key);
            read.enter(&mut self.world);
        }
        !ready.is_empty()
    }

    fn remove(&mut self, source: &Source, name: &str) -> Effect {
        match source {
            Source::Objects(kind, _) => match parse(name) {
                Some(name) => self.remove_object(&Key::new(config_kind(*kind), name)),
                None => NOTHING,
            },
            Source::Secrets(_) => parse(name).map_or(NOTHING, |name| self.remove_secret(&name)),
            Source::Namespaces => {
                if self.world.namespaces.remove(name).is_some() {
                    COMPILE
                } else {
                    NOTHING
                }
            }
            // What was known of it serves on.
            Source::Issuer => NOTHING,
            Source::Pods => {
                if Arc::make_mut(&mut self.pods).remove(name).is_some() {
                    PODS
                } else {
                    NOTHING
                }
            }
        }
    }

    fn remove_object(&mut self, key: &Key) -> Effect {
        self.waiting.remove(key);
        leave(&mut self.world, key);
        if self.objects.remove(key).is_some() { OBJECT } else { NOTHING }
    }

    fn remove_secret(&mut self, name: &ObjectRef) -> Effect {
        self.secrets.gone(name);
        Effect { secrets: self.wants(name), ..NOTHING }
    }

    fn wants(&self, name: &ObjectRef) -> bool {
        self.objects.values().any(|seen| seen.references.iter().any(|(wanted, _)| wanted == name))
    }

    /// What objects refer to, in the form that was last seen and in the older one that serves until it may enter.
    fn wanted(&self) -> Wanted {
        let mut wanted = if self.waiting.is_empty() { Wanted::new() } else { self.world.secret_references() };
        for (name, key) in self.objects.values().flat_map(|seen| &seen.references) {
            wanted.entry(name.clone()).or_default().insert(key.clone());
        }
        wanted
    }

    /// The Secrets to GET now. Only asked once everything was listed.
    pub(crate) fn secrets_due(&mut self, now: Instant) -> Vec<Ask> {
        let wanted = self.wanted();
        self.world.secrets.retain(|name, _| wanted.contains_key(name));
        self.secrets.retain(&wanted);
        self.secrets.due(&wanted, now)
    }

    pub(crate) fn next_secret_try(&self) -> Option<Instant> {
        self.secrets.next_try()
    }

    /// A GET was answered: a 403 and a 404 are answers.
    pub(crate) fn secret_answered(&mut self, ask: Ask, state: SecretState) -> Effect {
        let name = ask.name.clone();
        self.secrets.answered(ask);
        let before = self.world.secrets.insert(name, state.clone());
        let same = before.as_ref().is_some_and(|before| same_bytes(before, &state));
        if self.admit() || !same { COMPILE } else { STATUS }
    }

    pub(crate) fn secret_failed(&mut self, ask: &Ask, now: Instant) {
        self.secrets.failed(ask, now);
    }

    /// Objects that are in the world as they were last seen.
    pub(crate) fn settled(&self) -> impl Iterator<Item = (&Key, &Seen)> {
        self.objects.iter().filter(|(key, _)| !self.waiting.contains_key(*key))
    }

    /// The version of a Secret that its value was read from.
    pub(crate) fn secret_version(&self, name: &ObjectRef) -> Option<&str> {
        match self.world.secrets.get(name)? {
            SecretState::Found { resource_version, .. } => Some(resource_version),
            SecretState::Missing | SecretState::Forbidden => None,
        }
    }

    /// Objects of which nothing can be read, so that `compile` has no verdict on them.
    pub(crate) fn unreadable(&self) -> impl Iterator<Item = (&Key, &str)> {
        self.objects.iter().filter_map(|(key, seen)| seen.unreadable.as_deref().map(|why| (key, why)))
    }
}

fn identity(item: &Item) -> String {
    match item {
        Item::Object(object) => {
            let metadata = &object.metadata;
            let (namespace, name) = (metadata.namespace.as_deref(), metadata.name.as_deref());
            format!("{}/{}", namespace.unwrap_or_default(), name.unwrap_or_default())
        }
        Item::Secret { name, .. } => name.to_string(),
        Item::Namespace { name, .. } => name.clone(),
        Item::Pod { uid, .. } => uid.clone(),
        Item::Issuer(_) => String::new(),
    }
}

fn parse(identity: &str) -> Option<ObjectRef> {
    let (namespace, name) = identity.split_once('/')?;
    Some(ObjectRef::new(namespace, name))
}

#[cfg(test)]
mod tests;
