//! Clients that leave: nothing is done for them any longer.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    bed::{Bed, PATH, Resources, question},
    provider::{Act, PATIENCE, Provider, ROLE, answer, stream, text},
};
use penstock_proxy::Pace;

/// Where the request is when its client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    BeforeTheHead,
    BeforeContent,
    InTheStream,
    WhileARetryWaits,
}

#[derive(Clone, Copy, Debug)]
enum Farewell {
    Fin,
    Reset,
}

impl Moment {
    const ALL: [Self; 4] = [Self::BeforeTheHead, Self::BeforeContent, Self::InTheStream, Self::WhileARetryWaits];

    fn acts(self) -> Vec<Act> {
        let open = |events: &[&str]| [stream(events), vec![Act::Hang]].concat();
        match self {
            Moment::BeforeTheHead => vec![Act::Hang],
            Moment::BeforeContent => open(&[ROLE]),
            Moment::InTheStream => open(&[&text("hi")]),
            Moment::WhileARetryWaits => answer(429, "retry-after: 60\r\n", "{}"),
        }
    }

    /// What the record of the request says.
    fn recorded(self) -> &'static [&'static str] {
        match self {
            Moment::BeforeTheHead | Moment::BeforeContent => &["outcome=\"cancelled\"", "status=\"4xx\""],
            Moment::InTheStream => &["outcome=\"cancelled\"", "status=\"2xx\""],
            Moment::WhileARetryWaits => &["status=\"4xx\""],
        }
    }
}

fn written(stream: bool) -> Vec<u8> {
    let body = question(stream).to_string();
    format!("POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into()
}

async fn until(bed: &Bed, what: &str) -> anyhow::Result<()> {
    let look = async {
        while !bed.metrics.render().contains(what) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, look).await.map_err(|_| anyhow::anyhow!("never {what} in\n{}", bed.metrics.render()))
}

async fn leaves(moment: Moment, farewell: Farewell, behind: usize) -> anyhow::Result<()> {
    let provider = Provider::always(moment.acts()).await?;
    let mut resources = Resources::new();
    let patient = json!({"retries": {"attempts": 1, "waitUpTo": "120s"}, "timeouts": {"request": "300s"}});
    let bed = Bed::start(resources.provider("a", &provider, patient)?)?;
    let mut client = TcpStream::connect(bed.address).await?;
    // What stands behind the request is the beginning of the next one, more than is read ahead.
    let next = written(true).repeat(behind / 100);
    client.write_all(&[written(true), next].concat()).await?;
    provider.until(|events| events.seen.len() == 1).await?;
    let mut seen = Vec::new();
    while moment == Moment::InTheStream && !String::from_utf8_lossy(&seen).contains("hi") {
        anyhow::ensure!(client.read_buf(&mut seen).await? > 0, "closed too early");
    }
    match farewell {
        Farewell::Fin => {
            client.shutdown().await?;
            // It may be a reset: of what stands behind, not all was read.
            let _ = timeout(PATIENCE, client.read_to_end(&mut seen)).await?;
            assert!(moment == Moment::InTheStream || seen.is_empty(), "nobody is left to be told anything");
        }
        Farewell::Reset => {
            client.set_zero_linger()?;
            drop(client);
        }
    }
    if moment != Moment::WhileARetryWaits {
        provider.until(|events| events.closed == [0]).await?;
    }
    until(&bed, "penstock_requests_in_flight 0").await?;
    for what in moment.recorded() {
        until(&bed, what).await?;
    }
    assert_eq!(provider.calls(), 1);
    Ok(())
}

#[tokio::test]
async fn whenever_and_however_a_client_leaves_its_provider_is_left_at_once() -> anyhow::Result<()> {
    for moment in Moment::ALL {
        for farewell in [Farewell::Fin, Farewell::Reset] {
            for behind in [0, 200, 40_000] {
                let left = leaves(moment, farewell, behind).await;
                left.map_err(|error| error.context(format!("{moment:?}, {farewell:?}, {behind} bytes behind")))?;
            }
        }
    }
    Ok(())
}

/// How many requests were counted, whatever became of them.
fn counted(bed: &Bed) -> u64 {
    let metrics = bed.metrics.render();
    let of = |family: &str| {
        let lines = metrics.lines().filter(|line| line.starts_with(family));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum::<u64>()
    };
    of("penstock_requests_total") + of("penstock_unrouted_requests_total")
}

#[tokio::test]
async fn a_request_whose_client_leaves_at_once_is_counted_all_the_same() -> anyhow::Result<()> {
    let provider = Provider::always(vec![Act::Hang]).await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, json!({}))?)?;
    let whole = written(false);
    let half = &whole[..whole.len() - 10];
    for (asked, request) in [half, &whole].into_iter().cycle().take(20).enumerate() {
        let mut client = TcpStream::connect(bed.address).await?;
        client.write_all(request).await?;
        drop(client);
        let look = async {
            while counted(&bed) <= asked as u64 {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, look).await.map_err(|_| anyhow::anyhow!("request {asked} is lost"))?;
        assert_eq!(counted(&bed), asked as u64 + 1);
    }
    until(&bed, "penstock_unrouted_requests_total{reason=\"client_left\"}").await?;
    until(&bed, "penstock_requests_in_flight 0").await
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_given_up_and_its_provider_is_not_blamed() -> anyhow::Result<()> {
    let line = crate::provider::chunk(&text(&"x".repeat(10_000)));
    let flood = [stream(&[]), vec![Act::Flood(line)]].concat();
    let provider = Provider::start(move |n| if n == 0 { flood.clone() } else { crate::provider::says("hi") }).await?;
    // The write timeout is 30 s.
    let pace = Pace::new(0.01).ok_or_else(|| anyhow::anyhow!("must be a pace"))?;
    let bed = Bed::start_at(Resources::new().provider("a", &provider, json!({}))?, pace, |_| {})?;
    let mut client = TcpStream::connect(bed.address).await?;
    client.write_all(&written(true)).await?;
    let events = provider.until(|events| events.closed == [0]).await?;
    assert!(events.flooded < 64 << 20, "{} bytes are held somewhere", events.flooded);
    until(&bed, "outcome=\"cancelled\"").await?;
    assert_eq!(bed.unary().await?.status, 200);
    let metrics = bed.metrics.render();
    assert!(!metrics.contains("outcome=\"timeout\"") && !metrics.contains("outcome=\"broken\""), "{metrics}");
    drop(client);
    Ok(())
}

/// What is left of a client's connection, once the proxy has closed it.
async fn rest(client: &mut TcpStream) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    timeout(PATIENCE, client.read_to_end(&mut bytes)).await??;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[tokio::test]
async fn heads_and_bodies_that_drip_or_stop_end_in_time() -> anyhow::Result<()> {
    let provider = Provider::always(vec![]).await?;
    // A head has 15 s, a pause in a body 30 s, a body 300 s.
    let pace = Pace::new(0.01).ok_or_else(|| anyhow::anyhow!("must be a pace"))?;
    let bed = Bed::start_at(Resources::new().provider("a", &provider, json!({}))?, pace, |_| {})?;
    let mut half = TcpStream::connect(bed.address).await?;
    half.write_all(b"POST /v1/ch").await?;
    rest(&mut half).await?;

    let body_of_100 = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{{");
    let mut stops = TcpStream::connect(bed.address).await?;
    stops.write_all(body_of_100.as_bytes()).await?;
    let said = rest(&mut stops).await?;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");

    let endless = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n");
    for (begin, status) in [("POST /v1/chat/completions HTTP/1.1\r\nx: ", ""), (&endless, "HTTP/1.1 408 ")] {
        let (mut read, mut write) = TcpStream::connect(bed.address).await?.into_split();
        write.write_all(begin.as_bytes()).await?;
        let drip = tokio::spawn(async move {
            let mut clock = tokio::time::interval(Duration::from_millis(20));
            while write.write_all(b"a").await.is_ok() {
                clock.tick().await;
            }
        });
        let mut said = Vec::new();
        // Its next drop may be answered with a reset.
        let _ = timeout(PATIENCE, read.read_to_end(&mut said)).await?;
        assert!(said.starts_with(status.as_bytes()), "{}", String::from_utf8_lossy(&said));
        drip.await?;
    }
    assert_eq!(provider.calls(), 0);
    Ok(())
}
