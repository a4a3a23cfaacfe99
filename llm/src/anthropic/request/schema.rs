use std::borrow::Cow;

use crate::json::{Fault, Kind, Reader, Writer};

/// A tool that takes nothing.
pub(super) const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;
/// A tool of which nothing is known.
pub(super) const ANY_OBJECT: &str = r#"{"type":"object"}"#;

/// A tool's schema with the `type` that Anthropic demands of it.
pub(super) fn object(schema: &str) -> Cow<'_, str> {
    if schema.starts_with(r#"{"type""#) {
        return Cow::Borrowed(schema);
    }
    let (mut typed, mut members) = (false, false);
    let read = Reader::of(schema).object(|reader, key| {
        members = true;
        typed |= key.decode() == "type";
        reader.skip()
    });
    match (read.is_ok(), typed, members) {
        (true, true, _) => Cow::Borrowed(schema),
        (true, false, true) => Cow::Owned(format!(r#"{{"type":"object",{}"#, &schema[1..])),
        _ => Cow::Borrowed(NO_ARGUMENTS),
    }
}

/// Formats of strings that constrained decoding knows.
const FORMATS: [&str; 10] =
    ["date", "date-time", "time", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// The schema as Anthropic's constrained decoding takes it: every object closed, `oneOf` as `anyOf`, bounds on numbers
/// and lengths left out (platform.claude.com, build-with-claude/structured-outputs). `None` if an object is open on
/// purpose: that cannot be said.
pub(super) fn closed(schema: &str) -> Option<String> {
    let mut out = Vec::with_capacity(schema.len() + 64);
    close(&mut Reader::of(schema), &mut Writer::new(&mut out)).ok()?;
    String::from_utf8(out).ok()
}

fn close(reader: &mut Reader<'_>, w: &mut Writer<'_>) -> Result<(), Fault> {
    if reader.peek()? != Kind::Object {
        w.raw(reader.raw()?);
        return Ok(());
    }
    let (mut is_object, mut is_closed) = (false, false);
    w.object(|w| {
        reader.object(|reader, key| {
            match &*key.decode() {
                "additionalProperties" => {
                    if reader.raw()? != "false" {
                        return Err(reader.fault("an object that is open on purpose"));
                    }
                    is_closed = true;
                }
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" | "minLength"
                | "maxLength" | "maxItems" | "uniqueItems" | "minProperties" | "maxProperties" => reader.skip()?,
                name @ ("properties" | "$defs" | "definitions") if reader.peek()? == Kind::Object => {
                    is_object |= name == "properties";
                    is_closed |= name == "properties";
                    w.any_key(name).object(|w| {
                        reader.object(|reader, key| {
                            w.any_key(&key.decode());
                            close(reader, w)
                        })
                    })?;
                }
                name @ ("items" | "not") => {
                    w.any_key(name);
                    close(reader, w)?;
                }
                name @ ("anyOf" | "oneOf" | "allOf" | "prefixItems") if reader.peek()? == Kind::Array => {
                    w.any_key(if name == "oneOf" { "anyOf" } else { name });
                    w.array(|w| reader.array(|reader| close(reader, w)))?;
                }
                "minItems" => {
                    let least = reader.raw()?;
                    if matches!(least, "0" | "1") {
                        w.key("minItems").raw(least);
                    }
                }
                "format" => {
                    let format = reader.raw()?;
                    if FORMATS.contains(&format.trim_matches('"')) {
                        w.key("format").raw(format);
                    }
                }
                name => {
                    w.any_key(name);
                    let value = reader.raw()?;
                    is_object |= name == "type" && value == r#""object""#;
                    w.raw(value);
                }
            }
            Ok::<(), Fault>(())
        })?;
        if is_object && !is_closed {
            return Err(reader.fault("an object of whose members nothing is said"));
        }
        if is_object {
            w.key("additionalProperties").bool(false);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn as_closed(schema: &Value) -> Option<Value> {
        closed(&schema.to_string()).map(|schema| serde_json::from_str(&schema).expect("must be JSON"))
    }

    #[test]
    fn every_object_is_closed_and_bounds_are_left_out_but_not_properties_of_their_name() {
        let inner =
            json!({"type": "object", "properties": {"minimum": {"type": "integer", "minimum": 1, "multipleOf": 2}}});
        let schema = json!({"$defs": {"d": inner}, "type": "object", "required": ["a"], "properties": {
            "a": {"type": "array", "items": inner, "minItems": 3, "maxItems": 9},
            "b": {"oneOf": [inner, {"type": "null"}]},
            "c": {"type": "string", "minLength": 2, "format": "date"},
            "d": {"type": "string", "format": "phone"},
            "e": {"$ref": "#/$defs/d"},
            "f": {"type": "array", "minItems": 1, "items": {"enum": ["x", 1, null]}}}});
        let inner =
            json!({"type": "object", "properties": {"minimum": {"type": "integer"}}, "additionalProperties": false});
        let expected = json!({"$defs": {"d": inner}, "type": "object", "required": ["a"], "additionalProperties": false, "properties": {
            "a": {"type": "array", "items": inner},
            "b": {"anyOf": [inner, {"type": "null"}]},
            "c": {"type": "string", "format": "date"},
            "d": {"type": "string"},
            "e": {"$ref": "#/$defs/d"},
            "f": {"type": "array", "minItems": 1, "items": {"enum": ["x", 1, null]}}}});
        assert_eq!(as_closed(&schema), Some(expected));
    }

    #[test]
    fn an_object_that_is_open_cannot_be_closed() {
        for open in [
            json!({"type": "object"}),
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            json!({"type": "object", "properties": {"a": {"type": "object", "additionalProperties": true}}}),
            json!({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object"}}}}),
        ] {
            assert_eq!(as_closed(&open), None, "{open}");
        }
        let empty = json!({"type": "object", "additionalProperties": false});
        assert_eq!(as_closed(&empty), Some(empty));
    }
}
