//! The request in a target's words: spliced where the dialect is the same, translated where it is not.

use std::{borrow::Borrow, sync::Arc};

use bytes::Bytes;
use http::HeaderValue;
use penstock_crds::OnUnsupported;
use penstock_llm::{
    Dialect, Error,
    call::Operation,
    facts::Sampling,
    resume::{Manner, Resume},
    scan::Key,
    splice,
    translate::{self, Names},
};

use super::{ask::Ask, plan::Failure};
use crate::live::route::{Target, Way};

/// Larger bodies are translated on a thread of their own, so that no stream waits for them.
const LARGE: usize = 256 << 10;

/// What a target is sent, and what the reader of its answer must know.
pub(super) struct Prepared {
    /// How the provider is spoken to.
    pub(super) way: Way,
    pub(super) body: Vec<Bytes>,
    pub(super) names: Names,
    pub(super) translated: bool,
    /// `stream_options` are in it that the client did not write.
    pub(super) asks_for_usage: bool,
    /// The hints that were left out, for the client to see.
    pub(super) dropped: Option<HeaderValue>,
}

/// `ask_for_usage`: a stream is asked for its usage where the client did not.
pub(super) async fn prepare(ask: &Ask, target: &Arc<Target>, ask_for_usage: bool) -> Result<Prepared, Failure> {
    let unknown = ask.forward.on_unsupported;
    let way = target.way(&ask.call, ask.scan.stream).map_err(Failure::Meaning)?;
    if ask.scan.choices > 1 && target.provider.manners.refuses.contains(&Key::N) {
        let (field, reason) = ("n".into(), "the target gives one answer".into());
        return Err(Failure::Meaning(Error::Unsupported { field, reason }));
    }
    if way.dialect == ask.client.dialect {
        return spliced(ask, target, way, unknown, ask_for_usage);
    }
    let asks = ask.scan.stream && ask_for_usage && way.dialect == Dialect::OpenAI;
    let dialect = way.dialect;
    let (call, body, to) = (ask.call.clone(), ask.body.clone(), target.clone());
    let emitted = off_thread(body.len() > LARGE, move || {
        let target = translate::Target { dialect, model: &to.model, facts: to.facts, ask_for_usage: asks };
        call.request(&body, &target)
    });
    let emitted = emitted.await.map_err(Failure::Meaning)?;
    Ok(Prepared {
        way,
        dropped: may_drop(&emitted.dropped, unknown)?,
        body: vec![emitted.body.into()],
        names: emitted.names,
        translated: true,
        asks_for_usage: asks,
    })
}

/// What a target is sent that is to go on with what another began.
pub(super) fn rest(
    ask: &Ask,
    target: &Target,
    (resume, manner): (&Resume, Manner),
    ask_for_usage: bool,
) -> Result<Prepared, Failure> {
    let way = target.way(&ask.call, true).map_err(Failure::Meaning)?;
    let asks = ask_for_usage && way.dialect == Dialect::OpenAI;
    let to = translate::Target { dialect: way.dialect, model: &target.model, facts: target.facts, ask_for_usage: asks };
    let emitted = resume.request(&ask.call, &ask.body, &to, manner).map_err(Failure::Meaning)?;
    let (body, names) = (vec![emitted.body.into()], emitted.names);
    Ok(Prepared { way, dropped: None, body, names, translated: true, asks_for_usage: asks })
}

/// What is left out and said like a hint, but is none: it changes what the same answer costs, and no target is worse for it.
const ONLY_CACHES: &str = "cache_control";

/// Hints that the target does not know, as a header for the client, if the route lets them be dropped.
fn may_drop<S: Borrow<str>>(hints: &[S], unknown: OnUnsupported) -> Result<Option<HeaderValue>, Failure> {
    if hints.is_empty() {
        return Ok(None);
    }
    let matter: Vec<&str> = hints.iter().map(Borrow::borrow).filter(|hint| *hint != ONLY_CACHES).collect();
    match unknown {
        OnUnsupported::Reject | OnUnsupported::Skip if !matter.is_empty() => {
            Err(Failure::Hints { names: matter.join(", "), reject: unknown == OnUnsupported::Reject })
        }
        OnUnsupported::Drop | OnUnsupported::Reject | OnUnsupported::Skip => {
            Ok(HeaderValue::try_from(hints.join(", ")).ok())
        }
    }
}

fn spliced(
    ask: &Ask,
    target: &Target,
    way: Way,
    unknown: OnUnsupported,
    ask_for_usage: bool,
) -> Result<Prepared, Failure> {
    let scan = &ask.scan;
    if let Some(field) = scan.stored_thoughts.as_ref().filter(|_| !ask.forward.allow_state) {
        return Err(Failure::State(field.clone()));
    }
    let models = scan.set_models(&target.model);
    // The others have no such options, and always say it.
    let asks = scan.stream && ask_for_usage && way.dialect == Dialect::OpenAI;
    let usage = if asks { scan.ask_for_usage() } else { None };
    let asks_for_usage = usage.is_some();
    let is_chat = ask.call.operation == Operation::Chat;
    let bound = match (target.facts.max_completion_tokens, target.provider.manners.max_completion_tokens) {
        _ if !is_chat => None,
        (true, _) => scan.rename_max_tokens(Key::MaxCompletionTokens),
        (false, false) => scan.rename_max_tokens(Key::MaxTokens),
        (false, true) => None,
    };
    let fixed = is_chat && target.facts.sampling == Sampling::Fixed;
    let (sampling, mut hints): (Vec<_>, Vec<_>) =
        if fixed { scan.fix_sampling(&ask.body).into_iter().unzip() } else { Default::default() };
    let (fitted, cut) = fit(ask, target, &way);
    hints.extend(cut);
    let edits = models.into_iter().chain(usage).chain(bound).chain(sampling).chain(fitted).chain(scan.own_signatures());
    Ok(Prepared {
        way,
        dropped: may_drop(&hints, unknown)?,
        asks_for_usage,
        body: splice::apply(&ask.body, edits.collect()),
        names: Names::default(),
        translated: false,
    })
}

/// What a server that is not quite OpenAI's refuses in chat, taken out, and the hints among it.
fn fit(ask: &Ask, target: &Target, way: &Way) -> (Vec<splice::Edit>, Vec<&'static str>) {
    match (way.dialect, ask.call.operation) {
        (Dialect::OpenAI, Operation::Chat) => {}
        (Dialect::Responses, Operation::Chat) => return (ask.scan.without_sealed(&ask.body), Vec::new()),
        _ => return Default::default(),
    }
    let (mut edits, mut hints) = ask.scan.fit(&ask.body, &target.provider.manners);
    if !target.facts.json_schema
        && let Some(told) = ask.scan.tell_schema(&ask.body)
    {
        edits.extend(told);
        hints.push(Key::ResponseFormat.name());
    }
    (edits, hints)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_for_the_cache_is_said_when_it_is_dropped_and_rejects_nothing() {
        let said = |hints: &[&str], unknown| may_drop(hints, unknown).ok().flatten();
        for unknown in [OnUnsupported::Drop, OnUnsupported::Reject, OnUnsupported::Skip] {
            assert_eq!(said(&[ONLY_CACHES], unknown), Some(HeaderValue::from_static("cache_control")));
        }
        let refused = may_drop(&["seed", ONLY_CACHES, "top_k"], OnUnsupported::Reject);
        assert!(matches!(refused, Err(Failure::Hints { names, reject: true }) if names == "seed, top_k"));
    }
}
