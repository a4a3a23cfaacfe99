//! The script on a real Redis, step by step beside the buckets in memory.

use penstock_config::object::Rate;
use penstock_tests::redis::Redis;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use redis::Value;
use tokio::time::Instant;

use super::{
    super::{
        Amounts,
        bucket::{Bucket, News, Share},
        table::{Buckets, Shares},
    },
    script::{Arguments, Place, Reply, SCRIPT, Settling, Wanted},
    *,
};

/// The script by a clock that its caller sets: the last argument, in milliseconds.
fn clocked() -> String {
    let clocked = SCRIPT.replace("redis.call('TIME')", "{ math.floor(ARGV[#ARGV] / 1000), ARGV[#ARGV] % 1000 * 1000 }");
    assert_ne!(clocked, SCRIPT, "it must ask for the time");
    clocked
}

type Rates = Amounts<Option<Rate>>;

/// What happens to the buckets.
#[derive(Clone, Debug)]
enum Event {
    Pass(u64),
    /// Of some of the places, so much.
    Reserve([bool; PLACES], [u64; 3]),
    /// Of the reservation at this place of all that are open, so much was used; more than it, perhaps.
    Settle(usize, [u64; 3]),
}

const PLACES: usize = 3;
/// Milliseconds after which a reservation expires, about: a little more, so that several do together.
const WAIT: u64 = 1_000;
/// The clock's beginning; far from zero, as a real one's.
const BEGIN: u64 = 1_790_000_000_123;

fn events() -> impl Strategy<Value = Vec<Event>> {
    let amounts = [0..3_u64, 0..150_u64, 0..15_000_000_000_000_u64];
    let event = prop_oneof![
        3 => (0..700_u64).prop_map(Event::Pass),
        1 => (0..5_000_u64).prop_map(Event::Pass),
        6 => (any::<[bool; PLACES]>(), amounts.clone()).prop_map(|(places, amounts)| Event::Reserve(places, amounts)),
        4 => (any::<usize>(), amounts).prop_map(|(place, used)| Event::Settle(place, used)),
    ];
    prop::collection::vec(event, 1..120)
}

/// Limits of which some never come back, as budgets, and some are of more than a number of 53 bits.
fn rates() -> impl Strategy<Value = Rates> {
    let rate = |limits: std::ops::Range<u64>, bursts: std::ops::Range<u64>| {
        let rate = (limits, prop_oneof![1..5_000_u64, Just(86_400_000), Just(300_000_000_000)], bursts);
        let share = rate.prop_map(|(limit, window_ms, burst)| Rate { limit, window_ms, burst });
        proptest::option::weighted(0.8, share)
    };
    (rate(0..50, 1..20), rate(0..500, 1..1_000), rate(0..u64::MAX / 2, 1..u64::MAX / 2))
        .prop_map(|(requests, tokens, cost)| Amounts { requests, tokens, cost })
}

/// One proxy has all of a limit.
const ALONE: Share = Share { rate: Rate { limit: 1, window_ms: 1, burst: 1 }, among: 1 };

/// A reservation, as far as it is open.
struct Open {
    places: Vec<usize>,
    amounts: Amounts<u64>,
    until: u64,
    has_expired: bool,
}

/// The same in memory.
struct Memory {
    start: Instant,
    now: u64,
    shares: [Amounts<Option<Share>>; PLACES],
    buckets: [Amounts<Option<Bucket>>; PLACES],
    open: Vec<Open>,
}

impl Memory {
    fn new(rates: [Rates; PLACES]) -> Self {
        let start = Instant::now();
        let shares = rates.map(|rates| rates.map(|rate| rate.map(|rate| Share { rate, among: 1 })));
        let buckets = shares.map(|shares| shares.map(|share| share.map(|share| Bucket::full(&share, start))));
        Self { start, now: BEGIN, shares, buckets, open: Vec::new() }
    }

    fn at(&self) -> Instant {
        self.start + Duration::from_millis(self.now - BEGIN)
    }

    fn each(&mut self, place: usize, amounts: Amounts<u64>, change: impl Fn(&mut Bucket, &Share, u64)) {
        let now = self.at();
        let all = self.buckets[place].zip(self.shares[place]).zip(amounts);
        self.buckets[place] = all.map(|((bucket, share), amount)| {
            let (mut bucket, share) = (bucket?, share?);
            bucket.refill(&share, now);
            change(&mut bucket, &share, amount);
            Some(bucket)
        });
    }

    /// What is not settled in time is given back; a request was made all the same.
    fn expire(&mut self) {
        let (mut open, now) = (std::mem::take(&mut self.open), self.now);
        for reservation in open.iter_mut().filter(|open| !open.has_expired && open.until <= now) {
            reservation.has_expired = true;
            let back = Amounts { requests: 0, ..reservation.amounts };
            reservation.places.iter().for_each(|place| self.each(*place, back, Bucket::give));
        }
        self.open = open;
    }

    fn fits(&mut self, places: &[usize], amounts: Amounts<u64>) -> bool {
        places.iter().all(|place| {
            self.each(*place, amounts, |_, _, _| {});
            let all = self.buckets[*place].zip(self.shares[*place]).zip(amounts);
            let fits = all.map(|((bucket, share), amount)| {
                bucket.zip(share).is_none_or(|(bucket, share)| bucket.look(&share, amount).is_ok())
            });
            fits.requests && fits.tokens && fits.cost
        })
    }

    fn take(&mut self, places: Vec<usize>, amounts: Amounts<u64>, until: u64) {
        places.iter().for_each(|place| self.each(*place, amounts, Bucket::take));
        self.open.push(Open { places, amounts, until, has_expired: false });
    }

    fn settle(&mut self, open: &Open, used: Amounts<u64>) {
        let reserved = match open.has_expired {
            true => Amounts { requests: open.amounts.requests, ..Amounts::default() },
            false => open.amounts,
        };
        for place in &open.places {
            let both = reserved.zip(used);
            self.each(*place, both.map(|(reserved, used)| reserved.saturating_sub(used)), Bucket::give);
            self.each(*place, both.map(|(reserved, used)| used.saturating_sub(reserved)), Bucket::take);
        }
    }

    fn spent(&mut self, place: usize) -> Amounts<Option<u128>> {
        self.each(place, Amounts::default(), |_, _, _| {});
        self.buckets[place].map(|bucket| bucket.map(|mut bucket| bucket.tell(&ALONE).begin))
    }
}

fn wanted(place: Place, news: Amounts<News>) -> Wanted {
    let rates = place.rates;
    let full = Buckets::full(&Shares { rates: &rates, among: 1 }, Instant::now());
    Wanted { place, news, buckets: Arc::new(full.into()), among: 1 }
}

struct Bed {
    connection: Connection,
    script: String,
    case: String,
}

impl Bed {
    fn place(&self, place: usize, rates: Rates) -> Place {
        Place { key: format!("{}:{place}", self.case), rates, keep: 600_000 }
    }

    async fn run(&mut self, mut arguments: Arguments, now: u64) -> Vec<Value> {
        arguments.number(now);
        let command = arguments.command("EVAL", &self.script);
        self.connection.query(&command).await.expect("the script must run")
    }

    async fn reserve(&mut self, places: Vec<Place>, amounts: Amounts<u64>, now: u64) -> Reply {
        let wanted: Vec<_> = places.into_iter().map(|place| wanted(place, Amounts::default())).collect();
        let values = self.run(script::reserve(&wanted, &amounts, WAIT, u64::MAX), now).await;
        Reply::read(values).expect("the reply must be one")
    }
}

async fn agrees(bed: &mut Bed, rates: [Rates; PLACES], events: Vec<Event>) -> Result<(), TestCaseError> {
    let mut memory = Memory::new(rates);
    for event in events {
        memory.expire();
        match event {
            Event::Pass(time) => memory.now += time,
            Event::Reserve(which, [requests, tokens, cost]) => {
                let amounts = Amounts { requests, tokens, cost };
                let places: Vec<_> = (0..PLACES).filter(|place| which[*place]).collect();
                if places.is_empty() {
                    continue;
                }
                let there = places.iter().map(|place| bed.place(*place, rates[*place])).collect();
                let reply = bed.reserve(there, amounts, memory.now).await;
                prop_assert_eq!(reply.is_taken, memory.fits(&places, amounts), "{:?} of {:?}", amounts, places);
                if reply.is_taken {
                    prop_assert!((memory.now + WAIT..memory.now + WAIT + WAIT / 4).contains(&reply.until));
                    memory.take(places.clone(), amounts, reply.until);
                }
                let here: Vec<_> = places.iter().map(|place| memory.spent(*place)).collect();
                prop_assert_eq!(reply.spent, here);
            }
            Event::Settle(which, [requests, tokens, cost]) if !memory.open.is_empty() => {
                let used = Amounts { requests, tokens, cost };
                let open = memory.open.swap_remove(which % memory.open.len());
                let places = open.places.iter().map(|place| bed.place(*place, rates[*place])).collect();
                let settling = Settling { places, until: open.until, reserved: open.amounts, used };
                bed.run(script::settle(&settling), memory.now).await;
                memory.settle(&open, used);
            }
            Event::Settle(..) => {}
        }
    }
    // Long after, all that was reserved is settled or has expired: nothing is held for ever.
    memory.now += 2 * WAIT;
    memory.expire();
    for (place, rates) in rates.into_iter().enumerate() {
        let reply = bed.reserve(vec![bed.place(place, rates)], Amounts::default(), memory.now).await;
        prop_assert_eq!(reply.spent, vec![memory.spent(place)]);
    }
    Ok(())
}

async fn connected(redis: &Redis) -> Connection {
    let config = StoreConfig { urls: vec![redis.url()], ..StoreConfig::default() };
    let store = Store::new(&config, &Metrics::new()).expect("must be a store");
    store.connect().await.expect("must connect")
}

#[test]
fn the_script_agrees_with_the_buckets_in_memory_step_by_step() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("must be a runtime");
    let redis = runtime.block_on(Redis::start()).expect("must start");
    let connection = runtime.block_on(connected(&redis));
    let count = std::cell::Cell::new(0);
    let all = ([rates(), rates(), rates()], events());
    let run = |(rates, events)| {
        count.set(count.get() + 1);
        let case = format!("{{t}}:{}", count.get());
        let mut bed = Bed { connection: connection.clone(), script: clocked(), case };
        runtime.block_on(agrees(&mut bed, rates, events))
    };
    TestRunner::new(Config::with_cases(200)).run(&all, run).unwrap_or_else(|failed| panic!("{failed}"));
}

fn one(limit: u64, window_ms: u64) -> Rates {
    let rate = Rate { limit, window_ms, burst: limit.max(10) };
    Amounts { requests: Some(rate), tokens: None, cost: None }
}

const ONE: Amounts<u64> = Amounts { requests: 1, tokens: 0, cost: 0 };

#[tokio::test]
async fn what_this_proxy_knows_better_counts_where_the_store_has_forgotten_or_was_not_told() {
    let redis = Redis::start().await.expect("must start");
    let mut bed = Bed { connection: connected(&redis).await, script: clocked(), case: "{t}".to_owned() };
    let rates = one(10, 1_000);
    let news = Amounts { requests: News { begin: 4_000, more: 2_000 }, ..Amounts::default() };
    let wanted = [wanted(bed.place(0, rates), news)];
    let mut spent = Vec::new();
    for now in [BEGIN, BEGIN + 100] {
        let reply =
            Reply::read(bed.run(script::reserve(&wanted, &ONE, WAIT, u64::MAX), now).await).expect("must be a reply");
        spent.push(reply.spent[0].requests);
    }
    // The second time it is there already: one comes back, two more and one are taken.
    assert_eq!(spent, [Some(7_000), Some(9_000)]);
}

#[tokio::test]
async fn what_was_held_up_until_nobody_waits_for_it_takes_nothing() {
    let redis = Redis::start().await.expect("must start");
    let mut bed = Bed { connection: connected(&redis).await, script: clocked(), case: "{t}".to_owned() };
    let place = bed.place(0, one(10, 1_000));
    let mut late = script::reserve(&[wanted(place.clone(), Amounts::default())], &ONE, WAIT, BEGIN - 1);
    late.number(BEGIN);
    let command = late.command("EVAL", &bed.script);
    let error = bed.connection.query::<Value>(&command).await.expect_err("must be refused");
    assert_eq!(error.code(), Some("LATE"));
    assert_eq!(bed.reserve(vec![place], ONE, BEGIN).await.spent[0].requests, Some(1_000), "the second alone");
}

#[tokio::test]
async fn another_window_keeps_what_was_spent_and_a_bucket_lives_until_all_has_come_back() {
    let redis = Redis::start().await.expect("must start");
    let mut bed = Bed { connection: connected(&redis).await, script: clocked(), case: "{t}".to_owned() };
    let place = |bed: &Bed, window_ms| Place { keep: 0, ..bed.place(0, one(10, window_ms)) };
    let three = Amounts { requests: 3, ..ONE };
    let there = vec![place(&bed, 1_000)];
    assert!(bed.reserve(there, three, BEGIN).await.is_taken);
    let there = vec![place(&bed, 60_000)];
    let reply = bed.reserve(there, ONE, BEGIN).await;
    assert_eq!(reply.spent[0].requests, Some(4 * 60_000));
    let mut lives = redis::cmd("PTTL");
    lives.arg("{t}:0");
    let lives: i64 = bed.connection.query(&lives).await.expect("must be a time");
    assert!((24_000..26_000).contains(&lives), "four of ten in a minute: {lives}");
}

#[tokio::test]
async fn an_url_that_is_none_is_refused_without_its_password() {
    for (urls, is_cluster) in
        [(vec!["http://:secret@x"], false), (vec!["redis://a", "redis://b"], false), (vec![], false), (vec![], true)]
    {
        let config =
            StoreConfig { urls: urls.into_iter().map(str::to_owned).collect(), is_cluster, ..StoreConfig::default() };
        let error = Store::new(&config, &Metrics::new()).expect_err("must be refused");
        assert!(error.starts_with("--redis: ") && !error.contains("secret"), "{error}");
    }
}
