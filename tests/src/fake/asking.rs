//! What one request meets: an order of a script, an error, or an answer, changed as a script says.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::plan::{Event, Frames, Piece, Plan, Response, Stamp, place, split};
use super::question::Question;
use super::refusal::About;
use super::reply::Reply;
use super::script::{Action, Answer, Break, How, Refuse};
use super::{Dialect, Refusal};

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
        self.dialect.headers(&self.stamp.request_id())
    }

    /// A 200 with this JSON.
    pub(crate) fn json(&self, value: &Value) -> Response {
        Response::whole(200, self.headers(), self.dialect.json_type(), value.to_string())
    }

    fn error(&self, refusal: &Refusal) -> Value {
        let request_id = self.stamp.request_id();
        let about = About { model: self.model, credential: self.credential, path: self.path, request_id: &request_id };
        self.dialect.error(refusal, &about)
    }

    /// The provider's error.
    pub(crate) fn refuse(&self, refusal: &Refusal) -> Response {
        let status = self.dialect.status(refusal);
        Response::whole(status, self.headers(), self.dialect.json_type(), self.error(refusal).to_string())
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
        let reply = Reply::to(question, self.provider).changed(answer);
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
        let whole = self.dialect.unary(&self.stamp, question, reply, !answer.without_usage);
        let mut response = self.json(&whole);
        if let Some(Break { how, .. }) = &answer.broken {
            let text = Bytes::from(whole.to_string());
            let half = text.slice(..text.len() / 2);
            let start = Piece::Bytes { bytes: half.clone(), events: 0 };
            match how {
                How::End | How::Malformed => {
                    response = Response::whole(200, self.headers(), self.dialect.json_type(), half);
                }
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
        let mut events = self.dialect.events(&self.stamp, question, reply, !answer.without_usage);
        if !answer.without_end_marker && !question.responds {
            events.extend(self.dialect.end_marker());
        }
        let mut headers = self.headers();
        headers.push(("content-type".to_owned(), question.frames.content_type().to_owned()));
        headers.push(("cache-control".to_owned(), "no-cache".to_owned()));
        let pieces = Stream { asking: self, answer, frames: question.frames, count: 0, pieces: Vec::new() }.of(&events);
        Response { delay: Duration::ZERO, status: 200, headers, length: None, pieces }
    }
}

/// A stream being cut into pieces.
struct Stream<'a> {
    asking: &'a Asking<'a>,
    answer: &'a Answer,
    frames: Frames,
    /// Events so far.
    count: usize,
    pieces: Vec<Piece>,
}

impl Stream<'_> {
    fn of(mut self, events: &[Event]) -> Vec<Piece> {
        let first_content = events.iter().position(|event| event.content);
        let break_at = self.answer.broken.as_ref().map(|broken| place(events, broken.at));
        let mut is_cut = false;
        for (index, event) in events.iter().enumerate() {
            is_cut = Some(index) == break_at && self.cut();
            if is_cut {
                break;
            }
            if Some(index) == first_content {
                self.pause(self.answer.first_token_after_ms);
            }
            self.push(event);
            self.pause(self.answer.pause_ms);
        }
        if break_at == Some(events.len()) {
            is_cut = self.cut();
        }
        let close = self.frames.close().filter(|_| !is_cut && !self.answer.without_end_marker);
        self.pieces.extend(close.map(|text| Piece::Bytes { bytes: Bytes::from(text), events: 0 }));
        self.pieces
    }

    fn push(&mut self, event: &Event) {
        let bytes = self.frames.write(self.count, event);
        self.count += 1;
        self.pieces.push(Piece::Bytes { bytes, events: 1 });
    }

    fn pause(&mut self, ms: u64) {
        self.pieces.extend((ms > 0).then(|| Piece::Pause(Duration::from_millis(ms))));
    }

    /// Adds what happens at the break; true when nothing follows it.
    fn cut(&mut self) -> bool {
        let Some(Break { how, .. }) = &self.answer.broken else {
            return false;
        };
        match how {
            How::End => {}
            How::Close => self.pieces.push(Piece::Cut { reset: false }),
            How::Reset => self.pieces.push(Piece::Cut { reset: true }),
            How::Stall => self.pieces.push(Piece::Stall),
            How::Gate => {
                self.pieces.push(Piece::Gate);
                return false;
            }
            How::Malformed => {
                self.push(&Event::raw("{\"id\":\"broken\",\"choices\":[{\"index\":0,\"del"));
                return false;
            }
            How::Error(refusal) => {
                let error = self.asking.dialect.error_event(self.asking.error(refusal));
                self.push(&error);
                // An error in an array is its last element.
                let close = self.frames.close();
                self.pieces.extend(close.map(|text| Piece::Bytes { bytes: Bytes::from(text), events: 0 }));
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
