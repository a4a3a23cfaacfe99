//! What clients ask besides chat, through the proxy with the official SDKs.

use penstock_tests::fake::Fakes;
use penstock_tests::gateway::Gateway;

use crate::bed::provider;
use crate::sdk;

const CLAUDE: &str = "claude-sonnet-4-5";

async fn gateway(fakes: &Fakes) -> anyhow::Result<Gateway> {
    let url = fakes.url("anthropic");
    Gateway::start(&provider("anthropic", "Anthropic", &url, "sk-ant-key-of-the-proxy", CLAUDE)).await
}

#[tokio::test]
async fn the_anthropic_sdk_gets_its_tokens_counted() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    let gateway = gateway(&fakes).await?;
    for url in [fakes.url("anthropic"), gateway.url()] {
        sdk::run("anthropic_count.py", &[("base-url", &url), ("key", "any"), ("model", CLAUDE)]).await?;
    }
    Ok(())
}
