//! Mistral's `/v1/embeddings`. Each member that is written is one that the request type of Mistral's own SDK (mistralai on
//! PyPI, `EmbeddingRequest`) has; any other would be a 422. Its answers have OpenAI's shape.

use crate::Error;
use crate::embeddings::Request;
use crate::json::Writer;
use crate::translate::{Dropped, Target};

/// Members that Mistral's own clients add to OpenAI's.
const TAKEN: [&str; 2] = ["metadata", "output_dtype"];

/// Writes the request. Numbers are asked for and encoded here if the client wants base64.
///
/// # Errors
/// [`Error::Unsupported`] for tokens in place of text.
pub(crate) fn emit_request(
    request: &Request<'_>,
    target: &Target<'_>,
    dropped: &mut Dropped,
) -> Result<Vec<u8>, Error> {
    let texts = request.texts()?;
    let mut body = Vec::with_capacity(256);
    Writer::new(&mut body).object(|w| {
        w.key("model").string(target.model);
        w.key("input").array(|w| {
            texts.for_each(|text| w.string(text));
            Ok::<(), Error>(())
        })?;
        if let Some(dimensions) = request.dimensions {
            w.key("output_dimension").unsigned(dimensions);
        }
        for extra in &request.extra {
            match &*extra.name {
                name if TAKEN.contains(&name) => w.any_key(name).raw(extra.value.0),
                name => dropped.add(name),
            }
        }
        Ok(())
    })?;
    if request.user.is_some() {
        dropped.add("user");
    }
    Ok(body)
}
