use std::time::SystemTime;

use penstock_llm::call::Reader;
use penstock_llm::classify;
use penstock_llm::relay::Client;
use penstock_llm::translate::Names;

use super::is_json;
use crate::case::Case;
use crate::dialects::{call, dialects, operations};
use crate::memory::bounded;

/// More of what a provider says is not kept.
const MAX_MESSAGE: usize = 2048;

pub(crate) fn whole(case: &Case) {
    let (upstream, dialect) = (case.pick(0, dialects()), case.pick(1, dialects()));
    let client = Client { dialect, include_usage: false, choices: 1, now: 1 };
    let call = call(dialect, case.pick(2, operations()));
    let reader = Reader { client: &client, names: &Names::default(), base64: true, model: "m" };
    let read = bounded(case.bytes.len(), || call.answer(upstream, &reader, &case.bytes));
    if let Ok(answer) = read {
        let body = answer.body.as_deref().unwrap_or(&case.bytes);
        assert!(is_json(body), "{upstream:?} to {call:?}: {}", body.escape_ascii());
    }
}

pub(crate) fn error(case: &Case) {
    let text = String::from_utf8_lossy(&case.bytes);
    let wait = classify::wait(Some(&text), Some(&text), SystemTime::UNIX_EPOCH);
    let statuses = [302, 400, 401, 403, 404, 408, 413, 429, 500, 529, 799];
    let (dialect, status) = (case.pick(0, dialects()), case.pick(1, statuses.into_iter()));
    let error = bounded(case.bytes.len(), || classify::classify(dialect, status, wait, &case.bytes));
    assert!(error.message.chars().count() <= MAX_MESSAGE, "{error:?}");
}
