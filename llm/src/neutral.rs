//! The form between dialects: a superset of what they can say.
//!
//! It borrows from the bytes it was parsed from. Numbers stay as they were spelled and subtrees that nobody looks into
//! (schemas, metadata) stay verbatim JSON text. What a dialect's parser does not know is kept with its origin, so that
//! emitting the same dialect gives it back.

mod answer;
mod citation;
mod usage;

use std::borrow::Cow;

use crate::Dialect;
use crate::json::Fault;

pub use answer::{Choice, Event, Finish, Item, Response};
pub use citation::Citation;
pub use usage::{Terms, Usage};

/// Text that borrows where it can.
pub type Text<'a> = Cow<'a, str>;

/// Valid JSON, verbatim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a>(pub &'a str);

/// A member that only its dialect of origin understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extra<'a> {
    /// The key.
    pub name: Text<'a>,
    /// The value.
    pub value: Raw<'a>,
}

/// A chat request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request<'a> {
    /// The dialect it was written in; `extra` and [`Part::Unknown`] belong to it.
    pub origin: Dialect,
    /// The model that the client asked for.
    pub model: Text<'a>,
    /// The conversation, system messages included, in its order.
    pub messages: Vec<Message<'a>>,
    /// Functions that the model may call.
    pub tools: Vec<Tool<'a>>,
    /// Tools of other kinds, which only their dialect has.
    pub other_tools: Vec<OtherTool<'a>>,
    /// Which tool it must or may call.
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether several calls may come in one answer.
    pub parallel_tool_calls: Option<bool>,
    /// The most tokens to write, reasoning included.
    pub max_tokens: Option<u64>,
    /// How tokens are picked.
    pub sampling: Sampling<'a>,
    /// Sequences that end the answer.
    pub stop: Vec<Text<'a>>,
    /// `stop` was one string and not a list.
    pub stop_is_text: bool,
    /// How many answers.
    pub n: Option<u64>,
    /// Whether the answer is a stream.
    pub stream: bool,
    /// Whether the client asked for usage at the end of its stream.
    pub include_usage: Option<bool>,
    /// What else `stream_options` says.
    pub stream_options: Vec<Extra<'a>>,
    /// The form of the answer.
    pub output: Option<Output<'a>>,
    /// How much to think.
    pub reasoning: Option<Reasoning<'a>>,
    /// Who is asking, an opaque name for the provider's abuse detection.
    pub user: Option<Text<'a>>,
    /// OpenAI's newer word for the same; where both are given it is the other one that others know.
    pub safety_identifier: Option<Text<'a>>,
    /// Members that no other dialect has.
    pub extra: Vec<Extra<'a>>,
}

/// How tokens are picked; numbers as the client spelled them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sampling<'a> {
    /// 0 to 2 in OpenAI's dialect, 0 to 1 in Anthropic's.
    pub temperature: Option<&'a str>,
    /// Nucleus sampling.
    pub top_p: Option<&'a str>,
    /// The number of candidates.
    pub top_k: Option<&'a str>,
}

/// One turn, or one part of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Message<'a> {
    /// Who speaks.
    pub role: Role,
    /// What it says.
    pub parts: Vec<Part<'a>>,
    /// The content was a bare string and not a list of parts.
    pub plain: bool,
    /// Members that no other dialect has.
    pub extra: Vec<Extra<'a>>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The application.
    System,
    /// The application, in the word that newer OpenAI models want.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool's result, which some dialects put into a user turn.
    Tool,
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Part<'a> {
    /// Plain text.
    Text {
        /// The text.
        text: Text<'a>,
        /// Anthropic's `cache_control`, which gateways take in OpenAI's dialect too.
        cache: Option<Raw<'a>>,
        /// What it rests on.
        citations: Vec<Citation<'a>>,
        /// Members that no other dialect has.
        extra: Vec<Extra<'a>>,
    },
    /// The model declined, in words.
    Refusal(Text<'a>),
    /// A picture, a document or sound.
    Media(Media<'a>),
    /// The model calls a tool.
    ToolCall(ToolCall<'a>),
    /// What a tool answered.
    ToolResult {
        /// The call it answers.
        call: Text<'a>,
        /// The answer: text and media.
        parts: Vec<Part<'a>>,
        /// The content was a bare string.
        plain: bool,
        /// The tool failed.
        is_error: bool,
        /// See [`Part::Text`].
        cache: Option<Raw<'a>>,
        /// Members that no other dialect has.
        extra: Vec<Extra<'a>>,
    },
    /// What the model thought.
    Reasoning {
        /// The readable part; may be empty.
        text: Text<'a>,
        /// Proves to the provider that it wrote the text; without it the text cannot be sent back.
        signature: Option<Text<'a>>,
    },
    /// What the model thought, readable to its provider only.
    RedactedReasoning(Text<'a>),
    /// A part that the parser does not know.
    Unknown {
        /// Whose part it is.
        origin: Dialect,
        /// Its `type`, where it has one.
        kind: Text<'a>,
        /// It stood among the tool calls: the model called a tool that is no function.
        is_call: bool,
        /// The whole part.
        value: Raw<'a>,
    },
}

/// A picture, a document or sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Media<'a> {
    /// What it is.
    pub kind: MediaKind,
    /// Where its bytes are.
    pub source: Source<'a>,
    /// OpenAI's `detail` of a picture, or a document's name.
    pub label: Option<Text<'a>>,
    /// See [`Part::Text`].
    pub cache: Option<Raw<'a>>,
    /// Members that no other dialect has.
    pub extra: Vec<Extra<'a>>,
}

/// What a [`Media`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A PDF or a text document.
    Document,
    /// Something to listen to.
    Audio,
}

/// Where bytes are. A URL is passed on, never fetched.
#[derive(Debug, Clone, PartialEq)]
pub enum Source<'a> {
    /// In the request.
    Base64 {
        /// Such as `image/png`.
        media_type: Text<'a>,
        /// Standard base64.
        data: Text<'a>,
    },
    /// Somewhere the provider fetches them.
    Url(Text<'a>),
    /// In the provider's store, by its id there.
    File(Text<'a>),
    /// A document of plain text, as it is.
    Text(Text<'a>),
    /// A document in pieces that can be cited one by one.
    Pieces {
        /// The pieces: text and pictures.
        parts: Vec<Part<'a>>,
        /// The content was a bare string.
        plain: bool,
    },
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall<'a> {
    /// Names the call in its result.
    pub id: Text<'a>,
    /// The tool.
    pub name: Text<'a>,
    /// JSON text as the model wrote it: an object when it wrote it well; may be empty.
    pub arguments: Text<'a>,
    /// See [`Part::Text`].
    pub cache: Option<Raw<'a>>,
    /// Members that no other dialect has.
    pub extra: Vec<Extra<'a>>,
}

/// A function that the model may call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tool<'a> {
    /// Its name.
    pub name: Text<'a>,
    /// What it does, for the model.
    pub description: Option<Text<'a>>,
    /// A JSON schema of its arguments; none means it takes none.
    pub parameters: Option<Raw<'a>>,
    /// Whether the schema is enforced.
    pub strict: Option<bool>,
    /// See [`Part::Text`].
    pub cache: Option<Raw<'a>>,
    /// Members that no other dialect has.
    pub extra: Vec<Extra<'a>>,
}

/// A tool that is no function: the provider's own, or one with a grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherTool<'a> {
    /// Its place among all tools of the request.
    pub index: usize,
    /// Its `type`.
    pub kind: Text<'a>,
    /// The whole declaration.
    pub value: Raw<'a>,
}

/// Which tool is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    /// The model decides.
    Auto,
    /// At least one.
    Required,
    /// None.
    None,
    /// This one.
    Named(Text<'a>),
    /// A choice that only its dialect of origin has.
    Other(Raw<'a>),
}

/// The form of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output<'a> {
    /// Prose.
    Text,
    /// Some JSON object.
    JsonObject,
    /// JSON of this schema.
    JsonSchema {
        /// A name, which OpenAI demands.
        name: Text<'a>,
        /// What it is for.
        description: Option<Text<'a>>,
        /// The schema.
        schema: Option<Raw<'a>>,
        /// Whether it is enforced.
        strict: Option<bool>,
    },
}

/// How much to think.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reasoning<'a> {
    /// Not at all.
    Off,
    /// A word: `minimal`, `low`, `medium`, `high`, or one that came later.
    Effort(Text<'a>),
    /// At most so many tokens.
    Budget(u64),
    /// As much as the model sees fit.
    Adaptive,
}

impl Request<'_> {
    /// One that says nothing yet.
    pub(crate) fn new(origin: Dialect) -> Self {
        Self {
            origin,
            model: Text::default(),
            messages: Vec::new(),
            tools: Vec::new(),
            other_tools: Vec::new(),
            tool_choice: None,
            parallel_tool_calls: None,
            max_tokens: None,
            sampling: Sampling::default(),
            stop: Vec::new(),
            stop_is_text: false,
            n: None,
            stream: false,
            include_usage: None,
            stream_options: Vec::new(),
            output: None,
            reasoning: None,
            user: None,
            safety_identifier: None,
            extra: Vec::new(),
        }
    }
}

impl<'a> Source<'a> {
    /// Bytes in the request; `at` is where they stand. Checked for their letters only: nobody decodes them here.
    ///
    /// # Errors
    /// The data is no base64.
    pub(crate) fn base64(at: usize, media_type: Text<'a>, data: Text<'a>) -> Result<Self, Fault> {
        Self::in_letters(b"+/=", at, media_type, data)
    }

    /// As [`Self::base64`], in either alphabet, as Gemini takes it.
    ///
    /// # Errors
    /// The data is no base64.
    pub(crate) fn any_base64(at: usize, media_type: Text<'a>, data: Text<'a>) -> Result<Self, Fault> {
        Self::in_letters(b"+/=-_", at, media_type, data)
    }

    fn in_letters(odd: &[u8], at: usize, media_type: Text<'a>, data: Text<'a>) -> Result<Self, Fault> {
        if !data.bytes().all(|b| b.is_ascii_alphanumeric() || odd.contains(&b)) {
            return Err(Fault::new(at, "the data must be base64"));
        }
        Ok(Self::Base64 { media_type, data })
    }
}

impl<'a> Part<'a> {
    pub(crate) fn text(text: Text<'a>) -> Self {
        Self::Text { text, cache: None, citations: Vec::new(), extra: Vec::new() }
    }

    /// It says something, and is no refusal.
    pub(crate) fn is_content(&self) -> bool {
        match self {
            Self::Text { text, .. } | Self::Reasoning { text, .. } => !text.is_empty(),
            Self::Refusal(_) => false,
            _ => true,
        }
    }
}
