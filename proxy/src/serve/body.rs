//! Bodies of answers.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::bounds::Share;

/// What a client is sent.
pub(crate) enum Answer {
    Whole(Whole),
    Flow(Flow),
}

/// A body that is there.
pub(crate) struct Whole {
    pub(crate) bytes: Bytes,
    /// Its room in memory, where it is counted.
    pub(crate) room: Option<Share>,
}

/// A body that an async function writes. The function runs only while the client reads, and is dropped when it leaves.
pub(crate) struct Flow {
    slot: Rc<Cell<Option<Bytes>>>,
    /// None once it has ended.
    work: Option<Work>,
}

type Work = Pin<Box<dyn Future<Output = Result<(), Cut>>>>;

/// Where the function of a [`Flow`] puts what is to be sent.
pub(crate) struct Outlet(Rc<Cell<Option<Bytes>>>);

/// An answer that can't be finished and has no way to say so: the connection is closed under it.
#[derive(Debug, thiserror::Error)]
#[error("the provider's answer was cut")]
pub(crate) struct Cut;

impl Flow {
    pub(crate) fn new<F>(work: impl FnOnce(Outlet) -> F) -> Self
    where
        F: Future<Output = Result<(), Cut>> + 'static,
    {
        let slot = Rc::new(Cell::new(None));
        let work: Work = Box::pin(work(Outlet(slot.clone())));
        Self { slot, work: Some(work) }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        let Some(work) = &mut self.work else { return Poll::Ready(None) };
        let state = work.as_mut().poll(cx);
        if let Poll::Ready(result) = state {
            self.work = None;
            if let Err(cut) = result {
                return Poll::Ready(Some(Err(cut)));
            }
        }
        match self.slot.take() {
            Some(bytes) => Poll::Ready(Some(Ok(bytes))),
            None if self.work.is_none() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl Outlet {
    /// Waits until the connection has taken what was sent before.
    pub(crate) async fn send(&self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        self.0.set(Some(bytes));
        // The body is polled again only when the server wants more.
        std::future::poll_fn(|_| {
            let waiting = self.0.take();
            if waiting.is_none() {
                return Poll::Ready(());
            }
            self.0.set(waiting);
            Poll::Pending
        })
        .await;
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut *self {
            Answer::Whole(whole) if whole.bytes.is_empty() => Poll::Ready(None),
            Answer::Whole(whole) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut whole.bytes))))),
            Answer::Flow(flow) => flow.poll(cx).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Answer::Whole(whole) => whole.bytes.is_empty(),
            Answer::Flow(flow) => flow.work.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Whole(whole) => SizeHint::with_exact(whole.bytes.len() as u64),
            Answer::Flow(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn each_piece_that_a_function_sends_is_one_frame_and_it_runs_no_further_than_is_read() -> anyhow::Result<()> {
        let sent = Rc::new(Cell::new(0));
        let counted = sent.clone();
        let mut body = Answer::Flow(Flow::new(|outlet| async move {
            for piece in ["a", "", "b"] {
                counted.set(counted.get() + 1);
                outlet.send(Bytes::from_static(piece.as_bytes())).await;
            }
            Ok(())
        }));
        let first = body.frame().now_or_never().flatten().expect("must be there")?;
        assert_eq!(first.into_data().ok(), Some(Bytes::from_static(b"a")));
        assert_eq!(sent.get(), 1);
        assert_eq!(body.collect().await?.to_bytes(), "b");
        Ok(())
    }

    #[tokio::test]
    async fn a_cut_is_an_error_and_not_an_end() {
        let body = Answer::Flow(Flow::new(|outlet| async move {
            outlet.send(Bytes::from_static(b"a")).await;
            Err(Cut)
        }));
        assert!(body.collect().await.is_err());
    }
}
