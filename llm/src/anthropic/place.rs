use super::StreamEmitter;
use super::stream::string;
use crate::json::{Fault, Reader};
use crate::neutral::Text;

/// Where a stream is that another target is to go on with.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of the block that is open, or of the next one.
    pub(super) index: u64,
    pub(super) open: Option<Block>,
}

/// A block that may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    Text,
    Thinking,
}

impl Place {
    /// Takes the data of an event. False if it begins a block that is neither text nor thinking.
    pub(crate) fn note(&mut self, data: &[u8]) -> Result<bool, Fault> {
        let (mut of_type, mut index, mut block) = (Text::default(), 0, None);
        let mut reader = Reader::of_answer(data)?;
        reader.object(|reader, key| {
            match &*key.decode() {
                "type" => of_type = string(reader)?.unwrap_or_default(),
                "index" => index = reader.unsigned()?,
                "content_block" => block = Some(reader.raw()?),
                _ => reader.skip()?,
            }
            Ok::<(), Fault>(())
        })?;
        match &*of_type {
            "content_block_start" => {
                self.index = index;
                self.open = kind(block.unwrap_or("{}"))?;
                return Ok(self.open.is_some());
            }
            "content_block_stop" => *self = Self { index: index + 1, open: None },
            _ => {}
        }
        Ok(true)
    }

    /// Who writes what follows: more of the block that is open, and no other start of the message.
    pub(crate) fn emitter(self) -> StreamEmitter {
        StreamEmitter::within(self)
    }
}

fn kind(block: &str) -> Result<Option<Block>, Fault> {
    let mut of_type = None;
    Reader::of(block).object(|reader, key| match &*key.decode() {
        "type" => string(reader).map(|text| of_type = text),
        _ => reader.skip(),
    })?;
    Ok(match of_type.as_deref() {
        Some("text") => Some(Block::Text),
        Some("thinking") => Some(Block::Thinking),
        Some(_) | None => None,
    })
}
