//! Mistral's answers: read as OpenAI's, with the client's names put back.

use crate::json::Fault;
use crate::neutral::Response;
use crate::translate::Names;
use crate::{Dialect, openai};

/// Reads a whole answer.
pub(crate) fn parse_response<'a>(body: &'a [u8], names: &Names) -> Result<Response<'a>, Fault> {
    let mut response = openai::parse_response(body)?;
    response.origin = Dialect::Mistral;
    names.put_back(&mut response);
    Ok(response)
}
