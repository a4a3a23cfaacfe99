//! Every client that is served, with its own SDK, over every provider's fake.

use penstock_tests::fake::Fakes;
use penstock_tests::gateway::Gateway;

use crate::bed::provider;
use crate::sdk;

struct Provider {
    /// The name of its fake.
    fake: &'static str,
    of_type: &'static str,
    /// What its address ends in.
    path: &'static str,
    /// A model that only it has.
    model: &'static str,
    /// What the scripts are told that it lacks.
    lacks: &'static str,
}

const PROVIDERS: [Provider; 8] = [
    Provider { fake: "openai", of_type: "OpenAI", path: "/v1", model: "gpt-4o", lacks: "" },
    Provider { fake: "anthropic", of_type: "Anthropic", path: "", model: "claude-sonnet-4-5", lacks: "" },
    Provider {
        fake: "gemini",
        of_type: "Gemini",
        path: "/v1beta",
        model: "gemini-2.5-flash",
        lacks: "one-call,pieces",
    },
    // Wants its signatures back.
    Provider {
        fake: "gemini",
        of_type: "Gemini",
        path: "/v1beta",
        model: "gemini-3.5-flash",
        lacks: "one-call,pieces",
    },
    Provider { fake: "mistral", of_type: "Mistral", path: "/v1", model: "mistral-small-latest", lacks: "pieces" },
    Provider { fake: "azure", of_type: "AzureOpenAI", path: "", model: "gpt-4.1", lacks: "" },
    Provider { fake: "ollama", of_type: "Ollama", path: "", model: "llama3.2", lacks: "one-call,choice,pieces" },
    Provider { fake: "deepseek", of_type: "OpenAICompatible", path: "/v1", model: "deepseek-chat", lacks: "" },
];

struct Bed {
    fakes: Fakes,
    gateway: Gateway,
}

async fn bed() -> anyhow::Result<Bed> {
    let fakes = Fakes::start()?;
    let key = "key-of-the-proxy-for-a-provider";
    let objects = PROVIDERS.iter().map(|Provider { fake, of_type, path, model, .. }| {
        let url = format!("{}{path}", fakes.url(fake));
        let azure = if *of_type == "AzureOpenAI" { "  azure: {apiVersion: 2024-10-21}\n" } else { "" };
        provider(&model.replace('.', "-"), of_type, &url, key, model) + azure
    });
    let gateway = Gateway::start(&objects.collect::<Vec<_>>().join("---\n")).await?;
    Ok(Bed { fakes, gateway })
}

impl Bed {
    /// Runs a script against the proxy once for every provider; `path` is what its SDK wants behind the address.
    async fn passes_everywhere(&self, script: &str, path: &str) -> anyhow::Result<()> {
        let Self { fakes, gateway } = self;
        let url = format!("{}{path}", gateway.url());
        let mut failed = Vec::new();
        for Provider { fake, of_type, model, lacks, .. } in PROVIDERS {
            let answer = format!("This is {model} at {fake}.");
            let mut arguments = vec![("base-url", url.as_str()), ("key", "any"), ("model", model), ("answer", &answer)];
            if script.ends_with(".py") {
                arguments.push(("lacks", lacks));
            }
            if script == "openai_chat.py" && of_type == "OpenAICompatible" {
                arguments.push(("kind", "compatible"));
            }
            let seen = fakes.requests_to(fake).len();
            // All of them are tried: which ones fail says more than that one does.
            failed.extend(sdk::run(script, &arguments).await.err().map(|error| error.to_string()));
            assert!(fakes.requests_to(fake).len() > seen, "{script} did not reach {fake}");
        }
        anyhow::ensure!(failed.is_empty(), "{}", failed.join("\n"));
        Ok(())
    }
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
