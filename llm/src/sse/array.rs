use bytes::Bytes;

use super::Splitter;
use crate::Error;

/// A stream of events as the items of one JSON array, which is how Gemini streams to clients that do not ask for events.
#[derive(Debug, Default)]
pub struct Array {
    splitter: Splitter,
    begun: bool,
}

impl Array {
    /// What the client is sent for bytes of events: each event's data, once it is whole. A comment is white space, which
    /// keeps the connection busy all the same.
    ///
    /// # Errors
    /// As [`Splitter::next_event`].
    pub fn push(&mut self, events: Bytes) -> Result<Vec<u8>, Error> {
        let mut out = Vec::with_capacity(events.len());
        self.splitter.push(events);
        while let Some(event) = self.splitter.next_event()? {
            match event.data().filter(|data| !data.is_empty()) {
                Some(data) => {
                    self.separate(&mut out, b",\n");
                    out.extend_from_slice(&data);
                }
                None => out.push(b'\n'),
            }
        }
        Ok(out)
    }

    /// What ends the array.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.separate(&mut out, b"\n");
        out.push(b']');
        out
    }

    fn separate(&mut self, out: &mut Vec<u8>, with: &[u8]) {
        let begun = std::mem::replace(&mut self.begun, true);
        out.extend_from_slice(if begun { with } else { b"[" });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn framed(pieces: &[&[u8]]) -> String {
        let mut array = Array::default();
        let mut out = Vec::new();
        for piece in pieces {
            out.extend(array.push(Bytes::copy_from_slice(piece)).expect("must be small enough"));
        }
        out.extend(array.finish());
        String::from_utf8(out).expect("must be UTF-8")
    }

    #[test]
    fn a_stream_without_alt_sse_is_a_json_array() {
        assert_eq!(framed(&[b"data: {\"a\": 1.50}\r\n\r\n: busy\n\n", b"data: {}\n\n"]), "[{\"a\": 1.50}\n,\n{}\n]");
        assert_eq!(framed(&[]), "[]");
    }

    proptest! {
        #[test]
        fn any_split_of_the_events_gives_the_same_array(texts in prop::collection::vec(any::<String>(), 0..4), cut in 0..60_usize) {
            let items: Vec<Value> = texts.iter().map(|text| json!({"text": text})).collect();
            let events: String = items.iter().map(|item| format!("data: {item}\n\n")).collect();
            let cut = cut.min(events.len());
            let split = framed(&[&events.as_bytes()[..cut], &events.as_bytes()[cut..]]);
            prop_assert_eq!(&split, &framed(&[events.as_bytes()]));
            prop_assert_eq!(serde_json::from_str::<Vec<Value>>(&split).expect("must be JSON"), items);
        }
    }
}
