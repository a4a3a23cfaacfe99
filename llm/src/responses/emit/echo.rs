use std::sync::{Arc, LazyLock};

use crate::json::{Fault, Reader, write_string};

/// What a response says again of its request, as the members of an object. The SDK's type demands some of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Echo(Arc<str>);

/// The members, and what they are where the request does not say.
const MEMBERS: &[(&str, &str)] = &[
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_p", "null"),
    ("truncation", r#""disabled""#),
    ("user", "null"),
];

impl Echo {
    /// Reads a request.
    pub(crate) fn of(body: &[u8]) -> Result<Self, Fault> {
        let mut given = [None; MEMBERS.len()];
        Reader::new(body)?.object(|reader, key| {
            let key = key.decode();
            let value = reader.raw()?;
            if let Some(index) = MEMBERS.iter().position(|(name, _)| *name == key) {
                given[index] = Some(value).filter(|value| *value != "null");
            }
            Ok::<(), Fault>(())
        })?;
        Ok(Self::from(&given))
    }

    fn from(given: &[Option<&str>; MEMBERS.len()]) -> Self {
        let mut members = Vec::new();
        for ((name, otherwise), given) in MEMBERS.iter().zip(given) {
            if !members.is_empty() {
                members.push(b',');
            }
            write_string(&mut members, name);
            members.push(b':');
            // A line end between values would end a line of an event.
            members
                .extend(given.unwrap_or(otherwise).bytes().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { b }));
        }
        Self(String::from_utf8(members).unwrap_or_default().into())
    }

    /// Members of an object, with commas between them.
    pub(super) fn members(&self) -> &str {
        &self.0
    }
}

/// That of a request that says nothing. Every request that is not translated has it, so it is written once.
static SILENT: LazyLock<Echo> = LazyLock::new(|| Echo::from(&[None; MEMBERS.len()]));

impl Default for Echo {
    fn default() -> Self {
        SILENT.clone()
    }
}
