//! Wire formats: the scan of a prompt, a translated request, a stream of 100 events. One thread, no I/O.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use inputs::{CODE, EVENTS, PROSE};
use penstock_llm::call::Call;
use penstock_llm::facts::{Facts, Provider};
use penstock_llm::relay::{Client, Relay};
use penstock_llm::sse::Splitter;
use penstock_llm::translate::{Names, Target};
use penstock_llm::{Dialect, scan, translate};

use crate::report;

mod inputs;
mod readers;

const CALL: Call = Call::chat(Dialect::OpenAI);

pub(crate) fn run() {
    for (name, text) in
        [("prose", PROSE), ("code", CODE), ("escapes only", "\n\"\\"), ("numbered escapes", "\u{1}\u{1f}")]
    {
        for size in [100_000, 10_000_000] {
            let body = inputs::prompt(text, size);
            let took = best(|| drop(black_box(scan::scan(&CALL, black_box(&body)))));
            let rate = body.len() as f64 / took.as_secs_f64() / 1e9;
            report::at_least(&format!("scan {} kB of {name}", size / 1000), rate, "GB/s", 1.0);
        }
    }
    let body = inputs::conversation();
    let target = Target {
        dialect: Dialect::Anthropic,
        model: "claude-opus-4-6",
        facts: Facts::of(Provider::Anthropic, "claude-opus-4-6"),
        ask_for_usage: false,
    };
    let took = best(|| drop(black_box(translate::request(Dialect::OpenAI, black_box(&body), &target))));
    report::line("OpenAI to Anthropic, 20 messages, 5 tools", micros(took), "us", 15.0);
    let passed = stream(Dialect::OpenAI, &inputs::openai_events());
    report::line(&format!("{EVENTS} events passed on, one a chunk"), passed, "us", 60.0);
    let translated = stream(Dialect::Anthropic, &inputs::anthropic_events());
    report::line(&format!("{EVENTS} events from Anthropic to OpenAI"), translated, "us", 60.0);
    readers::run();
}

/// The least time of many runs, which is the one that other programs disturbed least.
fn best(mut run: impl FnMut()) -> Duration {
    let until = Instant::now() + Duration::from_millis(400);
    let mut best = Duration::MAX;
    while Instant::now() < until {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed());
    }
    best
}

fn micros(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6
}

fn stream(upstream: Dialect, events: &[Bytes]) -> f64 {
    let client = Client { dialect: Dialect::OpenAI, include_usage: true, choices: 1, now: 1_700_000_000 };
    let mut out = Vec::with_capacity(1 << 16);
    let took = best(|| {
        let mut relay = Relay::new(upstream, &client, Names::default());
        let mut splitter = Splitter::default();
        for chunk in events {
            splitter.push(chunk.clone());
            while let Some(event) = splitter.next_event().expect("must be small") {
                black_box(relay.push(&event, &mut out));
            }
        }
        black_box(&out);
        out.clear();
    });
    micros(took)
}
