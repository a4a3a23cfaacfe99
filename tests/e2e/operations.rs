//! What clients ask besides chat, by the official SDKs through the proxy, of every provider that has it.

use penstock_tests::fake::Fakes;
use penstock_tests::gateway::Gateway;

use crate::bed::provider;
use crate::sdk;

const COMPLETIONS: &str = "gpt-3.5-turbo-instruct";
const CLAUDE: &str = "claude-sonnet-4-5";
const GEMINI: &str = "gemini-2.5-flash";

/// Models that embed, and whether their providers take tokens in place of text.
const VECTORS: [(&str, &str); 4] = [
    ("text-embedding-3-small", "yes"),
    ("gemini-embedding-001", "no"),
    ("mistral-embed", "no"),
    ("embeddinggemma", "no"),
];

async fn gateway(fakes: &Fakes) -> anyhow::Result<Gateway> {
    let openai = format!("{}/v1", fakes.url("openai"));
    let of = |name: &str, kind: &str, url: &str, model: &str| provider(name, kind, url, "a-key-of-the-proxy", model);
    let (gemini, anthropic) = (fakes.url("gemini"), fakes.url("anthropic"));
    let providers = [
        of("openai", "OpenAI", &openai, VECTORS[0].0),
        of("openai-texts", "OpenAI", &openai, COMPLETIONS),
        of("gemini", "Gemini", &gemini, VECTORS[1].0),
        of("gemini-chat", "Gemini", &gemini, GEMINI),
        of("mistral", "Mistral", &fakes.url("mistral"), VECTORS[2].0),
        of("ollama", "Ollama", &fakes.url("ollama"), VECTORS[3].0),
        of("anthropic", "Anthropic", &anthropic, CLAUDE),
    ];
    Gateway::start(&providers.join("---\n")).await
}

#[tokio::test]
async fn the_openai_sdk_gets_vectors_of_every_provider_that_has_them() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    let gateway = gateway(&fakes).await?;
    let itself = (format!("{}/v1", fakes.url("openai")), VECTORS[0]);
    let through = VECTORS.map(|row| (format!("{}/v1", gateway.url()), row));
    for (url, (model, tokens)) in std::iter::once(itself).chain(through) {
        let arguments = [("base-url", url.as_str()), ("key", "any"), ("model", model), ("tokens", tokens)];
        sdk::run("openai_embeddings.py", &arguments).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_google_sdk_gets_vectors_of_every_provider_that_has_them() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    let gateway = gateway(&fakes).await?;
    let itself = (fakes.url("gemini"), VECTORS[1].0);
    let through = VECTORS.map(|(model, _)| (gateway.url(), model));
    for (url, model) in std::iter::once(itself).chain(through) {
        sdk::run("gemini_embeddings.py", &[("base-url", &url), ("key", "any"), ("model", model)]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_openai_sdk_gets_a_text_continued() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    let gateway = gateway(&fakes).await?;
    let answer = format!("This is {COMPLETIONS} at openai.");
    for base in [fakes.url("openai"), gateway.url()] {
        let url = format!("{base}/v1");
        let arguments = [("base-url", url.as_str()), ("key", "any"), ("model", COMPLETIONS), ("answer", &answer)];
        sdk::run("openai_completions.py", &arguments).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_sdks_of_anthropic_and_google_get_tokens_counted_by_both() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    let gateway = gateway(&fakes).await?;
    let asked = [(fakes.url("anthropic"), CLAUDE), (gateway.url(), CLAUDE), (gateway.url(), GEMINI)];
    for (url, model) in asked {
        sdk::run("anthropic_count.py", &[("base-url", &url), ("key", "any"), ("model", model)]).await?;
    }
    let asked = [
        (fakes.url("gemini"), GEMINI, "yes"),
        (gateway.url(), GEMINI, "yes"),
        (gateway.url(), CLAUDE, "yes"),
        (gateway.url(), COMPLETIONS, "no"),
    ];
    for (url, model, counts) in asked {
        let arguments = [("base-url", url.as_str()), ("key", "any"), ("model", model), ("counts", counts)];
        sdk::run("gemini_count.py", &arguments).await?;
    }
    Ok(())
}
