//! Specs that are right and together have every field.

use penstock_crds::Kind;
use serde_json::{Value, json};

pub(super) fn complete(kind: Kind) -> Vec<Value> {
    match kind {
        Kind::AIProvider => providers(),
        Kind::RoutePolicy => vec![route()],
        Kind::RateLimit => vec![limit()],
        Kind::Consumer => consumers(),
    }
}

fn timeouts() -> Value {
    json!({"connect": "5s", "firstToken": "500ms", "answer": "2m", "idle": "30s", "request": "1h30m"})
}

fn providers() -> Vec<Value> {
    let compatible = json!({
        "gateway": "default",
        "type": "OpenAICompatible",
        "preset": "Groq",
        "baseURL": "https://api.example.com/v1",
        "credentials": [{"secretRef": {"name": "openai", "key": "api-key"}}],
        "models": [{
            "name": "gpt-4o",
            "upstreamName": "gpt-4o-2024-08-06",
            "exposed": false,
            "pricing": {"input": "0.15", "output": "0.60", "cachedInput": "0.075"},
        }],
        "priority": 2,
        "timeouts": timeouts(),
        "retries": {"attempts": 2, "waitUpTo": "2s"},
        "maxConcurrentRequests": 500,
        "allowedRoutes": {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "search"}}}},
    });
    let azure = json!({
        "type": "AzureOpenAI",
        "baseURL": "https://example.openai.azure.com",
        "azure": {"apiVersion": "2024-10-21"},
    });
    vec![compatible, azure]
}

fn route() -> Value {
    json!({
        "gateway": "default",
        "models": ["gpt-4o"],
        "targets": [{"provider": "openai", "namespace": "platform", "model": "gpt-4o", "priority": 1, "weight": 80}],
        "fallbackOn": ["RateLimit"],
        "timeouts": timeouts(),
        "allowState": true,
        "balance": "Weighted",
        "onUnsupported": "Drop",
        "onStreamBreak": "Error",
        "maxCostPerRequest": "0.05",
        "expectedOutputTokens": 1024,
        "cache": {"ttl": "1h", "key": "Content", "when": "Always"},
        "middleware": [
            {"type": "PIIScrubber", "piiScrubber": {"entities": ["Email"], "restore": true}},
            {"type": "PromptInjection", "promptInjection": {"action": "Reject"}},
            {"type": "RequestLogger"},
        ],
    })
}

fn limit() -> Value {
    json!({
        "gateway": "default",
        "match": {"models": ["gpt-4o"], "consumers": {"matchLabels": {"tier": "free"}}},
        "per": ["User"],
        "requests": {"limit": 60, "window": "1m", "burst": 60},
        "tokens": {"limit": 100_000, "window": "1m", "burst": 100_000},
        "cost": {"limit": "10.00", "window": "24h"},
        "onStoreFailure": "Local",
    })
}

fn consumers() -> Vec<Value> {
    let by_key = json!({
        "gateway": "default",
        "apiKeys": [{"secretRef": {"name": "search-team", "key": "api-key"}}],
        "serviceAccounts": [{"namespace": "search", "name": "indexer"}],
        "userFrom": {"type": "Header", "header": "x-end-user"},
        "models": ["gpt-4o"],
        "budget": {"limit": "500.00", "userLimit": "20.00", "period": "Month"},
    });
    let by_token = json!({
        "jwt": {
            "issuer": "https://id.example.com",
            "audiences": ["llm"],
            "jwksURL": "https://id.example.com/keys",
            "claims": [{"name": "team", "values": ["search"]}],
        },
        "userFrom": {"type": "Claim", "claim": "sub"},
    });
    vec![by_key, by_token]
}
