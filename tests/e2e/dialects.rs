//! Every client that is served, with its own SDK, over every provider's fake.

use penstock_tests::fake::Fakes;
use penstock_tests::gateway::Gateway;

use crate::sdk;
use crate::upstreams::{UPSTREAMS, Upstream, resources};

struct Bed {
    fakes: Fakes,
    gateway: Gateway,
}

async fn bed() -> anyhow::Result<Bed> {
    let fakes = Fakes::start()?;
    let gateway = Gateway::start(&resources(&fakes)).await?;
    Ok(Bed { fakes, gateway })
}

impl Bed {
    /// Runs a script against the proxy once for every provider; `path` is what its SDK wants behind the address.
    async fn passes_everywhere(&self, script: &str, path: &str) -> anyhow::Result<()> {
        let url = format!("{}{path}", self.gateway.url());
        let mut failed = Vec::new();
        for upstream in &UPSTREAMS {
            for model in upstream.models() {
                let seen = self.fakes.requests_to(upstream.fake).len();
                // All of them are tried: which ones fail says more than that one does.
                failed.extend(passes(script, &url, upstream, model).await.err().map(|error| error.to_string()));
                assert!(self.fakes.requests_to(upstream.fake).len() > seen, "{script} did not reach {model}");
            }
        }
        anyhow::ensure!(failed.is_empty(), "{}", failed.join("\n"));
        Ok(())
    }
}

async fn passes(script: &str, url: &str, upstream: &Upstream, model: &str) -> anyhow::Result<()> {
    let answer = format!("This is {model} at {}.", upstream.fake);
    let mut arguments =
        vec![("base-url", url), ("key", "any"), ("model", model), ("answer", &answer), ("lacks", upstream.lacks)];
    if script == "openai_chat.py" && upstream.name == "DeepSeek" {
        arguments.push(("kind", "compatible"));
    }
    sdk::run(script, &arguments).await
}

async fn passes_everywhere(script: &str, path: &str) -> anyhow::Result<()> {
    bed().await?.passes_everywhere(script, path).await
}

#[tokio::test]
async fn the_openai_sdk_reaches_every_provider() -> anyhow::Result<()> {
    passes_everywhere("openai_chat.py", "/v1").await
}

#[tokio::test]
async fn the_openai_sdk_s_responses_come_from_every_provider_and_natively_where_it_has_them() -> anyhow::Result<()> {
    let bed = bed().await?;
    bed.passes_everywhere("openai_responses.py", "/v1").await?;
    let native = |fake| bed.fakes.requests_to(fake).iter().all(|record| record.path == "/v1/responses");
    assert!(native("openai") && !native("deepseek"));
    Ok(())
}

#[tokio::test]
async fn the_openai_sdk_for_node_reaches_every_provider() -> anyhow::Result<()> {
    passes_everywhere("node/openai_chat.mjs", "/v1").await
}

#[tokio::test]
async fn the_openai_sdk_for_node_s_responses_come_from_every_provider() -> anyhow::Result<()> {
    passes_everywhere("node/openai_responses.mjs", "/v1").await
}

#[tokio::test]
async fn the_anthropic_sdk_reaches_every_provider() -> anyhow::Result<()> {
    passes_everywhere("anthropic_chat.py", "").await
}

#[tokio::test]
async fn the_anthropic_sdk_for_node_reaches_every_provider() -> anyhow::Result<()> {
    passes_everywhere("node/anthropic_chat.mjs", "").await
}

#[tokio::test]
async fn the_anthropic_sdk_for_node_goes_on_without_a_thread_at_every_provider() -> anyhow::Result<()> {
    let bed = bed().await?;
    bed.passes_everywhere("node/anthropic_threads.mjs", "").await?;
    assert!(bed.fakes.requests().iter().all(|record| record.json().get("thread").is_none()));
    Ok(())
}

#[tokio::test]
async fn the_google_genai_sdk_reaches_every_provider() -> anyhow::Result<()> {
    passes_everywhere("gemini_chat.py", "").await
}

#[tokio::test]
async fn the_google_genai_sdk_for_node_reaches_every_provider() -> anyhow::Result<()> {
    passes_everywhere("node/gemini_chat.mjs", "").await
}

#[tokio::test]
async fn the_mistralai_sdk_reaches_every_provider() -> anyhow::Result<()> {
    passes_everywhere("mistral_chat.py", "").await
}

#[tokio::test]
async fn the_mistral_sdk_for_node_reaches_every_provider() -> anyhow::Result<()> {
    passes_everywhere("node/mistral_chat.mjs", "").await
}
