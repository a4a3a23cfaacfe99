use std::borrow::Cow;
use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};

use crate::neutral::{Part, Request, Response};
use crate::responses::Echo;

/// What was renamed on the way up and must be named back on the way down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Tool names that the target does not allow.
    tools: Renamed,
    /// Ids of calls that the target does not allow.
    calls: Renamed,
    /// The tool that stands for the JSON answer: its input is the content.
    answer_tool: Option<String>,
    /// What the answer says again of the request.
    echo: Echo,
}

/// None for most requests, and then it costs nothing to make, to pass on and to drop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Renamed(Option<Box<Both>>);

/// Names in both directions. A client chooses how many, so none is looked for one by one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Both {
    /// The client's name, by the one that is sent.
    originals: HashMap<String, String>,
    /// The one that is sent, by the client's.
    sent: HashMap<String, String>,
}

impl Renamed {
    fn add(&mut self, original: &str, sent: String) {
        let both = self.0.get_or_insert_default();
        both.originals.insert(sent.clone(), original.to_owned());
        both.sent.insert(original.to_owned(), sent);
    }

    fn original_of(&self, sent: &str) -> Option<&str> {
        self.0.as_ref()?.originals.get(sent).map(String::as_str)
    }

    fn sent_for(&self, original: &str) -> Option<&str> {
        self.0.as_ref()?.sent.get(original).map(String::as_str)
    }

    fn original<'a>(&self, sent: Cow<'a, str>) -> Cow<'a, str> {
        match self.original_of(&sent) {
            Some(original) => Cow::Owned(original.to_owned()),
            None => sent,
        }
    }

    fn sent<'a>(&'a self, original: &'a str) -> &'a str {
        self.sent_for(original).unwrap_or(original)
    }
}

impl Names {
    /// The client's name of a tool that the provider calls.
    pub(crate) fn client_name<'a>(&self, sent: Cow<'a, str>) -> Cow<'a, str> {
        self.tools.original(sent)
    }

    /// The name under which a tool of the client is sent.
    pub(crate) fn sent_name<'a>(&'a self, original: &'a str) -> &'a str {
        self.tools.sent(original)
    }

    pub(crate) fn rename(&mut self, original: &str, sent: String) {
        self.tools.add(original, sent);
    }

    pub(crate) fn is_renamed(&self, original: &str) -> bool {
        self.tools.sent_for(original).is_some()
    }

    pub(crate) fn is_sent(&self, sent: &str) -> bool {
        self.tools.original_of(sent).is_some()
    }

    /// The client's id of a call that the provider names.
    pub(crate) fn client_call<'a>(&self, sent: Cow<'a, str>) -> Cow<'a, str> {
        self.calls.original(sent)
    }

    /// The id under which a call of the client's history is sent.
    pub(crate) fn sent_call<'a>(&'a self, original: &'a str) -> &'a str {
        self.calls.sent(original)
    }

    pub(crate) fn rename_call(&mut self, original: &str, sent: String) {
        self.calls.add(original, sent);
    }

    pub(crate) fn is_sent_call(&self, sent: &str) -> bool {
        self.calls.original_of(sent).is_some()
    }

    /// Names the calls of a whole answer as the client does.
    pub(crate) fn put_back(&self, response: &mut Response<'_>) {
        for part in response.choices.iter_mut().flat_map(|choice| &mut choice.parts) {
            if let Part::ToolCall(call) = part {
                call.id = self.client_call(std::mem::take(&mut call.id));
                call.name = self.client_name(std::mem::take(&mut call.name));
            }
        }
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

/// Names for tools whose own ones the target does not take. `allowed` says which it takes, `plain` makes one of them, at
/// least [`SUFFIX`] letters shorter than the longest.
pub(crate) fn rename_tools(
    request: &Request<'_>,
    allowed: impl Fn(&str) -> bool,
    plain: impl Fn(&str) -> String,
) -> Names {
    let mut names = Names::default();
    // Mostly every name is allowed, and nobody asks.
    let declared = LazyCell::new(|| declared(request));
    let mut latest: HashMap<String, u32> = HashMap::new();
    for name in request.tools.iter().map(|tool| &*tool.name).chain(called(request)) {
        if allowed(name) || names.is_renamed(name) {
            continue;
        }
        let plain = plain(name);
        let taken = |name: &str| names.is_sent(name) || declared.contains(name);
        let latest = latest.entry(plain.clone()).or_default();
        let free = unique(&plain, latest, taken);
        names.rename(name, free);
    }
    names
}

/// What [`unique`] may add to a name.
pub(crate) const SUFFIX: usize = 4;
const MOST_OF_A_NAME: u32 = 999;

/// The wanted name, or one like it with a number, that is not taken. `latest` is the number that was last given to it: of
/// many tools that want one name, each looks only at what is left. After 999 they share it, and the provider objects.
fn unique(wanted: &str, latest: &mut u32, taken: impl Fn(&str) -> bool) -> String {
    while *latest < MOST_OF_A_NAME {
        *latest += 1;
        let name = if *latest == 1 { wanted.to_owned() } else { format!("{wanted}_{latest}") };
        if !name.is_empty() && !taken(&name) {
            return name;
        }
    }
    wanted.to_owned()
}

/// The wanted name, or one like it that no tool has.
pub(crate) fn unique_tool(request: &Request<'_>, names: &Names, wanted: &str) -> String {
    let declared = declared(request);
    unique(wanted, &mut 0, |name| names.is_sent(name) || declared.contains(name))
}

/// Letters, digits, `_` and `-`, at most `longest` of them.
pub(crate) fn is_plain_name(name: &str, longest: usize) -> bool {
    !name.is_empty()
        && name.len() <= longest
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// The name in such letters, with room for a number.
pub(crate) fn plain_name(name: &str, longest: usize) -> String {
    let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let mut plain = name.replace(odd, "_");
    plain.truncate(longest - SUFFIX);
    plain
}

fn declared<'r>(request: &'r Request<'_>) -> HashSet<&'r str> {
    request.tools.iter().map(|tool| &*tool.name).collect()
}

fn called<'r>(request: &'r Request<'_>) -> impl Iterator<Item = &'r str> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    parts.filter_map(|part| if let Part::ToolCall(call) = part { Some(&*call.name) } else { None })
}
