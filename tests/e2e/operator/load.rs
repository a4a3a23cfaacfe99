//! Callers that never pause: 50 requests a second, each of which must succeed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use penstock_tests::cluster::kubelet::RunningPod;
use penstock_tests::fake::{Answer, Fakes, Refusal, Script};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

use super::installation::Installation;

const EVERY: Duration = Duration::from_millis(20);

/// What was asked for, and what went wrong.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) unary: usize,
    pub(crate) streams: usize,
    pub(crate) by_fallback: usize,
    pub(crate) failures: Vec<String>,
}

pub(crate) struct Load {
    stop: oneshot::Sender<()>,
    running: JoinHandle<Outcome>,
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
        let request = |stream| installation.ask(proxy, "smart", stream);
        let templates = Arc::new([request(false), request(true)]);
        let (stop, mut stopped) = oneshot::channel();
        let running = tokio::spawn(async move {
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
            let mut outcome = Outcome::default();
            while let Some(done) = requests.join_next().await {
                match done {
                    Ok((stream, Ok(provider))) => {
                        *(if stream { &mut outcome.streams } else { &mut outcome.unary }) += 1;
                        outcome.by_fallback += usize::from(provider.ends_with("anthropic"));
                    }
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

/// One request to its end; who answered.
async fn one(request: Option<reqwest::RequestBuilder>, stream: bool) -> anyhow::Result<String> {
    let answer = request.context("a request without a stream as body can be cloned")?.send().await?;
    let status = answer.status();
    let provider = answer.headers().get("x-penstock-provider").and_then(|name| name.to_str().ok()).map(str::to_owned);
    let body = answer.text().await.context("the body broke")?;
    ensure!(status == 200, "{status}: {body}");
    if stream {
        ensure!(!body.contains("\"error\""), "an error in the stream: {body}");
        ensure!(body.trim_end().ends_with("data: [DONE]"), "a stream without its end: {body}");
    } else {
        let answer: serde_json::Value = serde_json::from_str(&body)?;
        ensure!(answer["choices"][0]["message"]["content"].is_string(), "{body}");
    }
    provider.context("an answer must name its provider")
}
