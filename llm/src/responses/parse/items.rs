use std::collections::HashSet;

use super::{NO_STATE, content};
use crate::json::{Fault, Kind, Reader};
use crate::json::{Member, Members};
use crate::neutral::{Message, Part, Role, Text, ToolCall};
use crate::openai;
use crate::responses::seal::Sealed;
use crate::translate::Dropped;

/// The items so far, as messages: what the model thought, said and called in a row is one.
#[derive(Default)]
pub(super) struct Conversation<'a> {
    list: Vec<Message<'a>>,
    /// The ids of calls, which results refer to.
    calls: HashSet<Text<'a>>,
}

impl<'a> Conversation<'a> {
    pub(super) fn read(reader: &mut Reader<'a>, dropped: &mut Dropped) -> Result<Self, Fault> {
        let mut conversation = Self::default();
        match reader.peek()? {
            Kind::String => conversation.say(Role::User, vec![Part::text(reader.string()?)], true),
            Kind::Array => reader.array(|reader| conversation.item(Members::read(reader, 0)?, dropped))?,
            _ => return Err(reader.fault("expected a string or a list of items")),
        }
        Ok(conversation)
    }

    /// A message that says one text only is a bare string, which every server takes.
    pub(super) fn messages(self) -> impl Iterator<Item = Message<'a>> {
        self.list.into_iter().map(|mut message| {
            let said = message.parts.iter().filter(|part| is_said(part));
            message.plain = message.role != Role::Tool && said.count() <= 1;
            message
        })
    }

    fn item(&mut self, mut item: Members<'a>, dropped: &mut Dropped) -> Result<(), Fault> {
        let kind = item.string("type")?;
        match kind.as_deref() {
            Some("message") => self.message(item, dropped),
            Some("function_call") => self.call(item),
            Some("function_call_output") => self.result(item, dropped),
            Some("reasoning") => self.reasoning(item),
            Some("item_reference") => Err(Fault::unknown(item.at, NO_STATE)),
            Some(other) => Err(Fault::unknown(item.at, format!("the target takes no items of type {other:?}"))),
            None => {
                let role = item.take("role");
                match role {
                    Some(role) => self.spoken(role, item, dropped),
                    // An id by itself refers to an item that is stored.
                    None if item.take("id").is_some() => Err(Fault::unknown(item.at, NO_STATE)),
                    None => Err(Fault::new(item.at, "type is missing")),
                }
            }
        }
    }

    fn message(&mut self, mut item: Members<'a>, dropped: &mut Dropped) -> Result<(), Fault> {
        let role = item.need("role")?;
        self.spoken(role, item, dropped)
    }

    fn spoken(&mut self, role: Member<'a>, mut item: Members<'a>, dropped: &mut Dropped) -> Result<(), Fault> {
        let at = role.at;
        let word = role.string()?;
        let role = self::role(&word).ok_or_else(|| Fault::unknown(at, format!("the role {word:?} is not known")))?;
        let (parts, plain) = content::read(item.need("content")?, dropped)?;
        if role == Role::Assistant {
            parts.into_iter().for_each(|part| self.answer(part));
        } else {
            self.say(role, parts, plain);
        }
        Ok(())
    }

    fn call(&mut self, mut item: Members<'a>) -> Result<(), Fault> {
        let id = item.need("call_id")?.string()?;
        let name = item.need("name")?.string()?;
        let arguments = item.take("arguments").map(|arguments| arguments.value(openai::call_arguments)).transpose()?;
        self.calls.insert(id.clone());
        let arguments = arguments.unwrap_or_default();
        self.answer(Part::ToolCall(ToolCall { id, name, arguments, cache: None, extra: Vec::new() }));
        Ok(())
    }

    fn result(&mut self, mut item: Members<'a>, dropped: &mut Dropped) -> Result<(), Fault> {
        let id = item.need("call_id")?;
        let at = id.at;
        let call = id.string()?;
        if !self.calls.contains(&call) {
            return Err(Fault::new(at, format!("no function call before it has the id {call:?}")));
        }
        let (parts, plain) = content::read(item.need("output")?, dropped)?;
        let result = Part::ToolResult { call, parts, plain, is_error: false, cache: None, extra: Vec::new() };
        self.say(Role::Tool, vec![result], plain);
        Ok(())
    }

    /// Thinking that another provider encrypted is left out: nobody else can read it, and its summary is not it.
    fn reasoning(&mut self, mut item: Members<'a>) -> Result<(), Fault> {
        let encrypted = item.string("encrypted_content")?;
        let mut text = texts(item.take("summary"))?;
        if text.is_empty() {
            text = texts(item.take("content"))?;
        }
        let part = match encrypted.as_deref().map(Sealed::open) {
            Some(None) => return Ok(()),
            Some(Some(Sealed::Redacted(data))) => Part::RedactedReasoning(Text::Owned(data.to_owned())),
            Some(Some(Sealed::Signature(signature))) => {
                Part::Reasoning { text, signature: Some(Text::Owned(signature.to_owned())) }
            }
            None if text.is_empty() => return Ok(()),
            None => return self.unsigned(text),
        };
        self.answer(part);
        Ok(())
    }

    /// A message has one such thought, since chat has one member for it.
    fn unsigned(&mut self, more: Text<'a>) -> Result<(), Fault> {
        let last = self.list.last_mut().filter(|message| message.role == Role::Assistant);
        let mut parts = last.into_iter().flat_map(|message| &mut message.parts);
        match parts
            .find_map(|part| if let Part::Reasoning { text, signature: None } = part { Some(text) } else { None })
        {
            Some(text) => text.to_mut().extend(["\n", &more]),
            None => self.answer(Part::Reasoning { text: more, signature: None }),
        }
        Ok(())
    }

    fn say(&mut self, role: Role, parts: Vec<Part<'a>>, plain: bool) {
        self.list.push(Message { role, parts, plain, extra: Vec::new() });
    }

    /// What the model did is one message with what it did just before.
    fn answer(&mut self, part: Part<'a>) {
        match self.list.last_mut().filter(|message| message.role == Role::Assistant) {
            Some(message) => message.parts.push(part),
            None => self.say(Role::Assistant, vec![part], true),
        }
    }
}

pub(in crate::responses) fn role(word: &str) -> Option<Role> {
    match word {
        "user" => Some(Role::User),
        "assistant" => Some(Role::Assistant),
        "system" => Some(Role::System),
        "developer" => Some(Role::Developer),
        _ => None,
    }
}

/// It stands in the content of a message, and not beside it.
fn is_said(part: &Part<'_>) -> bool {
    !matches!(part, Part::ToolCall(_) | Part::Reasoning { .. } | Part::RedactedReasoning(_))
}

/// The texts of a list, joined.
fn texts<'a>(list: Option<Member<'a>>) -> Result<Text<'a>, Fault> {
    let mut all = Text::default();
    let Some(list) = list else { return Ok(all) };
    list.items(|reader, base| {
        let text = Members::read(reader, base)?.need("text")?.string()?;
        if all.is_empty() {
            all = text
        } else {
            all.to_mut().push_str(&text)
        }
        Ok(())
    })?;
    Ok(all)
}
