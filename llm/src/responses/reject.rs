use std::convert::Infallible;

use crate::json::Writer;
use crate::reject::Rejection;

/// The event that ends a stream which has begun: flat, and numbered like all others.
pub(crate) fn error_event(rejection: &Rejection<'_>, sequence: u64) -> Vec<u8> {
    let mut out = b"event: error\ndata: ".to_vec();
    let nullable = |w: &mut Writer<'_>, key: &'static str, value: Option<&str>| match value {
        Some(value) => w.key(key).string(value),
        None => w.key(key).raw("null"),
    };
    let Ok(()) = Writer::new(&mut out).object(|w| {
        w.key("type").string("error");
        w.key("sequence_number").unsigned(sequence);
        nullable(w, "code", rejection.code);
        w.key("message").string(rejection.message);
        nullable(w, "param", rejection.param);
        Ok::<(), Infallible>(())
    });
    out.extend_from_slice(b"\n\n");
    out
}
