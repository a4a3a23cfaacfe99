//! What most proxy tests stand on: two fakes, and a proxy that asks `OpenAI`, then Anthropic.

use penstock_tests::fake::Fakes;
use penstock_tests::gateway::{Answer, Gateway};
use serde_json::{Value, json};

/// The name that clients ask for.
pub(crate) const MODEL: &str = "smart";
/// How the first target's texts begin.
pub(crate) const PRIMARY: &str = "This is gpt-4o at openai.";
/// How the second target's texts begin.
pub(crate) const FALLBACK: &str = "This is claude-sonnet-4-5 at anthropic.";
/// The keys that the proxy has for them.
pub(crate) const PRIMARY_KEY: &str = "sk-primary-key-of-the-proxy";
pub(crate) const FALLBACK_KEY: &str = "sk-ant-fallback-key-of-the-proxy";
/// Soon tired of a target that says nothing, for targets that are to be left; the last one has all the time it wants.
pub(crate) const IMPATIENT: &str = "timeouts: {firstToken: 300ms, answer: 300ms}";
/// Soon tired of a stream that has begun and stops, and of nothing else.
pub(crate) const SOON_IDLE: &str = "timeouts: {idle: 300ms}";

pub(crate) struct Bed {
    pub(crate) fakes: Fakes,
    pub(crate) gateway: Gateway,
}

impl Bed {
    /// `tuning` is one more line of the RoutePolicy's spec.
    pub(crate) async fn start(tuning: &str) -> anyhow::Result<Self> {
        let fakes = Fakes::start()?;
        let gateway = Gateway::start(&resources(&fakes, tuning)).await?;
        Ok(Self { fakes, gateway })
    }

    /// `hello` to the route, answered whole.
    pub(crate) async fn hello(&self, stream: bool) -> anyhow::Result<Answer> {
        self.gateway.chat(&hello(stream)).await
    }

    /// How often each of the two was asked.
    pub(crate) fn calls(&self) -> (usize, usize) {
        (self.fakes.requests_to("openai").len(), self.fakes.requests_to("anthropic").len())
    }
}

/// `OpenAI`, then Anthropic, both asked once.
pub(crate) fn resources(fakes: &Fakes, tuning: &str) -> String {
    [
        provider("openai", "OpenAI", &format!("{}/v1", fakes.url("openai")), PRIMARY_KEY, "gpt-4o"),
        provider("anthropic", "Anthropic", &fakes.url("anthropic"), FALLBACK_KEY, "claude-sonnet-4-5"),
        route(
            &["{provider: openai, model: gpt-4o}", "{provider: anthropic, model: claude-sonnet-4-5, priority: 2}"],
            tuning,
        ),
    ]
    .join("---\n")
}

/// A provider that is asked once, and its Secret.
pub(crate) fn provider(name: &str, kind: &str, url: &str, key: &str, model: &str) -> String {
    format!(
        "apiVersion: v1
kind: Secret
metadata: {{name: {name}}}
stringData: {{api-key: {key}}}
---
apiVersion: penstock.dev/v1alpha1
kind: AIProvider
metadata: {{name: {name}}}
spec:
  type: {kind}
  baseURL: {url}
  credentials: [{{secretRef: {{name: {name}, key: api-key}}}}]
  models: [{{name: {model}}}]
  retries: {{attempts: 0}}
"
    )
}

/// The RoutePolicy of [`MODEL`].
pub(crate) fn route(targets: &[&str], tuning: &str) -> String {
    let targets = targets.join(", ");
    format!(
        "apiVersion: penstock.dev/v1alpha1
kind: RoutePolicy
metadata: {{name: chat}}
spec:
  models: [{MODEL}]
  targets: [{targets}]
  {tuning}
"
    )
}

pub(crate) fn hello(stream: bool) -> Value {
    json!({"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": "hello there"}]})
}

/// Asserts that the answer is whole and from the second target, and that the headers say so.
pub(crate) fn assert_from_fallback(answer: &Answer, attempts: &str, case: &str) {
    assert_eq!(answer.status, 200, "{case}: {answer:?}");
    assert_eq!(answer.text(), format!("{FALLBACK} You said: hello there"), "{case}: {answer:?}");
    assert_eq!(answer.header("x-penstock-provider"), "default/anthropic", "{case}");
    assert_eq!(answer.header("x-penstock-model"), "claude-sonnet-4-5", "{case}");
    assert_eq!(answer.header("x-penstock-attempts"), attempts, "{case}");
    assert!(!answer.body.contains("gpt-4o"), "{case}: {answer:?}");
    let ends = answer.events().iter().filter(|data| **data == "[DONE]").count();
    let is_stream = answer.header("content-type").starts_with("text/event-stream");
    assert_eq!(ends, usize::from(is_stream), "{case}: {answer:?}");
}

/// Asserts an error in OpenAI's shape; returns its `error`.
pub(crate) fn assert_error(answer: &Answer, status: u16, case: &str) -> Value {
    assert_eq!(answer.status, status, "{case}: {answer:?}");
    let error = answer.json()["error"].clone();
    for key in ["message", "type"] {
        assert!(error[key].as_str().is_some_and(|text| !text.is_empty()), "{case}, {key}: {answer:?}");
    }
    for key in ["param", "code"] {
        assert!(error.as_object().is_some_and(|error| error.contains_key(key)), "{case}, {key}: {answer:?}");
    }
    error
}
