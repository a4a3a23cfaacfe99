//! What a client calls, as far as its path says so.

use crate::Dialect;

/// What a client wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// An answer to a conversation.
    Chat,
    /// OpenAI's older continuation of a text.
    Completions,
    /// Vectors of texts; in Gemini's dialect the vector of one.
    Embeddings,
    /// Gemini's vectors of several texts, each asked for by itself.
    BatchEmbeddings,
    /// How many tokens a conversation has.
    CountTokens,
}

/// A client's call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What the client speaks.
    pub dialect: Dialect,
    /// What it wants.
    pub operation: Operation,
    /// What the path says that the body says elsewhere.
    pub path: Option<InPath>,
}

/// What Gemini's paths say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InPath {
    /// The model that the client asks for.
    pub model: String,
    /// How the answer comes.
    pub form: Form,
}

/// How an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// In one piece.
    Whole,
    /// As server-sent events.
    Events,
    /// As the elements of one JSON array.
    Array,
}

impl Call {
    /// One whose body says everything.
    pub const fn new(dialect: Dialect, operation: Operation) -> Self {
        Self { dialect, operation, path: None }
    }

    /// A chat request whose body says everything.
    pub const fn chat(dialect: Dialect) -> Self {
        Self::new(dialect, Operation::Chat)
    }
}
