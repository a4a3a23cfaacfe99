use super::{Citation, Extra, Part, Raw, Text, Usage};
use crate::Dialect;
use crate::classify::UpstreamError;

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Response<'a> {
    /// The dialect it came in.
    pub origin: Dialect,
    /// The provider's id of it.
    pub id: Text<'a>,
    /// The model that answered, as the provider names it.
    pub model: Text<'a>,
    /// Seconds since 1970, where the provider says.
    pub created: Option<u64>,
    /// The answers; one, unless more were asked for.
    pub choices: Vec<Choice<'a>>,
    /// What it cost.
    pub usage: Usage,
    /// The same as the provider wrote it.
    pub raw_usage: Option<Raw<'a>>,
    /// Members that no other dialect has.
    pub extra: Vec<Extra<'a>>,
}

/// One of several answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice<'a> {
    /// Its number, from 0.
    pub index: u32,
    /// What it says.
    pub parts: Vec<Part<'a>>,
    /// Why it ended.
    pub finish: Finish,
    /// The provider's own word for why it ended.
    pub word: Option<Text<'a>>,
    /// The sequence of the client's that ended it, where the provider says.
    pub stop_sequence: Option<Text<'a>>,
    /// Members that no other dialect has; those of an inner object by their path, such as `message.audio`.
    pub extra: Vec<Extra<'a>>,
    /// How the parts are laid out, in a dialect whose answers are lists of items.
    pub items: Vec<Item<'a>>,
}

/// One item of an answer that is a list of them. It holds some of the answer's parts; items stand in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<'a> {
    /// Its `type`.
    pub kind: Text<'a>,
    /// Members that no other dialect has.
    pub extra: Vec<Extra<'a>>,
    /// The same of each part that it holds.
    pub parts: Vec<Vec<Extra<'a>>>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It was finished, or a stop sequence came.
    Stop,
    /// The token bound or the context window was reached.
    Length,
    /// Tools are to be called.
    ToolCalls,
    /// The provider or the model declined.
    ContentFilter,
    /// The provider paused a long turn of its own tools.
    Pause,
    /// The provider failed, and said so in this way.
    Failed,
    /// A reason that is not known: treated as [`Finish::Stop`], logged and never cached.
    Unknown,
}

/// What happens in a stream of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'a> {
    /// The answer begins. Its first usage comes as an event of its own.
    Start {
        /// The provider's id of it.
        id: Text<'a>,
        /// The model that answers.
        model: Text<'a>,
    },
    /// More text.
    Text(Text<'a>),
    /// The text that follows is another one: what is cited goes by texts.
    NextText,
    /// What a piece of the text so far rests on.
    Citation(Box<Citation<'a>>),
    /// More of a refusal.
    Refusal(Text<'a>),
    /// More thinking.
    Reasoning(Text<'a>),
    /// The signature of the thinking so far.
    Signature(Text<'a>),
    /// Thinking that only the provider reads.
    RedactedReasoning(Text<'a>),
    /// A tool call begins.
    ToolStart {
        /// Counts tool calls, from 0.
        index: u32,
        /// Names the call in its result.
        id: Text<'a>,
        /// The tool.
        name: Text<'a>,
    },
    /// A member of a tool call that no other dialect has.
    ToolExtra {
        /// Which call.
        index: u32,
        /// Whose member it is.
        origin: Dialect,
        /// The member.
        extra: Box<Extra<'a>>,
    },
    /// More of a tool call's arguments, a piece of JSON text.
    ToolArguments {
        /// Which call.
        index: u32,
        /// The piece.
        json: Text<'a>,
    },
    /// The sequence of the client's that ends the answer; its finish comes next.
    StopSequence(Text<'a>),
    /// The answer is finished, and why.
    Finish(Finish),
    /// What it cost so far; the latest of each field is right.
    Usage(Usage),
    /// The provider failed inside the stream.
    Error(Box<UpstreamError>),
    /// The provider's end marker.
    End,
}

impl Response<'_> {
    /// One that says nothing yet.
    pub(crate) fn new(origin: Dialect) -> Self {
        Self {
            origin,
            id: Text::default(),
            model: Text::default(),
            created: None,
            choices: Vec::new(),
            usage: Usage::default(),
            raw_usage: None,
            extra: Vec::new(),
        }
    }
}

impl<'a> Choice<'a> {
    /// The first answer, and the only one in most dialects.
    pub(crate) fn new(parts: Vec<Part<'a>>, finish: Finish) -> Self {
        Self { index: 0, parts, finish, word: None, stop_sequence: None, extra: Vec::new(), items: Vec::new() }
    }
}

impl Finish {
    /// A stable word, as the header `x-penstock-finish` gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Pause => "pause",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

impl Event<'_> {
    /// Whether a client sees it as content, so that no other target can answer after it. What does not commit is a
    /// closed list: the start, empty pieces, usage and what ends a stream without words.
    pub fn commits(&self) -> bool {
        match self {
            Self::Start { .. }
            | Self::NextText
            | Self::Usage(_)
            | Self::StopSequence(_)
            | Self::Error(_)
            | Self::End => false,
            Self::Text(text) | Self::Refusal(text) | Self::Reasoning(text) => !text.is_empty(),
            Self::Citation(_)
            | Self::Signature(_)
            | Self::RedactedReasoning(_)
            | Self::ToolStart { .. }
            | Self::ToolExtra { .. }
            | Self::ToolArguments { .. }
            | Self::Finish(_) => true,
        }
    }
}
