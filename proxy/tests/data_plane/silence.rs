//! Streams whose content is long in coming.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    bed::{Bed, Resources, question},
    provider::{Act, DONE, Provider, ROLE, STOP, answer, end, stream, text},
};

const SIGN: &str = ": waiting\n\n";

/// A client of each dialect, and what it asks.
fn clients() -> [(&'static str, &'static str, Value); 4] {
    let contents = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
    let messages =
        json!({"model": "m", "max_tokens": 9, "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    [
        ("OpenAI", "/v1/chat/completions", question(true)),
        ("Anthropic", "/v1/messages", messages),
        ("Gemini", "/v1beta/models/m:streamGenerateContent?alt=sse", contents.clone()),
        ("Gemini's array", "/v1beta/models/m:streamGenerateContent", contents),
    ]
}

/// One that is silent until its gate opens, then does as told; and one that answers well.
async fn beds(acts: Vec<Act>) -> anyhow::Result<(Bed, Provider, Provider)> {
    let silent = Provider::always([vec![Act::Gate], acts].concat()).await?;
    let good = Provider::always([stream(&[ROLE, &text("fallback"), STOP, DONE]), vec![end()]].concat()).await?;
    let mut resources = Resources::new();
    resources.provider("a", &silent, json!({}))?.provider("b", &good, json!({}))?.route(&["a", "b"], json!({}))?;
    let bed = Bed::start_with(&resources, |config| config.hold_head = Duration::from_millis(20))?;
    Ok((bed, silent, good))
}

/// What a client got by its first sign of life, and then in all.
async fn through(bed: &Bed, silent: &Provider, path: &str, body: &Value) -> anyhow::Result<(String, String)> {
    let mut response = bed.client.post(bed.url(path)).body(body.to_string()).send().await?;
    assert_eq!(response.status(), 200);
    for header in ["x-penstock-provider", "x-penstock-model", "x-penstock-upstream-request-id"] {
        assert!(response.headers().get(header).is_none(), "nobody has answered yet: {header}");
    }
    let mut got = String::new();
    while got.is_empty() {
        got += std::str::from_utf8(&response.chunk().await?.expect("must go on"))?;
    }
    let first = got.clone();
    silent.open_gate();
    got += &response.text().await?;
    Ok((first, got))
}

#[tokio::test]
async fn a_client_of_any_dialect_gets_a_head_and_signs_of_life_and_then_the_answer() -> anyhow::Result<()> {
    for (client, path, body) in clients() {
        let said = [stream(&[ROLE, &text("hello"), STOP, DONE]), vec![end()]].concat();
        let (bed, silent, good) = beds(said).await?;
        let (first, all) = through(&bed, &silent, path, &body).await?;
        let sign = if client.starts_with("Gemini") { "\n" } else { SIGN };
        assert!(first.replace(sign, "").is_empty(), "{client}: {first:?}");
        assert!(all.contains("hello"), "{client}: {all}");
        assert_eq!(good.calls(), 0);
        if client == "Gemini's array" {
            assert!(serde_json::from_str::<Value>(&all).is_ok(), "{all}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn behind_the_head_another_target_may_still_answer() -> anyhow::Result<()> {
    for (client, path, body) in clients() {
        let (bed, silent, good) = beds(answer(500, "", "")).await?;
        let (_, all) = through(&bed, &silent, path, &body).await?;
        assert!(all.contains("fallback") && !all.contains("error"), "{client}: {all}");
        assert_eq!(good.calls(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn if_nobody_answers_the_client_is_told_in_band_and_the_stream_has_no_end_marker() -> anyhow::Result<()> {
    for (client, path, body) in clients() {
        let silent = Provider::always([vec![Act::Gate], answer(500, "", "")].concat()).await?;
        let mut resources = Resources::new();
        resources.provider("a", &silent, json!({}))?;
        let bed = Bed::start_with(&resources, |config| config.hold_head = Duration::from_millis(20))?;
        let (_, all) = through(&bed, &silent, path, &body).await?;
        assert!(all.contains("no provider could answer") && !all.contains(DONE.trim()), "{client}: {all}");
        let counted = bed.metrics.render();
        assert!(
            counted.contains(r#"provider="",route="m",status="2xx"} 1"#),
            "it is counted as it was sent: {counted}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_failure_before_the_head_keeps_its_status() -> anyhow::Result<()> {
    let broken = Provider::always(answer(500, "", "")).await?;
    let bed = Bed::start(Resources::new().provider("a", &broken, json!({}))?)?;
    assert_eq!(bed.stream().await?.status, 502);
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_while_it_is_kept_waiting_closes_the_provider_s_connection() -> anyhow::Result<()> {
    let (bed, silent, _good) = beds(vec![Act::Hang]).await?;
    let mut response = bed.request(question(true)).send().await?;
    assert!(response.chunk().await?.is_some());
    silent.open_gate();
    drop(response);
    silent.until(|events| events.closed.len() == 1).await?;
    Ok(())
}
