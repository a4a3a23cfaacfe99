//! One attempt at one target: sent with one credential, and read far enough to know whether it is an answer.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, Request, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};
use penstock_crds::OnStreamBreak;
use penstock_llm::{
    Dialect,
    call::{self, Operation},
    classify::{UpstreamError, classify, wait},
    neutral::Finish,
    relay::{self, Priced, Relay},
    resume::Resume,
    sse::Framing,
};
use tokio::time::{Instant, timeout};

use super::{
    ask::Ask,
    headers,
    plan::Failure,
    prepare::{Prepared, off_thread},
    reader::Reader,
    record::Record,
    settle::Told,
    stream::{self, Frame, Patience, Stream},
    targets::GoOn,
};
use crate::{
    bounds::Share,
    error::Expired,
    health::Permit,
    live::{
        credential::{Credential, Pick},
        route::Target,
    },
    serve::body::{Answer, Cut, Flow, Outlet, Whole},
    upstream::{self, Incoming, Outgoing, Upstream},
};

/// The largest unary answer that is held whole.
const HELD: usize = 32 << 20;
/// A larger answer is translated on a thread of its own, and so are vectors looked at.
const LARGE: usize = 256 << 10;
/// What is read of an error's body, and for how long.
const ERROR_BYTES: usize = 64 << 10;
const ERROR_TIME: Duration = Duration::from_secs(5);

pub(super) struct Attempt<'a> {
    pub(super) ask: &'a Ask,
    pub(super) target: &'a Arc<Target>,
    pub(super) prepared: &'a Prepared,
    /// The credential that it is to be sent with, unless it is replaced before.
    pub(super) pick: &'a Pick,
    /// Credentials that failed this request already.
    pub(super) tried: &'a [Arc<Credential>],
    /// The credential that it was sent with, in the end.
    pub(super) used: &'a RefCell<Option<Pick>>,
    /// What it is to go on with, if another target has begun the answer.
    pub(super) resume: Option<&'a Resume>,
    /// A refusal is a failure, since another target may not refuse.
    pub(super) refusal_fails: bool,
}

/// An answer that goes to the client.
pub(super) struct Answered {
    head: HeaderMap,
    status: StatusCode,
    body: Body,
    /// Given back when the answer is over.
    permit: Option<Permit>,
    /// Who goes on if it breaks.
    go_on: Option<GoOn>,
}

enum Body {
    Whole(Whole, Option<Finish>),
    /// Too large to be held: what has arrived, and the rest.
    Passing(Held, Incoming, Patience),
    Stream(Box<Stream>),
}

impl Body {
    /// Why the answer ended, if that is known when its head is sent.
    fn finish(&self) -> Option<Finish> {
        match self {
            Body::Whole(_, finish) => *finish,
            Body::Passing(..) => None,
            Body::Stream(stream) => stream.finish(),
        }
    }
}

impl Attempt<'_> {
    pub(super) async fn send(&self, upstream: &Rc<Upstream>, record: &Rc<Record>) -> Result<Answered, Failure> {
        let origin = &self.target.provider.endpoint.origin;
        let response = upstream.exchange(origin, self.target.timeouts.connect, || self.request()).await;
        let response = response.map_err(|failure| match failure {
            upstream::Failure::Withdrawn => Failure::NoCredential,
            failure if failure.is_slow_connect() => {
                self.target.metrics.expired(Expired::Connect);
                Failure::SlowConnect
            }
            failure => Failure::Unreachable(failure.to_string()),
        })?;
        let (head, incoming) = response.into_parts();
        if !head.status.is_success() {
            return Err(Failure::Status(self.error(head.status, &head.headers, incoming).await));
        }
        if head.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            return Err(broken("the provider encoded an answer that was to come as it is"));
        }
        let body = if self.ask.scan.stream {
            if is_json(&head.headers) {
                return Err(self.no_stream(incoming, record).await);
            }
            self.stream(incoming, record).await?
        } else {
            self.whole(&head.headers, incoming, record).await?
        };
        let mut answer = HeaderMap::with_capacity(16);
        headers::answer(&mut answer, self.target, &head.headers, self.prepared, self.ask);
        headers::say_finish(&mut answer, body.finish());
        Ok(Answered { head: answer, status: head.status, body, permit: None, go_on: None })
    }

    /// The request in the moment it is sent. The credential is read here and not earlier: none that was replaced while
    /// the connection was opened goes out.
    fn request(&self) -> Option<Request<Outgoing>> {
        let credential = self.target.provider.credentials.current(self.pick, self.tried, Instant::now());
        let request =
            credential.as_ref().map(|credential| headers::request(self.ask, self.target, self.prepared, credential));
        self.used.replace(credential);
        request
    }

    async fn error(&self, status: StatusCode, headers: &HeaderMap, incoming: Incoming) -> UpstreamError {
        let body = beginning(incoming).await;
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let ms = text("retry-after-ms").or_else(|| text("x-ms-retry-after-ms"));
        let wait = wait(ms, text(RETRY_AFTER.as_str()), SystemTime::now());
        classify(self.prepared.way.dialect, status.as_u16(), wait, &body)
    }

    /// A whole answer where a stream was asked for: mostly an error with the wrong status.
    async fn no_stream(&self, incoming: Incoming, record: &Record) -> Failure {
        let body = beginning(incoming).await;
        let answer = self.reading(body.freeze())();
        record.told(Told::of(&answer));
        match answer {
            Err(error) => Failure::Broken(error),
            Ok(_) => broken("the provider sent a whole answer where a stream was asked for"),
        }
    }

    /// A unary answer: whole, checked, and translated if need be.
    async fn whole(&self, headers: &HeaderMap, mut incoming: Incoming, record: &Record) -> Result<Body, Failure> {
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let mut held = Held::default();
        while let Some(chunk) = incoming.chunk().await {
            let chunk = chunk.map_err(|error| broken(format!("the answer was cut: {error}")))?;
            let has_room = held.push(chunk, length, &self.ask.held);
            let is_too_large = held.len() > HELD;
            match self.prepared.translated {
                false if is_too_large || !has_room => return Ok(Body::Passing(held, incoming, self.patience())),
                true if is_too_large => return Err(broken("the answer is too large to be translated")),
                true if !has_room => return Err(Failure::NoRoom),
                _ => {}
            }
        }
        let Whole { bytes: body, room } = held.finish();
        let is_vectors = matches!(self.ask.call.operation, Operation::Embeddings | Operation::BatchEmbeddings);
        let is_slow = body.len() > LARGE && (self.prepared.translated || is_vectors);
        let answer = off_thread(is_slow, self.reading(body.clone())).await;
        record.told(Told::of(&answer));
        let answer = answer.map_err(Failure::Broken)?;
        if self.refusal_fails && answer.finish == Some(Finish::ContentFilter) && !answer.has_content {
            return Err(Failure::Refusal);
        }
        let bytes = answer.body.map_or(body, Bytes::from);
        Ok(Body::Whole(Whole { bytes, room }, answer.finish))
    }

    /// Reads a whole answer, wherever that is done.
    fn reading(&self, body: Bytes) -> impl FnOnce() -> Result<relay::Answer, UpstreamError> + Send + use<> {
        let (call, client, names) = (self.ask.call.clone(), self.ask.client.clone(), self.prepared.names.clone());
        let (dialect, base64, target) = (self.prepared.way.dialect, self.ask.scan.base64, self.target.clone());
        move || {
            let reader = call::Reader { client: &client, names: &names, base64, model: &target.model };
            call.answer(dialect, &reader, &body)
        }
    }

    /// A stream, read up to its first content.
    async fn stream(&self, incoming: Incoming, record: &Rc<Record>) -> Result<Body, Failure> {
        let upstream = self.prepared.way.dialect;
        let relay = self.relay(upstream).priced(self.priced(record));
        let stream = Stream::open(
            incoming,
            Reader::new(Framing::of(upstream), relay),
            (self.ask.client.dialect, Frame::new(self.ask.call.form())),
            self.patience(),
            self.refusal_fails,
            record,
        )
        .await?;
        Ok(Body::Stream(Box::new(stream)))
    }

    fn relay(&self, upstream: Dialect) -> Relay {
        let (facts, names) = (self.target.facts, self.prepared.names.clone());
        match (self.resume, self.ask.forward.on_stream_break) {
            (Some(resume), _) => resume.relay(upstream, facts, names),
            (None, OnStreamBreak::Error) => Relay::new(upstream, &self.ask.client, names),
            (None, OnStreamBreak::Continue) => Relay::remembering(upstream, &self.ask.client, names, facts),
        }
    }

    /// By what the client is told the cost of a stream, beside the usage that it asks for.
    fn priced(&self, record: &Record) -> Option<Priced> {
        let price = self.target.price.clone().filter(|_| self.ask.client.include_usage)?;
        Some(Priced { price, before: record.cost_before()? })
    }

    fn patience(&self) -> Patience {
        Patience { idle: self.target.timeouts.idle, deadline: self.ask.deadline, pace: self.ask.pace }
    }
}

impl Answered {
    /// Keeps the right to ask until the answer is over, and what another target needs to finish it.
    pub(super) fn hold(&mut self, permit: Permit, go_on: Option<GoOn>) {
        (self.permit, self.go_on) = (Some(permit), go_on);
    }

    /// The stream that goes on with another.
    pub(super) fn rest(self) -> Option<Box<Stream>> {
        let Body::Stream(mut stream) = self.body else { return None };
        stream.hold(self.permit, self.go_on);
        Some(stream)
    }

    /// The rest of a stream whose head its client has already.
    pub(super) async fn stream(self, record: &Record, outlet: Outlet) -> Result<(), Cut> {
        match self.body {
            Body::Stream(mut stream) => {
                stream.hold(self.permit, self.go_on);
                record.committed(self.status.as_u16());
                stream.run(outlet).await
            }
            Body::Whole(..) | Body::Passing(..) => Err(Cut),
        }
    }

    /// The client's response. Nothing is tried elsewhere after this.
    pub(super) fn into_response(mut self, record: &Rc<Record>) -> Response<Answer> {
        let status = self.status.as_u16();
        let body = match self.body {
            Body::Whole(body, _) => {
                headers::say_cost(&mut self.head, record.answered(status));
                Answer::Whole(body)
            }
            Body::Passing(held, incoming, patience) => {
                record.large_answer();
                record.committed(status);
                let record = record.clone();
                let permit = self.permit;
                Answer::Flow(Flow::new(|outlet| {
                    stream::pass(held.finish(), incoming, patience, outlet, record, permit)
                }))
            }
            Body::Stream(mut stream) => {
                stream.hold(self.permit, self.go_on);
                record.committed(status);
                Answer::Flow(Flow::new(|outlet| stream.run(outlet)))
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.head;
        response
    }
}

/// The bytes of an answer so far. What comes in one piece is not copied.
#[derive(Default)]
struct Held {
    first: Bytes,
    rest: BytesMut,
    room: Option<Share>,
}

impl Held {
    /// True if there is room for it among what is held; it is kept anyhow.
    fn push(&mut self, chunk: Bytes, length: Option<usize>, held: &Share) -> bool {
        if self.len() == 0 {
            self.first = chunk;
            return true;
        }
        let has_room = self.room.get_or_insert_with(|| held.another()).grow(chunk.len()).is_ok();
        if self.rest.is_empty() {
            self.rest.reserve(length.unwrap_or_default().min(HELD).max(self.first.len() + chunk.len()));
            self.rest.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.rest.extend_from_slice(&chunk);
        has_room
    }

    fn len(&self) -> usize {
        self.first.len() + self.rest.len()
    }

    fn finish(self) -> Whole {
        let bytes = if self.rest.is_empty() { self.first } else { self.rest.freeze() };
        Whole { bytes, room: self.room }
    }
}

/// As much of an error's body as is read.
async fn beginning(mut incoming: Incoming) -> BytesMut {
    let mut body = BytesMut::new();
    let read = async {
        while let Some(Ok(chunk)) = incoming.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > ERROR_BYTES {
                break;
            }
        }
    };
    let _ = timeout(ERROR_TIME, read).await;
    body
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn broken(what: impl Into<String>) -> Failure {
    Failure::Broken(UpstreamError::broken_answer(what))
}
