//! From a request to the exact writes of its answer: pure, so that what a fake sends can be tested without a socket.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::refusal::About;
use super::reply::{Finish, Reply};
use super::script::{Action, Answer, At, Break, How, Refuse};
use super::{Dialect, Refusal, anthropic, openai, question::Question};

/// What identifies an answer.
pub(crate) struct Stamp {
    pub(crate) number: u64,
    /// Unix seconds.
    pub(crate) created: u64,
}

impl Stamp {
    /// The provider's own id for the request.
    pub(crate) fn request_id(&self) -> String {
        format!("req_{:012}", self.number)
    }
}

/// One event of a stream, as bytes on the wire.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) bytes: Bytes,
    /// Whether a reader would see something of the answer in it.
    pub(crate) content: bool,
}

impl Event {
    /// `data: ...`
    pub(crate) fn data(value: &Value) -> Self {
        Self { bytes: format!("data: {value}\n\n").into(), content: false }
    }

    /// `event: TYPE` and `data: ...`, the type taken from the value.
    pub(crate) fn named(value: &Value) -> Self {
        let name = value.get("type").and_then(Value::as_str).unwrap_or_default();
        Self { bytes: format!("event: {name}\ndata: {value}\n\n").into(), content: false }
    }

    fn raw(text: &'static str) -> Self {
        Self { bytes: text.into(), content: false }
    }

    pub(crate) fn content(self) -> Self {
        Self { content: true, ..self }
    }
}

/// What to do with a connection.
pub(crate) enum Plan {
    Reset,
    Close,
    Hang,
    Respond(Response),
}

/// A response: a head, then pieces.
pub(crate) struct Response {
    pub(crate) delay: Duration,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// Bytes of the whole body when it isn't a stream.
    pub(crate) length: Option<usize>,
    pub(crate) pieces: Vec<Piece>,
}

/// One step of sending a body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// One write; `events` end in it.
    Bytes {
        bytes: Bytes,
        events: u32,
    },
    Pause(Duration),
    /// Until the gate is open.
    Gate,
    Stall,
    /// The connection goes away, with a reset or a FIN.
    Cut {
        reset: bool,
    },
}

impl Response {
    /// A body that is known whole.
    pub(crate) fn whole(status: u16, mut headers: Vec<(String, String)>, kind: &str, body: impl Into<Bytes>) -> Self {
        let bytes = body.into();
        headers.push(("content-type".to_owned(), kind.to_owned()));
        let length = Some(bytes.len());
        Self { delay: Duration::ZERO, status, headers, length, pieces: vec![Piece::Bytes { bytes, events: 0 }] }
    }
}

/// Everything that an answer depends on.
pub(crate) struct Asking<'a> {
    pub(crate) provider: &'a str,
    pub(crate) dialect: Dialect,
    pub(crate) stamp: Stamp,
    pub(crate) path: &'a str,
    pub(crate) credential: &'a str,
    pub(crate) model: &'a str,
}

impl Asking<'_> {
    fn headers(&self) -> Vec<(String, String)> {
        let id = self.stamp.request_id();
        match self.dialect {
            Dialect::OpenAI => openai::headers(&id),
            Dialect::Anthropic => anthropic::headers(&id),
        }
    }

    /// A 200 with this JSON.
    pub(crate) fn json(&self, value: &Value) -> Response {
        Response::whole(200, self.headers(), "application/json", value.to_string())
    }

    fn error(&self, refusal: &Refusal) -> Value {
        let request_id = self.stamp.request_id();
        let about = About { model: self.model, credential: self.credential, path: self.path, request_id: &request_id };
        refusal.body(self.dialect, &about)
    }

    /// The provider's error.
    pub(crate) fn refuse(&self, refusal: &Refusal) -> Response {
        let status = refusal.status(self.dialect);
        Response::whole(status, self.headers(), "application/json", self.error(refusal).to_string())
    }

    /// What a script orders, when it needs no question; otherwise the changes to the answer.
    pub(crate) fn ordered(&self, action: Option<Action>) -> Result<Answer, Plan> {
        match action {
            None => Ok(Answer::default()),
            Some(Action::Answer(answer)) => Ok(*answer),
            Some(Action::Reset) => Err(Plan::Reset),
            Some(Action::Close) => Err(Plan::Close),
            Some(Action::Hang) => Err(Plan::Hang),
            Some(Action::Respond(respond)) => {
                let body = Bytes::from(respond.body);
                Err(Plan::Respond(Response {
                    delay: Duration::ZERO,
                    status: respond.status,
                    headers: respond.headers.into_iter().collect(),
                    length: Some(body.len()),
                    pieces: vec![Piece::Bytes { bytes: body, events: 0 }],
                }))
            }
            Some(Action::Refuse(Refuse { error, retry_after, headers, after_ms })) => {
                let mut response = self.refuse(&error);
                response.headers.extend(retry_after.map(|seconds| ("retry-after".to_owned(), seconds)));
                response.headers.extend(headers);
                response.delay = Duration::from_millis(after_ms);
                Err(Plan::Respond(response))
            }
        }
    }

    /// The answer to a question, changed as `answer` says.
    pub(crate) fn answer(&self, question: &Question, answer: &Answer) -> Response {
        let mut reply = Reply::to(question, self.provider);
        if let Some(text) = &answer.text {
            reply.text.clone_from(text);
            reply.calls.clear();
            reply.finish = Finish::Stop;
        }
        if let Some(finish) = &answer.finish {
            reply.finish = Finish::Verbatim(finish.clone());
        }
        let mut response =
            if question.stream { self.stream(question, &reply, answer) } else { self.unary(question, &reply, answer) };
        response.delay = Duration::from_millis(answer.head_after_ms);
        for (name, value) in &answer.headers {
            response.headers.retain(|(n, _)| n != name);
            response.headers.push((name.clone(), value.clone()));
        }
        if let Some(size) = answer.split_bytes {
            response.pieces = split(response.pieces, size.max(1));
        }
        response
    }

    fn unary(&self, question: &Question, reply: &Reply, answer: &Answer) -> Response {
        let usage = !answer.without_usage;
        let whole = match self.dialect {
            Dialect::OpenAI => openai::unary(&self.stamp, question, reply, usage),
            Dialect::Anthropic => anthropic::unary(&self.stamp, question, reply, usage),
        };
        let mut response = self.json(&whole);
        if let Some(Break { how, .. }) = &answer.broken {
            let text = Bytes::from(whole.to_string());
            let half = text.slice(..text.len() / 2);
            let start = Piece::Bytes { bytes: half.clone(), events: 0 };
            match how {
                How::End | How::Malformed => response = Response::whole(200, self.headers(), "application/json", half),
                How::Error(refusal) => response = self.json(&self.error(refusal)),
                How::Close => response.pieces = vec![start, Piece::Cut { reset: false }],
                How::Reset => response.pieces = vec![start, Piece::Cut { reset: true }],
                How::Stall => response.pieces = vec![start, Piece::Stall],
                How::Gate => response.pieces.insert(0, Piece::Gate),
            }
        }
        if answer.first_token_after_ms > 0 {
            response.pieces.insert(0, Piece::Pause(Duration::from_millis(answer.first_token_after_ms)));
        }
        response
    }

    fn stream(&self, question: &Question, reply: &Reply, answer: &Answer) -> Response {
        let usage = !answer.without_usage;
        let mut events = match self.dialect {
            Dialect::OpenAI => openai::events(&self.stamp, question, reply, usage),
            Dialect::Anthropic => anthropic::events(&self.stamp, question, reply, usage),
        };
        if !answer.without_end_marker {
            events.push(match self.dialect {
                Dialect::OpenAI => Event::raw("data: [DONE]\n\n"),
                Dialect::Anthropic => Event::raw("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
            });
        }
        let mut headers = self.headers();
        headers.push(("content-type".to_owned(), "text/event-stream; charset=utf-8".to_owned()));
        headers.push(("cache-control".to_owned(), "no-cache".to_owned()));
        let pieces = self.pieces(events, answer);
        Response { delay: Duration::ZERO, status: 200, headers, length: None, pieces }
    }

    fn pieces(&self, events: Vec<Event>, answer: &Answer) -> Vec<Piece> {
        let first_content = events.iter().position(|event| event.content);
        let break_at = answer.broken.as_ref().map(|broken| place(&events, broken.at));
        let pause = |ms: u64| (ms > 0).then(|| Piece::Pause(Duration::from_millis(ms)));
        let mut pieces = Vec::new();
        let total = events.len();
        for (index, event) in events.into_iter().enumerate() {
            if Some(index) == break_at && self.cut(answer, &mut pieces) {
                return pieces;
            }
            if Some(index) == first_content {
                pieces.extend(pause(answer.first_token_after_ms));
            }
            pieces.push(Piece::Bytes { bytes: event.bytes, events: 1 });
            pieces.extend(pause(answer.pause_ms));
        }
        if break_at == Some(total) {
            self.cut(answer, &mut pieces);
        }
        pieces
    }

    /// Adds what happens at the break; true when nothing follows it.
    fn cut(&self, answer: &Answer, pieces: &mut Vec<Piece>) -> bool {
        let Some(Break { how, .. }) = &answer.broken else {
            return false;
        };
        let event = |event: Event| Piece::Bytes { bytes: event.bytes, events: 1 };
        match how {
            How::End => {}
            How::Close => pieces.push(Piece::Cut { reset: false }),
            How::Reset => pieces.push(Piece::Cut { reset: true }),
            How::Stall => pieces.push(Piece::Stall),
            How::Gate => {
                pieces.push(Piece::Gate);
                return false;
            }
            How::Malformed => {
                pieces.push(event(Event::raw("data: {\"id\":\"broken\",\"choices\":[{\"index\":0,\"del\n\n")));
                return false;
            }
            How::Error(refusal) => {
                let error = self.error(refusal);
                pieces.push(event(match self.dialect {
                    Dialect::OpenAI => Event::data(&error),
                    Dialect::Anthropic => {
                        let mut error = error;
                        // Only whole responses name the request in their body.
                        if let Some(fields) = error.as_object_mut() {
                            fields.remove("request_id");
                        }
                        Event::named(&error)
                    }
                }));
            }
        }
        true
    }
}

/// The index of the event before which the stream breaks.
fn place(events: &[Event], at: At) -> usize {
    let contents = || events.iter().enumerate().filter(|(_, event)| event.content).map(|(index, _)| index);
    match at {
        At::Events(count) => count.min(events.len()),
        At::Content(0) => contents().next().unwrap_or(events.len()),
        At::Content(count) => contents().nth(count - 1).map_or(events.len(), |index| index + 1),
    }
}

/// The same bytes in writes of `size`; an event counts with the write that ends it.
fn split(pieces: Vec<Piece>, size: usize) -> Vec<Piece> {
    let mut out = Vec::new();
    for piece in pieces {
        let Piece::Bytes { mut bytes, events } = piece else {
            out.push(piece);
            continue;
        };
        while bytes.len() > size {
            out.push(Piece::Bytes { bytes: bytes.split_to(size), events: 0 });
        }
        out.push(Piece::Bytes { bytes, events });
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asking(dialect: Dialect) -> Asking<'static> {
        let stamp = Stamp { number: 1, created: 2 };
        Asking { provider: "p", dialect, stamp, path: "/", credential: "k", model: "m" }
    }

    fn openai_stream(answer: &Answer) -> Vec<Piece> {
        let body = json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
        let question = openai::read(&body).expect("must be a good request");
        asking(Dialect::OpenAI).answer(&question, answer).pieces
    }

    fn text(pieces: &[Piece]) -> String {
        let bytes = pieces.iter().filter_map(|piece| match piece {
            Piece::Bytes { bytes, .. } => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        });
        bytes.collect()
    }

    #[test]
    fn a_stream_that_breaks_before_content_has_sent_its_role_only() {
        let pieces = openai_stream(&Answer::broken(At::Content(0), How::Close));
        assert_eq!(pieces.len(), 2);
        assert!(text(&pieces).contains("\"role\":\"assistant\""));
        assert_eq!(pieces[1], Piece::Cut { reset: false });
    }

    #[test]
    fn usage_comes_only_when_asked_for_and_then_before_the_end_marker() {
        assert!(!text(&openai_stream(&Answer::default())).contains("usage"));
        let body = json!({"model": "m", "stream": true, "stream_options": {"include_usage": true},
            "messages": [{"role": "user", "content": "hi"}]});
        let question = openai::read(&body).expect("must be a good request");
        let all = text(&asking(Dialect::OpenAI).answer(&question, &Answer::default()).pieces);
        let events: Vec<&str> = all.split_terminator("\n\n").collect();
        assert_eq!(events.last(), Some(&"data: [DONE]"));
        assert!(events[events.len() - 2].contains("\"choices\":[]"));
    }

    #[test]
    fn bytes_split_anywhere_are_the_same_bytes() {
        let whole = openai_stream(&Answer::default());
        let split = openai_stream(&Answer { split_bytes: Some(3), ..Answer::default() });
        assert_eq!(text(&whole), text(&split));
        assert!(split.len() > whole.len() * 10);
    }

    #[test]
    fn anthropic_events_come_in_the_documented_order() {
        let body = json!({"model": "claude-sonnet-4-5", "max_tokens": 9, "stream": true,
            "messages": [{"role": "user", "content": "hi"}]});
        let question = anthropic::read(&body, false).expect("must be a good request");
        let all = text(&asking(Dialect::Anthropic).answer(&question, &Answer::default()).pieces);
        let mut names: Vec<&str> = all.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
        names.dedup();
        let order = [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ];
        assert_eq!(names, order);
    }
}
