//! The resources of a wall: two providers and a route for each case, so that none meets what another has left behind.

use penstock_tests::fake::{Desk, Dialect};

use super::fault::{Case, Fault, Target};

/// The key of every provider.
pub(crate) const SECRET: &str =
    "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {key: any-key-at-all-will-do}\n";

/// Of all cases, with default settings. `desk` has their fakes.
pub(crate) fn resources(desk: &Desk) -> String {
    let each = Case::all().map(|case| {
        let providers = Target::BOTH.map(|target| {
            let (name, dialect) = (case.provider(target), case.dialect(target));
            let [input, output] = target.prices().map(|picodollars| picodollars / 1_000_000);
            let model = model(dialect);
            let listed =
                format!("{{name: {model}, exposed: false, pricing: {{input: \"{input}\", output: \"{output}\"}}}}");
            provider(&name, dialect, &desk.url(&name), &listed)
        });
        let target = |target| format!("{{provider: {}, model: {}", case.provider(target), model(case.dialect(target)));
        let [first, second] = Target::BOTH.map(target);
        let targets = format!("{first}, priority: 1}}, {second}, priority: 2}}");
        let more = if case.fault == Fault::Prefill { ", onStreamBreak: Continue" } else { "" };
        [providers.concat(), route(&case.name(), &case.name(), &targets, more)].concat()
    });
    each.collect()
}

/// With the default settings. `url` is the fake's, `models` are listed with commas.
pub(crate) fn provider(name: &str, dialect: Dialect, url: &str, models: &str) -> String {
    let below = match dialect {
        Dialect::Gemini => "/v1beta",
        Dialect::Anthropic | Dialect::AzureOpenAI | Dialect::Ollama => "",
        Dialect::OpenAI | Dialect::Mistral | Dialect::OpenAICompatible => "/v1",
    };
    format!(
        "---
apiVersion: penstock.dev/v1alpha1
kind: AIProvider
metadata: {{name: {name}}}
spec:
  type: {dialect:?}
  baseURL: {url}{below}
  credentials: [{{secretRef: {{name: keys, key: key}}}}]
  models: [{models}]
"
    )
}

/// `more` is what else its spec says.
pub(crate) fn route(name: &str, model: &str, targets: &str, more: &str) -> String {
    format!(
        "---
apiVersion: penstock.dev/v1alpha1
kind: RoutePolicy
metadata: {{name: {name}}}
spec: {{models: [{model}], targets: [{targets}]{more}}}
"
    )
}

/// One that does not reason, so that it has no more time than the others.
fn model(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic => "claude-sonnet-4-5",
        Dialect::Gemini => "gemini-2.0-flash",
        Dialect::OpenAI | Dialect::Mistral | Dialect::AzureOpenAI | Dialect::Ollama | Dialect::OpenAICompatible => {
            "gpt-4o"
        }
    }
}

/// A provider and a route that no case knows. Each `number` has another.
pub(crate) fn another(number: usize) -> String {
    // A few names that come again and again: what is known of one that is gone must go with it.
    let name = format!("another-{}", number % 5);
    let provider =
        provider(&name, Dialect::OpenAI, &format!("http://127.0.0.1:9/{number}"), &format!("{{name: {name}}}"));
    provider + &route(&name, &format!("smart-{name}"), &format!("{{provider: {name}, model: {name}}}"), "")
}
