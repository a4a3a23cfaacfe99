//! Leaving without breaking anything.

use std::time::Duration;

use serde_json::json;

use crate::{
    bed::{Bed, Resources, question},
    provider::{Act, DONE, PATIENCE, Provider, STOP, end, says, stream, text},
};

#[tokio::test]
async fn streams_finish_and_then_it_returns() -> anyhow::Result<()> {
    let acts = [stream(&[&text("hi")]), vec![Act::Gate], stream(&[STOP, DONE]).split_off(1), vec![end()]].concat();
    let provider = Provider::always(acts).await?;
    let mut bed = Bed::start(Resources::new().provider("a", &provider, json!({}))?)?;
    let response = bed.request(question(true)).send().await?;
    bed.stop();
    // Nothing new is accepted any more, once the listener is gone.
    while tokio::net::TcpStream::connect(bed.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    provider.open_gate();
    assert!(response.text().await?.ends_with(DONE));
    (&mut bed.run).await??;
    Ok(())
}

#[tokio::test]
async fn what_runs_past_the_deadline_is_dropped() -> anyhow::Result<()> {
    let provider = Provider::always([stream(&[&text("hi")]), vec![Act::Hang]].concat()).await?;
    let mut resources = Resources::new();
    resources.provider("a", &provider, json!({}))?;
    let mut bed = Bed::start_with(&resources, |config| config.drain = Duration::from_millis(200))?;
    let response = bed.request(question(true)).send().await?;
    bed.stop();
    tokio::time::timeout(PATIENCE, &mut bed.run).await???;
    assert!(response.text().await.is_err(), "an answer that is not whole does not look whole");
    Ok(())
}

#[tokio::test]
async fn in_the_grace_new_connections_are_served_and_told_to_close() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let mut resources = Resources::new();
    resources.provider("a", &provider, json!({}))?;
    let mut bed = Bed::start_with(&resources, |config| config.grace = Duration::from_secs(5))?;
    assert_eq!(bed.unary().await?.header("connection"), "");
    bed.stop();
    loop {
        let got = bed.unary().await?;
        assert_eq!(got.status, 200);
        if got.header("connection") == "close" {
            return Ok(());
        }
    }
}
