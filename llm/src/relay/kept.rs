//! What a stream remembers so that another target can go on with it.

use super::{Client, Continued, Emitter, Noted, Parser, Path, Relay, Step};
use crate::Dialect;
use crate::call::Call;
use crate::facts::Facts;
use crate::neutral::{Event, Usage};
use crate::resume::{Memory, NotResumable, Place, Resume, Seam, Watch};
use crate::translate::Names;

/// What is remembered of a stream.
#[derive(Debug)]
pub(super) struct Kept {
    client: Client,
    memory: Memory,
    /// Reads what passes as it came.
    watch: Option<Watch>,
}

impl Kept {
    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(super) fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    /// Notes what is written for the client.
    pub(super) fn note(&mut self, event: &Event<'_>) {
        self.memory.note(event);
    }

    /// Notes an event that went as it came.
    pub(super) fn watch(&mut self, name: Option<&[u8]>, data: &[u8], step: &Step) {
        if let Some(watch) = &mut self.watch {
            watch.event(name, data, step, &mut self.memory);
        }
    }
}

impl Relay {
    /// The same for a stream that another target may have to go on with: what the client is sent is remembered.
    pub fn remembering(upstream: Dialect, client: &Client, names: Names, facts: Facts) -> Self {
        let passes = upstream == client.dialect;
        let watch = || Watch::new(Parser::new(upstream, names.clone(), client.choices), Place::new(upstream));
        let kept = Kept { client: client.clone(), memory: Memory::new(facts), watch: passes.then(watch) };
        Self { kept: Some(Box::new(kept)), ..Self::new(upstream, client, names) }
    }

    /// For a target that goes on with what `memory` holds.
    pub(crate) fn continued(
        (upstream, names): (Dialect, Names),
        client: &Client,
        ends: (Emitter, Seam),
        memory: Memory,
    ) -> Self {
        let continued = Continued::new(Parser::of_rest(upstream, names), ends, memory.length());
        let path = Path::Continued(Box::new(continued));
        let kept = Kept { client: client.clone(), memory, watch: None };
        let noted = Noted::new(1);
        let kept = Some(Box::new(kept));
        Self { path, noted, include_usage: client.include_usage, sequence: 0, malformed: 0, over: false, kept }
    }

    /// The stream broke after the client had seen some of it: what another target needs to go on. `call` and `body` are
    /// the client's request, `took` is what this target's part took, as it is settled: estimated where it was not reported.
    ///
    /// # Errors
    /// Why no other target can.
    pub fn resume(&self, call: &Call, body: &[u8], took: &Usage) -> Result<Resume, NotResumable> {
        let Kept { client, memory, watch } = self.kept.as_deref().ok_or(NotResumable::Forgotten)?;
        let emitter = match (&self.path, watch) {
            (Path::Translated(ends), _) => ends.1.clone(),
            (Path::Continued(continued), _) => continued.emitter().clone(),
            (Path::InPlace | Path::Responses | Path::Read(..), Some(watch)) => watch.emitter(client, memory)?,
            (Path::InPlace | Path::Responses | Path::Read(..), None) => return Err(NotResumable::Forgotten),
        };
        Resume::new(client.clone(), emitter, memory.after(took), (call, body))
    }

    /// What the client is told that all parts took together; none where there is but one.
    pub fn together(&self) -> Option<Usage> {
        match (&self.path, &self.kept) {
            (Path::Continued(_), Some(kept)) => Some(kept.memory.told(&self.noted.usage, &self.noted.seen)),
            _ => None,
        }
    }
}
