//! JSON schemas in the words of older models: a part of OpenAPI's, without references.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::json::Writer;
use crate::schema::{ANY_OBJECT, Members, References, array, items, members, object, text};

/// The schema of a function that takes nothing, or of which nothing is known.
pub(super) fn says_nothing(schema: &str) -> bool {
    let members = members(schema);
    members.iter().all(|(key, value)| match &**key {
        "type" => *value == ANY_OBJECT,
        "properties" => self::members(value).is_empty(),
        "additionalProperties" => matches!(*value, "true" | "false"),
        "$schema" | "title" | "required" => true,
        _ => false,
    })
}

/// The schema with references followed and keywords that are not known left out.
pub(super) fn plain(schema: &str) -> String {
    let mut out = Vec::with_capacity(schema.len() + 64);
    let mut walk = Walk { references: References::of(schema) };
    walk.node(schema, 0, &mut Writer::new(&mut out));
    String::from_utf8(out).unwrap_or_default()
}

struct Walk<'s> {
    references: References<'s>,
}

impl<'s> Walk<'s> {
    fn node(&mut self, schema: &'s str, depth: usize, w: &mut Writer<'_>) {
        let before = self.references.passed();
        let mut all = Vec::new();
        if self.references.take_node(depth, w.out.len()) {
            self.gather(schema, &mut all);
        } else {
            all.push((Cow::Borrowed("type"), ANY_OBJECT));
        }
        object(w, |w| self.write(&all, depth, w));
        self.references.back_to(before);
    }

    /// The members of a schema with those that references and `allOf` bring, the later ones more telling.
    fn gather(&mut self, schema: &'s str, into: &mut Members<'s>) {
        for (key, value) in members(schema) {
            match &*key {
                "$ref" => match self.references.follow(value) {
                    Some(found) => self.gather(found, into),
                    None => into.push((Cow::Borrowed("type"), ANY_OBJECT)),
                },
                "allOf" => items(value).into_iter().for_each(|part| self.gather(part, into)),
                "anyOf" | "oneOf" => {
                    let all = items(value);
                    let real: Vec<_> = all.iter().copied().filter(|one| !is_null(one)).collect();
                    if real.len() < all.len() {
                        into.push((Cow::Borrowed("nullable"), "true"));
                    }
                    match real[..] {
                        [only] => self.gather(only, into),
                        _ => into.push((Cow::Borrowed("anyOf"), value)),
                    }
                }
                _ => into.push((key, value)),
            }
        }
    }

    fn write(&mut self, all: &Members<'s>, depth: usize, w: &mut Writer<'_>) {
        let types = types(all);
        if all.iter().any(|(key, value)| nulls(key, value)) {
            w.key("nullable").bool(true);
        }
        if let Some(description) = last(all, "description").and_then(text) {
            w.key("description").string(&description);
        }
        match &types[..] {
            [] => self.any_of(all, depth, w),
            [only] => self.typed(only, all, depth, w),
            several => {
                w.key("anyOf");
                array(w, |w| several.iter().for_each(|one| object(w, |w| self.typed(one, all, depth, w))));
            }
        }
    }

    fn any_of(&mut self, all: &Members<'s>, depth: usize, w: &mut Writer<'_>) {
        let Some(choices) = last(all, "anyOf") else {
            w.key("type").string("STRING");
            return;
        };
        w.key("anyOf");
        array(w, |w| {
            let real = items(choices).into_iter().filter(|one| !is_null(one));
            real.for_each(|one| self.node(one, depth + 1, w));
        });
    }

    fn typed(&mut self, of_type: &str, all: &Members<'s>, depth: usize, w: &mut Writer<'_>) {
        w.key("type").string(&of_type.to_ascii_uppercase());
        let numbers: &[&'static str] = match of_type {
            "object" => {
                self.properties(all, depth, w);
                &["minProperties", "maxProperties"]
            }
            "array" => {
                w.key("items");
                self.node(last(all, "items").unwrap_or(r#"{"type":"string"}"#), depth + 1, w);
                &["minItems", "maxItems"]
            }
            "string" => {
                strings(all, w);
                &["minLength", "maxLength"]
            }
            "number" | "integer" => &["minimum", "maximum"],
            _ => &[],
        };
        for key in numbers {
            if let Some(number) = last(all, key).filter(|value| value.parse::<f64>().is_ok()) {
                w.key(key).raw(number);
            }
        }
    }

    fn properties(&mut self, all: &Members<'s>, depth: usize, w: &mut Writer<'_>) {
        let of = |name: &'static str| all.iter().filter(move |(key, _)| key == name).map(|(_, value)| *value);
        let (mut properties, mut places) = (Members::new(), HashMap::new());
        for (key, value) in of("properties").flat_map(members) {
            match places.get(&key) {
                Some(place) => properties[*place] = (key, value),
                None => {
                    places.insert(key.clone(), properties.len());
                    properties.push((key, value));
                }
            }
        }
        if properties.is_empty() {
            return;
        }
        w.key("properties");
        object(w, |w| {
            for (key, value) in &properties {
                w.any_key(key);
                self.node(value, depth + 1, w);
            }
        });
        let wanted: Vec<_> = of("required").flat_map(items).filter_map(text).collect();
        let mut known = wanted.iter().filter(|name| places.contains_key(*name)).peekable();
        if known.peek().is_some() {
            w.key("required");
            array(w, |w| known.for_each(|name| w.string(name)));
        }
    }
}

/// The types that are said, or that the other members tell; none for a choice among schemas.
fn types<'s>(all: &Members<'s>) -> Vec<Cow<'s, str>> {
    let said = last(all, "type").map(|said| match text(said) {
        Some(one) => vec![one],
        None => items(said).into_iter().filter_map(text).collect(),
    });
    let known = ["string", "number", "integer", "boolean", "array", "object"];
    let said: Vec<_> = said.unwrap_or_default().into_iter().filter(|it| known.contains(&&**it)).collect();
    let has = |name: &str| last(all, name).is_some();
    match () {
        () if !said.is_empty() || has("anyOf") => said,
        () if has("properties") => vec!["object".into()],
        () if has("items") || has("prefixItems") => vec!["array".into()],
        () => said,
    }
}

/// Whether a member allows for null.
fn nulls(key: &str, value: &str) -> bool {
    match key {
        "nullable" => value == "true",
        "type" => value.contains("\"null\""),
        "enum" => items(value).contains(&"null"),
        "const" => value == "null",
        "anyOf" => items(value).into_iter().any(is_null),
        _ => false,
    }
}

/// The words that a string may be, and its format.
fn strings(all: &Members<'_>, w: &mut Writer<'_>) {
    let constant = last(all, "const").and_then(text);
    let listed = last(all, "enum").map(|listed| items(listed).into_iter().filter_map(text).collect::<Vec<_>>());
    let words = constant.map(|word| vec![word]).or(listed).unwrap_or_default();
    if !words.is_empty() {
        w.key("format").string("enum");
        w.key("enum");
        array(w, |w| words.iter().for_each(|word| w.string(word)));
        return;
    }
    if last(all, "format") == Some(r#""date-time""#) {
        w.key("format").string("date-time");
    }
    if let Some(pattern) = last(all, "pattern").and_then(text) {
        w.key("pattern").string(&pattern);
    }
}

fn is_null(schema: &str) -> bool {
    let members = members(schema);
    last(&members, "type") == Some(r#""null""#) || last(&members, "const") == Some("null")
}

fn last<'s>(all: &Members<'s>, name: &str) -> Option<&'s str> {
    all.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn as_plain(schema: &Value) -> Value {
        serde_json::from_str(&plain(&schema.to_string())).expect("must be JSON")
    }

    #[test]
    fn schema_references_are_inlined_unsupported_keywords_removed_and_null_is_nullable() {
        let schema = json!({"$schema": "x", "$defs": {"City": {"type": "string", "minLength": 1, "default": "a"}},
            "type": "object", "additionalProperties": false, "required": ["a", "missing"], "properties": {
                "a": {"$ref": "#/$defs/City", "description": "where"},
                "b": {"anyOf": [{"type": "integer", "exclusiveMinimum": 2}, {"type": "null"}]},
                "c": {"type": ["string", "null"], "format": "email"},
                "d": {"enum": ["x", "y"], "type": "string"},
                "e": {"type": ["string", "integer"]},
                "f": {"type": "array"},
                "g": {"allOf": [{"properties": {"p": {"const": "k", "type": "string"}}}, {"properties": {"q": {"type": "boolean"}}}]},
                "h": {"oneOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}]}}});
        let expected = json!({"type": "OBJECT", "required": ["a"], "properties": {
            "a": {"type": "STRING", "minLength": 1, "description": "where"},
            "b": {"type": "INTEGER", "nullable": true},
            "c": {"type": "STRING", "nullable": true},
            "d": {"type": "STRING", "format": "enum", "enum": ["x", "y"]},
            "e": {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]},
            "f": {"type": "ARRAY", "items": {"type": "STRING"}},
            "g": {"type": "OBJECT", "properties": {
                "p": {"type": "STRING", "format": "enum", "enum": ["k"]}, "q": {"type": "BOOLEAN"}}},
            "h": {"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}], "nullable": true}}});
        assert_eq!(as_plain(&schema), expected);
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let node = json!({"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "root": {"$ref": "#"}}});
        let schema = json!({"$defs": {"Node": node}, "$ref": "#/$defs/Node"});
        let plain = as_plain(&schema);
        assert_eq!(plain["properties"]["next"], json!({"type": "OBJECT"}), "{plain}");
        assert_eq!(plain["properties"]["root"]["type"], "OBJECT");
    }

    #[test]
    fn whatever_a_schema_is_json_comes_of_it() {
        for odd in [
            "true",
            "null",
            "[]",
            "7",
            "{}",
            r##"{"$ref":7}"##,
            r##"{"$ref":"#/a~1b"}"##,
            r#"{"type":[]}"#,
            r#"{"anyOf":[]}"#,
            r#"{"anyOf":[{"type":"null"}]}"#,
            r#"{"properties":[]}"#,
            r#"{"items":[{}]}"#,
            r#"{"enum":[1,null]}"#,
            r#"{"allOf":{"a":1}}"#,
        ] {
            let plain = plain(odd);
            assert!(serde_json::from_str::<Value>(&plain).is_ok_and(|it| it.is_object()), "{odd}: {plain}");
        }
    }

    #[test]
    fn references_that_double_at_every_step_are_cut_short() {
        let mut defs = json!({"d0": {"type": "string"}});
        for n in 1..40 {
            let below = json!({"$ref": format!("#/$defs/d{}", n - 1)});
            defs[format!("d{n}")] = json!({"type": "object", "properties": {"a": below, "b": below}});
        }
        let schema = json!({"$defs": defs, "$ref": "#/$defs/d39"}).to_string();
        assert!(plain(&schema).len() < 500_000);
    }

    #[test]
    fn a_small_schema_with_long_words_does_not_become_a_large_one() {
        let mut defs = json!({"d0": {"type": "string", "description": "x".repeat(3000)}});
        for n in 1..12 {
            let below = json!({"$ref": format!("#/$defs/d{}", n - 1)});
            defs[format!("d{n}")] = json!({"type": "object", "properties": {"a": below, "b": below}});
        }
        let schema = json!({"$defs": defs, "$ref": "#/$defs/d11"}).to_string();
        let plain = plain(&schema);
        assert!(plain.len() < 32 * schema.len(), "{} of {}", plain.len(), schema.len());
        assert!(serde_json::from_str::<Value>(&plain).is_ok());
    }
}
