//! A store that is not there, that is killed, and that stalls.

use std::time::Duration;

use anyhow::Context as _;
use penstock_proxy::Pace;
use penstock_tests::redis::Redis;
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::Instant};

use super::{Look, a_day, at, left, limited, patient, sharing, short, until_up};
use crate::{
    bed::{Bed, Got, Resources, question},
    provider::{PATIENCE, Provider, says},
};

/// With waits as they are where it is in use.
async fn real(resources: &Resources, url: &str) -> anyhow::Result<Bed> {
    Bed::start_with(resources, |config| config.store = Some(at(url)))
}

async fn statuses(bed: &Bed, count: usize) -> anyhow::Result<Vec<u16>> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(bed.unary().await?.status);
    }
    Ok(statuses)
}

/// What the metrics say.
fn figure(bed: &Bed, name: &str) -> u64 {
    let page = bed.metrics.render();
    let figures = page.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    figures.filter_map(|figure| figure.parse::<u64>().ok()).sum()
}

fn misses(bed: &Bed, reason: &str) -> u64 {
    figure(bed, &format!("penstock_limit_store_misses_total{{reason=\"{reason}\"}}"))
}

#[tokio::test]
async fn while_no_store_is_there_each_limit_does_what_it_says() -> anyhow::Result<()> {
    let mut redis = Redis::start().await?;
    redis.kill().await?;
    let provider = Provider::always(says("hi")).await?;
    let bed = async |on_failure: &str| -> anyhow::Result<Bed> {
        let limit = json!({"requests": a_day(4), "onStoreFailure": on_failure});
        let bed = real(&limited(&provider, limit)?, &redis.url()).await?;
        bed.live.share_limits_among(2);
        Ok(bed)
    };
    let local = bed("Local").await?;
    assert_eq!(statuses(&local, 3).await?, [200, 200, 429], "a proxy's share of four is two");
    local.metric_is("penstock_limit_store_up 0").await?;
    assert_eq!(misses(&local, "down"), 3);
    let allow = bed("Allow").await?;
    assert_eq!(statuses(&allow, 6).await?, [200; 6]);
    let deny = bed("Deny").await?;
    let denied = deny.unary().await?;
    assert_eq!((denied.status, denied.error()?.1.as_str()), (503, "limit_store_unavailable"));
    assert!(denied.body.contains("RateLimit default/few lets nothing pass"), "{}", denied.body);
    assert_eq!(provider.calls(), 8, "nobody was asked for what is denied");
    for (path, body, words) in dialects() {
        let got = Got::read(deny.client.post(deny.url(path)).body(body.to_string())).await?;
        assert_eq!((got.status, got.header("retry-after")), (503, "1"), "{path}: {got:?}");
        assert!(words.iter().all(|word| got.body.contains(word)), "{path}: {got:?}");
    }
    Ok(())
}

/// The same in each, and what is in its error.
fn dialects() -> [(&'static str, Value, [&'static str; 2]); 3] {
    let mut messages = question(false);
    messages["max_tokens"] = 9.into();
    let contents = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
    [
        (crate::bed::PATH, question(false), ["\"error\":{", "\"code\":\"limit_store_unavailable\""]),
        ("/v1/messages", messages, ["\"type\":\"error\"", "RateLimit default/few"]),
        ("/v1beta/models/m:generateContent", contents, ["\"status\":\"UNAVAILABLE\"", "RateLimit default/few"]),
    ]
}

#[tokio::test]
async fn what_was_taken_before_the_store_came_counts_there_once_it_does() -> anyhow::Result<()> {
    let mut redis = Redis::start().await?;
    redis.kill().await?;
    let provider = Provider::always(says("hi")).await?;
    let resources = limited(&provider, json!({"requests": a_day(10), "tokens": a_day(2_000)}))?;
    let bed = real(&resources, &redis.url()).await?;
    for _ in 0..3 {
        assert_eq!(bed.ask(short(false)).await?.status, 200);
    }
    redis.restart().await?;
    until_up(&bed).await?;
    assert_eq!(bed.ask(short(false)).await?.status, 200);
    let mut look = Look::at(&redis).await?;
    look.until_taken("few", 4, 20).await?;
    let other = sharing(&resources, &redis).await?;
    assert_eq!(left(&other.ask(short(false)).await?, "requests")?, 5);
    Ok(())
}

#[tokio::test]
async fn a_store_that_accepts_and_never_answers_keeps_nobody_waiting() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("redis://{}", listener.local_addr()?);
    let provider = Provider::always(says("hi")).await?;
    let bed = real(&limited(&provider, json!({"requests": a_day(10)}))?, &url).await?;
    let (_silent, _) = listener.accept().await?;
    assert_eq!(statuses(&bed, 5).await?, [200; 5]);
    assert_eq!(misses(&bed, "down"), 5);
    bed.metric_is("penstock_limit_store_seconds_count 0").await?;
    Ok(())
}

#[tokio::test]
async fn a_store_that_stalls_delays_a_few_requests_by_its_deadline_and_counts_all_once_when_it_goes_on()
-> anyhow::Result<()> {
    let redis = Redis::start().await?;
    let provider = Provider::always(says("hi")).await?;
    let resources = limited(&provider, json!({"requests": a_day(100), "tokens": a_day(5_000)}))?;
    let bed = real(&resources, &redis.url()).await?;
    until_up(&bed).await?;
    let mut look = Look::at(&redis).await?;
    bed.ask(short(false)).await?;
    look.until_taken("few", 1, 5).await?;
    redis.stall()?;
    let before = figure(&bed, "penstock_limit_store_seconds_count");
    for _ in 0..10 {
        assert_eq!(bed.ask(short(false)).await?.status, 200);
    }
    let waited = figure(&bed, "penstock_limit_store_seconds_count") - before;
    assert!((1..=3).contains(&waited), "{waited} waited until it was left alone");
    assert_eq!(figure(&bed, "penstock_limit_store_seconds_bucket{le=\"0.1\"}"), before + waited, "for 20 ms each");
    assert!(misses(&bed, "timeout") >= waited && misses(&bed, "down") + waited >= 10);
    redis.go_on()?;
    until_up(&bed).await?;
    assert_eq!(bed.ask(short(false)).await?.status, 200);
    look.until_taken("few", 12, 60).await
}

#[tokio::test]
async fn what_is_used_while_the_store_stalls_is_settled_once_it_goes_on() -> anyhow::Result<()> {
    let redis = Redis::start().await?;
    let provider = Provider::start(|_| super::ends::gated()).await?;
    let resources = limited(&provider, json!({"requests": a_day(100), "tokens": a_day(5_000)}))?;
    let bed = real(&resources, &redis.url()).await?;
    until_up(&bed).await?;
    let mut look = Look::at(&redis).await?;
    let streams = [bed.request(short(true)).send().await?, bed.request(short(true)).send().await?];
    assert!(look.taken("few").await?.is_open);
    redis.stall()?;
    let third = bed.request(short(true)).send().await?;
    provider.open_gate();
    for stream in streams.into_iter().chain([third]) {
        assert!(stream.text().await?.ends_with(crate::provider::DONE));
    }
    redis.go_on()?;
    until_up(&bed).await?;
    assert_eq!(bed.ask(short(true)).await?.status, 200);
    look.until_taken("few", 4, 20).await
}

#[tokio::test]
async fn a_store_that_dies_in_the_middle_of_a_call_costs_no_request_and_no_count() -> anyhow::Result<()> {
    let mut redis = Redis::start().await?;
    let provider = Provider::always(says("hi")).await?;
    let resources = limited(&provider, json!({"requests": a_day(100), "tokens": a_day(5_000)}))?;
    let bed = patient(&resources, at(&redis.url()))?;
    until_up(&bed).await?;
    bed.ask(short(false)).await?;
    Look::at(&redis).await?.until_taken("few", 1, 5).await?;
    redis.stall()?;
    let dies = async {
        bed.metric_is("penstock_requests_in_flight 1").await?;
        redis.kill().await
    };
    let (got, died) = tokio::join!(tokio::time::timeout(Duration::from_secs(5), bed.ask(short(false))), dies);
    died?;
    assert_eq!(got??.status, 200);
    assert_eq!(misses(&bed, "error") + misses(&bed, "timeout") + misses(&bed, "down"), 1);
    redis.restart().await?;
    until_up(&bed).await?;
    assert_eq!(bed.ask(short(false)).await?.status, 200);
    Look::at(&redis).await?.until_taken("few", 3, 15).await
}

#[tokio::test]
async fn a_client_that_leaves_while_its_request_waits_for_the_store_takes_nothing_of_it() -> anyhow::Result<()> {
    let redis = Redis::start().await?;
    let provider = Provider::always(says("hi")).await?;
    let resources = limited(&provider, json!({"requests": a_day(100), "tokens": a_day(5_000)}))?;
    // Two seconds for what may take 20 ms.
    let pace = Pace::new(100.0).context("must be a pace")?;
    let bed = Bed::start_at(&resources, pace, |config| config.store = Some(at(&redis.url())))?;
    until_up(&bed).await?;
    let mut look = Look::at(&redis).await?;
    bed.ask(short(false)).await?;
    look.until_taken("few", 1, 5).await?;
    redis.stall()?;
    let mut leaves = Box::pin(bed.ask(short(false)));
    tokio::select! {
        got = &mut leaves => anyhow::bail!("answered: {got:?}"),
        waits = bed.metric_is("penstock_requests_in_flight 1") => waits?,
    }
    drop(leaves);
    bed.metric_is("penstock_requests_in_flight 0").await?;
    redis.go_on()?;
    assert_eq!(bed.ask(short(false)).await?.status, 200);
    look.until_taken("few", 2, 10).await
}

#[tokio::test]
async fn what_a_store_carries_out_after_nobody_has_heard_of_it_for_long_counts_nothing_twice() -> anyhow::Result<()> {
    let redis = Redis::start().await?;
    let provider = Provider::always(says("hi")).await?;
    let resources = limited(&provider, json!({"requests": {"limit": 1, "window": "24h", "burst": 100_000}}))?;
    // A second for the ten that an answer is waited for at most.
    let (late, pace) = (Duration::from_secs(1), Pace::new(0.1).context("must be a pace")?);
    let bed = Bed::start_at(&resources, pace, |config| config.store = Some(at(&redis.url())))?;
    until_up(&bed).await?;
    redis.stall()?;
    let (mut asked, stalled) = (0, Instant::now());
    while stalled.elapsed() < 2 * late {
        assert_eq!(bed.unary().await?.status, 200);
        asked += 1;
    }
    assert!(misses(&bed, "timeout") > 0, "some calls are on their way");
    redis.go_on()?;
    let mut look = Look::at(&redis).await?;
    let mut taken = 0;
    let all_counts = async {
        // One that misses its 2 ms is told with the next.
        while taken != asked {
            assert_eq!(bed.unary().await?.status, 200);
            asked += 1;
            taken = look.taken("few").await?.requests;
        }
        anyhow::Ok(())
    };
    let counts = tokio::time::timeout(PATIENCE, all_counts).await;
    counts.with_context(|| format!("{taken} of {asked} requests are counted"))?
}
