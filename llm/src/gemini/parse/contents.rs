use super::calls::Calls;
use super::parts;
use crate::json::{Fault, Member, Members, Reader};
use crate::neutral::{Message, Role};

/// The conversation so far.
#[derive(Default)]
pub(super) struct Conversation<'a> {
    pub(super) list: Vec<Message<'a>>,
    calls: Calls<'a>,
    last: Option<Role>,
}

impl<'a> Conversation<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let mut conversation = Self::default();
        reader.each(|reader| conversation.content(reader))?;
        Ok(conversation)
    }

    fn content(&mut self, reader: &mut Reader<'a>) -> Result<(), Fault> {
        let mut content = Members::read_camel(reader, 0)?;
        let role = content.take("role").map_or(Ok(Role::User), role)?;
        // A model's answer that came as a stream is often sent back piece by piece: one turn all the same.
        if role == Role::Assistant && self.last != Some(role) {
            self.calls.begin_turn();
        }
        self.last = Some(role);
        let mut said = Vec::new();
        if let Some(list) = content.take("parts") {
            list.each(|reader, base| {
                said.push(parts::read(reader, base, &mut self.calls)?);
                Ok(())
            })?;
        }
        self.list.push(Message { role, parts: said, plain: false, extra: content.rest() });
        Ok(())
    }
}

fn role(member: Member<'_>) -> Result<Role, Fault> {
    let at = member.at;
    match &*member.string()? {
        "model" => Ok(Role::Assistant),
        // `function` is how results of tools were sent at first.
        "user" | "function" | "" => Ok(Role::User),
        other => Err(Fault::new(at, format!("the role must be user or model, not {other:?}"))),
    }
}
