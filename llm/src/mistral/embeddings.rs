//! Mistral's `/v1/embeddings`. Each member that is written is one that the request type of Mistral's own SDK (mistralai on
//! PyPI, `EmbeddingRequest`) has; any other would be a 422. Its answers have OpenAI's shape.

use crate::Error;
use crate::embeddings::{Request, Words};
use crate::json::Writer;
use crate::translate::{Dropped, Target};

const WORDS: Words = Words { dimensions: "output_dimension", taken: &["metadata", "output_dtype"] };

/// Writes the request. Numbers are asked for, and encoded here if the client wants base64.
///
/// # Errors
/// [`Error::Unsupported`] for tokens in place of text.
pub(crate) fn emit_request(
    request: &Request<'_>,
    target: &Target<'_>,
    dropped: &mut Dropped,
) -> Result<Vec<u8>, Error> {
    let mut body = Vec::with_capacity(256);
    Writer::new(&mut body).object(|w| request.write_texts(w, target.model, &WORDS, dropped))?;
    Ok(body)
}
