//! Silence is not left silent: a stream whose content is long in coming gets its head, and signs of life.

use std::{pin::Pin, rc::Rc, time::Duration};

use bytes::Bytes;
use http::Response;
use penstock_llm::Dialect;
use tokio::time::timeout;

use super::{ask::Ask, attempt::Answered, headers, record::Record, stream::Frame, targets};
use crate::{
    error::Error,
    serve::body::{Answer, Cut, Flow, Outlet},
    upstream::Upstream,
};

type Walk = Pin<Box<dyn Future<Output = Result<Answered, Error>>>>;

/// What a client that is still without content is sent, and how.
struct Held {
    walk: Walk,
    client: Dialect,
    frame: Frame,
    every: Duration,
    record: Rc<Record>,
}

/// Answers a streaming request: once its content has begun, or after `patience` with a head alone. Targets are tried on
/// behind that head; if none answers, the client is told in band.
pub(super) async fn answer(
    ask: Rc<Ask>,
    upstream: &Rc<Upstream>,
    record: &Rc<Record>,
    patience: Duration,
) -> Result<Response<Answer>, Error> {
    let patience = ask.pace.of(patience);
    let (client, form) = (ask.call.dialect, ask.call.form());
    let (upstream, owned) = (upstream.clone(), record.clone());
    let mut walk: Walk = Box::pin(async move { targets::answer(&ask, &upstream, &owned).await });
    match timeout(patience, &mut walk).await {
        Ok(answered) => Ok(answered?.into_response(record)),
        Err(_) => {
            let held = Held { walk, client, frame: Frame::new(form), every: patience, record: record.clone() };
            record.head_sent();
            let mut response = Response::new(Answer::Flow(Flow::new(|outlet| held.run(outlet))));
            headers::stream(response.headers_mut(), form);
            Ok(response)
        }
    }
}

impl Held {
    async fn run(mut self, outlet: Outlet) -> Result<(), Cut> {
        loop {
            outlet.send(sign_of_life(self.client, &self.frame)).await;
            let Ok(answered) = timeout(self.every, &mut self.walk).await else { continue };
            return match answered {
                Ok(answered) => answered.stream(&self.record, outlet).await,
                Err(error) => self.fail(&error, &outlet).await,
            };
        }
    }

    async fn fail(mut self, error: &Error, outlet: &Outlet) -> Result<(), Cut> {
        self.record.failed(error);
        let event = error.event(self.client, 0);
        outlet.send(self.frame.piece(event.into())?).await;
        outlet.send(self.frame.end()).await;
        Ok(())
    }
}

/// A comment, which clients skip. Gemini's take a line for JSON unless it begins with `data:` or is empty, so theirs is empty; in
/// an array it is white space.
///
/// Source: `_iter_response_stream` of google-genai 3.6.1.
fn sign_of_life(client: Dialect, frame: &Frame) -> Bytes {
    Bytes::from_static(match (frame, client) {
        (Frame::Array(_), _) | (Frame::Events, Dialect::Gemini) => b"\n",
        (
            Frame::Events,
            Dialect::OpenAI | Dialect::Responses | Dialect::Anthropic | Dialect::Mistral | Dialect::Ollama,
        ) => b": waiting\n\n",
    })
}
