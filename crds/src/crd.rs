//! The `CustomResourceDefinition`s, made from the types. What is made lies in this crate's folder, for `kubectl apply`; programs
//! take it from there, and a test makes it anew.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::Value;

use crate::meta::Kind;
use crate::{AIProvider, Consumer, RateLimit, RoutePolicy};

mod columns;

/// The definition of one kind.
#[must_use]
pub fn definition(kind: Kind) -> CustomResourceDefinition {
    let mut crd = match kind {
        Kind::AIProvider => AIProvider::crd(),
        Kind::RoutePolicy => RoutePolicy::crd(),
        Kind::RateLimit => RateLimit::crd(),
        Kind::Consumer => Consumer::crd(),
    };
    for version in &mut crd.spec.versions {
        version.additional_printer_columns = Some(columns::columns(kind));
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            tidy(schema, kind);
        }
    }
    crd
}

/// The definition of one kind as YAML, ready for `kubectl apply`.
#[must_use]
pub const fn text(kind: Kind) -> &'static str {
    match kind {
        Kind::AIProvider => include_str!("../aiproviders.yaml"),
        Kind::RoutePolicy => include_str!("../routepolicies.yaml"),
        Kind::RateLimit => include_str!("../ratelimits.yaml"),
        Kind::Consumer => include_str!("../consumers.yaml"),
    }
}

/// All definitions as one YAML stream.
#[must_use]
pub fn text_of_all() -> String {
    Kind::ALL.map(|kind| format!("---\n{}", text(kind))).concat()
}

/// What [`text`] must be, by the types.
#[must_use]
pub fn yaml(kind: Kind) -> String {
    let mut definition = serde_json::to_value(definition(kind)).expect("must serialise: a definition is plain data");
    spell_whole_numbers_plainly(&mut definition);
    let options = serde_saphyr::ser_options! { folded_wrap_chars: 110 };
    serde_saphyr::to_string_with_options(&definition, options).expect("must serialise: a definition is plain data")
}

/// Leaves out what says nothing to the API server: a field that may be null is one that may be absent, formats of
/// unsigned integers are unknown to it (and their bounds are written out), and line breaks of doc comments are not
/// those of a description. RoutePolicy has no defaults, so that absent stays absent.
fn tidy(schema: &mut JSONSchemaProps, kind: Kind) {
    schema.nullable = None;
    schema.title = None;
    if schema.type_.as_deref() == Some("integer") {
        schema.format = None;
        schema.minimum = schema.minimum.or(Some(0.0));
    }
    if let Some(values) = &mut schema.enum_ {
        values.retain(|value| !value.0.is_null());
    }
    if kind == Kind::RoutePolicy || schema.default.as_ref().is_some_and(|default| default.0.is_null()) {
        schema.default = None;
    }
    if let Some(description) = &mut schema.description {
        *description = description.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        tidy(property, kind);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        items.description = None;
        tidy(items, kind);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy(values, kind);
    }
}

/// Bounds are floating-point numbers in the definitions' own type, all of them whole here.
fn spell_whole_numbers_plainly(value: &mut Value) {
    match value {
        Value::Number(number) =>
        {
            #[expect(clippy::cast_possible_truncation, reason = "bounds are far below 2^53")]
            if let Some(whole) = number.as_f64().filter(|number| number.fract() == 0.0) {
                *value = Value::from(whole as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(spell_whole_numbers_plainly),
        Value::Object(members) => members.values_mut().for_each(spell_whole_numbers_plainly),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
