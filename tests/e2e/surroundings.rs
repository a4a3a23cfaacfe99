//! What happens around a proxy: many clients that do nothing, and ends that are not its own.

use std::time::{Duration, Instant};

use anyhow::Context;
use penstock_tests::fake::{Answer, At, End, Fakes, How, Script};
use penstock_tests::gateway::Gateway;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bed::{Bed, PRIMARY, hello, resources};

/// How many connections do nothing.
const IDLE: u64 = 10_000;
/// What one of them may cost; hyper sets 8 KiB aside for what it reads.
const BYTES_EACH: u64 = 32 << 10;
/// Descriptors for all else, here and in the proxy.
const SPARE: u64 = 500;

/// How many connections this process and the proxy can have, within what the system allows.
fn idle_connections() -> anyhow::Result<u64> {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard })?;
    let most = hard.map_or(IDLE, |hard| hard.saturating_sub(SPARE));
    if most < IDLE {
        eprintln!("only {most} idle connections: the hard limit of descriptors is {hard:?}");
    }
    Ok(most.min(IDLE))
}

#[tokio::test]
async fn ten_thousand_idle_connections_cost_little_and_hold_nobody_up() -> anyhow::Result<()> {
    let count = idle_connections()?;
    let fakes = Fakes::start()?;
    // By itself it keeps half of its descriptors for providers.
    let room = (count + SPARE).to_string();
    let flags = ["--auth", "open", "--max-connections", room.as_str()];
    let bed = Bed { gateway: Gateway::start_with(&resources(&fakes, ""), &flags).await?, fakes };
    assert!(bed.hello(false).await?.text().starts_with(PRIMARY));
    let before = bed.gateway.resident()?;
    let mut idle = Vec::new();
    for n in 0..count {
        idle.push(TcpStream::connect(bed.gateway.data).await.with_context(|| format!("connection {n}"))?);
        if n % 1000 == 0 {
            assert!(bed.hello(n % 2000 == 0).await?.text().starts_with(PRIMARY), "beside {n} idle connections");
        }
    }
    // Connections are accepted in order, so all of the others are there when a last one is answered.
    let mut last = TcpStream::connect(bed.gateway.data).await?;
    last.write_all(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    last.read_to_string(&mut answer).await?;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let each = bed.gateway.resident()?.saturating_sub(before) / count;
    println!("{count} idle connections: {each} bytes each");
    assert!(each < BYTES_EACH, "{each} bytes each");
    Ok(())
}

#[tokio::test]
async fn a_drain_deadline_that_passes_cuts_what_still_runs_and_ends_with_success() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    let flags = ["--auth", "open", "--drain-deadline", "300ms"];
    let mut gateway = Gateway::start_with(&resources(&fakes, ""), &flags).await?;
    fakes.script(Script::on("openai").forever(Answer::broken(At::Content(2), How::Stall)));
    let mut response = gateway.post("/v1/chat/completions").json(&hello(true)).send().await?;
    response.chunk().await?.context("must begin")?;
    let began = Instant::now();
    gateway.terminate()?;
    let status = gateway.ended().await?;
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(status.code(), Some(0), "{}", gateway.log());
    assert!(gateway.log().contains("the drain deadline has passed"), "{}", gateway.log());
    let rest = async {
        while response.chunk().await?.is_some() {}
        Ok::<(), reqwest::Error>(())
    };
    assert!(rest.await.is_err(), "an answer that is not whole does not look whole");
    fakes.wait_until(|records| matches!(records[0].end, Some(End::ClientClosed { .. }))).await?;
    Ok(())
}

#[tokio::test]
async fn a_proxy_that_is_killed_leaves_its_providers_and_serves_at_once_when_it_is_back() -> anyhow::Result<()> {
    let mut bed = Bed::start("").await?;
    bed.fakes.script(Script::on("openai").times(10, Answer::broken(At::Content(2), How::Stall)));
    let mut streams = Vec::new();
    for _ in 0..10 {
        let mut response = bed.gateway.post("/v1/chat/completions").json(&hello(true)).send().await?;
        response.chunk().await?.context("must begin")?;
        streams.push(response);
    }
    bed.gateway.kill().await?;
    let left = |record: &penstock_tests::fake::Record| matches!(record.end, Some(End::ClientClosed { .. }));
    bed.fakes.wait_until(|records| records.iter().all(left)).await?;
    bed.gateway.restart().await?;
    assert!(bed.hello(true).await?.text().starts_with(PRIMARY));
    Ok(())
}
