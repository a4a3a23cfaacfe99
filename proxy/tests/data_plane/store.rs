//! Limits that proxies share in a real Redis.

use anyhow::Context as _;
use penstock_proxy::{Pace, StoreConfig};
use penstock_tests::redis::Redis;
use redis::{Client, Cmd, FromRedisValue, aio::MultiplexedConnection, cmd};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    bed::{Bed, Got, Resources, question},
    provider::{PATIENCE, Provider, answer, says},
};

mod cluster;
mod down;
mod ends;
mod entrance;
mod readonly;

/// Of a day, so that nothing comes in while a test runs.
fn a_day(limit: u64) -> Value {
    json!({"limit": limit, "window": "24h"})
}

fn at(url: &str) -> StoreConfig {
    StoreConfig { urls: vec![url.to_owned()], gateway: "default".to_owned(), ..StoreConfig::default() }
}

/// A proxy that waits 400 ms for its store where others wait 20: this machine may be busy.
fn patient(resources: &Resources, store: StoreConfig) -> anyhow::Result<Bed> {
    let pace = Pace::new(20.0).context("must be a pace")?;
    Bed::start_at(resources, pace, |config| config.store = Some(store))
}

async fn until_up(bed: &Bed) -> anyhow::Result<()> {
    bed.metric_is("penstock_limit_store_up 1").await
}

/// The same, once it reaches its store.
async fn sharing(resources: &Resources, redis: &Redis) -> anyhow::Result<Bed> {
    let bed = patient(resources, at(&redis.url()))?;
    until_up(&bed).await?;
    Ok(bed)
}

/// A provider's resources and one limit over all.
fn limited(provider: &Provider, limit: Value) -> anyhow::Result<Resources> {
    let mut resources = Resources::new();
    let priced = json!({"models": [{"name": "m", "pricing": {"input": "1", "output": "2"}}]});
    resources.provider("a", provider, priced)?.limit("few", limit)?;
    Ok(resources)
}

/// What may take some hundred tokens, and takes 5.
fn short(stream: bool) -> Value {
    let mut body = question(stream);
    body["max_tokens"] = 100.into();
    body
}

fn left(got: &Got, unit: &str) -> anyhow::Result<u64> {
    let name = format!("x-ratelimit-remaining-{unit}");
    got.header(&name).parse().with_context(|| format!("{name} of {got:?}"))
}

/// A look at what proxies wrote.
struct Look(MultiplexedConnection);

/// Of a limit's one bucket: whole requests and tokens, and whether some are only reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Taken {
    requests: u64,
    tokens: u64,
    is_open: bool,
}

impl Look {
    async fn at(redis: &Redis) -> anyhow::Result<Self> {
        Ok(Self(Client::open(redis.url())?.get_multiplexed_async_connection().await?))
    }

    async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> anyhow::Result<T> {
        Ok(command.query_async(&mut self.0).await?)
    }

    async fn keys(&mut self) -> anyhow::Result<Vec<String>> {
        self.ask(cmd("KEYS").arg("*")).await
    }

    async fn taken(&mut self, limit: &str) -> anyhow::Result<Taken> {
        let keys: Vec<String> =
            self.ask(cmd("KEYS").arg(format!("penstock:{{default}}:limit:default/{limit}:*"))).await?;
        let text: Option<String> = match keys.as_slice() {
            [] => None,
            [key] => self.ask(cmd("GET").arg(key)).await?,
            _ => anyhow::bail!("more than one bucket: {keys:?}"),
        };
        let words: Vec<u128> = text.unwrap_or_default().split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let whole = |place: usize| match words.get(place) {
            None | Some(0) => 0,
            Some(window) => u64::try_from(words[place + 1].div_ceil(*window)).unwrap_or(u64::MAX),
        };
        Ok(Taken { requests: whole(1), tokens: whole(3), is_open: words.len() > 7 })
    }

    /// Until so much is taken for good.
    async fn until_taken(&mut self, limit: &str, requests: u64, tokens: u64) -> anyhow::Result<()> {
        let (wanted, mut last) = (Taken { requests, tokens, is_open: false }, None);
        let poll = async {
            while last != Some(wanted) {
                last = Some(self.taken(limit).await?);
            }
            anyhow::Ok(())
        };
        match timeout(PATIENCE, poll).await {
            Ok(looked) => looked,
            Err(_) => anyhow::bail!("{last:?} and not {wanted:?}"),
        }
    }
}

#[tokio::test]
async fn proxies_take_of_one_bucket_and_settle_it_for_each_other() -> anyhow::Result<()> {
    let redis = Redis::start().await?;
    let failed = answer(500, "", "{}");
    let provider = Provider::start(move |n| if n == 2 { failed.clone() } else { says("hi") }).await?;
    let resources = limited(&provider, json!({"requests": a_day(4), "tokens": a_day(2_000)}))?;
    let (one, other) = (sharing(&resources, &redis).await?, sharing(&resources, &redis).await?);
    let mut look = Look::at(&redis).await?;
    let first = one.ask(short(false)).await?;
    let at_first = left(&first, "tokens")?;
    assert!((1_850..1_900).contains(&at_first), "what it may take is reserved: {first:?}");
    look.until_taken("few", 1, 5).await?;
    let second = other.ask(short(false)).await?;
    assert_eq!((left(&second, "requests")?, left(&second, "tokens")?), (2, at_first - 5), "the first took 5");
    look.until_taken("few", 2, 10).await?;
    let failed = one.ask(short(false)).await?;
    assert_eq!((failed.status, left(&failed, "requests")?, left(&failed, "tokens")?), (502, 1, at_first - 10));
    look.until_taken("few", 2, 10).await?;
    let statuses = [&other, &one, &other].map(|bed| bed.ask(short(false)));
    let [third, fourth, fifth] = statuses;
    assert_eq!([third.await?.status, fourth.await?.status, fifth.await?.status], [200, 200, 429]);
    look.until_taken("few", 4, 20).await
}

#[tokio::test]
async fn what_one_limit_refuses_takes_nothing_of_the_others() -> anyhow::Result<()> {
    let redis = Redis::start().await?;
    let provider = Provider::always(says("hi")).await?;
    let mut resources = limited(&provider, json!({"requests": a_day(9), "tokens": a_day(2_000)}))?;
    resources.limit("zero", json!({"requests": a_day(1)}))?;
    let (one, other) = (sharing(&resources, &redis).await?, sharing(&resources, &redis).await?);
    let mut look = Look::at(&redis).await?;
    assert_eq!(one.ask(short(false)).await?.status, 200);
    look.until_taken("few", 1, 5).await?;
    let refused = other.ask(short(false)).await?;
    assert_eq!((refused.status, left(&refused, "requests")?), (429, 0));
    assert!(refused.body.contains("RateLimit default/zero allows 1 requests"), "{}", refused.body);
    assert_eq!(look.taken("few").await?, Taken { requests: 1, tokens: 5, is_open: false });
    assert_eq!(look.taken("zero").await?, Taken { requests: 1, tokens: 0, is_open: false });
    Ok(())
}

#[tokio::test]
async fn a_dollar_that_one_proxy_spent_the_other_has_no_more() -> anyhow::Result<()> {
    let redis = Redis::start().await?;
    let provider = Provider::always(says("hi")).await?;
    let mut resources = Resources::new();
    // 2 tokens of the answer are reported, half a dollar each.
    let priced = json!({"models": [{"name": "m", "pricing": {"input": "0", "output": "500000"}}]});
    let limit = json!({"cost": {"limit": "3", "window": "24h"}, "tokens": a_day(2_000)});
    resources.provider("a", &provider, priced)?.limit("few", limit)?;
    let (one, other) = (sharing(&resources, &redis).await?, sharing(&resources, &redis).await?);
    let mut look = Look::at(&redis).await?;
    let may_cost = |halves: u32| {
        let mut body = question(false);
        body["max_tokens"] = halves.into();
        body
    };
    assert_eq!(one.ask(may_cost(6)).await?.status, 200, "all of it, and costs one");
    look.until_taken("few", 0, 5).await?;
    assert_eq!(other.ask(may_cost(4)).await?.status, 200, "two are left");
    look.until_taken("few", 0, 10).await?;
    assert_eq!(one.ask(may_cost(3)).await?.status, 429, "one dollar is left");
    Ok(())
}

#[tokio::test]
async fn threads_of_a_proxy_share_its_limits() -> anyhow::Result<()> {
    let redis = Redis::start().await?;
    let provider = Provider::always(says("hi")).await?;
    let resources = limited(&provider, json!({"requests": a_day(20)}))?;
    let pace = Pace::new(20.0).context("must be a pace")?;
    let bed = Bed::start_at(&resources, pace, |config| {
        config.workers = std::num::NonZeroUsize::new(2);
        config.store = Some(at(&redis.url()));
    })?;
    let mut look = Look::at(&redis).await?;
    let both_connect = async {
        // One of each thread, and this look.
        while look.ask::<String>(cmd("CLIENT").arg("LIST")).await?.lines().count() < 3 {}
        anyhow::Ok(())
    };
    timeout(PATIENCE, both_connect).await.context("the threads share a connection")??;
    until_up(&bed).await?;
    let all = futures::future::try_join_all((0..40).map(|_| bed.unary())).await?;
    let passed = all.iter().filter(|got| got.status == 200).count();
    assert_eq!(passed, 20, "{:?}", all.iter().map(|got| got.status).collect::<Vec<_>>());
    assert_eq!(look.taken("few").await?.requests, 20);
    Ok(())
}

/// How often a command was called.
async fn calls(look: &mut Look, command: &str) -> anyhow::Result<u64> {
    let stats: String = look.ask(cmd("INFO").arg("commandstats")).await?;
    let prefix = format!("cmdstat_{command}:calls=");
    let line = stats.lines().find_map(|line| line.strip_prefix(&prefix));
    Ok(line.and_then(|line| line.split(',').next()).unwrap_or("0").parse()?)
}

#[tokio::test]
async fn however_many_limits_bind_a_request_it_calls_the_store_once_and_settles_with_one_more() -> anyhow::Result<()> {
    let redis = Redis::start().await?;
    let provider = Provider::always(says("hi")).await?;
    let mut resources = limited(&provider, json!({"requests": a_day(100)}))?;
    for (name, per) in [("each", json!(["User"])), ("model", json!(["Model"]))] {
        resources.limit(name, json!({"per": per, "requests": a_day(100)}))?;
    }
    let bed = sharing(&resources, &redis).await?;
    let mut look = Look::at(&redis).await?;
    let _: () = look.ask(cmd("CONFIG").arg("RESETSTAT")).await?;
    for _ in 0..5 {
        assert_eq!(bed.unary().await?.status, 200);
    }
    assert_eq!(calls(&mut look, "evalsha").await?, 5, "a request is taken for good");
    resources.limit("tokens", json!({"tokens": a_day(9_000)}))?;
    bed.live.apply(&resources.snapshot());
    for _ in 0..5 {
        assert_eq!(bed.ask(short(false)).await?.status, 200);
    }
    look.until_taken("tokens", 0, 25).await?;
    assert_eq!((calls(&mut look, "evalsha").await?, calls(&mut look, "eval").await?), (15, 0));
    Ok(())
}

#[tokio::test]
async fn no_name_of_a_user_rests_in_the_store_and_nothing_does_for_ever() -> anyhow::Result<()> {
    let redis = Redis::start().await?;
    let provider = Provider::always(says("hi")).await?;
    let spec = json!({"per": ["Consumer", "User", "Model"], "requests": a_day(9), "tokens": a_day(2_000)});
    let mut resources = limited(&provider, spec)?;
    resources.consumer_with("searchers", "a-key-of-twenty-characters", json!({"userFrom": {"type": "Body"}}))?;
    let bed = sharing(&resources, &redis).await?;
    let mut body = short(false);
    body["user"] = "alice".into();
    assert_eq!(bed.ask(body.clone()).await?.status, 200);
    let known = bed.request(body).bearer_auth("a-key-of-twenty-characters");
    assert_eq!(Got::read(known).await?.status, 200);
    let mut look = Look::at(&redis).await?;
    let keys = look.keys().await?;
    let buckets: Vec<_> = keys.iter().filter(|key| key.contains(":limit:")).collect();
    assert_eq!(buckets.len(), 2, "{keys:?}");
    for key in &keys {
        let value: String = look.ask(cmd("GET").arg(key)).await?;
        let lives: i64 = look.ask(cmd("PTTL").arg(key)).await?;
        assert!(lives > 0, "{key} lives for ever");
        for name in ["alice", "searchers"] {
            assert!(!key.contains(name) && !value.contains(name), "{key}: {value}");
        }
        assert!(value.bytes().all(|byte| byte.is_ascii_digit() || byte == b' '), "{key}: {value}");
    }
    Ok(())
}
