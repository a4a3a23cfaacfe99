//! Ollama's `/api/embed`, as docs.ollama.com (api/embed) has it.

use crate::Error;
use crate::embeddings::{Request, Vector, Vectors, Words};
use crate::json::{Fault, Kind, Reader, Writer};
use crate::neutral::Raw;
use crate::openai::count;
use crate::translate::{Dropped, Target};

const WORDS: Words = Words { dimensions: "dimensions", taken: &["keep_alive", "options"] };

/// Writes the request. A text that is too long is to be an error: the default cuts it silently.
///
/// # Errors
/// [`Error::Unsupported`] for tokens in place of text.
pub(crate) fn emit_request(
    request: &Request<'_>,
    target: &Target<'_>,
    dropped: &mut Dropped,
) -> Result<Vec<u8>, Error> {
    let mut body = Vec::with_capacity(256);
    Writer::new(&mut body).object(|w| {
        request.write_texts(w, target.model, &WORDS, dropped)?;
        w.key("truncate").bool(false);
        Ok::<(), Error>(())
    })?;
    Ok(body)
}

/// Reads an answer.
pub(crate) fn parse_answer(body: &[u8]) -> Result<Vectors<'_>, Fault> {
    let mut reader = Reader::of_answer(body)?;
    let mut vectors = Vectors::default();
    reader.object(|reader, key| {
        match (&*key.decode(), reader.peek()?) {
            ("embeddings", Kind::Array) => reader.array(|reader| {
                reader.peek()?;
                let at = reader.at();
                vectors.list.push(Vector::Numbers(Raw(reader.raw()?), at));
                Ok::<(), Fault>(())
            })?,
            ("model", Kind::String) => vectors.model = Some(reader.string()?),
            ("prompt_eval_count", _) => vectors.usage.input = count(reader)?,
            ("error", kind) => {
                vectors.failed |= kind != Kind::Null;
                reader.skip()?;
            }
            _ => reader.skip()?,
        }
        Ok::<(), Fault>(())
    })?;
    reader.end()?;
    Ok(vectors)
}
