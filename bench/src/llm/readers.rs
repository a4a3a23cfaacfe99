//! Readers of JSON on Penstock's own work: what a prompt says on its outermost level, and what a chunk of a stream means.
//!
//! Each is used in its fastest way that still finds all faults. None but Penstock's also refuses keys given twice, counts
//! text apart from base64 and finds references to a provider's state, which for the others would come on top.

use std::borrow::Cow;
use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use penstock_llm::scan;
use serde::Deserialize;
use serde_json::value::RawValue;
use sonic_rs::LazyValue;

use super::inputs::{self, CODE, PROSE};
use super::{CALL, best, micros};

/// A prompt for serde: the governed members by their bytes.
#[derive(Deserialize)]
struct Prompt<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    stream: Option<bool>,
    #[serde(borrow)]
    messages: &'a RawValue,
}

/// The same for sonic-rs.
#[derive(Deserialize)]
struct Lazy<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    stream: Option<bool>,
    #[serde(borrow)]
    messages: LazyValue<'a>,
}

/// A chunk, for all of them: what the commit point and accounting need.
#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    index: u32,
    #[serde(borrow)]
    delta: Delta<'a>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(borrow)]
    refusal: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
}

pub(super) fn run() {
    for (name, text) in [("prose", PROSE), ("code", CODE)] {
        let body = inputs::prompt(text, 100_000);
        let line = |reader: &str, took: Duration| {
            let rate = body.len() as f64 / took.as_secs_f64() / 1e9;
            println!("100 kB of {name:<6} read by {reader:<22} {rate:>8.2} GB/s");
        };
        line("Penstock", best(|| drop(black_box(scan::scan(&CALL, black_box(&body))))));
        line("serde_json, verbatim", best(|| prompt(&serde_json::from_slice::<Prompt<'_>>(black_box(&body)))));
        line("serde_json, a tree", best(|| drop(black_box(serde_json::from_slice::<serde_json::Value>(&body)))));
        // It writes into what it reads, which is to be forwarded as it came.
        line(
            "simd-json, a tape",
            best(|| {
                black_box(simd_json::to_tape(black_box(&mut body.clone())).is_ok());
            }),
        );
        line("sonic-rs, lazily", best(|| lazy(&sonic_rs::from_slice::<Lazy<'_>>(black_box(&body)))));
        line("sonic-rs, a tree", best(|| drop(black_box(sonic_rs::from_slice::<sonic_rs::Value>(&body)))));
    }
    let events = inputs::openai_events();
    let line = |reader: &str, took: Duration| println!("100 events read by {reader:<26} {:>8.2} us", micros(took));
    println!("100 events read by Penstock: see above, splitting and relaying included");
    line("serde_json", best(|| data(&events).for_each(|data| chunk(serde_json::from_slice(data).ok()))));
    line("simd-json", best(|| data(&events).for_each(|data| chunk(simd_json::from_slice(&mut data.to_vec()).ok()))));
    line("sonic-rs", best(|| data(&events).for_each(|data| chunk(sonic_rs::from_slice(data).ok()))));
}

fn data(events: &[Bytes]) -> impl Iterator<Item = &[u8]> {
    events.iter().filter_map(|event| event.strip_prefix(b"data: ")).map(<[u8]>::trim_ascii)
}

fn prompt(read: &serde_json::Result<Prompt<'_>>) {
    let Prompt { model, stream, messages } = read.as_ref().expect("must be a prompt");
    black_box((model, stream, messages.get().len()));
}

fn lazy(read: &sonic_rs::Result<Lazy<'_>>) {
    let Lazy { model, stream, messages } = read.as_ref().expect("must be a prompt");
    black_box((model, stream, messages));
}

fn chunk(read: Option<Chunk<'_>>) {
    let Some(Chunk { choices, usage }) = read else { return };
    let said = choices.iter().map(|Choice { index, delta: Delta { content, refusal }, finish_reason }| {
        let text = content.as_deref().unwrap_or_default().len() + refusal.as_deref().unwrap_or_default().len();
        (*index, text, finish_reason.is_some())
    });
    let tokens = usage.map(|Usage { prompt_tokens, completion_tokens }| prompt_tokens + completion_tokens);
    black_box((said.max(), tokens));
}
