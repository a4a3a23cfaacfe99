//! Healthy requests, 200 a second, whatever happens beside them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use penstock_tests::fake::{Dialect, Fakes};
use penstock_tests::gateway::{Answer, Gateway};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::resources::provider;

/// Between two of them.
const EVERY: Duration = Duration::from_millis(5);
/// The fakes forget what reached them after so many.
const FORGET: usize = 2_000;

/// A model that always answers.
pub(crate) const HEALTHY: &str = "gpt-4o";
/// Another, of a provider that speaks otherwise.
const OTHER: &str = "claude-sonnet-4-5";
/// How every answer ends.
const SAID: &str = "You said: hello";

/// The providers of healthy requests, with fakes of their own.
pub(crate) struct Load {
    fakes: Fakes,
}

/// What became of them.
pub(crate) struct Served {
    pub(crate) count: usize,
    pub(crate) failures: Vec<String>,
    pub(crate) slowest: Duration,
}

impl Load {
    pub(crate) fn start() -> anyhow::Result<Self> {
        Ok(Self { fakes: Fakes::start()? })
    }

    pub(crate) fn resources(&self) -> String {
        let provider = |name: &str, dialect, model: &str| {
            provider(name, dialect, &self.fakes.url(name), &format!("{{name: {model}}}"))
        };
        provider("openai", Dialect::OpenAI, HEALTHY) + &provider("anthropic", Dialect::Anthropic, OTHER)
    }

    /// Sends them until `over` says so, then waits for the last.
    pub(crate) async fn run(&self, gateway: &Gateway, mut over: watch::Receiver<bool>) -> Served {
        let mut ticks = tokio::time::interval(EVERY);
        // A tick that came late is no tick lost: it is 200 a second or nothing.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut tasks = JoinSet::new();
        let mut served = Served { count: 0, failures: Vec::new(), slowest: Duration::ZERO };
        for number in 0.. {
            tokio::select! {
                _ = ticks.tick() => {
                    tasks.spawn(request(gateway, number));
                }
                _ = over.wait_for(|over| *over) => break,
            }
            while let Some(ended) = tasks.try_join_next() {
                served.note(ended.map_err(Into::into).flatten());
            }
            if number % FORGET == 0 {
                self.fakes.forget_requests();
            }
        }
        while let Some(ended) = tasks.join_next().await {
            served.note(ended.map_err(Into::into).flatten());
        }
        served
    }
}

impl Served {
    fn note(&mut self, ended: anyhow::Result<Duration>) {
        self.count += 1;
        match ended {
            Ok(took) => self.slowest = self.slowest.max(took),
            Err(error) => self.failures.push(format!("{error:#}")),
        }
    }
}

/// One of them, of four kinds in turn: its own dialect or another, whole or as a stream.
fn request(gateway: &Gateway, number: usize) -> impl Future<Output = anyhow::Result<Duration>> + Send + use<> {
    let (path, body) = match number % 4 {
        0 => ("/v1/chat/completions", chat(HEALTHY, false)),
        1 => ("/v1/chat/completions", chat(HEALTHY, true)),
        2 => ("/v1/chat/completions", chat(OTHER, true)),
        _ => ("/v1/messages", chat(OTHER, false)),
    };
    let request = gateway.post(path).json(&body);
    async move {
        let begun = Instant::now();
        let answer = Answer::of(request).await.with_context(|| body.to_string())?;
        ensure!(answer.status == 200 && is_whole(&answer), "{body}: {answer:?}");
        Ok(begun.elapsed())
    }
}

fn is_whole(answer: &Answer) -> bool {
    match answer.events().last() {
        Some(end) => *end == "[DONE]" && answer.text().ends_with(SAID),
        None => answer.body.contains(SAID),
    }
}

fn chat(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]})
}
