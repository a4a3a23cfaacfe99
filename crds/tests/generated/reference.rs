//! `docs/api.md`: the definitions as tables.

use std::fmt::Write as _;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use penstock_crds::{ConditionType, Kind, Reason, crd};

const HEAD: &str = "\
# API reference

All kinds are in `penstock.dev/v1alpha1`. `kubectl explain` says the same as this page, which is made from the definitions
(`UPDATE=1 cargo test -p penstock-crds`).

- A **duration** is written as the Gateway API does: `500ms`, `30s`, `1h30m`.
- An amount of **dollars** is a string, so that it stays exact: `\"0.05\"`.
- Names are DNS labels or subdomains, as Kubernetes has them. Names of models may have letters, digits and `@~._:/+-`.
";

/// A row of a table.
struct Row {
    field: String,
    type_: String,
    default: String,
    bounds: String,
    meaning: String,
}

pub(crate) fn page() -> String {
    let mut page = HEAD.to_owned();
    for kind in Kind::ALL {
        section(&mut page, &crd::definition(kind));
    }
    conditions(&mut page);
    page
}

fn section(page: &mut String, definition: &CustomResourceDefinition) {
    let names = &definition.spec.names;
    let version = &definition.spec.versions[0];
    let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
    let schema = schema.expect("must have a schema");
    let short = names.short_names.clone().unwrap_or_default().join("`, `");
    let _ = write!(page, "\n## {}\n\n{} `kubectl get {short}`.\n\n", names.kind, text(schema));
    let (mut rows, mut rules) = (Vec::new(), Vec::new());
    for part in ["spec", "status"] {
        if let Some(schema) = property(schema, part) {
            members(part, schema, &mut rows, &mut rules);
        }
    }
    // All kinds have the same ones; the table at the end says which.
    rows.retain(|row| !row.field.starts_with("status.conditions"));
    page.push_str("| field | type | default | bounds | meaning |\n|---|---|---|---|---|\n");
    for Row { field, type_, default, bounds, meaning } in rows {
        let _ = writeln!(page, "| `{field}` | {type_} | {default} | {bounds} | {} |", meaning.replace('|', "\\|"));
    }
    page.push_str("\nRules, in the words in which they are refused:\n\n");
    for (field, message) in rules {
        let _ = writeln!(page, "- `{field}`: {message}");
    }
}

fn property<'a>(schema: &'a JSONSchemaProps, name: &str) -> Option<&'a JSONSchemaProps> {
    schema.properties.as_ref()?.get(name)
}

fn text(schema: &JSONSchemaProps) -> &str {
    schema.description.as_deref().unwrap_or_default()
}

/// Adds a row for each field of an object and for theirs; required ones first.
fn members(path: &str, schema: &JSONSchemaProps, rows: &mut Vec<Row>, rules: &mut Vec<(String, String)>) {
    for rule in schema.x_kubernetes_validations.iter().flatten() {
        let field = format!("{path}{}", rule.field_path.as_deref().unwrap_or_default());
        rules.push((field, rule.message.clone().unwrap_or_default()));
    }
    let required = |name: &String| schema.required.as_ref().is_some_and(|required| required.contains(name));
    let mut properties: Vec<_> = schema.properties.iter().flatten().collect();
    properties.sort_by_key(|(name, _)| !required(name));
    for (name, property) in properties {
        let field = format!("{path}.{name}");
        rows.push(row(&field, property, required(name)));
        match &property.items {
            Some(JSONSchemaPropsOrArray::Schema(items)) => members(&format!("{field}[]"), items, rows, rules),
            _ => members(&field, property, rows, rules),
        }
    }
}

fn row(field: &str, schema: &JSONSchemaProps, required: bool) -> Row {
    let (meaning, said) = split_default(text(schema));
    let scalar = schema.default.as_ref().filter(|default| !default.0.is_object());
    let default = match (scalar, said) {
        _ if required => "required".to_owned(),
        (Some(default), _) => format!("`{}`", default.0.as_str().map_or(default.0.to_string(), str::to_owned)),
        (None, Some(said)) => said.to_owned(),
        (None, None) => String::new(),
    };
    Row { field: field.to_owned(), type_: type_of(schema), default, bounds: bounds(schema), meaning }
}

/// A description without its sentence on the default, and what that sentence says.
fn split_default(description: &str) -> (String, Option<&str>) {
    const INTRODUCTION: &str = "Defaults to ";
    let Some(start) = description.find(INTRODUCTION) else { return (description.to_owned(), None) };
    let said = &description[start + INTRODUCTION.len()..];
    let end = said.find(". ").unwrap_or(said.len() - 1);
    let rest = said.get(end + 1..).unwrap_or_default().trim_start();
    (format!("{}{rest}", &description[..start]).trim_end().to_owned(), Some(&said[..end]))
}

fn type_of(schema: &JSONSchemaProps) -> String {
    match (schema.type_.as_deref().unwrap_or_default(), &schema.items, &schema.additional_properties) {
        ("array", Some(JSONSchemaPropsOrArray::Schema(items)), _) => format!("list of {}", type_of(items)),
        ("object", _, Some(JSONSchemaPropsOrBool::Schema(values))) => format!("map of {}", type_of(values)),
        ("string", ..) if schema.enum_.is_some() => "word".to_owned(),
        ("string", ..) if is(schema, "h|m|s|ms") => "duration".to_owned(),
        ("string", ..) if is(schema, r"{1,7}(\.") => "dollars".to_owned(),
        ("string", ..) if schema.format.is_some() => "time".to_owned(),
        (name, ..) => name.to_owned(),
    }
}

fn is(schema: &JSONSchemaProps, part: &str) -> bool {
    schema.pattern.as_ref().is_some_and(|pattern| pattern.contains(part))
}

fn bounds(schema: &JSONSchemaProps) -> String {
    let mut bounds = Vec::new();
    let items = match &schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => Some(items.as_ref()),
        _ => None,
    };
    if let Some(words) = &items.unwrap_or(schema).enum_ {
        let words: Vec<_> = words.iter().filter_map(|word| word.0.as_str()).collect();
        bounds.push(words.join(", "));
    }
    let number = |value: Option<f64>| value.map(|value| format!("{value:.0}"));
    let whole = |value: Option<i64>| value.map(|value| value.to_string());
    bounds.extend(range("", number(schema.minimum), number(schema.maximum)));
    bounds.extend(range(" items", whole(schema.min_items), whole(schema.max_items)));
    bounds.extend(range(" entries", None, whole(schema.max_properties)));
    if !matches!(type_of(schema).as_str(), "duration" | "dollars") {
        bounds.extend(range(" characters", None, whole(schema.max_length)));
    }
    if schema.x_kubernetes_list_type.as_deref() == Some("set") {
        bounds.push("no two the same".to_owned());
    }
    if let Some(keys) = &schema.x_kubernetes_list_map_keys {
        bounds.push(format!("no two with the same {}", keys.join(" and ")));
    }
    bounds.join("; ")
}

fn range(unit: &str, least: Option<String>, most: Option<String>) -> Option<String> {
    match (least, most) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
        (None, Some(most)) => Some(format!("at most {most}{unit}")),
        (Some(least), None) => Some(format!("at least {least}{unit}")),
        (None, None) => None,
    }
}

fn conditions(page: &mut String) {
    page.push_str(
        "\n## Conditions\n\n`status.conditions` of every object, one entry per type. Each has a message for people, and \
         `observedGeneration`.\n\n| condition | on | reasons when True | other reasons |\n|---|---|---|---|\n",
    );
    for condition in ConditionType::ALL {
        let on: Vec<_> = Kind::ALL.into_iter().filter(|kind| condition.applies_to(*kind)).map(Kind::as_str).collect();
        let on = if on.len() == Kind::ALL.len() { "all".to_owned() } else { on.join(", ") };
        let words = |reasons: &[Reason]| reasons.iter().map(|reason| reason.as_str()).collect::<Vec<_>>().join(", ");
        let (yes, no) = (words(condition.reasons_when_true()), words(condition.other_reasons()));
        let _ = writeln!(page, "| `{condition}` | {on} | {yes} | {no} |");
    }
    page.push_str("\n`PartiallyInvalid` is only there when it is True.\n");
}
