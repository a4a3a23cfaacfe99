//! The operator's stream: follow the leader, apply what it says, answer, and come back when it goes.
//!
//! [`session`] decides; this file only moves lines, snapshots and answers.

mod connect;
#[cfg(test)]
mod fake;
mod session;
#[cfg(test)]
mod tests;

use std::{future, path::PathBuf, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use penstock_config::protocol::{Ack, Report};
use tokio::time::{self, Instant};

pub(crate) use self::connect::Operators;
use self::{
    connect::{Connector, Open, PushError},
    session::{Action, Leave, Session},
};
use super::{Origin, Sink, stored};

/// No leader for this long at the start: begin with the stored snapshot.
const STORED_AFTER: Duration = Duration::from_secs(3);
/// A stream that lasted this long was a good one.
const STEADY: Duration = Duration::from_secs(1);
/// How often to look whether there is something to report.
const LOOK: Duration = Duration::from_secs(1);

/// Follows the operator for as long as the process lives.
pub(crate) async fn run(operators: Operators, stored: Option<PathBuf>, sink: Sink) {
    let mut follower = Follower {
        session: Session::new(),
        sink,
        boot: Boot::Waiting { at: Instant::now() + STORED_AFTER, folder: stored, complained: None },
    };
    let mut connector = Connector::new(operators);
    loop {
        let open = follower.connect(&mut connector).await;
        let left = follower.follow(open, &mut connector).await;
        follower.session.closed();
        tracing::info!("left the operator's stream: {left:#}");
    }
}

struct Follower {
    session: Session,
    sink: Sink,
    boot: Boot,
}

/// The stored snapshot's part: at the start, and only while no leader answers.
enum Boot {
    Waiting {
        /// When to look at it.
        at: Instant,
        folder: Option<PathBuf>,
        /// Of what was logged.
        complained: Option<String>,
    },
    Over,
}

/// The ACK on its way, and the one that goes next: the latest wins.
struct Answering {
    sending: Option<BoxFuture<'static, Result<(), PushError>>>,
    next: Option<Ack>,
}

impl Follower {
    async fn connect(&mut self, connector: &mut Connector) -> Open {
        let have = self.session.have();
        let ca = self.session.ca_bundle().map(str::to_owned);
        let mut opening = std::pin::pin!(connector.open(have, ca.as_deref()));
        loop {
            tokio::select! {
                open = &mut opening => return open,
                () = self.boot.due() => self.boot_from_stored(),
            }
        }
    }

    /// Until the stream ends. The error says why.
    async fn follow(&mut self, open: Open, connector: &mut Connector) -> anyhow::Error {
        let Open { mut lines, answers } = open;
        let mut answering = Answering { sending: None, next: None };
        let mut look = time::interval(LOOK);
        let opened = Instant::now();
        self.session.opened();
        loop {
            answering.start(&answers);
            tokio::select! {
                line = lines.next() => {
                    let line = match line {
                        Ok(line) => line,
                        Err(error) => return error.into(),
                    };
                    match self.hear(&line) {
                        Ok(ack) => answering.next = ack.or(answering.next),
                        Err(leave) => return leave.into(),
                    }
                    // One that breaks at once, again and again, is met with pauses.
                    if self.session.current() && opened.elapsed() >= STEADY {
                        connector.settled();
                    }
                }
                sent = answering.sent() => if let Err(error) = sent {
                    return anyhow::Error::from(error).context("an answer was not taken");
                },
                _ = look.tick() => if self.session.report_due(&self.reports(), now()) {
                    answering.next = self.ack();
                },
                () = self.boot.due(), if !self.session.following() => self.boot_from_stored(),
            }
        }
    }

    /// Does what a line asks for; returns the answer, if one is due.
    fn hear(&mut self, line: &[u8]) -> Result<Option<Ack>, Leave> {
        let answer = match self.session.receive(line, now()) {
            Action::Nothing => None,
            Action::Answer => self.ack(),
            Action::Apply(snapshot) => {
                let refused = self.sink.apply(&snapshot, Origin::Operator);
                self.session.applied(snapshot, refused);
                self.ack()
            }
            Action::Leave(leave) => return Err(leave),
        };
        self.note();
        Ok(answer)
    }

    /// What a line changed, for whoever looks from outside.
    fn note(&mut self) {
        let current = self.session.current();
        if current {
            self.boot = Boot::Over;
            self.sink.live().confirm();
        }
        if let Some(proxies) = self.session.replicas() {
            self.sink.live().share_limits_among(proxies);
        }
        self.sink.note(|status| {
            status.position = self.session.position();
            status.replicas = self.session.replicas();
            if current {
                status.source = Some(Origin::Operator);
                status.ready = true;
            }
        });
    }

    fn ack(&mut self) -> Option<Ack> {
        let reports = self.reports();
        self.session.ack(reports, now())
    }

    /// In one order, so that equal ones are seen to be equal.
    fn reports(&self) -> Vec<Report> {
        let mut reports = self.sink.live().reports();
        reports.sort();
        reports
    }

    /// A copy that can't be read now may be there later: a Secret is mounted when kubelet hears of it.
    fn boot_from_stored(&mut self) {
        let Boot::Waiting { folder: Some(folder), complained, .. } = &mut self.boot else {
            tracing::warn!("no operator answers and there is no stored snapshot to start from");
            self.boot = Boot::Over;
            return;
        };
        match stored::read(folder) {
            Ok(stored) => {
                self.boot = Boot::Over;
                self.start_with(stored);
            }
            Err(error) => {
                if complained.as_deref() != Some(&error.to_string()) {
                    tracing::warn!("no operator answers and the stored snapshot can't be used: {error}");
                }
                let complained = Some(error.to_string());
                self.boot =
                    Boot::Waiting { at: Instant::now() + STORED_AFTER, folder: Some(folder.clone()), complained };
            }
        }
    }

    fn start_with(&mut self, stored: stored::Stored) {
        tracing::warn!(position = ?stored.position, "no operator answers: starting from the stored snapshot");
        let refused = self.sink.apply(&stored.snapshot, Origin::Stored);
        self.sink.live().was_current(stored.age());
        self.session.booted(stored.snapshot, stored.position, refused);
        self.sink.note(|status| {
            status.position = Some(stored.position);
            status.ready = true;
        });
    }
}

impl Boot {
    /// Ready when it is time to look at the stored snapshot; never, once that is over.
    async fn due(&self) {
        match self {
            Boot::Waiting { at, .. } => time::sleep_until(*at).await,
            Boot::Over => future::pending().await,
        }
    }
}

impl Answering {
    /// Sends what waits, unless something is on its way.
    fn start(&mut self, answers: &connect::Answers) {
        if self.sending.is_none() {
            self.sending = self.next.take().map(|ack| answers.clone().send(ack).boxed());
        }
    }

    /// How the ACK on its way ended. Cancel-safe; pending while there is none.
    async fn sent(&mut self) -> Result<(), PushError> {
        let Some(sending) = &mut self.sending else { return future::pending().await };
        let outcome = sending.await;
        self.sending = None;
        outcome
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
