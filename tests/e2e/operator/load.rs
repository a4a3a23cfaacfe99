//! Callers that never pause: 50 requests a second, each of which must succeed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use penstock_tests::cluster::kubelet::RunningPod;
use penstock_tests::fake::{Answer, Fakes, Refusal, Script};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::installation::Installation;

const EVERY: Duration = Duration::from_millis(20);

/// What was asked for, and what went wrong.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) unary: Count,
    pub(crate) streams: Count,
    pub(crate) failures: Vec<String>,
    /// From the first request to the order to stop.
    asked_for: Duration,
}

/// Answers of one form.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub(crate) answered: usize,
    /// Answered by the first provider, and not at the first attempt.
    pub(crate) retried: usize,
    pub(crate) by_fallback: usize,
}

pub(crate) struct Load {
    stop: oneshot::Sender<()>,
    running: JoinHandle<Outcome>,
}

/// Who answered, after how many attempts.
struct Answered {
    provider: String,
    attempts: usize,
}

/// What each request meets, in turn: nothing special, a slow stream, a retry, a fallback, a stream that falls back.
pub(crate) fn scripts(fakes: &Fakes) {
    let slow = Answer { pause_ms: 40, ..Answer::default() };
    let mut turns = Script::on("openai");
    for _ in 0..2_000 {
        turns = turns
            .once(Answer::default())
            .once(slow.clone())
            .once(Refusal::ServerError)
            .once(Answer::default())
            .times(3, Refusal::Unavailable)
            .once(slow.clone());
    }
    fakes.script(turns);
}

impl Load {
    pub(crate) fn start(installation: &Installation<'_>, proxy: &RunningPod) -> Self {
        let request = |stream| installation.ask(proxy, stream);
        let templates = Arc::new([request(false), request(true)]);
        let (stop, mut stopped) = oneshot::channel();
        let running = tokio::spawn(async move {
            let started = Instant::now();
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut requests = JoinSet::new();
            for number in 0_usize.. {
                tokio::select! {
                    _ = ticks.tick() => {}
                    _ = &mut stopped => break,
                }
                let stream = number % 2 == 1;
                let template = templates[usize::from(stream)].try_clone();
                requests.spawn(async move { (stream, one(template, stream).await) });
            }
            let mut outcome = Outcome { asked_for: started.elapsed(), ..Outcome::default() };
            while let Some(done) = requests.join_next().await {
                match done {
                    Ok((true, Ok(answered))) => outcome.streams.add(&answered),
                    Ok((false, Ok(answered))) => outcome.unary.add(&answered),
                    Ok((_, Err(error))) => outcome.failures.push(format!("{error:#}")),
                    Err(error) => outcome.failures.push(error.to_string()),
                }
            }
            outcome
        });
        Self { stop, running }
    }

    /// Stops asking, and waits for every answer.
    pub(crate) async fn stop(self) -> anyhow::Result<Outcome> {
        let _ = self.stop.send(());
        Ok(self.running.await?)
    }
}

impl Count {
    fn add(&mut self, answered: &Answered) {
        let fallback = answered.provider.ends_with("/anthropic");
        self.answered += 1;
        self.by_fallback += usize::from(fallback);
        self.retried += usize::from(!fallback && answered.attempts > 1);
    }
}

impl Outcome {
    /// Good answers for each second of asking.
    pub(crate) fn rate(&self) -> f64 {
        (self.unary.answered + self.streams.answered) as f64 / self.asked_for.as_secs_f64()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} and {} in {:.1} s, {:.1} a second, {} failed",
            Named("unary answers", &self.unary),
            Named("streams", &self.streams),
            self.asked_for.as_secs_f64(),
            self.rate(),
            self.failures.len()
        )
    }
}

struct Named<'a>(&'a str, &'a Count);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name, Count { answered, retried, by_fallback }) = self;
        write!(f, "{answered} {name} ({retried} after a retry, {by_fallback} by the fallback)")
    }
}

/// One request to its end.
async fn one(request: Option<reqwest::RequestBuilder>, stream: bool) -> anyhow::Result<Answered> {
    let answer = request.context("a request without a stream as body can be cloned")?.send().await?;
    let status = answer.status();
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (provider, attempts) = (header("x-penstock-provider"), header("x-penstock-attempts"));
    let body = answer.text().await.context("the body broke")?;
    ensure!(status == 200, "{status}: {body}");
    if stream {
        ensure!(!body.contains("\"error\""), "an error in the stream: {body}");
        ensure!(body.trim_end().ends_with("data: [DONE]"), "a stream without its end: {body}");
    } else {
        let answer: serde_json::Value = serde_json::from_str(&body)?;
        ensure!(answer["choices"][0]["message"]["content"].is_string(), "{body}");
    }
    let provider = provider.context("an answer must name its provider")?;
    Ok(Answered { provider, attempts: attempts.context("an answer must say its attempts")?.parse()? })
}
