use std::convert::Infallible;

use crate::json::Writer;

/// Writes events and numbers them.
#[derive(Debug, Default, Clone)]
pub(super) struct Teller {
    /// The number of the next event.
    pub(super) sequence: u64,
}

/// Where an item stands in the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) index: u64,
    pub(super) id: String,
}

impl Teller {
    pub(super) fn event(
        &mut self,
        out: &mut Vec<u8>,
        name: &'static str,
        members: impl FnOnce(&mut Writer<'_>) -> Result<(), Infallible>,
    ) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        let Ok(()) = Writer::new(out).object(|w| {
            w.key("type").string(name);
            w.key("sequence_number").unsigned(self.sequence);
            members(w)
        });
        out.extend_from_slice(b"\n\n");
        self.sequence += 1;
    }

    /// An event about an item as a whole.
    pub(super) fn item(
        &mut self,
        out: &mut Vec<u8>,
        name: &'static str,
        index: u64,
        item: impl FnOnce(&mut Writer<'_>) -> Result<(), Infallible>,
    ) {
        self.event(out, name, |w| {
            w.key("output_index").unsigned(index);
            w.key("item");
            item(w)
        });
    }

    /// An event about what is inside of an item; `part` names and numbers the part of it, where it has parts.
    pub(super) fn inside(
        &mut self,
        out: &mut Vec<u8>,
        name: &'static str,
        place: &Place,
        part: Option<(&'static str, u64)>,
        members: impl FnOnce(&mut Writer<'_>) -> Result<(), Infallible>,
    ) {
        self.event(out, name, |w| {
            w.key("item_id").string(&place.id);
            w.key("output_index").unsigned(place.index);
            if let Some((key, number)) = part {
                w.key(key).unsigned(number);
            }
            members(w)
        });
    }
}
