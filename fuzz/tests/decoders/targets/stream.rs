use bytes::Bytes;
use penstock_llm::Dialect;
use penstock_llm::neutral::{Finish, Usage};
use penstock_llm::relay::{Client, End, Forward, Relay};
use penstock_llm::seen::Seen;
use penstock_llm::sse::{Event, Framing, Splitter};
use penstock_llm::translate::Names;

use crate::case::Case;
use crate::dialects::dialects;
use crate::memory::bounded;

/// All that comes of a stream.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    written: Vec<u8>,
    commits: bool,
    finish: Option<Finish>,
    withheld: u32,
    error: Option<String>,
    end: Option<End>,
    usage: Usage,
    seen: Seen,
}

pub(crate) fn split(case: &Case) {
    let len = case.bytes.len();
    let framing = Framing::of(case.pick(0, dialects()));
    let whole = bounded(len, || events(framing, &case.bytes, &[]));
    let pieces = bounded(len, || events(framing, &case.bytes, &case.cuts));
    assert_eq!(whole, pieces);
    let forwarded: Vec<u8> = whole.iter().flat_map(|event| event.raw.iter().copied()).collect();
    let sent = case.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&case.bytes);
    // What is left at the end is an event only if a line of it is not blank, and gets a blank line. A line of NDJSON is
    // blank if it is white space.
    let common = sent.iter().zip(&forwarded).take_while(|(sent, forwarded)| sent == forwarded).count();
    assert!(forwarded[common..].iter().chain(&sent[common..]).all(u8::is_ascii_whitespace), "bytes were lost");
}

pub(crate) fn relay(case: &Case) {
    let (upstream, client) = (case.pick(0, dialects()), case.pick(1, dialects()));
    let run = |cuts: &[usize]| bounded(case.bytes.len(), || relayed(upstream, client, &case.bytes, cuts));
    assert_eq!(run(&[]), run(&case.cuts), "{upstream:?} to {client:?}");
}

fn chunks<'c>(bytes: &'c [u8], cuts: &'c [usize]) -> impl Iterator<Item = Bytes> + 'c {
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([bytes.len()]);
    starts.zip(ends).map(|(start, end)| Bytes::copy_from_slice(&bytes[start..end]))
}

fn events(framing: Framing, bytes: &[u8], cuts: &[usize]) -> Vec<Event> {
    let mut splitter = Splitter::new(framing);
    let mut events = Vec::new();
    for chunk in chunks(bytes, cuts) {
        splitter.push(chunk);
        while let Some(event) = splitter.next_event().expect("must be small") {
            events.push(event);
        }
    }
    events.extend(splitter.finish());
    events
}

fn relayed(upstream: Dialect, dialect: Dialect, bytes: &[u8], cuts: &[usize]) -> Outcome {
    let client = Client { dialect, include_usage: false, choices: 1, now: 1 };
    let mut relay = Relay::new(upstream, &client, Names::default());
    let mut seen = Outcome::default();
    for event in events(Framing::of(upstream), bytes, cuts) {
        let step = relay.push(&event, &mut seen.written);
        if step.forward == Forward::AsItCame {
            seen.written.extend_from_slice(&event.raw);
        }
        seen.commits |= step.commits;
        seen.finish = step.finish.or(seen.finish);
        seen.withheld += u32::from(step.malformed);
        seen.error = step.error.map(|error| error.message).or(seen.error.take());
        seen.end = step.end.or(seen.end);
    }
    seen.end = seen.end.or_else(|| Some(relay.finish(&mut seen.written)));
    (seen.usage, seen.seen) = (*relay.usage(), relay.seen());
    seen
}
