//! A value that fits a JSON schema, always the same one.

use serde_json::{Map, Value, json};

/// Deep enough for any real tool; a schema that refers to itself ends here.
const DEPTH: usize = 12;

/// An example for `schema`. A string without an `enum` is `name`, the property it stands for.
pub(crate) fn example(schema: &Value, name: &str) -> Value {
    Example { root: schema }.of(schema, name, DEPTH)
}

struct Example<'a> {
    root: &'a Value,
}

impl Example<'_> {
    fn of(&self, schema: &Value, name: &str, depth: usize) -> Value {
        if depth == 0 {
            return Value::Null;
        }
        if let Some(value) = schema.get("const").or_else(|| schema.get("default")) {
            return value.clone();
        }
        if let Some(first) = schema.get("enum").and_then(|values| values.get(0)) {
            return first.clone();
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let found = target.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            return found.map_or(Value::Null, |found| self.of(found, name, depth - 1));
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            let variants = schema.get(key).and_then(Value::as_array);
            let first = variants.and_then(|v| v.iter().find(|v| v.get("type") != Some(&json!("null"))));
            if let Some(first) = first {
                return self.of(first, name, depth - 1);
            }
        }
        self.of_type(schema, name, depth)
    }

    fn of_type(&self, schema: &Value, name: &str, depth: usize) -> Value {
        let kind = match schema.get("type") {
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
            Some(kind) => kind.as_str(),
            None if schema.get("properties").is_some() => Some("object"),
            None => None,
        };
        match kind {
            Some("object") => self.object(schema, depth),
            Some("array") => match schema.get("items") {
                Some(items) => json!([self.of(items, name, depth - 1)]),
                None => json!([]),
            },
            Some("string") => json!(name),
            Some("integer") => schema.get("minimum").cloned().unwrap_or(json!(7)),
            Some("number") => schema.get("minimum").cloned().unwrap_or(json!(1.5)),
            Some("boolean") => json!(true),
            _ => Value::Null,
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let properties = schema.get("properties").and_then(Value::as_object);
        let fields: Map<String, Value> = properties
            .into_iter()
            .flatten()
            .map(|(name, property)| (name.clone(), self.of(property, name, depth - 1)))
            .collect();
        Value::Object(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_has_every_property_of_the_right_type() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": ["integer", "null"]},
                "places": {"type": "array", "items": {"$ref": "#/$defs/place"}},
                "note": {"anyOf": [{"type": "null"}, {"type": "boolean"}]},
            },
            "$defs": {"place": {"properties": {"lat": {"type": "number", "minimum": -90}}}},
        });
        let expected = json!({"city": "city", "unit": "celsius", "days": 7, "places": [{"lat": -90}], "note": true});
        assert_eq!(example(&schema, "tool"), expected);
    }

    #[test]
    fn a_schema_that_refers_to_itself_comes_to_an_end() {
        let schema = json!({"properties": {"next": {"$ref": "#"}}});
        assert!(example(&schema, "tool").is_object());
    }
}
