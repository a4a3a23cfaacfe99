//! Metadata, and the two core kinds that a folder may hold.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::DEFAULT_NAMESPACE;
use crate::meta::{DNS_LABEL, DNS_SUBDOMAIN};
use crate::path::Path;
use crate::shape::{Form, Shape, Unknown};
use crate::validation::FieldError;

/// A core `Secret`. It holds keys, so it has no `Debug`.
#[derive(Clone)]
pub struct Secret {
    /// Name, namespace and labels.
    pub metadata: ObjectMeta,
    /// Values as text, in which `${VARIABLE}`s have not been replaced. They win over those of `data`.
    pub string_data: BTreeMap<String, String>,
    /// Values as bytes, decoded.
    pub data: BTreeMap<String, Vec<u8>>,
}

/// A core `Namespace`, of which only the labels count.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// Name and labels.
    pub metadata: ObjectMeta,
}

/// Any of Penstock's own objects, but for its spec.
pub(super) static OBJECT: LazyLock<Shape> =
    LazyLock::new(|| object([("spec", Shape::Anything), ("status", Shape::Anything)], &["spec"]));

static SECRET: LazyLock<Shape> = LazyLock::new(|| {
    let map = || Shape::Map { most: 256, values: Box::new(text(1 << 20, Form::Free)) };
    object([("type", Shape::Anything), ("immutable", Shape::Boolean), ("data", map()), ("stringData", map())], &[])
});

static NAMESPACE: LazyLock<Shape> =
    LazyLock::new(|| object([("spec", Shape::Anything), ("status", Shape::Anything)], &[]));

/// Fields of metadata that an API server fills in, or that are for other programs.
const UNUSED_METADATA: [&str; 11] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

fn object<const N: usize>(fields: [(&str, Shape); N], required: &[&str]) -> Shape {
    let fixed = [("apiVersion", Shape::Anything), ("kind", Shape::Anything), ("metadata", metadata_shape())];
    Shape::Object {
        fields: fixed.into_iter().chain(fields).map(|(name, shape)| (name.to_owned(), shape)).collect(),
        required: ["metadata"].iter().chain(required).map(|name| (*name).to_owned()).collect(),
    }
}

fn metadata_shape() -> Shape {
    let label = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$";
    let labels = Shape::Map { most: 64, values: Box::new(text(63, Form::matching(label))) };
    let used = [
        ("name", text(253, Form::matching(DNS_SUBDOMAIN))),
        ("namespace", text(63, Form::matching(DNS_LABEL))),
        ("labels", labels),
    ];
    let unused = UNUSED_METADATA.map(|name| (name, Shape::Anything));
    Shape::Object {
        fields: used.into_iter().chain(unused).map(|(name, shape)| (name.to_owned(), shape)).collect(),
        required: vec!["name".to_owned()],
    }
}

const fn text(most: usize, form: Form) -> Shape {
    Shape::Text { least: 0, most, form }
}

/// Name, namespace and labels of an object that has a name.
pub(super) fn metadata(value: &Value) -> Option<ObjectMeta> {
    let metadata = value.get("metadata")?;
    let text = |name| metadata.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(ObjectMeta {
        name: Some(text("name")?),
        namespace: Some(text("namespace").unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned())),
        labels: metadata.get("labels").map(texts),
        ..ObjectMeta::default()
    })
}

fn texts(map: &Value) -> BTreeMap<String, String> {
    let members = map.as_object().into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

pub(super) fn secret(value: &Value, errors: &mut Vec<FieldError>) -> Option<Secret> {
    let root = Path::Root("");
    SECRET.check(value, &root, Unknown::Refused, errors);
    let metadata = metadata(value)?;
    let string_data = value.get("stringData").map(texts).unwrap_or_default();
    let path = root.field("data");
    let mut data = BTreeMap::new();
    for (name, text) in value.get("data").map(texts).unwrap_or_default() {
        match STANDARD.decode(text.trim()) {
            Ok(bytes) => drop(data.insert(name, bytes)),
            Err(_) => errors.push(path.field(&name).error("is not base64; plain text goes into stringData")),
        }
    }
    Some(Secret { metadata, string_data, data })
}

pub(super) fn namespace(value: &Value, errors: &mut Vec<FieldError>) -> Option<Namespace> {
    NAMESPACE.check(value, &Path::Root(""), Unknown::Refused, errors);
    metadata(value).map(|metadata| Namespace { metadata: ObjectMeta { namespace: None, ..metadata } })
}
