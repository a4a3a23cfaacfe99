//! What a fake is told to do instead of answering.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;

/// Steps for the requests that match, one after the other; when they are used up, requests are answered normally.
///
/// Of several scripts that match, the first with a step left applies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Name of the fake; absent: any.
    pub provider: Option<String>,
    /// Path without query; absent: any.
    pub path: Option<String>,
    /// `model` of the body; absent: any.
    pub model: Option<String>,
    /// The key that the request carries; absent: any.
    pub credential: Option<String>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One action for a number of requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// For how many requests; default one.
    #[serde(default)]
    pub times: Times,
    /// What they meet.
    #[serde(rename = "do")]
    pub action: Action,
}

/// How often a step applies: a number, or `"forever"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Times {
    /// That many requests.
    Count(u32),
    /// Every request from here on.
    Forever(Forever),
}

/// The word `forever`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Forever {
    /// No end.
    Forever,
}

impl Default for Times {
    fn default() -> Self {
        Self::Count(1)
    }
}

/// What a request meets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The ordinary answer, changed in some way.
    Answer(Box<Answer>),
    /// An error as the real provider words it.
    Refuse(Refuse),
    /// Any bytes at all.
    Respond(Respond),
    /// The connection is reset (RST) before a byte of the answer.
    Reset,
    /// The connection is closed (FIN) before a byte of the answer.
    Close,
    /// No byte is ever sent; the connection stays open.
    Hang,
}

/// The provider's own error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refuse {
    /// Which.
    pub error: Refusal,
    /// The header of that name.
    #[serde(default)]
    pub retry_after: Option<String>,
    /// More headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Milliseconds until it is sent.
    #[serde(default)]
    pub after_ms: u64,
}

/// A response given word by word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Respond {
    /// Its status.
    pub status: u16,
    /// All its headers, except those that frame the body.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Its body.
    #[serde(default)]
    pub body: String,
}

/// Changes to the ordinary answer; the default changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// Milliseconds before the response's head.
    pub head_after_ms: u64,
    /// Milliseconds between the last event that is not content and the first that is; unary: before the body.
    pub first_token_after_ms: u64,
    /// Milliseconds after every event.
    pub pause_ms: u64,
    /// Send the body in writes of that many bytes, wherever that cuts.
    pub split_bytes: Option<usize>,
    /// This text in place of the derived one.
    pub text: Option<String>,
    /// This reasoning in front of it.
    pub thinking: Option<String>,
    /// These calls of tools in place of the derived ones; with `text`, behind it.
    pub calls: Vec<Called>,
    /// The model declines, in these words.
    pub refusal: Option<String>,
    /// A content filter steps in.
    pub filtered: Option<Filtered>,
    /// So many tokens of the prompt were read from a cache.
    pub cached_tokens: u64,
    /// So many were written to one.
    pub cache_written_tokens: u64,
    /// This finish reason, verbatim.
    pub finish: Option<String>,
    /// Leave usage out.
    pub without_usage: bool,
    /// Leave out `[DONE]` or `message_stop`.
    pub without_end_marker: bool,
    /// Break off.
    pub broken: Option<Break>,
    /// More response headers.
    pub headers: BTreeMap<String, String>,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Called {
    /// The tool.
    pub name: String,
    /// Its arguments as JSON, or what a model took for JSON.
    pub arguments: String,
}

/// What a content filter objects to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filtered {
    /// The prompt: there is no answer.
    Prompt,
    /// The answer, after its first half.
    Answer,
}

/// Where and how an answer breaks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Break {
    /// Where; a unary answer breaks in the middle of its bytes.
    pub at: At,
    /// How.
    pub how: How,
}

/// A place in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// After that many events of any kind.
    Events(usize),
    /// After that many events with content; 0: just before the first.
    Content(usize),
}

/// What happens at the break.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The body ends properly, too early.
    End,
    /// The connection is closed (FIN) inside the body.
    Close,
    /// The connection is reset (RST) inside the body.
    Reset,
    /// Nothing more is sent; the connection stays open.
    Stall,
    /// Nothing is sent until [`Desk::open_gate`](super::Desk::open_gate), then the rest.
    Gate,
    /// One event (unary: the body) that is not JSON, then the rest.
    Malformed,
    /// An error in the stream (unary: in place of the answer, with status 200), then the end.
    Error(Refusal),
}

impl Script {
    /// A script for one fake.
    #[must_use]
    pub fn on(provider: &str) -> Self {
        Self { provider: Some(provider.to_owned()), ..Self::default() }
    }

    /// Only for requests that carry this key.
    #[must_use]
    pub fn with_credential(mut self, key: &str) -> Self {
        self.credential = Some(key.to_owned());
        self
    }

    /// Only for this model.
    #[must_use]
    pub fn with_model(mut self, model: &str) -> Self {
        self.model = Some(model.to_owned());
        self
    }

    /// Adds a step for one request.
    #[must_use]
    pub fn once(self, action: impl Into<Action>) -> Self {
        self.times(1, action)
    }

    /// Adds a step for `count` requests.
    #[must_use]
    pub fn times(mut self, count: u32, action: impl Into<Action>) -> Self {
        self.steps.push(Step { times: Times::Count(count), action: action.into() });
        self
    }

    /// Adds a step without an end.
    #[must_use]
    pub fn forever(mut self, action: impl Into<Action>) -> Self {
        self.steps.push(Step { times: Times::Forever(Forever::Forever), action: action.into() });
        self
    }
}

impl Answer {
    /// An answer that breaks.
    #[must_use]
    pub fn broken(at: At, how: How) -> Self {
        Self { broken: Some(Break { at, how }), ..Self::default() }
    }
}

impl From<Answer> for Action {
    fn from(answer: Answer) -> Self {
        Self::Answer(Box::new(answer))
    }
}

impl From<Refusal> for Action {
    fn from(error: Refusal) -> Self {
        Self::Refuse(Refuse { error, retry_after: None, headers: BTreeMap::new(), after_ms: 0 })
    }
}

impl From<Respond> for Action {
    fn from(respond: Respond) -> Self {
        Self::Respond(respond)
    }
}

/// A script and how far it has got.
pub(crate) struct Running {
    script: Script,
    step: usize,
    used: u32,
}

/// What of a request a script can ask for.
pub(crate) struct Asked<'a> {
    pub(crate) provider: &'a str,
    pub(crate) path: &'a str,
    pub(crate) model: Option<&'a str>,
    pub(crate) credential: Option<&'a str>,
}

impl Running {
    pub(crate) fn new(script: Script) -> Self {
        Self { script, step: 0, used: 0 }
    }

    /// Whether it names that fake.
    pub(crate) fn is_for(&self, provider: Option<&str>) -> bool {
        self.script.provider.as_deref() == provider
    }

    /// The action for this request, counted as used; `None` when it doesn't match or no step is left.
    pub(crate) fn next(&mut self, asked: &Asked<'_>) -> Option<Action> {
        if !self.matches(asked) {
            return None;
        }
        loop {
            let step = self.script.steps.get(self.step)?;
            match step.times {
                Times::Forever(Forever::Forever) => return Some(step.action.clone()),
                Times::Count(count) if self.used < count => {
                    self.used += 1;
                    return Some(step.action.clone());
                }
                Times::Count(_) => {
                    self.step += 1;
                    self.used = 0;
                }
            }
        }
    }

    fn matches(&self, asked: &Asked<'_>) -> bool {
        let fits = |wanted: &Option<String>, is: Option<&str>| wanted.as_deref().is_none_or(|w| Some(w) == is);
        fits(&self.script.provider, Some(asked.provider))
            && fits(&self.script.path, Some(asked.path))
            && fits(&self.script.model, asked.model)
            && fits(&self.script.credential, asked.credential)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked<'_> =
        Asked { provider: "openai", path: "/v1/chat/completions", model: Some("gpt-4o"), credential: Some("a") };

    #[test]
    fn steps_apply_in_order_each_as_often_as_it_says_and_then_nothing_does() {
        let script = Script::on("openai").times(2, Action::Reset).times(0, Action::Close).once(Action::Hang);
        let mut running = Running::new(script);
        let met: Vec<_> = (0..4).map(|_| running.next(&ASKED)).collect();
        assert_eq!(met, [Some(Action::Reset), Some(Action::Reset), Some(Action::Hang), None]);
    }

    #[test]
    fn a_script_for_one_key_leaves_other_keys_alone() {
        let mut running = Running::new(Script::on("openai").with_credential("b").forever(Action::Reset));
        assert_eq!(running.next(&ASKED), None);
        assert_eq!(running.next(&Asked { credential: Some("b"), ..ASKED }), Some(Action::Reset));
    }

    #[test]
    fn a_script_is_written_as_one_would_say_it() -> anyhow::Result<()> {
        let script: Script = serde_json::from_value(serde_json::json!({
            "provider": "openai",
            "model": "gpt-4o",
            "steps": [
                {"do": {"refuse": {"error": "rate_limit", "retry_after": "1"}}},
                {"times": 3, "do": "reset"},
                {"times": "forever", "do": {"answer": {"broken": {"at": {"content": 2}, "how": "stall"}}}},
            ],
        }))?;
        let expected = Script::on("openai")
            .with_model("gpt-4o")
            .once(Action::Refuse(Refuse {
                error: Refusal::RateLimit,
                retry_after: Some("1".to_owned()),
                headers: BTreeMap::new(),
                after_ms: 0,
            }))
            .times(3, Action::Reset)
            .forever(Answer::broken(At::Content(2), How::Stall));
        assert_eq!(script, expected);
        Ok(())
    }

    #[test]
    fn a_word_that_nobody_knows_is_refused_rather_than_skipped() {
        let script = serde_json::json!({"steps": [{"do": {"answer": {"paus_ms": 3}}}]});
        assert!(serde_json::from_value::<Script>(script).is_err());
    }
}
