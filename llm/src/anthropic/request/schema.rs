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

/// The schema as Anthropic's constrained decoding takes it: every object closed, bounds on numbers and lengths left out
/// (platform.claude.com, build-with-claude/structured-outputs). `None` if an object is open on purpose: that cannot be
/// said.
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
    let mut is_object = false;
    w.object(|w| {
        reader.object(|reader, key| {
            match &*key.decode() {
                "additionalProperties" => {
                    if reader.raw()? != "false" {
                        return Err(reader.fault("an object that is open on purpose"));
                    }
                }
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" | "minLength"
                | "maxLength" | "maxItems" | "uniqueItems" | "minProperties" | "maxProperties" => reader.skip()?,
                name @ ("properties" | "$defs" | "definitions") if reader.peek()? == Kind::Object => {
                    is_object |= name == "properties";
                    w.key(name).object(|w| {
                        reader.object(|reader, key| {
                            w.key(&key.decode());
                            close(reader, w)
                        })
                    })?;
                }
                name @ ("items" | "not") => {
                    w.key(name);
                    close(reader, w)?;
                }
                name @ ("anyOf" | "oneOf" | "allOf" | "prefixItems") if reader.peek()? == Kind::Array => {
                    w.key(name).array(|w| reader.array(|reader| close(reader, w)))?;
                }
                name => {
                    w.key(name);
                    let value = reader.raw()?;
                    is_object |= name == "type" && value == r#""object""#;
                    w.raw(value);
                }
            }
            Ok::<(), Fault>(())
        })?;
        if is_object {
            w.key("additionalProperties").bool(false);
        }
        Ok(())
    })
}
