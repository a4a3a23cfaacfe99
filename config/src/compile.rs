//! The fold from resources to a snapshot.
//!
//! Providers first, then names, then routes over both, then consumers and limits. Every object gets a verdict; a bad
//! one is left out, and what refers to it is judged by the same rules. Nothing remembers how things were before.

mod account;
mod consumer;
mod draft;
mod limit;
mod names;
mod provider;
mod route;
mod secrets;
mod unsupported;

#[cfg(test)]
mod tests;

use self::draft::Draft;
use crate::{
    Entry, Hash, Key, Kind, ObjectRef, Secrets, Snapshot, Verdicts, World,
    object::Object,
    world::{Meta, Resource},
};

/// Compiles once. [`Compiler`] gives the same, faster, when the world changes little.
pub fn compile(world: &World) -> (Snapshot, Verdicts) {
    Compiler::default().compile(world)
}

/// Remembers the bytes of objects that stay the same; what it returns depends on the world alone.
#[derive(Default)]
pub struct Compiler {
    /// In the order of their keys.
    known: Vec<(Object, Entry)>,
}

/// What a compilation has made so far.
struct Output {
    /// Of each key one.
    objects: Vec<(Key, Object)>,
    drafts: Vec<(Key, (Draft, Hash))>,
    secrets: Secrets,
}

impl Compiler {
    /// The snapshot that the world asks for, and what became of every object in it.
    pub fn compile(&mut self, world: &World) -> (Snapshot, Verdicts) {
        let mut output = Output { objects: Vec::new(), drafts: Vec::new(), secrets: Secrets::default() };
        let mut providers = provider::compile(world, &mut output.secrets);
        let claims = names::claim(world, &mut providers);
        route::compile(world, &providers, claims, &mut output);
        provider::finish(providers, &mut output);
        consumer::compile(world, &mut output);
        limit::compile(world, &mut output);
        self.seal(output)
    }

    /// Serialises what is new and takes the rest as it was.
    fn seal(&mut self, output: Output) -> (Snapshot, Verdicts) {
        let Output { mut objects, mut drafts, secrets } = output;
        objects.sort_by(|(one, _), (other, _)| one.cmp(other));
        drafts.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut known = Vec::with_capacity(objects.len());
        // All are in the order of keys, so one walk finds what is still the same.
        let mut old = std::mem::take(&mut self.known).into_iter().peekable();
        for (key, object) in objects {
            while old.next_if(|(_, entry)| *entry.key() < key).is_some() {}
            let entry = match old.next_if(|(_, entry)| *entry.key() == key) {
                Some((same, entry)) if same == object => entry,
                _ => Entry::new(key, &object),
            };
            known.push((object, entry));
        }
        let mut sealed = known.iter().map(|(_, entry)| entry).peekable();
        let verdict = |(key, (draft, spec)): (Key, (Draft, Hash))| {
            while sealed.next_if(|entry| *entry.key() < key).is_some() {}
            let entry = sealed.next_if(|entry| *entry.key() == key).map(Entry::digest);
            let verdict = draft.verdict(spec, entry);
            (key, verdict)
        };
        let verdicts = drafts.into_iter().map(verdict).collect();
        let entries = known.iter().map(|(_, entry)| (entry.key().clone(), entry.clone())).collect();
        self.known = known;
        (Snapshot::new(entries, secrets), verdicts)
    }
}

impl Output {
    fn add(&mut self, kind: Kind, object: ObjectRef, content: Object) {
        self.objects.push((Key::new(kind, object), content));
    }

    fn judge<S>(&mut self, kind: Kind, resource: &Resource<S>, draft: Draft) {
        let key = Key::new(kind, resource.object_ref());
        self.drafts.push((key, (draft, resource.digest)));
    }
}

/// Older first; without an age (in a folder) by namespace and name.
fn by_age(a: &Meta, b: &Meta) -> std::cmp::Ordering {
    (a.created, &a.namespace, &a.name).cmp(&(b.created, &b.namespace, &b.name))
}
