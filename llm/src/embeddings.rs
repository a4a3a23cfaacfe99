//! Vectors of texts, between the dialects that have them.
//!
//! Same dialect in and out: bytes are forwarded. One thing may change all the same: official SDKs of OpenAI ask for
//! base64 without being told to, and not every compatible server knows it, so its numbers are encoded here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::call::{Call, Operation};
use crate::classify::{UpstreamError, in_band};
use crate::json::{Reader, Writer};
use crate::neutral::{Extra, Raw, Text, Usage};
use crate::relay::Answer;
use crate::translate::{Dropped, Emitted, Names, Target, unsupported};
use crate::{Dialect, Error, gemini, mistral, ollama, openai};

/// A request for vectors. How they are encoded is not in it: that is seen to when the answer is there.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Request<'a> {
    /// What they are of, one each.
    pub(crate) inputs: Vec<Input<'a>>,
    /// How many numbers each is to have.
    pub(crate) dimensions: Option<u64>,
    /// Who is asking, an opaque name for the provider's abuse detection.
    pub(crate) user: Option<Text<'a>>,
    /// Members that no other dialect has, such as Gemini's `taskType` and `title`.
    pub(crate) extra: Vec<Extra<'a>>,
}

/// What a vector is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input<'a> {
    /// A text.
    Text(Text<'a>),
    /// A list of tokens, in numbers that mean something to one family of models only.
    Tokens(Raw<'a>),
}

/// A whole answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Vectors<'a> {
    /// The model that answered, where the provider names it.
    pub(crate) model: Option<Text<'a>>,
    /// In the order of the inputs.
    pub(crate) list: Vec<Vector<'a>>,
    /// What they cost; only input costs.
    pub(crate) usage: Usage,
    /// It is an error in a 200.
    pub(crate) failed: bool,
}

/// A vector, as the provider wrote it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Vector<'a> {
    /// A JSON list, and its offset in the body.
    Numbers(Raw<'a>, usize),
    /// The little-endian bytes of 32-bit floats.
    Base64(Text<'a>),
}

/// How a target of OpenAI's shape spells what it takes.
pub(crate) struct Words {
    /// The number of dimensions.
    pub(crate) dimensions: &'static str,
    /// Members of its own clients that go through as they came.
    pub(crate) taken: &'static [&'static str],
}

/// How the client wants its vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted<'a> {
    /// What it called.
    pub(crate) call: &'a Call,
    /// As base64, and not as lists of numbers.
    pub(crate) base64: bool,
    /// The provider's name of the model, for dialects whose answers do not say.
    pub(crate) model: &'a str,
}

/// Translates a client's request.
///
/// # Errors
/// [`Error::BadRequest`] if it is malformed, [`Error::Unsupported`] if the target has no vectors, or none of this.
pub(crate) fn request(call: &Call, body: &[u8], target: &Target<'_>) -> Result<Emitted, Error> {
    let request = match call.dialect {
        Dialect::OpenAI => openai::embeddings::parse_request(body),
        Dialect::Gemini => gemini::embeddings::parse_request(body, call.operation == Operation::BatchEmbeddings),
        Dialect::Responses | Dialect::Anthropic | Dialect::Mistral | Dialect::Ollama => {
            return Err(unsupported("model", "no client speaks this dialect"));
        }
    };
    let request = request.map_err(|fault| Error::in_request(body, &fault))?;
    let mut dropped = Dropped::default();
    let body = match target.dialect {
        Dialect::OpenAI => openai::embeddings::emit_request(&request, target, &mut dropped),
        Dialect::Gemini => gemini::embeddings::emit_request(&request, target, &mut dropped)?,
        Dialect::Mistral => mistral::embeddings::emit_request(&request, target, &mut dropped)?,
        Dialect::Ollama => ollama::embeddings::emit_request(&request, target, &mut dropped)?,
        Dialect::Responses | Dialect::Anthropic => return Err(unsupported("model", "the target has no embeddings")),
    };
    Ok(Emitted { body, dropped: dropped.names(), names: Names::default() })
}

/// Reads a whole answer.
///
/// # Errors
/// What the provider says inside its 200, that it does not parse, or that it holds no vector.
pub(crate) fn answer(upstream: Dialect, wanted: &Wanted<'_>, body: &[u8]) -> Result<Answer, UpstreamError> {
    let vectors = match upstream {
        Dialect::OpenAI | Dialect::Mistral => openai::embeddings::parse_answer(body),
        Dialect::Gemini => gemini::embeddings::parse_answer(body),
        Dialect::Ollama => ollama::embeddings::parse_answer(body),
        Dialect::Responses | Dialect::Anthropic => {
            return Err(UpstreamError::broken_answer("the provider has no embeddings"));
        }
    };
    let vectors = vectors.map_err(|fault| UpstreamError::broken_answer(Error::in_answer(body, &fault).to_string()))?;
    if vectors.failed {
        return Err(in_band(body));
    }
    if vectors.list.is_empty() {
        return Err(UpstreamError::broken_answer("the provider's answer has no vectors"));
    }
    let written = if wanted.call.dialect == upstream {
        wanted.base64.then(|| encoded(body, &vectors)).flatten()
    } else {
        Some(vectors.written(wanted)?)
    };
    Ok(Answer {
        body: written,
        usage: vectors.usage,
        has_content: true,
        model: vectors.model.map(Text::into_owned),
        ..Answer::default()
    })
}

impl<'a> Request<'a> {
    /// The texts, for a target that takes nothing else.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for tokens in place of text.
    pub(crate) fn texts(&self) -> Result<impl Iterator<Item = &str> + use<'_, 'a>, Error> {
        let text = |input: &'_ Input<'a>| matches!(input, Input::Text(_));
        if !self.inputs.iter().all(text) {
            return Err(unsupported("input", "the target takes texts, and no tokens"));
        }
        Ok(self.inputs.iter().filter_map(|input| match input {
            Input::Text(text) => Some(&**text),
            Input::Tokens(_) => None,
        }))
    }

    /// Writes `model`, `input` and what else OpenAI's shape has, for a target that takes texts and no user.
    ///
    /// # Errors
    /// As [`Request::texts`].
    pub(crate) fn write_texts(
        &self,
        w: &mut Writer<'_>,
        model: &str,
        words: &Words,
        dropped: &mut Dropped,
    ) -> Result<(), Error> {
        let texts = self.texts()?;
        w.key("model").string(model);
        w.key("input").array(|w| {
            texts.for_each(|text| w.string(text));
            Ok::<(), Error>(())
        })?;
        if let Some(dimensions) = self.dimensions {
            w.key(words.dimensions).unsigned(dimensions);
        }
        if self.user.is_some() {
            dropped.add("user");
        }
        for extra in &self.extra {
            match &*extra.name {
                name if words.taken.contains(&name) => w.any_key(name).raw(extra.value.0),
                name => dropped.add(name),
            }
        }
        Ok(())
    }
}

impl Vectors<'_> {
    fn written(&self, wanted: &Wanted<'_>) -> Result<Vec<u8>, UpstreamError> {
        match wanted.call.dialect {
            Dialect::Gemini => gemini::embeddings::emit_answer(self, wanted),
            // Nobody who speaks the others asks: requests in them are refused.
            Dialect::OpenAI | Dialect::Responses | Dialect::Anthropic | Dialect::Mistral | Dialect::Ollama => {
                openai::embeddings::emit_answer(self, wanted)
            }
        }
    }
}

impl Vector<'_> {
    /// Writes it as numbers or as base64, whatever it came as.
    pub(crate) fn write(&self, w: &mut Writer<'_>, base64: bool) -> Result<(), UpstreamError> {
        match (self, base64) {
            (Self::Numbers(list, _), false) => w.raw(list.0),
            (Self::Base64(text), true) => w.string(text),
            (Self::Numbers(list, _), true) => w.string(&encode(list.0).ok_or_else(unreadable)?),
            (Self::Base64(text), false) => {
                let floats = decode(text).ok_or_else(unreadable)?;
                w.array(|w| {
                    floats.iter().for_each(|float| w.raw(&float.to_string()));
                    Ok::<(), UpstreamError>(())
                })?;
            }
        }
        Ok(())
    }
}

fn unreadable() -> UpstreamError {
    UpstreamError::broken_answer("the provider's answer has a vector that is none")
}

/// The body with every list of numbers in base64. None if there is no such list, so that the body can go as it came.
fn encoded(body: &[u8], vectors: &Vectors<'_>) -> Option<Vec<u8>> {
    let mut lists: Vec<_> = vectors
        .list
        .iter()
        .filter_map(|vector| match vector {
            Vector::Numbers(list, at) => Some((*at, list.0.len(), encode(list.0)?)),
            Vector::Base64(_) => None,
        })
        .collect();
    lists.sort_unstable_by_key(|(at, ..)| *at);
    let mut out = Vec::with_capacity(body.len());
    let mut from = 0;
    for (at, length, base64) in &lists {
        out.extend_from_slice(&body[from..*at]);
        Writer::new(&mut out).raw(&format!("\"{base64}\""));
        from = at + length;
    }
    out.extend_from_slice(&body[from..]);
    (!lists.is_empty()).then_some(out)
}

/// Numbers of a JSON list as OpenAI encodes them.
fn encode(list: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(list.len() / 2);
    let read = Reader::of(list).array(|reader| {
        let number: f32 = reader.number()?.parse().map_err(|_| reader.fault("expected a number"))?;
        bytes.extend_from_slice(&number.to_le_bytes());
        Ok::<(), crate::json::Fault>(())
    });
    read.ok().map(|()| STANDARD.encode(bytes))
}

/// The other way round. None for what is no base64 of floats, or holds one that JSON has no number for.
fn decode(text: &str) -> Option<Vec<f32>> {
    let bytes = STANDARD.decode(text).ok()?;
    let (floats, rest) = bytes.as_chunks::<4>();
    let floats: Vec<_> = floats.iter().map(|float| f32::from_le_bytes(*float)).collect();
    (rest.is_empty() && floats.iter().all(|float| float.is_finite())).then_some(floats)
}

#[cfg(test)]
mod tests;
