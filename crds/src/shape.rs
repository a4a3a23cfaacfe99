//! The schemas of the definitions, in the form in which values are checked against them.
//!
//! An API server checks objects against the same schemas, so a folder and a cluster refuse the same things.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use regex_lite::Regex;
use serde_json::Value;

use crate::path::Path;
use crate::validation::FieldError;

mod nearest;
mod schema;

pub(crate) use nearest::nearest;
pub(crate) use schema::{of, spec};

/// What a value must look like.
pub(crate) enum Shape {
    Object {
        fields: BTreeMap<String, Shape>,
        required: Vec<String>,
    },
    Map {
        most: usize,
        values: Box<Shape>,
    },
    List {
        least: usize,
        most: usize,
        unique: Unique,
        items: Box<Shape>,
    },
    Text {
        least: usize,
        most: usize,
        form: Form,
    },
    Integer {
        least: i64,
        most: i64,
    },
    Boolean,
    /// Nobody looks at it.
    Anything,
}

/// In what the items of a list must differ.
pub(crate) enum Unique {
    Not,
    Whole,
    By(Vec<String>),
}

/// What a string must be.
pub(crate) enum Form {
    Free,
    OneOf(Vec<String>),
    Matching(Regex),
}

/// Whether fields that the schema does not know are errors. An API server drops them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    Refused,
    Ignored,
}

impl Shape {
    /// Adds what is wrong with `value`, which is at `path`.
    pub(crate) fn check(&self, value: &Value, path: &Path<'_>, unknown: Unknown, out: &mut Vec<FieldError>) {
        match (self, value) {
            (Self::Object { fields, required }, Value::Object(members)) => {
                for (name, member) in members {
                    match fields.get(name) {
                        // As the API server does: a null where none is allowed is as if it was not there.
                        Some(_) if member.is_null() => {}
                        Some(shape) => shape.check(member, &path.field(name), unknown, out),
                        None if unknown == Unknown::Refused => out.push(unknown_field(fields, name, path)),
                        None => {}
                    }
                }
                for name in required.iter().filter(|name| members.get(*name).is_none_or(Value::is_null)) {
                    out.push(path.field(name).error("is required"));
                }
            }
            (Self::Map { most, values }, Value::Object(members)) => {
                count("entries", members.len(), 0, *most, path, out);
                for (name, member) in members {
                    values.check(member, &path.field(name), unknown, out);
                }
            }
            (Self::List { least, most, unique, items }, Value::Array(list)) => {
                count("items", list.len(), *least, *most, path, out);
                for (index, item) in list.iter().enumerate() {
                    items.check(item, &path.item(index), unknown, out);
                }
                unique.check(list, path, out);
            }
            (Self::Text { least, most, form }, Value::String(text)) => {
                count("characters", text.chars().count(), *least, *most, path, out);
                form.check(text, path, out);
            }
            (Self::Integer { least, most }, Value::Number(number)) => match number.as_i64() {
                Some(number) if (*least..=*most).contains(&number) => {}
                Some(_) => out.push(path.error(&format!("must be between {least} and {most}"))),
                None => out.push(path.error("must be a whole number")),
            },
            (Self::Boolean, Value::Bool(_)) | (Self::Anything, _) => {}
            (wanted, found) => out.push(path.error(&format!("must be {}, not {}", wanted.noun(), noun(found)))),
        }
    }

    const fn noun(&self) -> &'static str {
        match self {
            Self::Object { .. } | Self::Map { .. } => "a map",
            Self::List { .. } => "a list",
            Self::Text { .. } => "a string (put it in quotes)",
            Self::Integer { .. } => "a whole number",
            Self::Boolean => "true or false",
            Self::Anything => "anything",
        }
    }
}

impl Unique {
    fn check(&self, list: &[Value], path: &Path<'_>, out: &mut Vec<FieldError>) {
        for (index, item) in list.iter().enumerate() {
            let earlier = list[..index].iter().position(|other| self.same(item, other));
            if let Some(earlier) = earlier {
                out.push(path.item(index).error(&format!("is the same as item {earlier}: remove one of them")));
            }
        }
    }

    fn same(&self, one: &Value, other: &Value) -> bool {
        match self {
            Self::Not => false,
            Self::Whole => one == other,
            Self::By(keys) => keys.iter().all(|key| one.get(key).is_some() && one.get(key) == other.get(key)),
        }
    }
}

impl Form {
    /// Fields share a dozen patterns, so each is built once: together they would take megabytes.
    pub(crate) fn matching(pattern: &str) -> Self {
        static BUILT: Mutex<BTreeMap<String, Regex>> = Mutex::new(BTreeMap::new());
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        let regex = built
            .entry(pattern.to_owned())
            .or_insert_with(|| Regex::new(pattern).expect("must be a pattern: tests build all of them"));
        Self::Matching(regex.clone())
    }

    fn check(&self, text: &str, path: &Path<'_>, out: &mut Vec<FieldError>) {
        match self {
            Self::Free => {}
            Self::OneOf(words) if words.iter().any(|word| word == text) => {}
            Self::OneOf(words) => {
                let hint = match nearest(text, words.iter().map(String::as_str)) {
                    Some(word) => format!("; did you mean {word}?"),
                    None => String::new(),
                };
                out.push(path.error(&format!("is {text:?}, must be one of {}{hint}", words.join(", "))));
            }
            Self::Matching(pattern) if pattern.is_match(text) => {}
            Self::Matching(pattern) => out.push(path.error(&format!("is {text:?}, must match {pattern}"))),
        }
    }
}

fn unknown_field(fields: &BTreeMap<String, Shape>, name: &str, path: &Path<'_>) -> FieldError {
    let hint = match nearest(name, fields.keys().map(String::as_str)) {
        Some(field) => format!("did you mean {field}?"),
        None => format!("known are {}", fields.keys().cloned().collect::<Vec<_>>().join(", ")),
    };
    path.field(name).error(&format!("is not a known field; {hint}"))
}

fn count(what: &str, found: usize, least: usize, most: usize, path: &Path<'_>, out: &mut Vec<FieldError>) {
    if found < least {
        out.push(path.error(&format!("has {found} {what}, must have at least {least}")));
    } else if found > most {
        out.push(path.error(&format!("has {found} {what}, must have at most {most}")));
    }
}

const fn noun(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
