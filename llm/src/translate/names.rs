use std::borrow::Cow;

use crate::neutral::{Part, Request};
use crate::responses::Echo;

/// What was renamed on the way up and must be named back on the way down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Tool names that the target does not allow: (as sent, as the client knows it).
    tools: Vec<(String, String)>,
    /// Ids of calls that the target does not allow: (as sent, as the client knows it).
    calls: Vec<(String, String)>,
    /// The tool that stands for the JSON answer: its input is the content.
    answer_tool: Option<String>,
    /// What the answer says again of the request.
    echo: Echo,
}

impl Names {
    /// The client's name of a tool that the provider calls.
    pub(crate) fn client_name<'a>(&self, sent: Cow<'a, str>) -> Cow<'a, str> {
        match self.tools.iter().find(|(as_sent, _)| *as_sent == sent) {
            Some((_, original)) => Cow::Owned(original.clone()),
            None => sent,
        }
    }

    /// The name under which a tool of the client is sent.
    pub(crate) fn sent_name<'a>(&'a self, original: &'a str) -> &'a str {
        self.tools.iter().find(|(_, name)| name == original).map_or(original, |(sent, _)| sent)
    }

    pub(crate) fn rename(&mut self, original: &str, sent: String) {
        self.tools.push((sent, original.to_owned()));
    }

    pub(crate) fn is_renamed(&self, original: &str) -> bool {
        self.tools.iter().any(|(_, name)| name == original)
    }

    pub(crate) fn is_sent(&self, sent: &str) -> bool {
        self.tools.iter().any(|(name, _)| name == sent)
    }

    /// The client's id of a call that the provider names.
    pub(crate) fn client_call<'a>(&self, sent: Cow<'a, str>) -> Cow<'a, str> {
        match self.calls.iter().find(|(as_sent, _)| *as_sent == sent) {
            Some((_, original)) => Cow::Owned(original.clone()),
            None => sent,
        }
    }

    /// The id under which a call of the client's history is sent.
    pub(crate) fn sent_call<'a>(&'a self, original: &'a str) -> &'a str {
        self.calls.iter().find(|(_, id)| id == original).map_or(original, |(sent, _)| sent)
    }

    pub(crate) fn rename_call(&mut self, original: &str, sent: String) {
        self.calls.push((sent, original.to_owned()));
    }

    pub(crate) fn is_sent_call(&self, sent: &str) -> bool {
        self.calls.iter().any(|(id, _)| id == sent)
    }

    pub(crate) fn echo(&self) -> &Echo {
        &self.echo
    }

    pub(crate) fn set_echo(&mut self, echo: Echo) {
        self.echo = echo;
    }

    /// The tool that stands for the JSON answer.
    pub(crate) fn answer_tool(&self) -> Option<&str> {
        self.answer_tool.as_deref()
    }

    pub(crate) fn set_answer_tool(&mut self, sent: String) {
        self.answer_tool = Some(sent);
    }

    pub(crate) fn is_answer_tool(&self, sent: &str) -> bool {
        self.answer_tool() == Some(sent)
    }
}

#[cfg(test)]
impl Names {
    pub(crate) fn renamed(tools: &[(&str, &str)]) -> Self {
        let mut names = Self::default();
        tools.iter().for_each(|(sent, original)| names.rename(original, (*sent).to_owned()));
        names
    }
}

/// Names for tools whose own ones the target does not take: letters, digits, `_` and `-`, at most `longest` of them.
pub(crate) fn rename_tools(request: &Request<'_>, longest: usize) -> Names {
    let mut names = Names::default();
    for name in request.tools.iter().map(|tool| &*tool.name).chain(called(request)) {
        if (is_plain(name) && name.len() <= longest) || names.is_renamed(name) {
            continue;
        }
        let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        let mut plain: String = name.replace(odd, "_");
        plain.truncate(longest - 4);
        names.rename(name, unique_tool(request, &names, plain));
    }
    names
}

/// The wanted name, or one like it that no tool has.
pub(crate) fn unique_tool(request: &Request<'_>, names: &Names, wanted: String) -> String {
    let taken = |name: &str| names.is_sent(name) || request.tools.iter().any(|tool| tool.name == name);
    let numbered = (2..100).map(|n| format!("{wanted}_{n}"));
    std::iter::once(wanted.clone()).chain(numbered).find(|name| !name.is_empty() && !taken(name)).unwrap_or(wanted)
}

fn called<'r>(request: &'r Request<'_>) -> impl Iterator<Item = &'r str> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    parts.filter_map(|part| if let Part::ToolCall(call) = part { Some(&*call.name) } else { None })
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}
