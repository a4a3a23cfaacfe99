//! From a request to the exact writes of its answer: pure, so that what a fake sends can be tested without a socket.

mod frames;

use std::time::Duration;

use bytes::Bytes;

pub(crate) use frames::{Data, Event, Frames};

use super::script::At;

/// What identifies an answer.
pub(crate) struct Stamp {
    pub(crate) number: u64,
    /// Unix seconds.
    pub(crate) created: u64,
}

impl Stamp {
    /// The provider's own id for the request.
    pub(crate) fn request_id(&self) -> String {
        format!("req_{:012}", self.number)
    }
}

/// What to do with a connection.
pub(crate) enum Plan {
    Reset,
    Close,
    Hang,
    Respond(Response),
}

/// A response: a head, then pieces.
pub(crate) struct Response {
    pub(crate) delay: Duration,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// Bytes of the whole body when it isn't a stream.
    pub(crate) length: Option<usize>,
    pub(crate) pieces: Vec<Piece>,
}

/// One step of sending a body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// One write; `events` end in it.
    Bytes {
        bytes: Bytes,
        events: u32,
    },
    Pause(Duration),
    /// Until the gate is open.
    Gate,
    Stall,
    /// The connection goes away, with a reset or a FIN.
    Cut {
        reset: bool,
    },
}

impl Response {
    /// A body that is known whole.
    pub(crate) fn whole(status: u16, mut headers: Vec<(String, String)>, kind: &str, body: impl Into<Bytes>) -> Self {
        let bytes = body.into();
        headers.push(("content-type".to_owned(), kind.to_owned()));
        let length = Some(bytes.len());
        Self { delay: Duration::ZERO, status, headers, length, pieces: vec![Piece::Bytes { bytes, events: 0 }] }
    }
}

/// The index of the event before which the stream breaks.
pub(crate) fn place(events: &[Event], at: At) -> usize {
    let contents = || events.iter().enumerate().filter(|(_, event)| event.content).map(|(index, _)| index);
    match at {
        At::Events(count) => count.min(events.len()),
        At::Content(0) => contents().next().unwrap_or(events.len()),
        At::Content(count) => contents().nth(count - 1).map_or(events.len(), |index| index + 1),
    }
}

/// The same bytes in writes of `size`; an event counts with the write that ends it.
pub(crate) fn split(pieces: Vec<Piece>, size: usize) -> Vec<Piece> {
    let mut out = Vec::new();
    for piece in pieces {
        let Piece::Bytes { mut bytes, events } = piece else {
            out.push(piece);
            continue;
        };
        while bytes.len() > size {
            out.push(Piece::Bytes { bytes: bytes.split_to(size), events: 0 });
        }
        out.push(Piece::Bytes { bytes, events });
    }
    out
}
