//! What reached the fakes.

use std::collections::VecDeque;
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// Beyond that many the oldest records are forgotten, so that a long soak doesn't eat the machine.
const KEPT: usize = 100_000;

/// One exchange.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Counts up from 0 over all fakes.
    pub id: u64,
    /// The fake that it reached.
    pub provider: String,
    /// The connection it came on; counts up over all fakes.
    pub connection: u64,
    /// When its head had arrived: microseconds since the fakes started, on a clock that never jumps.
    pub at_us: u64,
    /// The same moment in microseconds of Unix time.
    pub unix_us: u64,
    /// Its method.
    pub method: String,
    /// Its path, query included.
    pub path: String,
    /// Its headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The key, from wherever the dialect has it.
    pub credential: Option<String>,
    /// Its body as it came.
    pub body: String,
    /// Whether a script decided about it.
    pub scripted: bool,
    /// The status that was sent, once it was.
    pub status: Option<u16>,
    /// How it ended; `None` while it runs.
    pub end: Option<End>,
    /// When it ended, on the clock of `at_us`.
    pub ended_us: Option<u64>,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// All was sent.
    Complete,
    /// The script broke it off after so many events.
    Broken {
        /// Events sent.
        events: u32,
    },
    /// The client went away after so many events.
    ClientClosed {
        /// Events sent.
        events: u32,
    },
}

impl Record {
    /// The first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The body as JSON; null when it isn't.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// The records so far.
pub(crate) struct Ledger {
    started: Instant,
    next: u64,
    records: VecDeque<Record>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), next: 0, records: VecDeque::new() }
    }

    /// Microseconds from the start to `at`.
    pub(crate) fn micros(&self, at: Instant) -> u64 {
        at.duration_since(self.started).as_micros().try_into().unwrap_or(u64::MAX)
    }

    /// Takes a record in; returns its id.
    pub(crate) fn add(&mut self, mut record: Record) -> u64 {
        let id = self.next;
        self.next += 1;
        record.id = id;
        if self.records.len() == KEPT {
            self.records.pop_front();
        }
        self.records.push_back(record);
        id
    }

    pub(crate) fn all(&self) -> Vec<Record> {
        self.records.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
    }

    pub(crate) fn answered(&mut self, id: u64, status: u16) {
        if let Some(record) = self.find(id) {
            record.status = Some(status);
        }
    }

    pub(crate) fn ended(&mut self, id: u64, end: End) {
        let now = self.micros(Instant::now());
        if let Some(record) = self.find(id) {
            record.end = Some(end);
            record.ended_us = Some(now);
        }
    }

    fn find(&mut self, id: u64) -> Option<&mut Record> {
        let index = self.records.binary_search_by_key(&id, |r| r.id).ok()?;
        self.records.get_mut(index)
    }
}
