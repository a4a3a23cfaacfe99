//! One pass over a client's request body, byte-faithful: it sees what the provider will see.
//!
//! The whole body is checked to be JSON. Keys of the outermost object are compared after their escapes are decoded, and
//! a governed one that is given twice is refused, since two readers may pick two different ones.

mod fields;
mod gemini;
mod spots;
mod state;

use crate::call::Call;
use crate::{Dialect, Error};
use spots::Spots;

/// Where bytes stand in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte behind the last.
    pub end: usize,
}

/// A member of the outermost object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The key with its quotes.
    pub key: Span,
    /// The value.
    pub value: Span,
}

/// A key that Penstock governs: it decides on it or changes it, so it must read it as the provider does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Key {
    /// `model`
    Model,
    /// `messages`
    Messages,
    /// `system`
    System,
    /// `input`
    Input,
    /// `instructions`
    Instructions,
    /// `stream`
    Stream,
    /// `stream_options`
    StreamOptions,
    /// `max_tokens`
    MaxTokens,
    /// `max_completion_tokens`
    MaxCompletionTokens,
    /// `max_output_tokens`
    MaxOutputTokens,
    /// `n`
    N,
    /// `logprobs`
    Logprobs,
    /// `top_logprobs`
    TopLogprobs,
    /// `logit_bias`
    LogitBias,
    /// `temperature`
    Temperature,
    /// `top_p`
    TopP,
    /// `tools`
    Tools,
    /// `functions`
    Functions,
    /// `response_format`
    ResponseFormat,
    /// `text`, where the Responses API keeps the format
    Text,
    /// `modalities`
    Modalities,
    /// `service_tier`
    ServiceTier,
    /// `user`
    User,
    /// `safety_identifier`
    SafetyIdentifier,
    /// `metadata`, where Anthropic keeps `user_id`
    Metadata,
    /// `reasoning_effort`
    ReasoningEffort,
    /// `reasoning`
    Reasoning,
    /// `thinking`
    Thinking,
    /// `output_config`
    OutputConfig,
    /// `store`
    Store,
    /// `prompt`
    Prompt,
    /// `encoding_format`
    EncodingFormat,
    /// `generationConfig`, where Gemini keeps most of what others say at the top
    GenerationConfig,
}

/// What a request says, as far as routing, limiting and splicing need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The dialect it was read in.
    pub dialect: Dialect,
    /// The model that the client asks for; never empty.
    pub model: String,
    /// Whether the client wants a stream.
    pub stream: bool,
    /// `stream_options.include_usage`, where it is said.
    pub include_usage: Option<bool>,
    /// The most tokens that the client wants: the largest of all spellings, since a provider may read any.
    pub max_tokens: Option<u64>,
    /// How many answers; 1 where it is not said. Completions give so many to each prompt.
    pub choices: u64,
    /// Whether tools are declared.
    pub tools: bool,
    /// Whether the form of the answer is bound to JSON or a schema.
    pub structured: bool,
    /// `service_tier`, which changes the price.
    pub service_tier: Option<String>,
    /// The dialect's own word for who is asking: `user`, or `metadata.user_id`.
    pub user: Option<String>,
    /// The client asks the model to think (so that its first token may take long).
    pub reasons: bool,
    /// Bytes of text that it decodes to, apart from base64; keys count within tools only.
    pub text_bytes: usize,
    /// Tokens in place of text, in what is embedded or continued.
    pub tokens: usize,
    /// Pictures, documents and sounds, inline or by URL.
    pub media: usize,
    /// Vectors are to come as base64, and not as lists of numbers.
    pub base64: bool,
    /// The first reference to state on a provider's account, as a path.
    pub state: Option<String>,
    /// Thoughts in the Responses API that are only named, as a path: its servers look them up among what they stored.
    pub stored_thoughts: Option<String>,
    members: [Option<Member>; Key::COUNT],
    options: Options,
    /// Where Gemini's bodies name the model apart from the outermost object.
    inner_models: Vec<Span>,
    /// Signatures of other providers, which Gemini would refuse.
    foreign_signatures: Vec<Span>,
    /// Items of the Responses API that hold other providers' thoughts.
    sealed: Vec<Span>,
    spots: Spots,
}

/// What is inside `stream_options`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) include_usage: Option<Span>,
    pub(crate) has_members: bool,
}

impl Key {
    const COUNT: usize = Self::ALL.len();
    const ALL: [Self; 33] = [
        Self::Model,
        Self::Messages,
        Self::System,
        Self::Input,
        Self::Instructions,
        Self::Stream,
        Self::StreamOptions,
        Self::MaxTokens,
        Self::MaxCompletionTokens,
        Self::MaxOutputTokens,
        Self::N,
        Self::Logprobs,
        Self::TopLogprobs,
        Self::LogitBias,
        Self::Temperature,
        Self::TopP,
        Self::Tools,
        Self::Functions,
        Self::ResponseFormat,
        Self::Text,
        Self::Modalities,
        Self::ServiceTier,
        Self::User,
        Self::SafetyIdentifier,
        Self::Metadata,
        Self::ReasoningEffort,
        Self::Reasoning,
        Self::Thinking,
        Self::OutputConfig,
        Self::Store,
        Self::Prompt,
        Self::EncodingFormat,
        Self::GenerationConfig,
    ];

    /// As it is spelled in the body.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Messages => "messages",
            Self::System => "system",
            Self::Input => "input",
            Self::Instructions => "instructions",
            Self::Stream => "stream",
            Self::StreamOptions => "stream_options",
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::MaxOutputTokens => "max_output_tokens",
            Self::N => "n",
            Self::Logprobs => "logprobs",
            Self::TopLogprobs => "top_logprobs",
            Self::LogitBias => "logit_bias",
            Self::Temperature => "temperature",
            Self::TopP => "top_p",
            Self::Tools => "tools",
            Self::Functions => "functions",
            Self::ResponseFormat => "response_format",
            Self::Text => "text",
            Self::Modalities => "modalities",
            Self::ServiceTier => "service_tier",
            Self::User => "user",
            Self::SafetyIdentifier => "safety_identifier",
            Self::Metadata => "metadata",
            Self::ReasoningEffort => "reasoning_effort",
            Self::Reasoning => "reasoning",
            Self::Thinking => "thinking",
            Self::OutputConfig => "output_config",
            Self::Store => "store",
            Self::Prompt => "prompt",
            Self::EncodingFormat => "encoding_format",
            Self::GenerationConfig => "generationConfig",
        }
    }

    fn of(dialect: Dialect, name: &str) -> Option<Self> {
        match dialect {
            Dialect::Gemini => gemini::key(name),
            Dialect::OpenAI | Dialect::Anthropic | Dialect::Mistral | Dialect::Ollama | Dialect::Responses => {
                Self::ALL.into_iter().find(|key| key.name() == name)
            }
        }
    }
}

impl Span {
    pub(crate) fn before(at: usize) -> Self {
        Self { start: at, end: at }
    }
}

impl Scan {
    /// Where a governed member stands, if it is there.
    pub fn member(&self, key: Key) -> Option<Member> {
        self.members[key as usize]
    }

    pub(crate) fn options(&self) -> Options {
        self.options
    }

    pub(crate) fn sealed(&self) -> &[Span] {
        &self.sealed
    }

    pub(crate) fn spots(&self) -> &Spots {
        &self.spots
    }

    pub(crate) fn inner_models(&self) -> &[Span] {
        &self.inner_models
    }

    pub(crate) fn foreign_signatures(&self) -> &[Span] {
        &self.foreign_signatures
    }
}

/// Looks at a request. What it says is large, and goes through many hands.
///
/// # Errors
/// [`Error::BadRequest`] with the path and the byte offset: no JSON, no object, nested deeper than 127 levels, a
/// governed key twice or of a wrong type, no model in path or body.
pub fn scan(call: &Call, body: &[u8]) -> Result<Box<Scan>, Error> {
    fields::read(call, body).map_err(|fault| Error::in_request(body, &fault))
}

#[cfg(test)]
mod tests;
