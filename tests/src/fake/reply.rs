//! The answer to a question: derived from it and nothing else, so a test can say what it must be.

use super::question::{Last, Question, Tool, ToolChoice, words};
use super::schema::example;
use super::script::{Answer, Called, Filtered};

/// What reasoning always reads.
const THOUGHT: &str = "The answer follows from the question.";

/// An answer, the same for every dialect.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reply {
    pub(crate) thinking: Option<String>,
    pub(crate) text: String,
    pub(crate) calls: Vec<Call>,
    pub(crate) finish: Finish,
    /// Tokens of the prompt that came from a cache.
    pub(crate) cached: u64,
    /// Tokens of the prompt that went into one.
    pub(crate) cache_written: u64,
}

/// A tool call; `arguments` is JSON.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) arguments: String,
}

/// Why the answer ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Finish {
    #[default]
    Stop,
    StopSequence(String),
    Length,
    ToolCalls,
    /// The model declined, in these words.
    Refused(String),
    /// A filter cut the answer off.
    Filtered,
    /// A filter let no answer begin.
    Blocked,
    /// Told by a script.
    Verbatim(String),
}

impl From<&Called> for Call {
    fn from(called: &Called) -> Self {
        Self { name: called.name.clone(), arguments: called.arguments.clone() }
    }
}

impl Reply {
    /// The answer of the fake called `provider`. Tools are called when the last message is a user's: those that it mentions,
    /// else the first one.
    pub(crate) fn to(question: &Question, provider: &str) -> Self {
        let thinking = question.thinks.then(|| THOUGHT.to_owned());
        let calls = calls(question);
        if !calls.is_empty() {
            return Self { thinking, calls, finish: Finish::ToolCalls, ..Self::default() };
        }
        let text = match (&question.schema, &question.last) {
            (Some(schema), _) => example(schema, "answer").to_string(),
            (None, Last::User(said)) => {
                let shown = match question.shown.join(", ") {
                    shown if shown.is_empty() => shown,
                    shown => format!(" You showed: {shown}"),
                };
                format!("This is {} at {provider}. You said: {said}{shown}", question.model)
            }
            (None, Last::ToolResults(results)) => {
                format!("This is {} at {provider}. The tools said: {}", question.model, results.join("; "))
            }
            (None, Last::Assistant(_)) => {
                format!("and so on, says {} at {provider}.", question.model)
            }
        };
        let (text, finish) = bounded(text, question);
        Self { thinking, text, finish, ..Self::default() }
    }

    /// As a script wants it.
    pub(crate) fn changed(mut self, answer: &Answer) -> Self {
        if let Some(text) = &answer.text {
            self.text.clone_from(text);
            self.calls.clear();
            self.finish = Finish::Stop;
        }
        if !answer.calls.is_empty() {
            self.text = answer.text.clone().unwrap_or_default();
            self.calls = answer.calls.iter().map(Call::from).collect();
            self.finish = Finish::ToolCalls;
        }
        self.thinking = answer.thinking.clone().or(self.thinking);
        match (&answer.refusal, answer.filtered) {
            (Some(words), _) => self.give_up(Finish::Refused(words.clone())),
            (None, Some(Filtered::Prompt)) => self.give_up(Finish::Blocked),
            (None, Some(Filtered::Answer)) => {
                let half = words(&self.text).div_ceil(2).try_into().unwrap_or(usize::MAX);
                self.text = self.text.split_inclusive(' ').take(half).collect();
                self.calls.clear();
                self.finish = Finish::Filtered;
            }
            (None, None) => {}
        }
        if let Some(finish) = &answer.finish {
            self.finish = Finish::Verbatim(finish.clone());
        }
        self.cached = answer.cached_tokens;
        self.cache_written = answer.cache_written_tokens;
        self
    }

    fn give_up(&mut self, finish: Finish) {
        *self = Self { finish, ..Self::default() };
    }

    /// The words of a model that declines, for dialects in which they are ordinary text.
    pub(crate) fn refusal_as_text(&self) -> Self {
        match &self.finish {
            Finish::Refused(words) => Self { text: words.clone(), finish: Finish::Stop, ..self.clone() },
            _ => self.clone(),
        }
    }

    /// Words of the visible answer, reasoning excluded.
    fn visible_tokens(&self) -> u64 {
        let calls: u64 = self.calls.iter().map(|call| 1 + words(&call.arguments)).sum();
        let refused = match &self.finish {
            Finish::Refused(text) => words(text),
            _ => 0,
        };
        words(&self.text) + calls + refused
    }

    /// Words of the reasoning.
    pub(crate) fn thinking_tokens(&self) -> u64 {
        self.thinking.as_deref().map_or(0, words)
    }

    /// What is billed as output: reasoning included.
    pub(crate) fn output_tokens(&self) -> u64 {
        self.visible_tokens() + self.thinking_tokens()
    }
}

fn calls(question: &Question) -> Vec<Call> {
    let Last::User(said) = &question.last else {
        return Vec::new();
    };
    let called: Vec<_> = match &question.tool_choice {
        ToolChoice::None => Vec::new(),
        ToolChoice::Named(name) => question.tools.iter().filter(|tool| tool.name == *name).collect(),
        ToolChoice::Auto | ToolChoice::Required => {
            let named: Vec<_> = question.tools.iter().filter(|tool| said.contains(&tool.name)).collect();
            if named.is_empty() { question.tools.first().into_iter().collect() } else { named }
        }
    };
    let most = if question.parallel { called.len() } else { 1 };
    let call = |tool: &Tool| Call { name: tool.name.clone(), arguments: example(&tool.schema, &tool.name).to_string() };
    called.into_iter().take(most).map(call).collect()
}

/// Stop sequences first, then the token limit, as a model meets them.
fn bounded(mut text: String, question: &Question) -> (String, Finish) {
    let mut finish = Finish::Stop;
    let first = question.stop.iter().filter_map(|stop| Some((text.find(stop.as_str())?, stop))).min();
    if let Some((at, stop)) = first {
        text.truncate(at);
        finish = Finish::StopSequence(stop.clone());
    }
    let most = question.max_tokens.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    if text.split_whitespace().count() > most {
        text = text.split_whitespace().take(most).collect::<Vec<_>>().join(" ");
        finish = Finish::Length;
    }
    (text, finish)
}

/// The pieces in which a stream brings `text`: a word each, with the space behind it.
pub(crate) fn deltas(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

/// The pieces in which a stream brings the arguments of a call: a few characters each, cut anywhere.
pub(crate) fn argument_deltas(arguments: &str) -> Vec<String> {
    let characters: Vec<char> = arguments.chars().collect();
    characters.chunks(6).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn question(said: &str) -> Question {
        let last = Last::User(said.to_owned());
        Question { model: "m".to_owned(), last, parallel: true, prompt_tokens: 1, ..Question::default() }
    }

    fn tool(name: &str) -> Tool {
        Tool { name: name.to_owned(), schema: json!({"properties": {"city": {"type": "string"}}}) }
    }

    #[test]
    fn the_answer_names_model_and_provider_and_quotes_the_user() {
        assert_eq!(Reply::to(&question("hello there"), "openai").text, "This is m at openai. You said: hello there");
    }

    #[test]
    fn every_tool_that_the_user_mentions_is_called_unless_parallel_calls_are_off() {
        let mut asked = question("look_up and weather please");
        asked.tools = vec![tool("weather"), tool("look_up"), tool("other")];
        let names = |reply: Reply| reply.calls.into_iter().map(|call| call.name).collect::<Vec<_>>();
        assert_eq!(names(Reply::to(&asked, "p")), ["weather", "look_up"]);
        asked.parallel = false;
        assert_eq!(names(Reply::to(&asked, "p")), ["weather"]);
    }

    #[test]
    fn the_token_limit_counts_words_and_is_reported_as_the_finish() {
        let mut asked = question("hello");
        asked.max_tokens = Some(2);
        let reply = Reply::to(&asked, "p");
        assert_eq!((reply.text.as_str(), reply.output_tokens(), reply.finish), ("This is", 2, Finish::Length));
    }

    #[test]
    fn the_pieces_of_a_stream_make_the_whole() {
        assert_eq!(deltas("a bc  d ").collect::<String>(), "a bc  d ");
        assert_eq!(argument_deltas("{\"city\":\"Zürich\"}").concat(), "{\"city\":\"Zürich\"}");
    }
}
