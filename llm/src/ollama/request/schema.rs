//! Schemas of functions, without references: Ollama reads one into a type of its own (api/types.go, `ToolProperty`) that
//! has no place for `$ref`, and shows the model an empty property.

use std::borrow::Cow;

use crate::json::Writer;
use crate::schema::{ANY_OBJECT, Members, References, array, items, members, object, text};

/// The schema with what its references lead to in their place, where it has any.
pub(super) fn inlined(schema: &str) -> Cow<'_, str> {
    if memchr::memmem::find(schema.as_bytes(), br#""$ref""#).is_none() {
        return Cow::Borrowed(schema);
    }
    let mut out = Vec::with_capacity(schema.len());
    Walk { references: References::of(schema) }.node(schema, 0, &mut Writer::new(&mut out));
    String::from_utf8(out).map_or(Cow::Borrowed(schema), Cow::Owned)
}

struct Walk<'s> {
    references: References<'s>,
}

impl<'s> Walk<'s> {
    fn node(&mut self, schema: &'s str, depth: usize, w: &mut Writer<'_>) {
        if !schema.starts_with('{') {
            w.raw(schema);
            return;
        }
        let before = self.references.passed();
        let mut all = Members::new();
        if self.references.take_node(depth, w.out.len()) {
            self.gather(schema, &mut all);
        } else {
            all.push((Cow::Borrowed("type"), ANY_OBJECT));
        }
        object(w, |w| {
            for (key, value) in &all {
                w.any_key(key);
                self.member(key, value, depth + 1, w);
            }
        });
        self.references.back_to(before);
    }

    /// The members of a schema, and those that its reference brings; what stands beside a reference is more telling.
    fn gather(&mut self, schema: &'s str, into: &mut Members<'s>) {
        let is_reference = |(key, value): &(Cow<'_, str>, &str)| key == "$ref" && text(value).is_some();
        let (references, others): (Members<'s>, Members<'s>) = members(schema).into_iter().partition(is_reference);
        for (_, reference) in references {
            match self.references.follow(reference) {
                Some(found) => self.gather(found, into),
                None => set(into, Cow::Borrowed("type"), ANY_OBJECT),
            }
        }
        // Nothing leads to the definitions any more.
        let others = others.into_iter().filter(|(key, _)| !matches!(&**key, "$defs" | "definitions"));
        others.for_each(|(key, value)| set(into, key, value));
    }

    fn member(&mut self, key: &str, value: &'s str, depth: usize, w: &mut Writer<'_>) {
        match key {
            "items" | "additionalProperties" | "not" => self.node(value, depth, w),
            "properties" => object(w, |w| {
                for (name, schema) in members(value) {
                    w.any_key(&name);
                    self.node(schema, depth, w);
                }
            }),
            "anyOf" | "oneOf" | "allOf" | "prefixItems" => {
                array(w, |w| items(value).into_iter().for_each(|schema| self.node(schema, depth, w)))
            }
            _ => w.raw(value),
        }
    }
}

fn set<'s>(members: &mut Members<'s>, key: Cow<'s, str>, value: &'s str) {
    match members.iter_mut().find(|(known, _)| *known == key) {
        Some((_, known)) => *known = value,
        None => members.push((key, value)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn as_inlined(schema: &Value) -> Value {
        serde_json::from_str(&inlined(&schema.to_string())).expect("must be JSON")
    }

    #[test]
    fn references_are_followed_where_they_stand_and_the_rest_stays() {
        let schema = json!({"type": "object", "required": ["to"], "additionalProperties": false,
            "$defs": {"City": {"type": "object", "description": "a city", "properties": {"name": {"type": "string"}}}},
            "properties": {
                "to": {"$ref": "#/$defs/City", "description": "where to"},
                "via": {"type": "array", "items": {"$ref": "#/$defs/City"}, "minItems": 1},
                "from": {"anyOf": [{"$ref": "#/$defs/City"}, {"type": "null"}], "default": null}}});
        let city = |description: &str| json!({"type": "object", "description": description, "properties": {"name": {"type": "string"}}});
        let expected = json!({"type": "object", "required": ["to"], "additionalProperties": false, "properties": {
            "to": city("where to"),
            "via": {"type": "array", "items": city("a city"), "minItems": 1},
            "from": {"anyOf": [city("a city"), {"type": "null"}], "default": null}}});
        assert_eq!(as_inlined(&schema), expected);
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends_and_one_without_references_is_the_same_bytes() {
        let node = json!({"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}});
        let schema = json!({"$defs": {"Node": node}, "$ref": "#/$defs/Node"});
        let expected = json!({"type": "object", "properties": {"next": {"type": "object"}}});
        assert_eq!(as_inlined(&schema), expected);
        let beside = r##"{"description":"mine","$ref":"#/definitions/a","definitions":{"a":{"description":"its","type":"string"}}}"##;
        assert_eq!(inlined(beside), r#"{"description":"mine","type":"string"}"#);
        let plain = r#"{ "type":"object", "$defs": {} }"#;
        assert!(matches!(inlined(plain), Cow::Borrowed(same) if same == plain));
    }

    #[test]
    fn whatever_a_schema_is_json_comes_of_it() {
        for odd in [
            r##"["$ref"]"##,
            r##"{"$ref":7}"##,
            r##"{"$ref":"#/a~1b"}"##,
            r##"{"properties":["$ref"],"items":[{"$ref":"#"}]}"##,
            r##"{"properties":{"$ref":{"type":"string"}},"anyOf":"$ref"}"##,
        ] {
            let inlined = inlined(odd);
            assert!(serde_json::from_str::<Value>(&inlined).is_ok(), "{odd}: {inlined}");
        }
    }
}
