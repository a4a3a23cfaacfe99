//! A stream to the client: held until it commits, then forwarded as it comes, and ended honestly.

use std::{
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use penstock_llm::{Dialect, call::Form, classify::UpstreamError, neutral::Finish, relay::End, seen::Seen, sse::Array};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::{
    attempt::Answered,
    plan::Failure,
    reader::{Look, Reader},
    record::Record,
    settle::Told,
    targets::GoOn,
};
use crate::{
    error::{Error, Expired},
    health::Permit,
    metrics::Outcome,
    pace::Pace,
    serve::body::{Cut, Outlet, Whole},
    upstream::Incoming,
};

/// With so much held back, a stream commits whatever is in it.
const HELD: usize = 256 << 10;
/// How long usage and the end marker are waited for once every answer has finished.
const AFTERMATH: Duration = Duration::from_secs(2);

/// A stream that has committed.
pub(super) struct Stream {
    incoming: Option<Incoming>,
    reader: Reader,
    /// What goes to the client next.
    out: Vec<Bytes>,
    ended: bool,
    clock: Clock,
    record: Rc<Record>,
    outcome: Outcome,
    /// What its client speaks.
    client: Dialect,
    frame: Frame,
    permit: Option<Permit>,
    /// Who goes on if it breaks.
    go_on: Option<GoOn>,
}

/// How a client takes a stream: events as they are, or as the items of one array.
pub(super) enum Frame {
    Events,
    Array(Array),
}

/// How long a stream may take.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// Between two chunks.
    pub(super) idle: Duration,
    /// Of the whole request.
    pub(super) deadline: Instant,
    pub(super) pace: Pace,
}

/// Runs only while the provider is waited for: a client that reads slowly does not make it tick.
struct Clock {
    patience: Patience,
    /// Since when the provider is waited for.
    since: Option<Instant>,
    /// When all answers had finished.
    finished: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// What a wait for the provider gives.
enum Next {
    Chunk(Bytes),
    End,
    Cut,
    TooSlow,
}

impl Stream {
    /// Reads until the first content. A failure up to there is one that another target can make good.
    pub(super) async fn open(
        mut incoming: Incoming,
        mut reader: Reader,
        (client, frame): (Dialect, Frame),
        patience: Patience,
        refusal_fails: bool,
        record: &Rc<Record>,
    ) -> Result<Self, Failure> {
        let mut out = Vec::new();
        loop {
            let look = match incoming.chunk().await {
                Some(Ok(chunk)) => reader.push(chunk, &mut out),
                // A connection that breaks right after the last event has done its work.
                Some(Err(_)) | None => reader.end(&mut out),
            };
            record.withheld(look.withheld);
            record.told(reader.told());
            if let Some(error) = look.error {
                return Err(Failure::Broken(error));
            }
            if look.end == Some(End::Truncated) {
                return Err(Failure::Broken(UpstreamError::broken_answer(
                    "the stream was cut before its first content",
                )));
            }
            if look.refuses && refusal_fails {
                return Err(Failure::Refusal);
            }
            let held: usize = out.iter().map(Bytes::len).sum();
            if look.commits || look.end.is_some() || held > HELD {
                let finished = reader.is_finished().then(Instant::now);
                let clock = Clock { patience, since: None, finished, timer: None };
                let ended = look.end.is_some();
                let (incoming, record, outcome) = (Some(incoming), record.clone(), Outcome::Cancelled);
                let (permit, go_on) = (None, None);
                return Ok(Self { incoming, reader, out, ended, clock, record, outcome, client, frame, permit, go_on });
            }
        }
    }

    /// Keeps the right to ask until the stream is over, and what another target needs to finish it.
    pub(super) fn hold(&mut self, permit: Option<Permit>, go_on: Option<GoOn>) {
        (self.permit, self.go_on) = (permit, go_on);
    }

    /// Why it ended, if it has.
    pub(super) fn finish(&self) -> Option<Finish> {
        self.reader.finish()
    }

    /// Forwards the stream to its end. Dropped before it, the provider's connection is closed.
    pub(super) async fn run(mut self: Box<Self>, outlet: Outlet) -> Result<(), Cut> {
        loop {
            self.send(&outlet).await?;
            if self.ended {
                self.outcome = Outcome::Ok;
                outlet.send(self.frame.end()).await;
                if let Some(incoming) = self.incoming.take() {
                    incoming.finish();
                }
                return Ok(());
            }
            let broke = match self.next().await {
                Next::TooSlow if !self.reader.is_finished() => Some(Failure::Silent(self.clock.expired())),
                Next::Chunk(chunk) => {
                    let look = self.reader.push(chunk, &mut self.out);
                    self.note(look)
                }
                Next::End | Next::Cut | Next::TooSlow => {
                    let look = self.reader.end(&mut self.out);
                    self.note(look)
                }
            };
            if let Some(failure) = broke {
                self.send(&outlet).await?;
                if !self.goes_on(&failure).await {
                    return self.fail(&outlet, &failure).await;
                }
            }
        }
    }

    /// How the stream has broken, if it has.
    fn note(&mut self, look: Look) -> Option<Failure> {
        self.record.withheld(look.withheld);
        self.ended = matches!(look.end, Some(End::Complete | End::NoMarker));
        if self.clock.finished.is_none() && self.reader.is_finished() {
            self.clock.finished = Some(Instant::now());
        }
        let cut = (look.end == Some(End::Truncated)).then(|| UpstreamError::broken_answer("the stream was cut"));
        look.error.or(cut).map(|error| Failure::Broken(error).at(self.clock.patience.pace))
    }

    /// The stream has broken. True if there is more to send: another target goes on with it.
    async fn goes_on(&mut self, failure: &Failure) -> bool {
        self.incoming = None;
        // A healthy stream that meets the request's own deadline says nothing against its target.
        let is_ours = matches!(failure, Failure::Silent(Expired::Request));
        if let (Some(permit), Some(effect), false) = (&mut self.permit, failure.effect(), is_ours) {
            permit.broke(effect, Instant::now());
        }
        if let Failure::Silent(limit) = failure {
            self.record.expired(*limit);
        }
        let Some(go_on) = self.go_on.take() else { return false };
        let took = self.record.took(&self.reader.told());
        let resume = match self.reader.resume(&go_on.ask, &took) {
            Ok(resume) => resume,
            Err(why) => {
                tracing::debug!(%why, "a broken stream can't be continued");
                return false;
            }
        };
        if resume.is_full() {
            let mut end = Vec::new();
            resume.end(&mut end);
            (self.out, self.ended) = (vec![end.into()], true);
            return true;
        }
        self.record.broke(took);
        let Ok(Some(rest)) = go_on.answer(&resume, &self.record).await.map(Answered::rest) else { return false };
        self.take_up(rest);
        true
    }

    /// Goes on as another stream, for the same client.
    fn take_up(&mut self, mut rest: Box<Self>) {
        std::mem::swap(self, &mut rest);
        // How far an array has come is the client's, whoever fills it.
        std::mem::swap(&mut self.frame, &mut rest.frame);
    }

    /// Says so in band, and sends no end marker.
    async fn fail(&mut self, outlet: &Outlet, failure: &Failure) -> Result<(), Cut> {
        self.outcome = Outcome::Broken;
        let error = match failure {
            Failure::Silent(limit) => Error::Timeout(Some(*limit)),
            _ => Error::Upstream,
        };
        self.out = vec![error.event(self.client, self.reader.sequence()).into()];
        self.send(outlet).await?;
        outlet.send(self.frame.end()).await;
        Ok(())
    }

    /// Sends what is to go out.
    async fn send(&mut self, outlet: &Outlet) -> Result<(), Cut> {
        for piece in self.out.drain(..) {
            outlet.send(self.frame.piece(piece)?).await;
        }
        Ok(())
    }

    async fn next(&mut self) -> Next {
        let Self { incoming, clock, .. } = self;
        let Some(incoming) = incoming else { return Next::End };
        poll_fn(|cx| {
            // What is there comes before any timer.
            let next = match incoming.poll_chunk(cx) {
                Poll::Ready(Some(Ok(chunk))) => Next::Chunk(chunk),
                Poll::Ready(Some(Err(_))) => Next::Cut,
                Poll::Ready(None) => Next::End,
                Poll::Pending if clock.is_over(cx) => Next::TooSlow,
                Poll::Pending => return Poll::Pending,
            };
            clock.since = None;
            Poll::Ready(next)
        })
        .await
    }
}

impl Frame {
    pub(super) fn new(form: Option<Form>) -> Self {
        match form {
            Some(Form::Array) => Self::Array(Array::default()),
            Some(Form::Events | Form::Whole) | None => Self::Events,
        }
    }

    pub(super) fn piece(&mut self, events: Bytes) -> Result<Bytes, Cut> {
        match self {
            Self::Events => Ok(events),
            Self::Array(array) => array.push(events).map(Bytes::from).map_err(|_| Cut),
        }
    }

    /// What follows the last piece.
    pub(super) fn end(&mut self) -> Bytes {
        match self {
            Self::Events => Bytes::new(),
            Self::Array(array) => array.finish().into(),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.record.told(self.reader.told());
        self.record.streamed(self.outcome);
    }
}

impl Clock {
    /// The limit that has passed.
    fn expired(&self) -> Expired {
        if Instant::now() >= self.patience.deadline { Expired::Request } else { Expired::Idle }
    }

    /// The timer is armed once and looked at when it fires, not moved with every chunk.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let since = *self.since.get_or_insert_with(Instant::now);
        let idle = (since + self.patience.idle).min(self.patience.deadline);
        let limit = self.finished.map_or(idle, |finished| idle.min(finished + self.patience.pace.of(AFTERMATH)));
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(limit)));
        if timer.deadline() > limit {
            timer.as_mut().reset(limit);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if timer.deadline() >= limit {
                return true;
            }
            timer.as_mut().reset(limit);
        }
        false
    }
}

/// Forwards an answer that is too large to be held.
pub(super) async fn pass(
    Whole { bytes: held, room }: Whole,
    mut incoming: Incoming,
    patience: Patience,
    outlet: Outlet,
    record: Rc<Record>,
    _permit: Option<Permit>,
) -> Result<(), Cut> {
    let mut seen = Seen { unread: held.len() as u64, ..Seen::default() };
    record.told(Told { seen, ..Told::default() });
    outlet.send(held).await;
    drop(room);
    loop {
        let limit = patience.deadline.min(Instant::now() + patience.idle);
        match timeout_at(limit, incoming.chunk()).await {
            Ok(Some(Ok(chunk))) => {
                seen.unread += chunk.len() as u64;
                record.told(Told { seen, ..Told::default() });
                outlet.send(chunk).await;
            }
            Ok(None) => {
                record.streamed(Outcome::Ok);
                return Ok(());
            }
            Ok(Some(Err(_))) | Err(_) => {
                record.streamed(Outcome::Broken);
                return Err(Cut);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        let deadline = Instant::now() + Duration::from_secs(100);
        let patience = Patience { idle: Duration::from_secs(30), deadline, pace: Pace::REAL };
        Clock { patience, since: None, finished: None, timer: None }
    }

    async fn is_over(clock: &mut Clock) -> bool {
        poll_fn(|cx| Poll::Ready(clock.is_over(cx))).await
    }

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn idleness_counts_from_when_the_provider_is_waited_for_and_not_from_the_last_chunk() {
        let mut clock = clock();
        pass(60).await;
        assert!(!is_over(&mut clock).await, "the client was slow, not the provider");
        pass(29).await;
        assert!(!is_over(&mut clock).await);
        clock.since = None;
        assert!(!is_over(&mut clock).await, "a chunk came");
        clock.patience.deadline += Duration::from_secs(100);
        pass(29).await;
        assert!(!is_over(&mut clock).await);
        pass(2).await;
        assert!(is_over(&mut clock).await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_of_the_request_holds_for_a_stream_that_never_pauses() {
        let mut clock = clock();
        for _ in 0..9 {
            pass(11).await;
            clock.since = None;
            assert!(!is_over(&mut clock).await);
        }
        pass(2).await;
        assert!(is_over(&mut clock).await);
    }

    #[tokio::test(start_paused = true)]
    async fn two_seconds_are_enough_for_what_follows_the_last_finish_reason() {
        let mut clock = clock();
        assert!(!is_over(&mut clock).await);
        pass(10).await;
        clock.finished = Some(Instant::now());
        clock.since = None;
        assert!(!is_over(&mut clock).await);
        pass(3).await;
        assert!(is_over(&mut clock).await);
    }
}
