//! Google's own SDKs as clients of the proxy.

use penstock_tests::fake::Fakes;
use penstock_tests::gateway::Gateway;

use crate::matrix::{UPSTREAMS, resources};
use crate::sdk;

#[tokio::test]
async fn google_s_sdks_get_right_answers_from_every_provider() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    let gateway = Gateway::start(&resources(&fakes)).await?;
    let url = gateway.url();
    for upstream in UPSTREAMS {
        let answer = format!("This is {} at {}.", upstream.model, upstream.fake);
        let arguments = [("base-url", &*url), ("key", "any"), ("model", upstream.model), ("answer", &answer)];
        // It asks for a call that must come, which Ollama has no word for: a 422.
        let forces_calls = |script: &str| script == "gemini_content.py";
        for script in ["gemini_content.py", "gemini_chat.py", "node/gemini_content.mjs"] {
            if !(forces_calls(script) && upstream.fake == "ollama") {
                sdk::run(script, &arguments).await?;
            }
        }
    }
    Ok(())
}
