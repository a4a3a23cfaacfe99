//! What a client calls, as far as its path says so.

use crate::classify::UpstreamError;
use crate::embeddings::{self, Wanted};
use crate::relay::{self, Answer, Client};
use crate::translate::{self, Emitted, Names, Target, unsupported};
use crate::{Dialect, Error, count};

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

/// What the reader of an answer has to know.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// Whom it is for.
    pub client: &'a Client,
    /// What translating the request gave, or the default.
    pub names: &'a Names,
    /// The client wants its vectors as base64.
    pub base64: bool,
    /// The provider's name of the model, for dialects whose answers do not say.
    pub model: &'a str,
}

impl Call {
    /// One whose body says everything.
    pub const fn new(dialect: Dialect, operation: Operation) -> Self {
        Self { dialect, operation, path: None }
    }

    /// Translates its body for a target of another dialect.
    ///
    /// # Errors
    /// [`Error::BadRequest`] if it is malformed, [`Error::Unsupported`] if the target has no way to say what it means.
    pub fn request(&self, body: &[u8], target: &Target<'_>) -> Result<Emitted, Error> {
        match self.operation {
            Operation::Chat => translate::chat(self, body, target),
            Operation::Completions => Err(unsupported("prompt", "the target continues no bare text")),
            Operation::Embeddings | Operation::BatchEmbeddings => embeddings::request(self, body, target),
            Operation::CountTokens => count::request(self, body, target),
        }
    }

    /// Reads a whole answer to it.
    ///
    /// # Errors
    /// What the provider says inside its 200, or that it does not parse.
    pub fn answer(&self, upstream: Dialect, reader: &Reader<'_>, body: &[u8]) -> Result<Answer, UpstreamError> {
        match self.operation {
            Operation::Chat | Operation::Completions => relay::answer(upstream, reader.client, reader.names, body),
            Operation::Embeddings | Operation::BatchEmbeddings => {
                let wanted = Wanted { call: self, base64: reader.base64, model: reader.model };
                embeddings::answer(upstream, &wanted, body)
            }
            Operation::CountTokens => count::answer(upstream, self.dialect, body),
        }
    }

    /// How the answer comes, where the path says so.
    pub fn form(&self) -> Option<Form> {
        self.path.as_ref().map(|path| path.form)
    }

    /// A chat request whose body says everything.
    pub const fn chat(dialect: Dialect) -> Self {
        Self::new(dialect, Operation::Chat)
    }
}
