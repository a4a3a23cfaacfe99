use super::StreamEmitter;
use super::usage::count;
use crate::json::{Fault, Reader};
use crate::relay::Client;

/// Where a stream is that another target is to go on with.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// Seconds since 1970, as the first chunk that has it says.
    created: Option<u64>,
}

impl Place {
    /// Takes the data of an event.
    pub(crate) fn note(&mut self, data: &[u8]) -> Result<(), Fault> {
        if self.created.is_some() || data.trim_ascii() == b"[DONE]" {
            return Ok(());
        }
        Reader::of_answer(data)?.object(|reader, key| {
            if key.decode() == "created" {
                self.created = count(reader)?;
                return Ok(());
            }
            reader.skip()
        })
    }

    /// Who writes what follows: chunks of the same answer, without another role.
    pub(crate) fn emitter(&self, client: &Client, (id, model): (&str, &str), text: &str) -> StreamEmitter {
        StreamEmitter::within(client.include_usage, self.created.unwrap_or(client.now), (id, model), text)
    }
}
