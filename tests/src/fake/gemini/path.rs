//! The paths of Gemini: `/v1beta/models/MODEL:METHOD`.

use std::borrow::Cow;

use super::super::refusal::Refusal;

/// What a path asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Method {
    Generate,
    Stream,
    Count,
    Embed,
    BatchEmbed,
}

/// The model that a path names.
pub(crate) fn model(path: &str) -> Option<Cow<'_, str>> {
    let rest = path.strip_prefix("/v1beta/models/").or_else(|| path.strip_prefix("/v1/models/"))?;
    Some(decoded(rest.rsplit_once(':').map_or(rest, |(model, _)| model)))
}

/// The method that a path names, behind the model's colon.
pub(crate) fn method(path: &str) -> Result<Method, Refusal> {
    match path.rsplit_once(':').map(|(_, method)| method) {
        Some("generateContent") => Ok(Method::Generate),
        Some("streamGenerateContent") => Ok(Method::Stream),
        Some("countTokens") => Ok(Method::Count),
        Some("embedContent") => Ok(Method::Embed),
        Some("batchEmbedContents") => Ok(Method::BatchEmbed),
        _ => Err(Refusal::UnknownPath),
    }
}

/// Percent-encoding undone; what is no UTF-8 then stays as it was.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..2).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        match (first, code) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_found_in_front_of_its_method_and_decoded() {
        assert_eq!(model("/v1beta/models/gemini-2.5-flash:generateContent").as_deref(), Some("gemini-2.5-flash"));
        assert_eq!(model("/v1beta/models/a%2Fb%3Ac:countTokens").as_deref(), Some("a/b:c"));
        assert_eq!(model("/v1beta/models/100%").as_deref(), Some("100%"));
        assert_eq!((model("/v1beta/models"), method("/v1beta/models/a:b")), (None, Err(Refusal::UnknownPath)));
    }
}
