//! What a client asks, read once and used by every attempt.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use penstock_llm::{call::Call, relay::Client, scan::Scan};
use tokio::time::Instant;

use crate::live::route::{Forward, Target};

pub(super) struct Ask<'a> {
    pub(super) call: &'a Call,
    pub(super) headers: &'a HeaderMap,
    /// Which gateways it has passed, this one included.
    pub(super) hops: HeaderValue,
    pub(super) body: Bytes,
    /// Boxed: a future would hold it more than once.
    pub(super) scan: Box<Scan>,
    /// References to state on the provider's account may pass.
    pub(super) allow_state: bool,
    /// Who reads the answer.
    pub(super) client: Client,
    /// Of the whole request.
    pub(super) deadline: Instant,
}

impl<'a> Ask<'a> {
    pub(super) fn new(
        call: &'a Call,
        headers: &'a HeaderMap,
        hops: HeaderValue,
        body: Bytes,
        scan: Box<Scan>,
        started: Instant,
        forward: &Forward,
    ) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let client = Client {
            dialect: call.dialect,
            include_usage: scan.include_usage == Some(true),
            choices: scan.choices,
            now: now.as_secs(),
        };
        let (allow_state, deadline) = (forward.allow_state, started + forward.deadline);
        Self { call, headers, hops, body, scan, allow_state, client, deadline }
    }

    /// How long a target may be silent while there is another.
    pub(super) fn patience(&self, target: &Target) -> Duration {
        let timeouts = &target.timeouts;
        match (self.scan.stream, self.scan.reasons || target.facts.thinks_unasked) {
            (false, _) => timeouts.answer,
            (true, false) => timeouts.first_token,
            (true, true) => timeouts.first_token_reasoning,
        }
    }
}
