//! Errors of providers, as clients of each dialect get to know them.

use penstock_tests::fake::Fakes;
use penstock_tests::gateway::Gateway;

use crate::sdk;
use crate::upstreams::{UPSTREAMS, Upstream};

/// As `error_map.py` calls what a provider says.
const REFUSALS: [&str; 11] = [
    "bad-key",
    "forbidden",
    "unknown-model",
    "rate-limit",
    "quota",
    "server-error",
    "unavailable",
    "overloaded",
    "context-length",
    "content-filter",
    "too-large",
];

#[tokio::test]
async fn every_error_of_every_provider_is_the_right_exception_of_every_sdk() -> anyhow::Result<()> {
    for client in ["openai", "responses", "anthropic", "gemini"] {
        let fakes = Fakes::start()?;
        let gateway = Gateway::start(&resources(&fakes)).await?;
        let (url, admin) = (gateway.url(), fakes.admin_url());
        let providers = UPSTREAMS.map(|upstream| upstream.fake).join(",");
        let arguments = [("client", client), ("base-url", &url), ("admin-url", &admin), ("providers", &providers)];
        sdk::run("error_map.py", &arguments).await?;
    }
    Ok(())
}

/// A provider of its own for each refusal: one that rejects a key is left alone for a while.
fn resources(fakes: &Fakes) -> String {
    let mut objects = vec![String::from(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: {api-key: key-of-the-proxy}\n",
    )];
    for upstream in UPSTREAMS {
        let url = upstream.url(fakes);
        let Upstream { fake, of_type, model, .. } = upstream;
        objects.extend(REFUSALS.map(|refusal| {
            format!(
                "apiVersion: penstock.dev/v1alpha1
kind: AIProvider
metadata: {{name: {fake}-{refusal}}}
spec:
  type: {of_type}
  baseURL: {url}
  credentials: [{{secretRef: {{name: key, key: api-key}}}}]
  models: [{{name: {fake}-{refusal}, upstreamName: {model}}}]
  retries: {{attempts: 0}}
"
            )
        }));
    }
    objects.join("---\n")
}
