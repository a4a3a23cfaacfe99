//! The request's body, read whole under a bound.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use tokio::time::{Instant, timeout, timeout_at};

use crate::{bounds::Share, error::Error, pace::Pace};

/// A client that sends nothing for so long has lost its turn.
const PAUSE: Duration = Duration::from_secs(30);
/// And however steadily it drips, it holds memory for no longer than this.
const WHOLE: Duration = Duration::from_secs(300);
/// So long an unread body is taken in after its request has failed.
const REST: Duration = Duration::from_secs(1);
/// What is set aside for a body on its client's word.
const TRUSTED: usize = 1 << 20;

/// Takes in what a client still sends after its request has failed, so that it gets to read why: bytes that nobody read
/// make the kernel reset the connection, and the answer is lost. Bounded in time and bytes; a client that `waits` for
/// `100 Continue` sends nothing.
pub(crate) async fn drain(waits: bool, body: &mut Incoming, limit: usize) {
    if waits {
        return;
    }
    let mut left = limit.saturating_mul(2);
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return };
            left = rest;
        }
    };
    let _ = timeout(REST, read).await;
}

/// The whole body, for which there is room: `held` grows with it.
pub(super) async fn read(
    headers: &HeaderMap,
    body: &mut Incoming,
    limit: usize,
    held: &mut Share,
    pace: Pace,
) -> Result<Bytes, Error> {
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Error::Encoded);
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > limit) {
        return Err(Error::BodyTooLarge { limit });
    }
    let end = Instant::now() + pace.of(WHOLE);
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = next(body, end, pace).await? {
        let Ok(data) = frame.map_err(|_| Error::BodyCut)?.into_data() else { continue };
        if first.len() + rest.len() + data.len() > limit {
            return Err(Error::BodyTooLarge { limit });
        }
        held.grow(data.len()).map_err(Error::Overloaded)?;
        // The usual body comes in one piece, and is not copied.
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            rest.reserve(length.unwrap_or_default().min(TRUSTED).max(first.len() + data.len()));
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// The next piece, if it comes before its client has lost its turn, or the time for all of it is over.
async fn next(body: &mut Incoming, end: Instant, pace: Pace) -> Result<Option<hyper::Result<Frame<Bytes>>>, Error> {
    timeout_at(end.min(Instant::now() + pace.of(PAUSE)), body.frame()).await.map_err(|_| Error::BodySlow)
}
