use std::collections::HashSet;

use super::blocks::{self, Place};
use crate::json::{Fault, Kind, Reader};
use crate::neutral::{Extra, Message, Part, Raw, Role, Text};

/// The conversation so far.
#[derive(Default)]
pub(super) struct Messages<'a> {
    pub(super) list: Vec<Message<'a>>,
    /// The ids of calls, which results refer to.
    calls: HashSet<Text<'a>>,
}

/// A content and its place.
#[derive(Default)]
struct Content<'a> {
    blocks: Vec<(usize, Part<'a>)>,
    plain: bool,
}

impl<'a> Messages<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let mut messages = Self::default();
        reader.array(|reader| messages.message(reader))?;
        Ok(messages)
    }

    fn message(&mut self, reader: &mut Reader<'a>) -> Result<(), Fault> {
        reader.peek()?;
        let start = reader.at();
        let (mut role, mut content, mut extra) = (None, None, Vec::new());
        reader.object(|reader, key| {
            reader.peek()?;
            match &*key.decode() {
                "role" => role = Some(self::role(reader)?),
                "content" => content = Some(Content::read(reader)?),
                name if !reader.null()? => {
                    extra.push(Extra { name: Text::Owned(name.to_owned()), value: Raw(reader.raw()?) });
                }
                _ => {}
            }
            Ok::<(), Fault>(())
        })?;
        let missing = |name: &str| Fault::new(start, format!("{name} is missing"));
        self.add(role.ok_or_else(|| missing("role"))?, content.ok_or_else(|| missing("content"))?, extra)
    }

    /// Results of tools are messages of their own in other dialects, before what the person says.
    fn add(&mut self, role: Role, content: Content<'a>, extra: Vec<Extra<'a>>) -> Result<(), Fault> {
        let Content { blocks, plain } = content;
        let mut parts = Vec::with_capacity(blocks.len());
        let before = self.list.len();
        for (at, part) in blocks {
            match &part {
                Part::ToolResult { call, .. } if !self.calls.contains(call) => {
                    return Err(Fault::new(at, format!("no tool call before it has the id {call:?}")));
                }
                Part::ToolResult { plain, .. } => {
                    self.list.push(Message { role: Role::Tool, plain: *plain, parts: vec![part], extra: Vec::new() });
                }
                Part::ToolCall(call) => {
                    self.calls.insert(call.id.clone());
                    parts.push(part);
                }
                _ => parts.push(part),
            }
        }
        let only_results = parts.is_empty() && self.list.len() > before;
        match self.list.last_mut().filter(|_| only_results) {
            Some(last) => last.extra = extra,
            None => self.list.push(Message { role, parts, plain, extra }),
        }
        Ok(())
    }
}

fn role(reader: &mut Reader<'_>) -> Result<Role, Fault> {
    let start = reader.at();
    match &*reader.string()? {
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "system" => Ok(Role::System),
        other => Err(Fault::unknown(start, format!("the role {other:?} is not known"))),
    }
}

impl<'a> Content<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let start = reader.at();
        let mut content = Self::default();
        match reader.peek()? {
            Kind::String => {
                content.plain = true;
                content.blocks.push((start, Part::text(reader.string()?)));
            }
            Kind::Array => reader.array(|reader| {
                reader.peek()?;
                let at = reader.at();
                content.blocks.push((at, blocks::read(reader, 0, Place::Turn)?));
                Ok::<(), Fault>(())
            })?,
            _ => return Err(reader.fault("expected a string or a list of blocks")),
        }
        Ok(content)
    }
}
