//! Reading resources from YAML, strictly.
//!
//! What an API server would refuse is refused here, and so is what it would drop: a field that nobody knows is most
//! likely a misspelt one, and nobody would hear of it.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::meta::{GROUP, Kind, VERSION};
use crate::own::{OwnModel, OwnModels};
use crate::path::Path;
use crate::shape::{self, Unknown, nearest};
use crate::validation::{FieldError, Spec};
use crate::{AIProvider, Consumer, RateLimit, RoutePolicy, RoutePolicySpec};

mod core;
mod yaml;

pub use self::core::{Namespace, Secret};

/// The namespace of an object in a file that names none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// An object of a file.
#[derive(Clone)]
pub enum Resource {
    AIProvider(AIProvider),
    RoutePolicy(RoutePolicy),
    RateLimit(RateLimit),
    Consumer(Consumer),
    Secret(Secret),
    Namespace(Namespace),
}

/// A document of a YAML stream.
#[derive(Clone)]
pub struct Document {
    /// Its first line, counted from 1.
    pub line: u32,
    /// What it describes, as far as that could be read: `RoutePolicy default/chat`, or `a document`.
    pub object: String,
    /// What it says. With problems, this is what could be made of it, so that its names can be kept from others.
    pub resource: Option<Resource>,
    /// What is wrong with it, in the order of its lines. It must not be used as it is unless there is nothing.
    pub problems: Vec<Problem>,
}

/// Something wrong in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, counted from 1.
    pub line: u32,
    /// The field, and what is wrong with it.
    pub error: FieldError,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error.path.as_str() {
            "" => write!(f, "line {}: {}", self.line, self.error.message),
            _ => write!(f, "line {}: {}", self.line, self.error),
        }
    }
}

/// Reads all documents of a YAML stream. A bad one does not stop the others; empty ones are left out.
#[must_use]
pub fn read(text: &str) -> Vec<Document> {
    yaml::documents(text)
        .map(|chunk| match yaml::parse(chunk) {
            Ok(tree) => document(&tree),
            Err(problem) => {
                Document { line: chunk.line, object: "a document".to_owned(), resource: None, problems: vec![problem] }
            }
        })
        .collect()
}

/// Reads a file of users' own prices and facts, as strictly as resources. Nothing of it may be used if anything is wrong
/// with it.
///
/// # Errors
/// What is wrong, in the order of its lines.
pub fn own_models(text: &str) -> Result<Vec<OwnModel>, Vec<Problem>> {
    let root = Path::Root("");
    let (mut models, mut problems) = (Vec::new(), Vec::new());
    for (index, chunk) in yaml::documents(text).enumerate() {
        if index > 0 {
            let error = root.error("is a second document; one holds all rows, so that none stands twice");
            problems.push(Problem { line: chunk.line, error });
            continue;
        }
        let tree = yaml::parse(chunk).map_err(|problem| vec![problem])?;
        let mut errors = Vec::new();
        shape::of::<OwnModels>().check(&tree.value, &root, Unknown::Refused, &mut errors);
        match serde_json::from_value::<OwnModels>(without_nulls(tree.value.clone())) {
            Ok(own) => {
                own.check(&root, &mut errors);
                models.extend(own.models);
            }
            Err(error) if errors.is_empty() => errors.push(root.error(&error.to_string())),
            Err(_) => {}
        }
        problems.extend(located(&tree, errors));
    }
    if problems.is_empty() { Ok(models) } else { Err(problems) }
}

fn located(tree: &yaml::Tree, errors: Vec<FieldError>) -> Vec<Problem> {
    let mut problems: Vec<_> =
        errors.into_iter().map(|error| Problem { line: tree.line_of(&error.path), error }).collect();
    problems.sort_by_key(|problem| problem.line);
    problems
}

fn document(tree: &yaml::Tree) -> Document {
    let mut errors = Vec::new();
    let head = Head::of(&tree.value);
    let resource = head.resource(&tree.value, &mut errors);
    Document { line: tree.first_line, object: head.to_string(), resource, problems: located(tree, errors) }
}

/// The words by which an object is known.
struct Head<'a> {
    api_version: Option<&'a str>,
    kind: Option<&'a str>,
    namespace: Option<&'a str>,
    name: Option<&'a str>,
}

/// The kinds that a folder holds.
#[derive(Clone, Copy)]
enum Known {
    Ours(Kind),
    Secret,
    Namespace,
}

impl Known {
    const ALL: [Self; 6] = [
        Self::Ours(Kind::AIProvider),
        Self::Ours(Kind::RoutePolicy),
        Self::Ours(Kind::RateLimit),
        Self::Ours(Kind::Consumer),
        Self::Secret,
        Self::Namespace,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Ours(kind) => kind.as_str(),
            Self::Secret => "Secret",
            Self::Namespace => "Namespace",
        }
    }

    fn api_version(self) -> String {
        match self {
            Self::Ours(_) => format!("{GROUP}/{VERSION}"),
            Self::Secret | Self::Namespace => "v1".to_owned(),
        }
    }
}

impl<'a> Head<'a> {
    fn of(value: &'a Value) -> Self {
        let text = |pointer| value.pointer(pointer).and_then(Value::as_str);
        Self {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
        }
    }

    fn resource(&self, value: &Value, errors: &mut Vec<FieldError>) -> Option<Resource> {
        let root = Path::Root("");
        if !value.is_object() {
            errors.push(root.error("is not a resource: a map with apiVersion, kind, metadata and spec is wanted"));
            return None;
        }
        let known = self.known().map_err(|error| errors.push(error)).ok()?;
        if self.api_version != Some(known.api_version().as_str()) {
            let (wanted, kind) = (known.api_version(), known.as_str());
            let found = self.api_version.map_or("is missing".to_owned(), |found| format!("is {found:?}"));
            errors.push(root.field("apiVersion").error(&format!("{found}, must be {wanted} for kind {kind}")));
        }
        let kind = match known {
            Known::Ours(kind) => kind,
            Known::Secret => return core::secret(value, errors).map(Resource::Secret),
            Known::Namespace => return core::namespace(value, errors).map(Resource::Namespace),
        };
        core::OBJECT.check(value, &root, Unknown::Refused, errors);
        let metadata = core::metadata(value)?;
        match kind {
            Kind::AIProvider => {
                let spec = spec(value, errors)?;
                Some(Resource::AIProvider(AIProvider { metadata, spec, status: None }))
            }
            Kind::RoutePolicy => {
                let spec = spec(value, errors).or_else(|| names_only(value))?;
                Some(Resource::RoutePolicy(RoutePolicy { metadata, spec, status: None }))
            }
            Kind::RateLimit => {
                let spec = spec(value, errors)?;
                Some(Resource::RateLimit(RateLimit { metadata, spec, status: None }))
            }
            Kind::Consumer => {
                let spec = spec(value, errors)?;
                Some(Resource::Consumer(Consumer { metadata, spec, status: None }))
            }
        }
    }

    fn known(&self) -> Result<Known, FieldError> {
        let path = Path::Root("");
        let path = path.field("kind");
        let names = Known::ALL.map(Known::as_str);
        let Some(kind) = self.kind else {
            return Err(path.error(&format!("is required: one of {}", names.join(", "))));
        };
        Known::ALL.into_iter().find(|known| known.as_str() == kind).ok_or_else(|| {
            match nearest(kind, names.into_iter()) {
                Some(name) => path.error(&format!("is {kind:?}, which is not known; did you mean {name}?")),
                None => path.error(&format!("is {kind:?}, which is not known; known are {}", names.join(", "))),
            }
        })
    }
}

impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = (self.kind.unwrap_or("a document"), self.name.unwrap_or("without a name"));
        match (self.kind, self.name) {
            (None, None) => f.write_str("a document"),
            (Some("Namespace"), _) => write!(f, "{kind} {name}"),
            (_, Some(name)) => write!(f, "{kind} {}/{name}", self.namespace.unwrap_or(DEFAULT_NAMESPACE)),
            (_, None) => write!(f, "{kind} {name}"),
        }
    }
}

/// The spec, when it can be read; what is wrong with it is in `errors` in any case.
fn spec<S: Spec + DeserializeOwned>(value: &Value, errors: &mut Vec<FieldError>) -> Option<S> {
    let (spec, wrong) = stored(value.get("spec")?);
    errors.extend(wrong);
    spec
}

/// Reads a `spec` as it is stored in an API server, as strictly as one in a file: definitions of another version may
/// have let in what this one would ignore. Returns it, if it can be read, and what is wrong with it in any case.
#[must_use]
pub fn stored<S: Spec + DeserializeOwned>(value: &Value) -> (Option<S>, Vec<FieldError>) {
    let path = Path::Root("spec");
    let mut errors = Vec::new();
    shape::spec(S::KIND).check(value, &path, Unknown::Refused, &mut errors);
    match serde_json::from_value::<S>(without_nulls(value.clone())) {
        Ok(spec) => {
            spec.check(&path, &mut errors);
            (Some(spec), errors)
        }
        Err(error) => {
            if errors.is_empty() {
                errors.push(path.error(&error.to_string()));
            }
            (None, errors)
        }
    }
}

/// The names that a RoutePolicy claims, when no more of it can be read.
fn names_only(value: &Value) -> Option<RoutePolicySpec> {
    let (mut spec, fields) = (serde_json::Map::new(), value.get("spec")?);
    for name in ["gateway", "models"] {
        spec.extend(fields.get(name).map(|field| (name.to_owned(), field.clone())));
    }
    serde_json::from_value(Value::Object(spec)).ok()
}

/// As the API server does: a null where none is allowed is as if it was not there.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, member)| !member.is_null())
            .map(|(name, member)| (name, without_nulls(member)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        scalar => scalar,
    }
}
