use std::collections::VecDeque;

/// At most so much waits, in bytes: a provider that sends more has lost the thread.
const MAX_HELD: usize = 4 << 20;

/// A piece of an answer that belongs into a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'p> {
    Text(&'p str),
    Thinking(&'p str),
    Signature(&'p str),
    Redacted(&'p str),
    Call { call: u32, id: &'p str, name: &'p str },
}

/// What waits for an earlier block to end, in the order in which it came.
#[derive(Debug, Default, Clone)]
pub(super) struct Held {
    /// Each with the arguments so far, if it is a call.
    list: VecDeque<(Kept, String)>,
    bytes: usize,
}

/// A [`Piece`] that waits.
#[derive(Debug, Clone)]
pub(super) enum Kept {
    Text(String),
    Thinking(String),
    Signature(String),
    Redacted(String),
    Call { call: u32, id: String, name: String },
}

impl Piece<'_> {
    /// It says nothing.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) | Self::Thinking(text) | Self::Signature(text) => text.is_empty(),
            Self::Redacted(_) | Self::Call { .. } => false,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(text) | Self::Thinking(text) | Self::Signature(text) | Self::Redacted(text) => text.len(),
            Self::Call { id, name, .. } => id.len() + name.len(),
        }
    }
}

impl Kept {
    pub(super) fn as_piece(&self) -> Piece<'_> {
        match self {
            Self::Text(text) => Piece::Text(text),
            Self::Thinking(text) => Piece::Thinking(text),
            Self::Signature(text) => Piece::Signature(text),
            Self::Redacted(text) => Piece::Redacted(text),
            Self::Call { call, id, name } => Piece::Call { call: *call, id, name },
        }
    }
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Keeps a piece; false if that is too much.
    pub(super) fn push(&mut self, piece: Piece<'_>) -> bool {
        // Small pieces cost more than their bytes.
        self.bytes += piece.len() + size_of::<(Kept, String)>();
        if self.bytes > MAX_HELD {
            return false;
        }
        let kept = match (piece, self.list.back_mut()) {
            (Piece::Text(more), Some((Kept::Text(text), _)))
            | (Piece::Thinking(more), Some((Kept::Thinking(text), _))) => {
                text.push_str(more);
                return true;
            }
            (Piece::Text(text), _) => Kept::Text(text.to_owned()),
            (Piece::Thinking(text), _) => Kept::Thinking(text.to_owned()),
            (Piece::Signature(text), _) => Kept::Signature(text.to_owned()),
            (Piece::Redacted(text), _) => Kept::Redacted(text.to_owned()),
            (Piece::Call { call, id, name }, _) => Kept::Call { call, id: id.to_owned(), name: name.to_owned() },
        };
        self.list.push_back((kept, String::new()));
        true
    }

    /// Keeps more of a call's arguments; false if that is too much. A call that does not wait was whole already, so
    /// nothing can belong to it.
    pub(super) fn extend(&mut self, index: u32, json: &str) -> bool {
        let of = |kept: &Kept| matches!(kept, Kept::Call { call, .. } if *call == index);
        let Some((_, arguments)) = self.list.iter_mut().find(|(kept, _)| of(kept)) else { return true };
        self.bytes += json.len();
        arguments.push_str(json);
        self.bytes <= MAX_HELD
    }

    pub(super) fn pop(&mut self) -> Option<(Kept, String)> {
        let (kept, json) = self.list.pop_front()?;
        let cost = kept.as_piece().len() + json.len() + size_of::<(Kept, String)>();
        self.bytes = if self.list.is_empty() { 0 } else { self.bytes.saturating_sub(cost) };
        Some((kept, json))
    }
}
