//! Schemas in Gemini's older words, a part of OpenAPI's, as the JSON schemas that all others read.

use std::collections::HashMap;

use crate::json::{Fault, Kind, Reader, Writer, camel};
use crate::neutral::Raw;
use crate::schema::{array, items, members, object, text};

/// The schemas of a request whose words differ, each by the offset at which it stands.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    list: Vec<(usize, String)>,
}

impl Schemas {
    /// Those of a request. What is malformed is left for its parser to say.
    pub(crate) fn of(body: &[u8]) -> Self {
        let mut schemas = Self::default();
        if let Ok(mut reader) = Reader::new(body) {
            let _: Result<(), Fault> = inside(&mut reader, |reader, name| match name {
                "tools" => reader.each(|reader| schemas.tool(reader)),
                "generationConfig" => inside(reader, |reader, name| match name {
                    "responseSchema" => schemas.take(reader),
                    _ => reader.skip(),
                }),
                _ => reader.skip(),
            });
        }
        schemas.list.sort_unstable_by_key(|(at, _)| *at);
        schemas
    }

    fn tool(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        inside(reader, |reader, name| match name {
            "functionDeclarations" => reader.each(|reader| {
                inside(reader, |reader, name| match name {
                    "parameters" => self.take(reader),
                    _ => reader.skip(),
                })
            }),
            _ => reader.skip(),
        })
    }

    fn take(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        reader.peek()?;
        let at = reader.at();
        let schema = reader.raw()?;
        let json = json_schema(schema);
        if json != schema {
            self.list.push((at, json));
        }
        Ok(())
    }

    /// The schema that stands there; nothing if it is a JSON schema as it is.
    pub(super) fn at(&self, at: usize) -> Option<Raw<'_>> {
        let found = self.list.binary_search_by_key(&at, |(at, _)| *at).ok()?;
        Some(Raw(&self.list[found].1))
    }
}

/// Calls `member` for each member of an object, with its name in camel case; passes over anything else.
fn inside<'a>(
    reader: &mut Reader<'a>,
    mut member: impl FnMut(&mut Reader<'a>, &str) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if reader.peek()? != Kind::Object {
        return reader.skip();
    }
    reader.object(|reader, key| member(reader, &camel(key.decode())))
}

fn json_schema(schema: &str) -> String {
    let mut out = Vec::with_capacity(schema.len());
    node(&mut Writer::new(&mut out), schema);
    String::from_utf8(out).unwrap_or_default()
}

/// Types in small letters; `nullable` is one more type (ai.google.dev, api/caching, Schema).
fn node(w: &mut Writer<'_>, schema: &str) {
    let all = members(schema);
    if all.is_empty() {
        return w.raw(schema);
    }
    let nullable = all.iter().any(|(key, value)| key == "nullable" && *value == "true");
    // Given twice, the last one counts.
    let last: HashMap<&str, usize> = all.iter().enumerate().map(|(at, (key, _))| (&**key, at)).collect();
    object(w, |w| {
        for (at, (key, value)) in all.iter().enumerate() {
            if last.get(&**key) == Some(&at) {
                member(w, &camel(key.clone()), value, nullable);
            }
        }
    });
}

fn member(w: &mut Writer<'_>, key: &str, value: &str, nullable: bool) {
    match key {
        "nullable" | "propertyOrdering" => {}
        "format" if value == r#""enum""# => {}
        "type" => of_type(w, value, nullable),
        "properties" | "defs" | "$defs" => {
            w.key(if key == "properties" { "properties" } else { "$defs" });
            let named = |w: &mut Writer<'_>| members(value).iter().for_each(|(name, one)| node(w.any_key(name), one));
            if members(value).is_empty() { w.raw(value) } else { object(w, named) }
        }
        "items" | "additionalProperties" => node(w.any_key(key), value),
        "anyOf" => {
            w.key("anyOf");
            array(w, |w| {
                items(value).into_iter().for_each(|one| node(w, one));
                if nullable {
                    w.raw(r#"{"type":"null"}"#);
                }
            });
        }
        "enum" if nullable => {
            w.key("enum");
            array(w, |w| {
                items(value).into_iter().filter(|word| *word != "null").for_each(|word| w.raw(word));
                w.raw("null");
            });
        }
        "example" => {
            w.key("examples");
            array(w, |w| w.raw(value));
        }
        "ref" => w.key("$ref").raw(value),
        "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
            // Protobuf's JSON writes large counts as strings.
            let count = text(value).filter(|count| count.parse::<u64>().is_ok());
            w.any_key(key).raw(count.as_deref().unwrap_or(value));
        }
        _ => w.any_key(key).raw(value),
    }
}

fn of_type(w: &mut Writer<'_>, value: &str, nullable: bool) {
    let Some(word) = text(value) else { return w.key("type").raw(value) };
    let word = word.to_ascii_lowercase();
    match word.as_str() {
        "type_unspecified" => {}
        word if nullable && word != "null" => {
            w.key("type");
            array(w, |w| {
                w.string(word);
                w.string("null");
            });
        }
        word => w.key("type").string(word),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn converted(schema: &Value) -> Value {
        serde_json::from_str(&json_schema(&schema.to_string())).expect("must be JSON")
    }

    #[test]
    fn openapi_s_types_and_nullable_are_json_schema_s() {
        let schema = json!({"type": "OBJECT", "propertyOrdering": ["a", "b"], "required": ["a"], "properties": {
            "type": {"type": "STRING", "format": "enum", "enum": ["x"], "nullable": true},
            "b": {"type": "ARRAY", "min_items": "1", "items": {"type": "INTEGER", "format": "int32"}},
            "c": {"any_of": [{"type": "NUMBER"}, {"type": "OBJECT", "properties": {}}], "nullable": true},
            "d": {"type": "TYPE_UNSPECIFIED", "example": 1, "description": "OBJECT"},
            "nullable": {"type": "BOOLEAN"}}});
        let expected = json!({"type": "object", "required": ["a"], "properties": {
            "type": {"type": ["string", "null"], "enum": ["x", null]},
            "b": {"type": "array", "minItems": 1, "items": {"type": "integer", "format": "int32"}},
            "c": {"anyOf": [{"type": "number"}, {"type": "object", "properties": {}}, {"type": "null"}]},
            "d": {"examples": [1], "description": "OBJECT"},
            "nullable": {"type": "boolean"}}});
        assert_eq!(converted(&schema), expected);
    }

    #[test]
    fn a_json_schema_stays_as_it_is() {
        let schema = json!({"$defs": {"C": {"type": "string"}}, "type": ["object", "null"], "additionalProperties": false,
            "properties": {"a": {"$ref": "#/$defs/C", "minLength": 1}, "b_c": {"const": 7, "enum": []}}});
        assert_eq!(converted(&schema), schema);
        for odd in ["true", "null", "7", "[]", "{}", r#""x""#] {
            assert_eq!(json_schema(odd), odd);
        }
    }

    #[test]
    fn schemas_are_found_by_their_place_in_either_spelling() {
        let body = r#"{"tools":{"function_declarations":[{"name":"f","parameters":{"type":"OBJECT"}},{"parameters":{"type":"object"}}]},
            "generation_config":{"responseSchema": {"type":"STRING"}}}"#;
        let schemas = Schemas::of(body.as_bytes());
        let at = |needle: &str| schemas.at(body.find(needle).expect("must be there")).map(|raw| raw.0);
        assert_eq!(at(r#"{"type":"OBJECT""#), Some(r#"{"type":"object"}"#));
        assert_eq!(at(r#"{"type":"object""#), None);
        assert_eq!(at(r#"{"type":"STRING""#), Some(r#"{"type":"string"}"#));
        assert!(Schemas::of(b"{\"tools\":[{\"functionDeclarations\":7}]").list.is_empty());
    }
}
