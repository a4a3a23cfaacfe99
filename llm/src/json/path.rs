use std::fmt::Write as _;

use super::{Fault, Kind, Reader};

/// A path this long helps nobody, and keys come from the client.
const MAX_PATH: usize = 160;

/// The path of the value that holds the byte at `offset`, such as `messages[3].content`. Reads the document again, so
/// it is for faults only.
pub(crate) fn path_at(bytes: &[u8], offset: usize) -> String {
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => bytes.get(..e.valid_up_to()).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default(),
    };
    let mut path = String::new();
    let mut reader = Reader::of(valid);
    if reader.peek().is_err() || reader.at() >= offset {
        return path;
    }
    // The walk ends at the offset or at the fault itself; both leave the path as it was there.
    let _: Result<(), Stop> = walk(&mut reader, offset, &mut path);
    if path.len() > MAX_PATH {
        let cut = (0..=MAX_PATH).rev().find(|i| path.is_char_boundary(*i)).unwrap_or(0);
        path.truncate(cut);
    }
    path
}

struct Stop;

impl From<Fault> for Stop {
    fn from(_: Fault) -> Self {
        Self
    }
}

fn walk(reader: &mut Reader<'_>, offset: usize, path: &mut String) -> Result<(), Stop> {
    let length = path.len();
    match reader.peek()? {
        Kind::Object => reader.object(|reader, key| {
            path.truncate(length);
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&key.decode());
            step(reader, offset, path)
        })?,
        Kind::Array => {
            let mut index = 0;
            reader.array(|reader| {
                path.truncate(length);
                let _ = write!(path, "[{index}]");
                index += 1;
                step(reader, offset, path)
            })?;
        }
        Kind::String | Kind::Number | Kind::Bool | Kind::Null => reader.skip()?,
    }
    path.truncate(length);
    Ok(())
}

fn step(reader: &mut Reader<'_>, offset: usize, path: &mut String) -> Result<(), Stop> {
    reader.peek()?;
    if reader.at() >= offset {
        return Err(Stop);
    }
    walk(reader, offset, path)?;
    if reader.at() > offset { Err(Stop) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(json: &str, needle: &str) -> String {
        path_at(json.as_bytes(), json.find(needle).expect("must be there"))
    }

    #[test]
    fn a_path_names_members_and_items() {
        let json = r#"{"model":"m","messages":[{"role":"user"},{"tool_call_id":7,"content":[{"x":"here"}]}]}"#;
        assert_eq!(path_of(json, "7"), "messages[1].tool_call_id");
        assert_eq!(path_of(json, "\"m\""), "model");
        assert_eq!(path_of(json, "here"), "messages[1].content[0].x");
        assert_eq!(path_of(json, "{\"model"), "");
    }

    #[test]
    fn a_path_is_found_in_json_that_breaks_there() {
        assert_eq!(path_at(br#"{"a":{"b":[1,2,tru]}}"#, 15), "a.b[2]");
        assert_eq!(path_at(b"{\"a\":\"\xff\"}", 6), "a");
    }
}
