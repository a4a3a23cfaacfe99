//! Events, and how a stream keeps them apart.

use bytes::Bytes;
use serde_json::Value;

/// One event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) data: Data,
    /// Whether the event's `type` is its name too.
    pub(crate) named: bool,
    /// Whether a reader would see something of the answer in it.
    pub(crate) content: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    Json(Value),
    /// What isn't JSON: an end marker, or something broken.
    Raw(&'static str),
}

/// How a stream is cut into events.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Frames {
    /// Server-sent events.
    #[default]
    Events,
    /// Server-sent events whose lines end as Google's do.
    CrlfEvents,
    /// A line of JSON each.
    Lines,
    /// The elements of one JSON array.
    Array,
}

impl Event {
    /// `data: ...`
    pub(crate) fn data(value: Value) -> Self {
        Self { data: Data::Json(value), named: false, content: false }
    }

    /// `event: TYPE` and `data: ...`, the type taken from the value.
    pub(crate) fn named(value: Value) -> Self {
        Self { data: Data::Json(value), named: true, content: false }
    }

    pub(crate) fn raw(text: &'static str) -> Self {
        Self { data: Data::Raw(text), named: false, content: false }
    }

    pub(crate) fn content(self) -> Self {
        Self { content: true, ..self }
    }
}

impl Frames {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream; charset=utf-8",
            Self::CrlfEvents => "text/event-stream",
            Self::Lines => "application/x-ndjson",
            Self::Array => "application/json; charset=UTF-8",
        }
    }

    /// The bytes of an event; `index` is its place in the stream.
    pub(crate) fn write(self, index: usize, event: &Event) -> Bytes {
        let (text, name) = match &event.data {
            Data::Json(value) => (value.to_string(), value.get("type").and_then(Value::as_str)),
            Data::Raw(text) => ((*text).to_owned(), None),
        };
        match self {
            Self::Events => {
                let name = name.filter(|_| event.named).map(|name| format!("event: {name}\n")).unwrap_or_default();
                format!("{name}data: {text}\n\n").into()
            }
            Self::CrlfEvents => format!("data: {text}\r\n\r\n").into(),
            Self::Lines => format!("{text}\n").into(),
            Self::Array if index == 0 => format!("[{text}").into(),
            Self::Array => format!("\n,\r\n{text}").into(),
        }
    }

    /// What ends a stream that has come to its end.
    pub(crate) fn close(self) -> Option<&'static str> {
        match self {
            Self::Array => Some("\n]\n"),
            Self::Events | Self::CrlfEvents | Self::Lines => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_elements_of_an_array_are_one_document() {
        let frames = Frames::Array;
        let events = [Event::data(json!({"a": 1})), Event::data(json!({"b": 2}))];
        let bytes: Vec<u8> = events.iter().enumerate().flat_map(|(i, event)| frames.write(i, event)).collect();
        let text = String::from_utf8_lossy(&bytes).into_owned() + frames.close().unwrap_or_default();
        assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(json!([{"a": 1}, {"b": 2}])));
    }

    #[test]
    fn a_named_event_has_its_type_in_a_line_of_its_own() {
        let event = Event::named(json!({"type": "ping"}));
        assert_eq!(Frames::Events.write(3, &event), "event: ping\ndata: {\"type\":\"ping\"}\n\n");
    }
}
