//! Leaving without breaking anything.

use std::time::Duration;

use penstock_proxy::Pace;
use serde_json::json;
use tokio::io::AsyncReadExt;

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

const MODELS: &[u8] = b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n";

async fn assert_served(socket: std::net::TcpStream) -> anyhow::Result<()> {
    socket.set_nonblocking(true)?;
    let mut client = tokio::net::TcpStream::from_std(socket)?;
    let mut said = Vec::new();
    tokio::time::timeout(PATIENCE, client.read_to_end(&mut said)).await??;
    let said = String::from_utf8(said)?.to_ascii_lowercase();
    assert!(said.starts_with("http/1.1 200 ") && said.contains("connection: close\r\n"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_connection_that_was_new_as_the_drain_began_may_still_bring_its_request() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let mut resources = Resources::new();
    resources.provider("a", &provider, json!({}))?;
    // It has a second: ten of them here, for a busy machine.
    let pace = Pace::new(10.0).ok_or_else(|| anyhow::anyhow!("must be a pace"))?;
    let mut bed = Bed::start_at(&resources, pace, |_| {})?;
    let mut socket = std::net::TcpStream::connect(bed.address)?;
    bed.stop();
    while tokio::net::TcpStream::connect(bed.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    std::io::Write::write_all(&mut socket, MODELS)?;
    assert_served(socket).await?;
    Ok(())
}

#[tokio::test]
async fn connections_that_still_wait_in_the_queue_are_served() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let mut bed = Bed::start(Resources::new().provider("a", &provider, json!({}))?)?;
    bed.stop();
    // This test's one thread is the acceptor's as well: until it waits, the kernel alone knows of these.
    let mut queued = Vec::new();
    for _ in 0..50 {
        let mut socket = std::net::TcpStream::connect(bed.address)?;
        std::io::Write::write_all(&mut socket, MODELS)?;
        queued.push(socket);
    }
    for socket in queued {
        assert_served(socket).await?;
    }
    tokio::time::timeout(PATIENCE, &mut bed.run).await???;
    Ok(())
}
