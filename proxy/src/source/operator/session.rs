//! The push protocol as seen by a proxy: a line comes in, what to do comes out. No I/O and no clock.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use penstock_config::{
    Hash, Snapshot, SnapshotError,
    protocol::{Ack, DeltaDocument, Document, Full, Hello, Position, Refused, Report},
};
use serde::Deserialize;
use serde_json::error::Category;

/// An older position is not taken while a newer one was heard this recently: two operators may both believe that
/// they lead, for as long as a lease takes to run out.
const MEMORY: Duration = Duration::from_secs(60);
/// Reports that changed are sent at most this often; every answer carries all of them.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// What a proxy knows of its operator, over all streams.
pub(crate) struct Session {
    running: Option<Running>,
    /// The newest position that any stream named, and when it was last heard.
    newest: Option<(Position, Instant)>,
    phase: Phase,
    /// The last document that could not be read, and why. It may be live for long, and is not sent again.
    unreadable: Option<(Hash, String)>,
    /// Ask for everything, whatever runs: the last delta did not fit.
    start_over: bool,
    replicas: Option<u32>,
    ca_bundle: Option<String>,
}

/// The snapshot that requests see.
struct Running {
    snapshot: Snapshot,
    position: Position,
    refused: Vec<Refused>,
}

enum Phase {
    Away,
    /// A stream was opened; its first line must be a hello.
    Asked,
    Following(Stream),
}

/// A stream that said hello.
struct Stream {
    session: String,
    /// Of the last line that named one, and the hash that is live there.
    position: Position,
    hash: Hash,
    /// Why the last document could not be read. The snapshot before it still runs.
    undecodable: Option<String>,
    /// When the last answer was due, and what it reported.
    answered: Instant,
    reported: Vec<Report>,
}

/// What the shell does next.
pub(crate) enum Action {
    Nothing,
    /// Send [`Session::ack`].
    Answer,
    /// Make this live, tell [`Session::applied`], then answer.
    Apply(Snapshot),
    /// Close the stream and open another.
    Leave(Leave),
}

/// Why a stream is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Leave {
    #[error("the stream did not begin with a hello")]
    NoHello,
    #[error("its position is older than one heard within {} s", MEMORY.as_secs())]
    Stale,
    #[error("a delta did not fit what runs here; asking for everything")]
    OtherBase,
}

impl Session {
    pub(crate) fn new() -> Self {
        Self {
            running: None,
            newest: None,
            phase: Phase::Away,
            unreadable: None,
            start_over: false,
            replicas: None,
            ca_bundle: None,
        }
    }

    /// A stored snapshot was made live before any operator answered.
    pub(crate) fn booted(&mut self, snapshot: Snapshot, position: Position, refused: Vec<Refused>) {
        self.running = Some(Running { snapshot, position, refused });
    }

    /// The hash to ask with: nothing is sent where it is the live one.
    pub(crate) fn have(&self) -> Option<Hash> {
        let running = self.running.as_ref().filter(|_| !self.start_over)?;
        Some(running.snapshot.hash())
    }

    pub(crate) fn opened(&mut self) {
        self.phase = Phase::Asked;
    }

    pub(crate) fn closed(&mut self) {
        self.phase = Phase::Away;
    }

    /// Has a leader greeted this stream?
    pub(crate) fn following(&self) -> bool {
        matches!(self.phase, Phase::Following(_))
    }

    /// Does the stream's own word say that what runs is what should run?
    pub(crate) fn current(&self) -> bool {
        match (&self.phase, &self.running) {
            (Phase::Following(stream), Some(running)) => stream.hash == running.snapshot.hash(),
            _ => false,
        }
    }

    pub(crate) fn position(&self) -> Option<Position> {
        self.running.as_ref().map(|running| running.position)
    }

    /// How many proxies share a limit, as last heard.
    pub(crate) fn replicas(&self) -> Option<u32> {
        self.replicas
    }

    /// The CAs that the last hello named, PEM; they come before kubelet's copy does.
    pub(crate) fn ca_bundle(&self) -> Option<&str> {
        self.ca_bundle.as_deref()
    }

    /// One line of the stream.
    pub(crate) fn receive(&mut self, line: &[u8], now: Instant) -> Action {
        self.step(line, now).unwrap_or_else(Action::Leave)
    }

    fn step(&mut self, line: &[u8], now: Instant) -> Result<Action, Leave> {
        let document = serde_json::from_slice::<Document>(line);
        if let Ok(Document::Hello(hello)) = document {
            return self.hello(hello, now);
        }
        let Phase::Following(stream) = &self.phase else { return Err(Leave::NoHello) };
        match document {
            Ok(Document::Hello(_)) => Err(Leave::NoHello),
            Ok(Document::Full(full)) => self.full(full, now),
            Ok(Document::Delta(delta)) => self.delta(delta, now),
            Ok(Document::Replicas(replicas)) => {
                self.replicas = Some(replicas.n);
                Ok(Action::Nothing)
            }
            Ok(Document::Heartbeat(_)) => {
                let position = stream.position;
                self.hear(position, now).map(|()| Action::Nothing)
            }
            Err(error) => self.undecodable(line, &error, now),
        }
    }

    /// The snapshot of [`Action::Apply`] is live, but for what is `refused`.
    pub(crate) fn applied(&mut self, snapshot: Snapshot, refused: Vec<Refused>) {
        let Phase::Following(stream) = &mut self.phase else { return };
        stream.undecodable = None;
        self.start_over = false;
        self.running = Some(Running { snapshot, position: stream.position, refused });
    }

    /// The answer that is due: what runs here, and at which position it was live. A hello of something newer is thus
    /// answered with the older truth, and a document that can't be read with its own name and the reason.
    pub(crate) fn ack(&mut self, reports: Vec<Report>, now: Instant) -> Option<Ack> {
        let Phase::Following(stream) = &mut self.phase else { return None };
        stream.answered = now;
        stream.reported.clone_from(&reports);
        let refused = self.running.as_ref().map_or_else(Vec::new, |running| running.refused.clone());
        let (position, hash) = match (&stream.undecodable, &self.running) {
            (Some(_), _) => (stream.position, stream.hash),
            (None, Some(running)) => (running.position, running.snapshot.hash()),
            (None, None) => (Position::default(), Snapshot::default().hash()),
        };
        Some(Ack {
            session: stream.session.clone(),
            position,
            hash,
            undecodable: stream.undecodable.clone(),
            refused,
            reports,
        })
    }

    /// Are the reports others than those last sent, and is it time to say so?
    pub(crate) fn report_due(&self, reports: &[Report], now: Instant) -> bool {
        match &self.phase {
            Phase::Following(stream) => {
                stream.reported != reports && now.duration_since(stream.answered) >= REPORT_EVERY
            }
            Phase::Away | Phase::Asked => false,
        }
    }

    fn hello(&mut self, hello: Hello, now: Instant) -> Result<Action, Leave> {
        if !matches!(self.phase, Phase::Asked) {
            return Err(Leave::NoHello);
        }
        self.hear(hello.position, now)?;
        if let Some(running) = &mut self.running
            && running.snapshot.hash() == hello.hash
        {
            running.position = hello.position;
        }
        let unreadable = self.unreadable.as_ref().filter(|(hash, _)| *hash == hello.hash);
        let undecodable = unreadable.map(|(_, why)| why.clone());
        self.replicas = Some(hello.replicas);
        self.ca_bundle = Some(hello.ca_bundle);
        self.phase = Phase::Following(Stream {
            session: hello.session,
            position: hello.position,
            hash: hello.hash,
            undecodable,
            answered: now,
            reported: vec![],
        });
        Ok(Action::Answer)
    }

    fn full(&mut self, full: Full, now: Instant) -> Result<Action, Leave> {
        self.advance(full.position, full.hash, now)?;
        match full.into_snapshot() {
            Ok(snapshot) => Ok(Action::Apply(snapshot)),
            Err(error) => Ok(self.refuse(error.to_string())),
        }
    }

    fn delta(&mut self, document: DeltaDocument, now: Instant) -> Result<Action, Leave> {
        self.advance(document.position, document.delta.hash, now)?;
        let applied = match &self.running {
            Some(running) => running.snapshot.apply(document.delta),
            None => Snapshot::default().apply(document.delta),
        };
        applied.map(Action::Apply).map_err(|error| match error {
            // Whichever side is wrong, everything again puts it right.
            SnapshotError::OtherBase { .. } | SnapshotError::HashMismatch { .. } => {
                self.start_over = true;
                Leave::OtherBase
            }
        })
    }

    /// The old snapshot stays. What can still be read of the document says which one it was.
    fn undecodable(&mut self, line: &[u8], error: &serde_json::Error, now: Instant) -> Result<Action, Leave> {
        let Phase::Following(stream) = &self.phase else { return Err(Leave::NoHello) };
        let outline = Outline::read(line);
        let position = outline.position.unwrap_or(stream.position);
        let hash = outline.hash.unwrap_or(stream.hash);
        self.advance(position, hash, now)?;
        // Not serde's own words: they quote what stood there, and keys travel in these lines.
        let what = match error.classify() {
            Category::Data => "does not have the shape of a document",
            Category::Io | Category::Syntax | Category::Eof => "is not JSON",
        };
        Ok(self.refuse(format!("the line {what} (column {})", error.column())))
    }

    fn refuse(&mut self, why: String) -> Action {
        if let Phase::Following(stream) = &mut self.phase {
            self.unreadable = Some((stream.hash, why.clone()));
            stream.undecodable = Some(why);
        }
        Action::Answer
    }

    /// What the stream says is live is now this.
    fn advance(&mut self, position: Position, hash: Hash, now: Instant) -> Result<(), Leave> {
        self.hear(position, now)?;
        if let Phase::Following(stream) = &mut self.phase {
            stream.position = position;
            stream.hash = hash;
        }
        Ok(())
    }

    fn hear(&mut self, position: Position, now: Instant) -> Result<(), Leave> {
        if let Some((newest, heard)) = self.newest
            && position < newest
            && now.duration_since(heard) < MEMORY
        {
            return Err(Leave::Stale);
        }
        self.newest = Some((position, now));
        Ok(())
    }
}

/// What a document says of itself, where the rest can't be read.
#[derive(Default, Deserialize)]
struct Outline {
    #[serde(default)]
    position: Option<Position>,
    #[serde(default)]
    hash: Option<Hash>,
    #[serde(default)]
    delta: Option<Box<Outline>>,
}

impl Outline {
    fn read(line: &[u8]) -> Self {
        let documents = serde_json::from_slice::<HashMap<String, Outline>>(line).unwrap_or_default();
        let outline = documents.into_values().next().unwrap_or_default();
        let hash = outline.hash.or_else(|| outline.delta.as_ref().and_then(|delta| delta.hash));
        Self { hash, ..outline }
    }
}

#[cfg(test)]
pub(super) mod tests;
