//! Several keys of one provider, and who may call.

use penstock_tests::fake::{Fakes, Refusal, Script};
use penstock_tests::gateway::{Answer, Gateway};

use crate::bed::{Bed, PRIMARY, assert_error, assert_from_fallback, hello, resources};

/// Two keys for the first target.
fn two_keys(fakes: &Fakes, first: &str, second: &str) -> String {
    let credentials = "credentials: [{secretRef: {name: openai, key: api-key}}";
    resources(fakes, "").replacen(crate::bed::PRIMARY_KEY, &format!("{first}, second: {second}"), 1).replacen(
        &format!("{credentials}]"),
        &format!("{credentials}, {{secretRef: {{name: openai, key: second}}}}]"),
        1,
    )
}

fn keys_seen(fakes: &Fakes) -> Vec<String> {
    fakes.requests_to("openai").into_iter().filter_map(|record| record.credential).collect()
}

#[tokio::test]
async fn a_rejected_key_gives_way_to_the_next_one_and_is_then_left_alone_until_it_changes() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    fakes.set_keys("openai", Some(&["sk-good"]))?;
    let gateway = Gateway::start(&two_keys(&fakes, "sk-bad", "sk-good")).await?;
    for _ in 0..3 {
        let answer = gateway.chat(&hello(false)).await?;
        assert!(answer.text().starts_with(PRIMARY), "{answer:?}");
        assert!(!answer.body.contains("sk-"), "{answer:?}");
    }
    assert_eq!(keys_seen(&fakes), ["sk-bad", "sk-good", "sk-good", "sk-good"]);

    fakes.set_keys("openai", Some(&["sk-new"]))?;
    gateway.replace_resources(&two_keys(&fakes, "sk-new", "sk-good"))?;
    gateway
        .until("using the new key", async |gateway| {
            gateway.chat(&hello(false)).await.is_ok_and(|answer| answer.text().starts_with(PRIMARY))
        })
        .await?;
    assert_eq!(keys_seen(&fakes).last().map(String::as_str), Some("sk-new"));
    Ok(())
}

#[tokio::test]
async fn a_provider_with_no_good_key_left_is_passed_over_and_its_words_are_not_passed_on() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    bed.fakes.set_keys("openai", Some(&["sk-another"]))?;
    assert_from_fallback(&bed.hello(false).await?, "2", "401");
    bed.fakes.script(Script::on("anthropic").forever(Refusal::ServerError));
    let answer = bed.hello(false).await?;
    assert_error(&answer, 502, "401 and 500");
    assert!(!answer.body.contains("API key provided"), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn a_key_without_permission_is_left_alone_like_a_wrong_one() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    bed.fakes.script(Script::on("openai").forever(Refusal::Forbidden));
    assert_from_fallback(&bed.hello(false).await?, "2", "403");
    assert_from_fallback(&bed.hello(true).await?, "1", "403, remembered");
    assert_eq!(bed.calls(), (1, 2));
    Ok(())
}

#[tokio::test]
async fn only_consumers_may_call_unless_the_door_is_open() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    let key = "a-consumers-key-of-good-length";
    let consumer = format!(
        "---
apiVersion: v1
kind: Secret
metadata: {{name: search-team}}
stringData: {{api-key: {key}}}
---
apiVersion: penstock.dev/v1alpha1
kind: Consumer
metadata: {{name: search-team}}
spec:
  apiKeys: [{{secretRef: {{name: search-team, key: api-key}}}}]
"
    );
    let gateway = Gateway::start_with(&(resources(&fakes, "") + &consumer), &[]).await?;
    let ask = |key: Option<&str>| {
        let request = gateway.post("/v1/chat/completions").json(&hello(false));
        Answer::of(match key {
            Some(key) => request.bearer_auth(key),
            None => request,
        })
    };
    assert_eq!(assert_error(&ask(None).await?, 401, "no key")["code"], "invalid_api_key");
    assert_eq!(assert_error(&ask(Some("another-key-of-good-length")).await?, 401, "other")["code"], "invalid_api_key");
    assert!(fakes.requests().is_empty());
    assert!(ask(Some(key)).await?.text().starts_with(PRIMARY));
    assert!(!format!("{:?}", fakes.requests()).contains(key));
    Ok(())
}
