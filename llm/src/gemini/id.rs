//! Ids of tool calls, which also carry what Gemini wants back with the call and no other dialect has a place for.

use std::borrow::Cow;

use super::carry::NO_SIGNATURE;
use crate::neutral::{Part, Request, Text};

/// Between an id and the signature of its call. All of it is letters, digits, `_` and `-`, which every dialect takes.
const MARK: &str = "--sig-";

/// The id that a client sees: the provider's, or one made of the answer's id and the number of the call.
pub(super) fn seen<'a>(given: Cow<'a, str>, signature: Option<&str>, answer: &str, number: u32) -> Cow<'a, str> {
    let id = if given.is_empty() { Cow::Owned(made(answer, number)) } else { given };
    match signature.filter(|signature| *signature != NO_SIGNATURE).and_then(plain) {
        Some(signature) => Cow::Owned(format!("{id}{MARK}{signature}")),
        None => id,
    }
}

/// The provider's id of a call, and its signature.
pub(super) fn parted(seen: &str) -> (&str, Option<String>) {
    match seen.split_once(MARK) {
        Some((id, signature)) => (id, Some(padded(signature))),
        None => (seen, None),
    }
}

/// Where an id begins to carry a signature.
pub(crate) fn carried_by(id: &str) -> Option<usize> {
    memchr::memmem::find(id.as_bytes(), MARK.as_bytes())
}

/// Takes the signatures out of a request's ids.
pub(crate) fn bare_ids(request: &mut Request<'_>) {
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        match part {
            Part::ToolCall(call) => cut(&mut call.id),
            Part::ToolResult { call, .. } => cut(call),
            _ => {}
        }
    }
}

fn cut(id: &mut Text<'_>) {
    if let Some(at) = carried_by(id) {
        match id {
            Cow::Borrowed(text) => *text = &text[..at],
            Cow::Owned(text) => text.truncate(at),
        }
    }
}

fn made(answer: &str, number: u32) -> String {
    let plain: String = answer.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).collect();
    if plain.is_empty() { format!("call_{number}") } else { format!("call_{plain}_{number}") }
}

/// Base64 in the alphabet that is safe everywhere, without padding. Anything else is not carried.
fn plain(signature: &str) -> Option<String> {
    let signature = signature.trim_end_matches('=');
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
    let is_base64 = !signature.is_empty() && signature.bytes().all(known);
    is_base64.then(|| signature.replace('+', "-").replace('/', "_"))
}

fn padded(plain: &str) -> String {
    let mut signature = plain.replace('-', "+").replace('_', "/");
    while !signature.len().is_multiple_of(4) {
        signature.push('=');
    }
    signature
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thought_signature_comes_back_through_the_tool_call_id() {
        for signature in ["QUJD", "QUI=", "+/8=", "a+b/cd=="] {
            let id = seen("abc".into(), Some(signature), "r", 0);
            assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')), "{id}");
            assert_eq!(parted(&id), ("abc", Some(signature.to_owned())));
        }
        assert_eq!(seen("abc".into(), Some("not base64!"), "r", 0), "abc");
        assert_eq!(parted("call_1"), ("call_1", None));
    }

    #[test]
    fn an_id_that_is_missing_is_made_of_the_answer_and_the_number() {
        assert_eq!(seen("".into(), None, "r/1", 2), "call_r1_2");
        assert_eq!(seen("".into(), None, "", 0), "call_0");
    }
}
