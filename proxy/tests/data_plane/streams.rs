//! Streams, from their first content on.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    bed::{Bed, Resources, question},
    provider::{Act, DONE, Provider, ROLE, STOP, USAGE, answer, end, stream, text},
};

async fn bed(acts: Vec<Act>) -> anyhow::Result<(Bed, Provider)> {
    with_timeouts(acts, json!({})).await
}

async fn with_timeouts(acts: Vec<Act>, timeouts: Value) -> anyhow::Result<(Bed, Provider)> {
    let provider = Provider::always(acts).await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, json!({"timeouts": timeouts}))?)?;
    Ok((bed, provider))
}

fn with(mut acts: Vec<Act>, more: Act) -> Vec<Act> {
    acts.push(more);
    acts
}

#[tokio::test]
async fn a_stream_goes_through_byte_by_byte_with_fields_that_nobody_knows() -> anyhow::Result<()> {
    let odd = text("hi").replace("\"id\"", "\"x_unknown\" : 1.50 ,\"id\"");
    let comment = ": keep going\n\n";
    let (bed, _provider) = bed(with(stream(&[comment, ROLE, &odd, STOP, DONE]), end())).await?;
    let got = bed.stream().await?;
    assert_eq!(got.body, [comment, ROLE, &odd, STOP, DONE].concat());
    assert!(got.header("content-type").starts_with("text/event-stream"));
    Ok(())
}

#[tokio::test]
async fn usage_is_asked_for_counted_and_hidden_from_a_client_that_did_not_ask() -> anyhow::Result<()> {
    let (bed, provider) = bed(with(stream(&[&text("hi"), STOP, USAGE, DONE]), end())).await?;
    assert_eq!(bed.stream().await?.body, [&text("hi"), STOP, DONE].concat());
    assert!(provider.events().seen[0].body.contains(r#""stream_options":{"include_usage":true}"#));
    let counted = r#"penstock_tokens_total{direction="input",model="m",provider="default/a",route="m"} 3"#;
    assert!(bed.metrics.render().contains(counted), "{}", bed.metrics.render());
    let mut asks = question(true);
    asks["stream_options"] = json!({"include_usage": true});
    assert_eq!(bed.ask(asks).await?.body, [&text("hi"), STOP, USAGE, DONE].concat());
    Ok(())
}

#[tokio::test]
async fn content_is_not_held_back() -> anyhow::Result<()> {
    let acts = [stream(&[ROLE, &text("first")]), vec![Act::Gate], stream(&[STOP, DONE]).split_off(1), vec![end()]];
    let (bed, provider) = bed(acts.concat()).await?;
    let mut response = bed.request(question(true)).send().await?;
    let mut got = String::new();
    while !got.contains("first") {
        got += std::str::from_utf8(&response.chunk().await?.expect("must go on"))?;
    }
    provider.open_gate();
    got += &response.text().await?;
    assert_eq!(got, [ROLE, &text("first"), STOP, DONE].concat());
    Ok(())
}

#[tokio::test]
async fn a_break_after_content_is_said_in_band_and_nothing_ends_as_if_it_were_whole() -> anyhow::Result<()> {
    let content = || stream(&[&text("hi")]);
    let error = "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n";
    let cases = [
        ("cut", with(content(), Act::Close)),
        ("ended", with(content(), end())),
        ("stalled", with(content(), Act::Hang)),
        ("an error", with(stream(&[&text("hi"), error]), Act::Hang)),
        ("a marker too early", with(stream(&[&text("hi"), DONE]), Act::Hang)),
    ];
    for (name, acts) in cases {
        let timeouts = if name == "stalled" { json!({"idle": "300ms"}) } else { json!({}) };
        let (bed, provider) = with_timeouts(acts, timeouts).await?;
        let got = bed.stream().await?;
        let rest = got.body.strip_prefix(&text("hi")).unwrap_or_else(|| panic!("{name}: {}", got.body));
        assert!(rest.starts_with("data: {\"error\":{"), "{name}: {rest}");
        assert!(!rest.contains("[DONE]"), "{name}: {rest}");
        if name != "ended" {
            provider.until(|events| events.closed == [0]).await?;
        }
        let broken = r#"penstock_attempts_total{model="m",outcome="broken",provider="default/a",route="m"} 1"#;
        assert!(bed.metrics.render().contains(broken), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_finished_stream_without_its_marker_ends_properly() -> anyhow::Result<()> {
    for last in [Act::Close, end(), Act::Hang] {
        let name = format!("{last:?}");
        let (bed, _provider) = bed(with(stream(&[&text("hi"), STOP]), last)).await?;
        assert_eq!(bed.stream().await?.body, [&text("hi"), STOP, DONE].concat(), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn one_malformed_event_is_withheld_and_the_stream_goes_on() -> anyhow::Result<()> {
    let events = [&text("a"), "data: {\"broken\n\n", &text("b"), STOP, DONE];
    let (bed, _provider) = bed(with(stream(&events), end())).await?;
    assert_eq!(bed.stream().await?.body, [&text("a"), &text("b"), STOP, DONE].concat());
    assert!(bed.metrics.render().contains("penstock_withheld_events_total 1"));
    Ok(())
}

#[tokio::test]
async fn a_stream_that_says_too_much_before_its_content_is_not_held_for_ever() -> anyhow::Result<()> {
    let ping = format!(": {}\n\n", "x".repeat(10_000));
    let acts =
        [stream(&[ping.as_str(); 30]), vec![Act::Gate], stream(&[&text("hi"), STOP, DONE]).split_off(1), vec![end()]];
    let (bed, provider) = bed(acts.concat()).await?;
    let response = tokio::time::timeout(Duration::from_secs(5), bed.request(question(true)).send()).await??;
    provider.open_gate();
    assert!(response.text().await?.ends_with(DONE));
    Ok(())
}

#[tokio::test]
async fn a_provider_that_refuses_to_be_asked_for_usage_is_asked_without_and_only_once() -> anyhow::Result<()> {
    let refusal = r#"{"error":{"message":"Unknown field: stream_options","type":"invalid_request_error"}}"#;
    let good = with(stream(&[&text("hi"), STOP, DONE]), end());
    let provider = Provider::start(move |n| if n == 0 { answer(400, "", refusal) } else { good.clone() }).await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, json!({}))?)?;
    for _ in 0..2 {
        assert_eq!(bed.stream().await?.body, [&text("hi"), STOP, DONE].concat());
    }
    let asked: Vec<_> = provider.events().seen.iter().map(|seen| seen.body.contains("stream_options")).collect();
    assert_eq!(asked, [true, false, false]);
    Ok(())
}

#[tokio::test]
async fn a_unary_answer_that_is_too_large_to_hold_streams_through() -> anyhow::Result<()> {
    let body = crate::provider::completion(&"x".repeat(33 << 20));
    let provider = Provider::always(answer(200, "", &body)).await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, json!({}))?)?;
    let got = bed.unary().await?;
    assert!(got.status == 200 && got.body == body);
    assert!(bed.metrics.render().contains("penstock_large_answers_total 1"));
    Ok(())
}

#[tokio::test]
async fn a_whole_answer_in_one_piece_is_not_waited_for_until_the_provider_is_idle() -> anyhow::Result<()> {
    let provider = Provider::always([stream(&[&[&text("hi"), STOP].concat()]), vec![Act::Hang]].concat()).await?;
    let idle = json!({"timeouts": {"idle": "1h"}});
    let bed = Bed::start(Resources::new().provider("a", &provider, idle)?)?;
    assert_eq!(bed.stream().await?.body, [&text("hi"), STOP, DONE].concat());
    Ok(())
}
