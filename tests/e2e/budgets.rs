//! Budgets, as users meet them: the shipped proxy, killed.

use penstock_tests::client::client;
use penstock_tests::fake::Fakes;
use penstock_tests::gateway::{Answer, Gateway};
use serde_json::json;

use crate::bed::{MODEL, resources};

const KEY: &str = "a-long-random-string-of-your-own";

/// Two answers of a fake cost a little less than this.
fn consumer() -> String {
    format!(
        "apiVersion: v1
kind: Secret
metadata: {{name: team}}
stringData: {{api-key: {KEY}}}
---
apiVersion: penstock.dev/v1alpha1
kind: Consumer
metadata: {{name: team}}
spec:
  apiKeys: [{{secretRef: {{name: team, key: api-key}}}}]
  budget: {{limit: '0.0005', period: Month}}
"
    )
}

async fn ask(gateway: &Gateway) -> anyhow::Result<Answer> {
    let body = json!({"model": MODEL, "max_tokens": 20, "messages": [{"role": "user", "content": "hello there"}]});
    let url = format!("{}/v1/chat/completions", gateway.url());
    Answer::of(client().post(url).bearer_auth(KEY).json(&body)).await
}

/// Asks until the budget refuses; returns how many were answered before.
async fn spend(gateway: &Gateway) -> anyhow::Result<u32> {
    for answered in 0..100 {
        let answer = ask(gateway).await?;
        if answer.status != 200 {
            assert_eq!((answer.status, answer.header("x-should-retry")), (429, "false"), "{answer:?}");
            assert_eq!(answer.json()["error"]["code"], "budget_exceeded", "{answer:?}");
            assert!(answer.body.contains("the budget of Consumer default/team"), "{answer:?}");
            return Ok(answered);
        }
    }
    anyhow::bail!("it is never spent")
}

#[tokio::test]
async fn a_budget_that_is_spent_stays_so_when_the_proxy_is_killed() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    let state = std::env::temp_dir().join(format!("penstock-budgets-{}", std::process::id()));
    let file = state.join("state.db").display().to_string();
    let all = [resources(&fakes, ""), consumer()].join("---\n");
    let mut gateway = Gateway::start_with(&all, &["--state", &file]).await?;
    let before = spend(&gateway).await?;
    assert!(before > 1, "{before}");
    gateway.kill().await?;
    gateway.restart().await?;
    // What was used last may not have been written in the moment in which the process was killed.
    let after = spend(&gateway).await?;
    assert!(after <= 1, "{after} after {before}");
    std::fs::remove_dir_all(state)?;
    Ok(())
}
