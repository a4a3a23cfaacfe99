//! From files to a world: every document by itself, so that a bad one leaves the others alone.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fmt, fs, io,
    path::Path,
    sync::Arc,
};

use penstock_config::{Key, Kind, Meta, ObjectRef, Resource, Secret, SecretState, Settings, Verdicts, World};
use penstock_crds::{FieldError, Spec, read as yaml};
use serde::Serialize;
use serde_json::Value;

use super::Complaint;

/// Everything that a folder says.
pub(crate) struct Contents {
    pub(crate) world: World,
    /// What could not be taken in as an object.
    pub(crate) problems: Vec<Complaint>,
    /// Where each object stands.
    places: BTreeMap<Key, Place>,
    secrets: BTreeMap<ObjectRef, Place>,
}

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Place {
    /// The file's name in the folder.
    pub(crate) file: String,
    /// Counted from 1; 0 for a file as a whole.
    pub(crate) line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// Reads all resource files of a folder; `environment` stands behind the `${NAME}`s of Secrets.
///
/// The error is one of the folder itself. Files and documents that can't be read are among the problems.
pub(crate) fn read(
    folder: &Path,
    settings: Settings,
    environment: impl Fn(&str) -> Option<String>,
) -> io::Result<Contents> {
    let mut contents =
        Contents { world: World::new(settings), problems: vec![], places: BTreeMap::new(), secrets: BTreeMap::new() };
    for path in super::files(folder)? {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match fs::read_to_string(&path) {
            Ok(text) => {
                for document in yaml::read(&text) {
                    contents.take(&file, document, &environment);
                }
            }
            Err(error) => contents.problem(Place { file, line: 0 }, "the file", format!("can't be read: {error}")),
        }
    }
    Ok(contents)
}

impl Contents {
    /// Every problem, and every condition of an object that is not as it should be.
    pub(crate) fn complaints(&self, verdicts: &Verdicts) -> BTreeSet<Complaint> {
        let findings = verdicts.iter().flat_map(|(key, verdict)| {
            verdict.complaints().map(move |finding| Complaint::of(key, self.place(key), finding))
        });
        findings.chain(self.problems.iter().cloned()).collect()
    }

    /// Where an object stands.
    pub(crate) fn place(&self, key: &Key) -> Place {
        let unknown = || Place { file: String::new(), line: 0 };
        self.places.get(key).cloned().unwrap_or_else(unknown)
    }

    fn problem(&mut self, place: Place, object: &str, message: String) {
        let object = object.to_owned();
        self.problems.push(Complaint { place, object, condition: None, message });
    }

    fn take(&mut self, file: &str, document: yaml::Document, environment: &impl Fn(&str) -> Option<String>) {
        let place = Place { file: file.to_owned(), line: document.line };
        let Self { world, places, .. } = self;
        let problems = document.problems.iter().map(ToString::to_string).collect();
        let taken = match document.resource {
            Some(yaml::Resource::AIProvider(object)) => {
                let meta = Meta::of(&object.metadata);
                insert(&mut world.providers, places, Kind::AIProvider, &place, meta, object.spec, problems)
            }
            Some(yaml::Resource::RoutePolicy(object)) => {
                let meta = Meta::of(&object.metadata);
                insert(&mut world.routes, places, Kind::RoutePolicy, &place, meta, object.spec, problems)
            }
            Some(yaml::Resource::RateLimit(object)) => {
                let meta = Meta::of(&object.metadata);
                insert(&mut world.limits, places, Kind::RateLimit, &place, meta, object.spec, problems)
            }
            Some(yaml::Resource::Consumer(object)) => {
                let meta = Meta::of(&object.metadata);
                insert(&mut world.consumers, places, Kind::Consumer, &place, meta, object.spec, problems)
            }
            Some(yaml::Resource::Secret(secret)) if problems.is_empty() => self.secret(&place, secret, environment),
            Some(yaml::Resource::Namespace(namespace)) if problems.is_empty() => {
                let meta = Meta::of(&namespace.metadata);
                world.namespaces.insert(meta.name, meta.labels);
                Ok(())
            }
            Some(yaml::Resource::Secret(_) | yaml::Resource::Namespace(_)) | None => {
                for problem in document.problems {
                    let place = Place { line: problem.line, ..place.clone() };
                    self.problem(place, &document.object, said(&problem.error));
                }
                Ok(())
            }
        };
        for problem in taken.err().unwrap_or_default() {
            self.problem(place.clone(), &document.object, problem);
        }
    }

    /// The error is what is wrong with it; it is as if it were not there then.
    fn secret(
        &mut self,
        place: &Place,
        secret: yaml::Secret,
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Result<(), Vec<String>> {
        let meta = Meta::of(&secret.metadata);
        let object = ObjectRef::new(meta.namespace, meta.name);
        if let Some(first) = self.secrets.get(&object) {
            return Err(vec![already(first)]);
        }
        let mut data = BTreeMap::new();
        let mut problems = Vec::new();
        for (key, bytes) in secret.data {
            match String::from_utf8(bytes) {
                Ok(value) if value.contains("${") => problems.push(format!("data.{key}: {ONLY_STRING_DATA}")),
                Ok(value) => drop(data.insert(key, Secret::new(&value))),
                Err(_) => problems.push(format!("data.{key}: is not UTF-8, so it can't be a key")),
            }
        }
        for (key, template) in secret.string_data {
            match expand(&template, environment) {
                Ok(value) => drop(data.insert(key, Secret::new(&value))),
                Err(problem) => problems.push(format!("stringData.{key}: {problem}")),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let resource_version = String::new();
        self.world.secrets.insert(object.clone(), SecretState::Found { resource_version, data });
        self.secrets.insert(object, place.clone());
        Ok(())
    }
}

const ONLY_STRING_DATA: &str = "says ${}, which only `stringData` of a Secret may; write the value itself";

/// Takes an object in, with what is wrong with it, so that a bad route keeps its names. The first of a name stays.
fn insert<S: Spec>(
    objects: &mut BTreeMap<ObjectRef, Arc<Resource<S>>>,
    places: &mut BTreeMap<Key, Place>,
    kind: Kind,
    place: &Place,
    meta: Meta,
    spec: S,
    mut problems: Vec<String>,
) -> Result<(), Vec<String>> {
    let object = ObjectRef::new(&meta.namespace, &meta.name);
    match places.entry(Key::new(kind, object.clone())) {
        Entry::Occupied(first) => return Err(vec![already(first.get())]),
        Entry::Vacant(vacant) => vacant.insert(place.clone()),
    };
    let json = serde_json::to_value(&spec).expect("a spec must serialise: its maps have string keys");
    templates(&json, "spec", &mut problems);
    let resource =
        if problems.is_empty() { Resource::new(meta, spec) } else { Resource::refused(meta, spec, problems) };
    objects.insert(object, resource.into());
    Ok(())
}

/// An error of a document as a whole has no path.
fn said(error: &FieldError) -> String {
    match error.path.as_str() {
        "" => error.message.clone(),
        _ => error.to_string(),
    }
}

fn already(first: &Place) -> String {
    format!("is defined already in {first}; give it another name or remove one of them")
}

/// Finds `${` in strings, where nothing would replace it.
fn templates(value: &Value, path: &str, problems: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains("${") => {
            let error = FieldError { path: path.to_owned(), message: ONLY_STRING_DATA.to_owned() };
            problems.push(error.to_string());
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                templates(item, &format!("{path}[{index}]"), problems);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                templates(member, &format!("{path}.{name}"), problems);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Replaces each `${NAME}` by the variable's value, or by nothing where it is not set.
fn expand(template: &str, environment: &impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or("says ${ without a }; write ${NAME}")?;
        let letters = name.chars().all(|letter| letter == '_' || letter.is_ascii_alphanumeric());
        if name.is_empty() || !letters || name.starts_with(|letter: char| letter.is_ascii_digit()) {
            return Err("says ${} around something that is not the name of a variable; write ${NAME}".to_owned());
        }
        text.push_str(before);
        text.push_str(&environment(name).unwrap_or_default());
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}
