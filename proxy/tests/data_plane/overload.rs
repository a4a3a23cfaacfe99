//! More than there is room for.

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    bed::{Bed, Got, PATH, Resources, question},
    provider::{Act, PATIENCE, Provider, says},
};

/// Answers once the gate is open.
async fn gated() -> anyhow::Result<Provider> {
    Provider::always([vec![Act::Gate], says("hi")].concat()).await
}

#[tokio::test]
async fn one_request_too_many_is_a_503_at_once_in_its_client_s_words() -> anyhow::Result<()> {
    let provider = gated().await?;
    let mut resources = Resources::new();
    resources.provider("a", &provider, json!({}))?;
    let bed = Bed::start_with(&resources, |config| config.limits.requests = 1)?;
    let first = tokio::spawn(Got::read(bed.request(question(false))));
    provider.until(|events| events.seen.len() == 1).await?;
    let rows = [
        (PATH, r#""code":"overloaded""#),
        ("/v1/messages", r#""type":"error""#),
        ("/v1beta/models/m:generateContent", r#""status":"#),
    ];
    for (path, word) in rows {
        let got = Got::read(bed.client.post(bed.url(path)).body(question(false).to_string())).await?;
        let retry = (got.header("retry-after"), got.header("x-should-retry"));
        assert!(got.status == 503 && got.body.contains(word), "{path}: {} {}", got.status, got.body);
        assert!(got.body.contains("--max-requests"), "{path}: {}", got.body);
        assert_eq!(retry, ("1", ""), "{path}");
    }
    assert!(bed.metrics.render().contains("penstock_overloaded_total{bound=\"requests\"} 3"));
    provider.open_gate();
    assert_eq!(first.await??.status, 200);
    assert_eq!(bed.unary().await?.status, 200);
    assert_eq!(provider.calls(), 2);
    Ok(())
}

#[tokio::test]
async fn a_body_for_which_there_is_no_room_is_a_503_until_others_are_done() -> anyhow::Result<()> {
    let provider = gated().await?;
    let mut resources = Resources::new();
    resources.provider("a", &provider, json!({}))?;
    let bed = Bed::start_with(&resources, |config| config.limits.held = 1000)?;
    let mut large = question(false);
    large["messages"][0]["content"] = json!("x".repeat(600));
    let first = tokio::spawn(Got::read(bed.request(large.clone())));
    provider.until(|events| events.seen.len() == 1).await?;
    let second = bed.ask(large.clone()).await?;
    assert_eq!((second.status, second.error()?.1.as_str()), (503, "overloaded"));
    assert!(bed.metrics.render().contains("penstock_overloaded_total{bound=\"held\"} 1"));
    provider.open_gate();
    assert_eq!(first.await??.status, 200);
    assert_eq!(bed.ask(large).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn an_answer_for_which_there_is_no_room_goes_on_unread_or_is_a_503_where_it_must_be_translated()
-> anyhow::Result<()> {
    let large = "x".repeat(1 << 20);
    let provider = Provider::always(says(&large)).await?;
    let mut resources = Resources::new();
    resources.provider("a", &provider, json!({}))?;
    let bed = Bed::start_with(&resources, |config| config.limits.held = 1000)?;
    let as_it_came = bed.unary().await?;
    assert!(as_it_came.status == 200 && as_it_came.body.contains(&large));
    bed.metric_is("penstock_large_answers_total 1").await?;
    let mut asked = question(false);
    asked["max_tokens"] = json!(9);
    let translated = Got::read(bed.client.post(bed.url("/v1/messages")).body(asked.to_string())).await?;
    assert!(translated.status == 503 && translated.body.contains("--max-held"), "{}", translated.body);
    assert_eq!(provider.calls(), 2, "it is not paid for twice");

    let bed = Bed::start_with(&resources, |config| config.limits.held = 2 << 20)?;
    for path in [PATH, "/v1/messages"].repeat(4) {
        let got = Got::read(bed.client.post(bed.url(path)).body(asked.to_string())).await?;
        assert!(got.status == 200 && got.body.contains(&large), "{path}: what was held before is given back");
    }
    Ok(())
}

/// All that a connection of its own brings for a request.
async fn alone(bed: &Bed) -> anyhow::Result<String> {
    let mut client = TcpStream::connect(bed.address).await?;
    let mut said = Vec::new();
    client.write_all(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await?;
    timeout(PATIENCE, client.read_to_end(&mut said)).await??;
    Ok(String::from_utf8(said)?)
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_and_closed_and_there_is_room_when_another_goes() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let mut resources = Resources::new();
    resources.provider("a", &provider, json!({}))?;
    let bed = Bed::start_with(&resources, |config| config.limits.connections = 1)?;
    let idle = TcpStream::connect(bed.address).await?;
    let refused = alone(&bed).await?;
    let lower = refused.to_ascii_lowercase();
    assert!(refused.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{refused}");
    for part in ["connection: close\r\n", "retry-after: 1\r\n", "\"code\":\"overloaded\"", "--max-connections"] {
        assert!(lower.contains(part), "{part} is not in {refused}");
    }
    assert!(bed.metrics.render().contains("penstock_overloaded_total{bound=\"connections\"} 1"));
    drop(idle);
    let served = async {
        while !alone(&bed).await?.starts_with("HTTP/1.1 200 ") {}
        anyhow::Ok(())
    };
    timeout(PATIENCE, served).await?
}
