use std::borrow::Cow;

use crate::json::{Reader, write_string};

/// A call's arguments as the object that Anthropic's `input` is. What the model wrote badly is a string in one, so that
/// the answer stays JSON and the tool can say what is wrong.
pub(super) fn object(arguments: &str) -> Cow<'_, str> {
    let arguments = arguments.trim_ascii();
    if arguments.is_empty() {
        return Cow::Borrowed("{}");
    }
    let mut reader = Reader::of(arguments);
    let read = reader.object(|reader, _| reader.skip()).and_then(|()| reader.end());
    if read.is_ok() {
        return Cow::Borrowed(arguments);
    }
    let mut wrapped = br#"{"arguments":"#.to_vec();
    write_string(&mut wrapped, arguments);
    wrapped.push(b'}');
    String::from_utf8(wrapped).map_or(Cow::Borrowed("{}"), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_arguments_are_an_empty_object_and_what_is_no_object_is_wrapped() {
        let rows = [
            ("", "{}"),
            (" \n", "{}"),
            (r#" {"a": 1.50} "#, r#"{"a": 1.50}"#),
            (r#"{"a":"#, r#"{"arguments":"{\"a\":"}"#),
            ("[1]", r#"{"arguments":"[1]"}"#),
            ("{} {}", r#"{"arguments":"{} {}"}"#),
        ];
        for (said, expected) in rows {
            assert_eq!(object(said), expected, "{said:?}");
        }
    }
}
