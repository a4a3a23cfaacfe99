//! The soak: every fault of the wall again and again, clients that stay, leave or hardly read, and resources that change.
//!
//! One minute in `make test`; `make soak` takes ten, or what `SOAK` says. It is bounded in time, and so in count.

mod client;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use penstock_tests::client::client;
use penstock_tests::fake::{Action, Dialect, Fakes, Respond, Script};
use penstock_tests::gateway::Gateway;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::figures::print;
use crate::memory::Memory;
use crate::wall::fault::Case;
use crate::wall::resources::{SECRET, another, provider, resources};
use crate::wall::run::fakes;
use client::{Class, Manner};

/// A model whose answer is long, and one that never answers.
pub(crate) const LARGE: &str = "large";
pub(crate) const NEVER: &str = "never";
/// Words of the long answer: about half a megabyte as a stream.
const WORDS: usize = 2_000;
/// How long it lasts, unless `SOAK` says otherwise.
const LASTS: Duration = Duration::from_secs(60);
/// Waits last this share of what they are: the longest, two minutes, twelve seconds.
const PACE: f64 = 0.1;
/// Between two requests, two changes of the resources, and two times that the fakes forget what has reached them.
const EVERY: Duration = Duration::from_millis(10);
const CHANGE: Duration = Duration::from_secs(1);
const FORGET: Duration = Duration::from_secs(5);
/// At once. What comes above waits.
const AT_ONCE: usize = 256;
/// What memory may be at most, and may rise by in the last three quarters of the time.
const MOST: u64 = 256 << 20;
const RISE: f64 = (16 << 20) as f64;
/// Until what is idle is closed: at this pace the proxy looks for it every three seconds.
const CLOSED_WITHIN: Duration = Duration::from_secs(30);

type Counts = BTreeMap<Class, u64>;

#[tokio::test]
async fn nothing_is_lost_and_nothing_grows_however_long_all_goes_wrong() -> anyhow::Result<()> {
    let _turn = crate::TURN.lock().await;
    let lasts = match std::env::var("SOAK") {
        Ok(lasts) => humantime::parse_duration(&lasts).with_context(|| format!("SOAK={lasts}"))?,
        Err(_) => LASTS,
    };
    let (faulty, others) = (fakes()?, others()?);
    Case::all().flat_map(|case| case.scripts(PACE)).for_each(|script| faulty.script(script));
    let all = [SECRET.to_owned(), resources(&faulty), more(&others)].concat();
    // Every failure is a warning, and there are many.
    let flags = ["--auth", "open", "--pace", &PACE.to_string(), "--log-level", "error"];
    let gateway = Gateway::start_with(&all, &flags).await?;
    let before = gateway.descriptors()?;

    let (over, is_over) = watch::channel(false);
    let (answers, memory, changes) = tokio::join!(
        async {
            let answers = ask(&gateway, lasts).await;
            over.send_replace(true);
            answers
        },
        Memory::watch(&gateway, is_over.clone()),
        disturb(&gateway, [&faulty, &others], is_over.clone()),
    );
    let (counts, memory, changes) = (answers?, memory?, changes?);
    let agree = async |gateway: &Gateway| counted(gateway).await.is_ok_and(|of| of == counts);
    if gateway.until("as many requests as answers", agree).await.is_err() {
        bail!("answers by class were {counts:?}, and requests {:?}", counted(&gateway).await?);
    }
    ensure!(metric(&gateway, "penstock_requests_in_flight").await? == 0, "requests are still in flight");
    drop((faulty, others));
    let after = closed(&gateway, before).await?;

    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    print(format!(
        "{lasts:?}: answers by class {counts:?}, {changes} changes; memory {:.1} MiB at most, rises by {:.1} MiB; \
         {before} descriptors before, {after} after",
        mib(memory.most() as f64),
        mib(memory.rise(0.25)),
    ))?;
    ensure!(memory.most() <= MOST && memory.rise(0.25) <= RISE, "memory grows");
    Ok(())
}

/// The fakes of [`LARGE`] and [`NEVER`].
fn others() -> anyhow::Result<Fakes> {
    let fakes = Fakes::start_with(&[(LARGE, Dialect::OpenAI), (NEVER, Dialect::OpenAI)], ([127, 0, 0, 1], 0).into())?;
    fakes.script(Script::on(LARGE).forever(Action::Respond(long_answer())));
    fakes.script(Script::on(NEVER).forever(Action::Hang));
    for name in [LARGE, NEVER] {
        fakes.set_models(name, &[name])?;
    }
    Ok(fakes)
}

/// Made once: it would take a fake longer to make it anew than a proxy takes to pass it on.
fn long_answer() -> Respond {
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": LARGE,
            "choices": choices, "usage": usage});
        format!("data: {chunk}\n\n")
    };
    let word = chunk(json!([{"index": 0, "delta": {"content": "word "}, "finish_reason": null}]), Value::Null);
    let end = chunk(json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]), Value::Null);
    let usage = json!({"prompt_tokens": 2, "completion_tokens": WORDS, "total_tokens": WORDS + 2});
    let body = [word.repeat(WORDS), end, chunk(json!([]), usage), "data: [DONE]\n\n".to_owned()].concat();
    let headers = [("content-type".to_owned(), "text/event-stream".to_owned())].into();
    Respond { status: 200, headers, body }
}

fn more(fakes: &Fakes) -> String {
    [LARGE, NEVER].map(|name| provider(name, Dialect::OpenAI, &fakes.url(name), &format!("{{name: {name}}}"))).concat()
}

/// Asks in every manner for so long; returns what came back, by class.
async fn ask(gateway: &Gateway, lasts: Duration) -> anyhow::Result<Counts> {
    let cases: Vec<Case> = Case::all().collect();
    let (http, data) = (client(), gateway.data);
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let end = Instant::now() + lasts;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut tasks, mut counts, mut number) = (JoinSet::new(), Counts::new(), 0);
    while Instant::now() < end {
        ticks.tick().await;
        let turn = at_once.clone().acquire_owned().await?;
        let (manner, http) = (Manner::of(number, &cases), http.clone());
        number += 1;
        tasks.spawn(async move {
            let class = manner.ask(&http, data).await;
            drop(turn);
            class
        });
        while let Some(ended) = tasks.try_join_next() {
            *counts.entry(ended??).or_default() += 1;
        }
    }
    while let Some(ended) = tasks.join_next().await {
        *counts.entry(ended??).or_default() += 1;
    }
    Ok(counts)
}

/// Changes the resources, and keeps the fakes from remembering all of it. Returns how many changes there were.
async fn disturb(gateway: &Gateway, fakes: [&Fakes; 2], mut over: watch::Receiver<bool>) -> anyhow::Result<usize> {
    let (mut changes, mut forget, mut count) = (interval(CHANGE), interval(FORGET), 0);
    loop {
        tokio::select! {
            _ = changes.tick() => {
                gateway.write_resources("another.yaml", &another(count))?;
                count += 1;
            }
            _ = forget.tick() => fakes.iter().for_each(|fakes| fakes.forget_requests()),
            _ = over.wait_for(|over| *over) => return Ok(count),
        }
    }
}

/// What the proxy has counted, by class.
async fn counted(gateway: &Gateway) -> anyhow::Result<Counts> {
    let metrics = gateway.get_admin("/metrics").await?.body;
    let of = |class: Class| (class, sum(&metrics, "penstock_requests_total", &format!("status=\"{}\"", class.label())));
    let mut counts: Counts = Class::ALL.into_iter().map(of).collect();
    *counts.entry(Class::Client).or_default() +=
        sum(&metrics, "penstock_unrouted_requests_total", "reason=\"client_left\"");
    counts.retain(|_, count| *count > 0);
    Ok(counts)
}

async fn metric(gateway: &Gateway, name: &str) -> anyhow::Result<u64> {
    Ok(sum(&gateway.get_admin("/metrics").await?.body, name, ""))
}

/// All series of a family that hold this label.
fn sum(metrics: &str, family: &str, label: &str) -> u64 {
    let of_family = metrics.lines().filter(|line| line.starts_with(family) && line.contains(label));
    of_family.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

/// Waits until no more is open than there was.
async fn closed(gateway: &Gateway, before: usize) -> anyhow::Result<usize> {
    let end = Instant::now() + CLOSED_WITHIN;
    let mut looks = interval(Duration::from_millis(100));
    loop {
        looks.tick().await;
        let open = gateway.descriptors()?;
        if open <= before {
            return Ok(open);
        }
        ensure!(Instant::now() < end, "{before} descriptors before, {open} after");
    }
}
