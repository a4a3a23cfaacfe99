//! Streams after their first content, and clients that leave.

use anyhow::Context;
use penstock_tests::fake::{Action, Answer, At, End, How, Refusal, Script};
use serde_json::Value;

use crate::bed::{Bed, PRIMARY, SOON_IDLE, hello};
use crate::sdk;

/// The last event as JSON.
fn last(events: &[&str]) -> Value {
    events.last().and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default()
}

#[tokio::test]
async fn a_stream_that_dies_after_content_ends_in_an_error_and_without_an_end_marker() -> anyhow::Result<()> {
    let bed = Bed::start(SOON_IDLE).await?;
    for how in [How::End, How::Close, How::Reset, How::Stall, How::Error(Refusal::ServerError)] {
        bed.fakes.clear_scripts();
        bed.fakes.script(Script::on("openai").forever(Answer::broken(At::Content(3), how.clone())));
        let answer = bed.hello(true).await?;
        assert_eq!((answer.status, answer.header("x-penstock-provider")), (200, "default/openai"), "{how:?}");
        assert_eq!(answer.text(), "This is gpt-4o ", "{how:?}: {answer:?}");
        let events = answer.events();
        assert!(!events.contains(&"[DONE]"), "{how:?}: {answer:?}");
        assert!(last(&events)["error"]["message"].is_string(), "{how:?}: {answer:?}");
    }
    assert_eq!(bed.calls(), (5, 0));
    Ok(())
}

#[tokio::test]
async fn a_translated_stream_that_dies_after_content_ends_in_an_error_of_the_clients_dialect() -> anyhow::Result<()> {
    let bed = Bed::start(SOON_IDLE).await?;
    bed.fakes.script(Script::on("openai").forever(Refusal::ServerError));
    for how in [How::End, How::Close, How::Reset, How::Stall, How::Error(Refusal::Overloaded)] {
        let broken = Script::on("anthropic").once(Answer::broken(At::Content(3), how.clone()));
        bed.fakes.script(broken);
        let answer = bed.hello(true).await?;
        assert_eq!(answer.text(), "This is claude-sonnet-4-5 ", "{how:?}: {answer:?}");
        let events = answer.events();
        assert!(!events.contains(&"[DONE]"), "{how:?}: {answer:?}");
        assert!(last(&events)["error"]["message"].is_string(), "{how:?}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_openai_sdk_raises_when_a_stream_dies_after_content() -> anyhow::Result<()> {
    let bed = Bed::start(SOON_IDLE).await?;
    let url = format!("{}/v1", bed.gateway.url());
    for how in [How::End, How::Close, How::Stall] {
        bed.fakes.clear_scripts();
        bed.fakes.script(Script::on("openai").forever(Answer::broken(At::Content(3), how)));
        sdk::run("openai_broken_stream.py", &[("base-url", &url), ("key", "any"), ("model", "smart")]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_stream_without_its_end_marker_is_complete_once_it_has_finished() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    bed.fakes.script(Script::on("openai").once(Answer { without_end_marker: true, ..Answer::default() }));
    let answer = bed.hello(true).await?;
    assert_eq!(answer.text(), format!("{PRIMARY} You said: hello there"));
    assert_eq!(answer.events().last(), Some(&"[DONE]"), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn one_unreadable_event_is_withheld_and_the_stream_goes_on() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    bed.fakes.script(Script::on("openai").once(Answer::broken(At::Content(3), How::Malformed)));
    let answer = bed.hello(true).await?;
    assert_eq!(answer.text(), format!("{PRIMARY} You said: hello there"));
    assert!(!answer.body.contains("broken"), "{answer:?}");
    assert_eq!(answer.events().last(), Some(&"[DONE]"), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn a_stream_cut_into_odd_pieces_reads_the_same_from_either_provider() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    let text = "Grüße aus Zürich, 東京 🙂 und anderswo";
    let odd = Answer { text: Some(text.to_owned()), split_bytes: Some(3), ..Answer::default() };
    bed.fakes.script(Script::on("openai").once(odd.clone()).forever(Refusal::ServerError));
    bed.fakes.script(Script::on("anthropic").once(odd));
    for provider in ["default/openai", "default/anthropic"] {
        let answer = bed.hello(true).await?;
        assert_eq!((answer.text().as_str(), answer.header("x-penstock-provider")), (text, provider));
        assert_eq!(answer.events().last(), Some(&"[DONE]"));
    }
    Ok(())
}

#[tokio::test]
async fn content_reaches_the_client_while_the_rest_is_still_to_come() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    bed.fakes.script(Script::on("openai").once(Answer::broken(At::Content(2), How::Stall)));
    let mut response = bed.gateway.post("/v1/chat/completions").json(&hello(true)).send().await?;
    let mut seen = String::new();
    while !seen.contains("is ") {
        seen.push_str(std::str::from_utf8(&response.chunk().await?.context("must not end")?)?);
    }
    assert!(seen.ends_with("\n\n"), "{seen:?}");
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_closes_the_upstream_connection_at_once() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    let moments = [
        ("in the stream", true, Answer::broken(At::Content(2), How::Stall).into()),
        ("before content", true, Answer::broken(At::Content(0), How::Stall).into()),
        ("before the head", true, Action::Hang),
        ("before an unary answer", false, Action::Hang),
        ("in an unary answer", false, Answer::broken(At::Events(0), How::Stall).into()),
    ];
    for (case, stream, action) in moments {
        bed.fakes.clear_scripts();
        bed.fakes.forget_requests();
        bed.fakes.script(Script::on("openai").forever(action));
        let request = bed.gateway.post("/v1/chat/completions").json(&hello(stream)).send();
        let client = tokio::spawn(async move { request.await?.bytes().await });
        bed.fakes.wait_until(|records| records.len() == 1).await.context(case)?;
        client.abort();
        let is_closed = |end: Option<End>| matches!(end, Some(End::ClientClosed { .. }));
        bed.fakes.wait_until(|records| is_closed(records[0].end)).await.context(case)?;
    }
    assert_eq!(bed.fakes.requests_to("anthropic").len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_connection_that_went_stale_in_the_pool_costs_no_request() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    for _ in 0..5 {
        assert!(bed.hello(false).await?.text().starts_with(PRIMARY));
        // Closes the connections that the proxy has pooled.
        bed.fakes.refuse_connections("openai").await?;
        bed.fakes.accept_connections("openai").await?;
    }
    let answer = bed.hello(false).await?;
    assert_eq!((answer.text().starts_with(PRIMARY), answer.header("x-penstock-attempts")), (true, "1"), "{answer:?}");
    Ok(())
}
