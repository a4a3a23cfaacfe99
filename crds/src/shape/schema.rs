//! Schemas as they are written, made shapes.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use kube::core::schema::StructuralSchemaRewriter;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::Transform as _;
use serde::Deserialize;

use super::{Form, Shape, Unique};
use crate::crd;
use crate::meta::Kind;

/// Of a JSON schema what the definitions use and shapes are about. Descriptions are passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Schema {
    r#type: Type,
    #[serde(default)]
    properties: BTreeMap<String, Schema>,
    #[serde(default)]
    required: Vec<String>,
    /// What every value of a map must look like.
    additional_properties: Option<Box<Schema>>,
    max_properties: Option<usize>,
    items: Option<Box<Schema>>,
    min_items: Option<usize>,
    max_items: Option<usize>,
    #[serde(rename = "x-kubernetes-list-type")]
    list_type: Option<String>,
    #[serde(rename = "x-kubernetes-list-map-keys", default)]
    list_map_keys: Vec<String>,
    min_length: Option<usize>,
    max_length: Option<usize>,
    pattern: Option<String>,
    /// With a null where the field may be absent.
    r#enum: Option<Vec<Option<String>>>,
    minimum: Option<f64>,
    maximum: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Object,
    Array,
    Integer,
    Boolean,
    String,
}

/// The definition of a kind, down to its schema.
#[derive(Deserialize)]
struct Definition {
    spec: Versions,
}

#[derive(Deserialize)]
struct Versions {
    versions: [Version; 1],
}

#[derive(Deserialize)]
struct Version {
    schema: Validation,
}

#[derive(Deserialize)]
struct Validation {
    #[serde(rename = "openAPIV3Schema")]
    whole: Schema,
}

/// The shape of a kind's `spec`.
pub(crate) fn spec(kind: Kind) -> &'static Shape {
    static SPECS: [OnceLock<Shape>; Kind::ALL.len()] = [const { OnceLock::new() }; Kind::ALL.len()];
    let place = Kind::ALL.iter().position(|each| *each == kind).expect("must be one of all kinds");
    SPECS[place].get_or_init(|| {
        let definition: Definition =
            serde_saphyr::from_str(crd::text(kind)).expect("must be a definition: it is made from the types");
        let [Version { schema }] = definition.spec.versions;
        let mut fields = schema.whole.properties;
        Shape::from(fields.remove("spec").expect("must have a spec: every kind does"))
    })
}

/// The shape of any type that has a schema.
pub(crate) fn of<T: JsonSchema>() -> Shape {
    let settings = SchemaSettings::openapi3().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    StructuralSchemaRewriter.transform(&mut schema);
    let schema: Schema =
        serde_json::from_value(schema.to_value()).expect("must be a schema as those of the definitions are");
    Shape::from(schema)
}

impl From<Schema> for Shape {
    fn from(schema: Schema) -> Self {
        let boxed = |schema: Box<Schema>| Box::new(Self::from(*schema));
        let most = |bound: Option<usize>| bound.unwrap_or(usize::MAX);
        match schema.r#type {
            Type::Object => match schema.additional_properties {
                Some(values) => Self::Map { most: most(schema.max_properties), values: boxed(values) },
                None => Self::Object {
                    fields: schema.properties.into_iter().map(|(name, field)| (name, Self::from(field))).collect(),
                    required: schema.required,
                },
            },
            Type::Array => Self::List {
                least: schema.min_items.unwrap_or(0),
                most: most(schema.max_items),
                unique: match schema.list_type.as_deref() {
                    Some("set") => Unique::Whole,
                    Some("map") => Unique::By(schema.list_map_keys),
                    _ => Unique::Not,
                },
                items: boxed(schema.items.expect("must say what its items are: every list does")),
            },
            Type::String => Self::Text {
                least: schema.min_length.unwrap_or(0),
                most: most(schema.max_length),
                form: match (schema.r#enum, schema.pattern) {
                    (Some(words), _) => Form::OneOf(words.into_iter().flatten().collect()),
                    (None, Some(pattern)) => Form::matching(&pattern),
                    (None, None) => Form::Free,
                },
            },
            Type::Integer => {
                Self::Integer { least: whole(schema.minimum, i64::MIN), most: whole(schema.maximum, i64::MAX) }
            }
            Type::Boolean => Self::Boolean,
        }
    }
}

fn whole(value: Option<f64>, default: i64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "bounds in the schemas are whole and far below 2^53")]
    value.map_or(default, |value| value as i64)
}
