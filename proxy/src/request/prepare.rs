//! The request in a target's words: spliced where the dialect is the same, translated where it is not.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use penstock_crds::OnUnsupported;
use penstock_llm::{
    scan::Key,
    splice,
    translate::{self, Names},
};

use super::{CLIENT, ask::Ask, plan::Failure};
use crate::live::route::Target;

/// Larger bodies are translated on a thread of their own, so that no stream waits for them.
const LARGE: usize = 256 << 10;

/// What a target is sent, and what the reader of its answer must know.
pub(super) struct Prepared {
    pub(super) body: Vec<Bytes>,
    pub(super) names: Names,
    pub(super) translated: bool,
    /// `stream_options` are in it that the client did not write.
    pub(super) asks_for_usage: bool,
    /// The hints that were left out, for the client to see.
    pub(super) dropped: Option<HeaderValue>,
}

/// `ask_for_usage`: a stream is asked for its usage where the client did not.
pub(super) async fn prepare(
    ask: &Ask<'_>,
    target: &Arc<Target>,
    unknown: OnUnsupported,
    ask_for_usage: bool,
) -> Result<Prepared, Failure> {
    if target.provider.dialect == CLIENT {
        return Ok(spliced(ask, target, ask_for_usage));
    }
    let (body, to) = (ask.body.clone(), target.clone());
    let emitted = off_thread(body.len() > LARGE, move || {
        let target = translate::Target { dialect: to.provider.dialect, model: &to.model, facts: to.facts };
        translate::request(CLIENT, &body, &target)
    });
    let emitted = emitted.await.map_err(Failure::Meaning)?;
    let dropped = emitted.dropped.join(", ");
    match unknown {
        OnUnsupported::Reject | OnUnsupported::Skip if !dropped.is_empty() => {
            Err(Failure::Hints { names: dropped, reject: unknown == OnUnsupported::Reject })
        }
        OnUnsupported::Drop | OnUnsupported::Reject | OnUnsupported::Skip => Ok(Prepared {
            body: vec![emitted.body.into()],
            names: emitted.names,
            translated: true,
            asks_for_usage: false,
            dropped: HeaderValue::try_from(dropped).ok().filter(|dropped| !dropped.is_empty()),
        }),
    }
}

fn spliced(ask: &Ask<'_>, target: &Target, ask_for_usage: bool) -> Prepared {
    let scan = &ask.scan;
    let model = if target.model == scan.model { None } else { scan.set_model(&target.model) };
    let usage = if scan.stream && ask_for_usage { scan.ask_for_usage() } else { None };
    let bound =
        if target.facts.max_completion_tokens { scan.rename_max_tokens(Key::MaxCompletionTokens) } else { None };
    let asks_for_usage = usage.is_some();
    let edits = [model, usage, bound].into_iter().flatten().collect();
    let body = splice::apply(&ask.body, edits);
    Prepared { body, names: Names::default(), translated: false, asks_for_usage, dropped: None }
}

/// Runs what may take long where it holds nobody up.
pub(super) async fn off_thread<T: Send + 'static>(large: bool, work: impl FnOnce() -> T + Send + 'static) -> T {
    if !large {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}
