//! A request's life, top to bottom.

use std::rc::Rc;

use http::{Request, Response};
use hyper::body::Incoming;

use crate::{
    error::Error,
    serve::{self, Shared, body::Answer},
    upstream::Upstream,
};

/// Answers a chat completion.
pub(crate) async fn chat(shared: &Shared, upstream: &Rc<Upstream>, request: Request<Incoming>) -> Response<Answer> {
    let _ = (shared, upstream, request);
    serve::refuse(&Error::Upstream)
}
