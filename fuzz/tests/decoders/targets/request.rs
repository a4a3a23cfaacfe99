use bytes::Bytes;
use penstock_llm::call::Call;
use penstock_llm::facts::Facts;
use penstock_llm::scan::{Key, Scan};
use penstock_llm::translate::{Emitted, Target};
use penstock_llm::{Dialect, Error, scan, splice};
use serde_json::Value;

use super::is_json;
use crate::case::Case;
use crate::dialects::{call, dialects, models, operations};
use crate::memory::bounded;

/// A path in an error is cut, and so is what is said beside it.
const MAX_MESSAGE: usize = 1024;

pub(crate) fn json(case: &Case) {
    let whole = [br#"{"model":"m","x":"#, &case.bytes[..], b"}"].concat();
    let ours = scan::scan(&Call::chat(Dialect::OpenAI), &whole);
    let theirs = serde_json::from_slice::<Value>(&whole);
    if theirs.is_ok() && serde_json::from_slice::<Value>(&case.bytes).is_ok() {
        assert!(ours.is_ok(), "only we refuse it: {ours:?}");
    }
    if let Err(error) = theirs
        && !error.to_string().starts_with("number out of range")
    {
        assert!(ours.is_err(), "only they refuse it: {error}");
    }
}

pub(crate) fn scan(case: &Case) {
    let body = Bytes::copy_from_slice(&case.bytes);
    let call = call(case.pick(0, dialects()), case.pick(1, operations()));
    match bounded(body.len(), || scan::scan(&call, &body)) {
        Ok(scan) => spliced(&call, &scan, &body),
        Err(error) => refused(&error),
    }
}

const NAME: &str = "new \"name\"";

/// Every change at once: what comes out is a request again that says what was put in.
fn spliced(call: &Call, scan: &Scan, body: &Bytes) {
    let model = scan.set_model(NAME);
    let named = if call.path.is_none() { NAME } else { &scan.model };
    let usage = scan.ask_for_usage();
    let asks = scan.include_usage == Some(true) || usage.is_some();
    let bound = scan.rename_max_tokens(Key::MaxCompletionTokens);
    let sampling = scan.fix_sampling(body).into_iter().map(|(edit, _)| edit);
    let edits = [model, usage, bound].into_iter().flatten().chain(sampling).collect();
    let after = bounded(body.len(), || splice::apply(body, edits)).concat();
    let again = scan::scan(call, &after).expect("must be a request still");
    assert_eq!((again.model.as_str(), again.max_tokens), (named, scan.max_tokens));
    assert_eq!(again.include_usage == Some(true), asks);
}

pub(crate) fn translate(case: &Case) {
    let (from, to) = (case.pick(0, dialects()), case.pick(1, dialects()));
    let (provider, model) = case.pick(2, models(to).iter());
    let target = Target { dialect: to, model, facts: Facts::of(*provider, model), ask_for_usage: true };
    let call = call(from, case.pick(2, operations()));
    match bounded(case.bytes.len(), || call.request(&case.bytes, &target)) {
        Ok(emitted) => translated(&call, &emitted, to, scan::scan(&call, &case.bytes).is_ok()),
        Err(error) => refused(&error),
    }
}

fn translated(asked: &Call, emitted: &Emitted, to: Dialect, was_scanned: bool) {
    assert!(is_json(&emitted.body), "no JSON: {}", emitted.body.escape_ascii());
    if was_scanned {
        let again = scan::scan(&call(to, asked.operation), &emitted.body);
        assert!(again.is_ok(), "{again:?}: {}", emitted.body.escape_ascii());
    }
    let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    assert!(emitted.dropped.iter().all(|name| name.bytes().all(safe)), "{:?}", emitted.dropped);
}

/// A clear 4xx.
fn refused(error: &Error) {
    assert!(matches!(error.status(), 400 | 422), "{error}");
    assert!(error.to_string().len() <= MAX_MESSAGE, "{error}");
}
