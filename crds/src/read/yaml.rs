//! YAML with the lines of its fields.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

use super::Problem;
use crate::path::Path;
use crate::validation::FieldError;

/// One document's text.
#[derive(Clone, Copy)]
pub(super) struct Chunk<'a> {
    /// The first line that says something, counted from 1.
    pub(super) line: u32,
    /// How many lines of the file are before the text.
    offset: u32,
    text: &'a str,
}

/// One document, and where its fields are.
pub(super) struct Tree {
    pub(super) value: Value,
    pub(super) first_line: u32,
    lines: BTreeMap<String, u32>,
}

/// A node as it is read.
enum Node {
    Scalar(Value),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

/// Splits a stream at its document markers, so that a document that can't be parsed leaves the others alone. Nothing
/// but comments is no document.
pub(super) fn documents(text: &str) -> impl Iterator<Item = Chunk<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut starts = vec![(1, 0)];
    let mut offset = 0;
    for (index, line) in (1..).zip(text.split_inclusive('\n')) {
        let marker =
            line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        if marker && offset > 0 {
            starts.push((index, offset));
        }
        offset += line.len();
    }
    let ends: Vec<usize> = starts.iter().skip(1).map(|(_, offset)| *offset).chain([text.len()]).collect();
    starts.into_iter().zip(ends).filter_map(move |((line, start), end)| Chunk::new(line - 1, &text[start..end]))
}

impl<'a> Chunk<'a> {
    fn new(offset: u32, text: &'a str) -> Option<Self> {
        let says_something = |line: &str| {
            let line = line.trim_start_matches("---").trim();
            !(line.is_empty() || line.starts_with('#') || line == "...")
        };
        let (line, _) = (offset + 1..).zip(text.lines()).find(|(_, line)| says_something(line))?;
        Some(Self { line, offset, text })
    }
}

/// Parses a document.
pub(super) fn parse(chunk: Chunk<'_>) -> Result<Tree, Problem> {
    let options = serde_saphyr::options! { with_snippet: false };
    let root: Spanned<Node> = serde_saphyr::from_str_with_options(chunk.text, options).map_err(|error| {
        let line = error.location().map_or(chunk.line, |at| line(at) + chunk.offset);
        Problem { line, error: FieldError { path: String::new(), message: format!("is not YAML: {error}") } }
    })?;
    let mut tree = Tree { value: Value::Null, first_line: chunk.line, lines: BTreeMap::new() };
    tree.value = tree.take(root.value, &Path::Root(""), chunk.offset);
    Ok(tree)
}

impl Tree {
    /// The line of a field, or of the innermost one around it that is there.
    pub(super) fn line_of(&self, path: &str) -> u32 {
        let mut path = path;
        loop {
            if let Some(line) = self.lines.get(path) {
                return *line;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return self.first_line,
            }
        }
    }

    fn take(&mut self, node: Node, path: &Path<'_>, offset: u32) -> Value {
        match node {
            Node::Scalar(value) => value,
            Node::List(items) => items
                .into_iter()
                .enumerate()
                .map(|(index, item)| {
                    let path = path.item(index);
                    self.lines.insert(path.to_string(), line(item.referenced) + offset);
                    self.take(item.value, &path, offset)
                })
                .collect(),
            Node::Map(members) => {
                let mut map = Map::new();
                for (name, member) in members {
                    let path = path.field(&name.value);
                    self.lines.insert(path.to_string(), line(name.referenced) + offset);
                    let value = self.take(member.value, &path, offset);
                    map.insert(name.value, value);
                }
                Value::Object(map)
            }
        }
    }
}

fn line(at: serde_saphyr::Location) -> u32 {
    u32::try_from(at.line()).unwrap_or(u32::MAX).max(1)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("this number has no JSON form"))?;
        Ok(Node::Scalar(Value::Number(number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(member) = members.next_entry()? {
            map.push(member);
        }
        Ok(Node::Map(map))
    }
}
