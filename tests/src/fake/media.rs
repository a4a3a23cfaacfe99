//! Images and documents in a request, told apart by their size: whoever loses a byte of one is found out.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// How an answer speaks of base64, or `None` when it is none.
pub(crate) fn inline(base64: &str) -> Option<String> {
    worded(&STANDARD.decode(base64).ok()?)
}

/// The same for JSON of protocol buffers, in which either alphabet of base64 is right; Google's own SDK sends the other one.
pub(crate) fn inline_of_google(base64: &str) -> Option<String> {
    inline(base64).or_else(|| worded(&URL_SAFE.decode(base64).ok()?))
}

fn worded(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| format!("{} bytes", bytes.len()))
}

/// How an answer speaks of a URL that may hold the data itself; `None` when it does and that isn't base64.
pub(crate) fn at_url(url: &str) -> Option<String> {
    match url.strip_prefix("data:") {
        Some(data) => inline(data.split_once(";base64,")?.1),
        None => Some(url.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_are_known_by_their_size_or_their_address() {
        assert_eq!(inline("aGVsbG8="), Some("5 bytes".to_owned()));
        assert_eq!(at_url("data:image/png;base64,aGVsbG8="), Some("5 bytes".to_owned()));
        assert_eq!(at_url("https://example.com/a.png"), Some("https://example.com/a.png".to_owned()));
        assert_eq!((inline("_-8="), inline_of_google("_-8=")), (None, Some("2 bytes".to_owned())));
        assert_eq!((inline("not base64"), at_url("data:image/png,hello")), (None, None));
    }
}
