//! Whole worlds in moments: thousands of requests go over targets that fail by script, while the configuration changes,
//! and an oracle watches them. A world is all that its seed says: `PENSTOCK_SIMULATION=SEED`, or `FROM..TO`, runs others.

use std::{
    cell::RefCell,
    ops::Range,
    panic::resume_unwind,
    rc::Rc,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use penstock_llm::{
    Dialect,
    call::Call,
    scan::{Scan, scan},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    task::{JoinError, JoinSet, LocalSet},
    time::{Instant, sleep},
};

use super::Failure;
use crate::{live::Live, metrics::Metrics};
use config::{Config, millis};
use oracle::{Key, Oracle, Seen};
use script::{Act, Script};

mod client;
pub(super) mod config;
mod oracle;
mod script;

const SEEDS: Range<u64> = 0..50;
const REQUESTS: usize = 2_000;
/// How long requests come.
const LASTS: Duration = Duration::from_secs(120);
/// When all is over.
const AFTER: Duration = Duration::from_secs(60);

struct World {
    live: Live,
    chance: RefCell<StdRng>,
    config: RefCell<Rc<Config>>,
    script: Script,
    oracle: RefCell<Oracle>,
    /// What every request says.
    call: Call,
    scan: Box<Scan>,
}

impl World {
    fn new(seed: u64) -> Rc<Self> {
        let mut chance = StdRng::seed_from_u64(seed);
        let config = Config::draw(&mut chance);
        let script = Script::draw(config.providers.len(), Instant::now(), LASTS + AFTER, &mut chance);
        let body = br#"{"model":"r","messages":[{"role":"user","content":"hello"}],"max_tokens":10}"#;
        let call = Call::chat(Dialect::OpenAI);
        let world = Self {
            live: Live::new(Metrics::new()),
            chance: chance.into(),
            config: RefCell::new(Rc::new(config.clone())),
            script,
            oracle: Oracle::new().into(),
            scan: scan(&call, body).expect("must be a request"),
            call,
        };
        world.apply(config);
        Rc::new(world)
    }

    fn apply(&self, config: Config) {
        let refused = self.live.apply(&config.snapshot());
        assert!(refused.is_empty(), "{refused:?}");
        self.oracle.borrow_mut().configured(&config);
        self.config.replace(Rc::new(config));
    }

    fn random(&self) -> f64 {
        self.chance.borrow_mut().random()
    }

    fn act(&self, provider: usize, key: &Key, now: Instant) -> Act {
        let is_first = key.is_some() && self.config.borrow().providers[provider].keys.first() == key.as_ref();
        self.script.act(provider, is_first, now, &mut self.chance.borrow_mut())
    }

    /// Requests come in rushes and one by one.
    async fn requests(self: &Rc<Self>) {
        let mut requests = JoinSet::new();
        for number in 0..REQUESTS {
            requests.spawn_local(client::request(self.clone()));
            let is_rush = number / 500 % 2 == 1;
            let pause = millis(&mut self.chance.borrow_mut(), 0, if is_rush { 4 } else { 230 });
            sleep(pause).await;
            while let Some(done) = requests.try_join_next() {
                is_well(done);
            }
        }
        while let Some(done) = requests.join_next().await {
            is_well(done);
        }
    }

    async fn changes(self: &Rc<Self>) {
        for number in 0.. {
            let pause = millis(&mut self.chance.borrow_mut(), 100, 12_000);
            sleep(pause).await;
            let next = self.config.borrow().changed(number, &mut self.chance.borrow_mut());
            self.apply(next);
        }
    }
}

fn is_well(done: Result<(), JoinError>) {
    done.unwrap_or_else(|failed| resume_unwind(failed.into_panic()));
}

/// Says which world it was that went wrong.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the world of PENSTOCK_SIMULATION={} went wrong", self.0);
        }
    }
}

fn run(seed: u64) -> Seen {
    let _named = Named(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let world = async {
        let world = World::new(seed);
        tokio::select! {
            biased;
            () = world.requests() => {}
            () = world.changes() => {}
        }
        assert_eq!(world.oracle.borrow().all_in_flight(), 0);
        assert!(world.live.targets().iter().all(|target| target.in_flight == 0));
        world.oracle.borrow().seen
    };
    LocalSet::new().block_on(&runtime.expect("must be built"), world)
}

fn seeds() -> Option<Range<u64>> {
    let wanted = std::env::var("PENSTOCK_SIMULATION").ok()?;
    let number = |text: &str| text.parse::<u64>().expect("PENSTOCK_SIMULATION must be a number, or two: 5..10");
    Some(match wanted.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&wanted)..number(&wanted) + 1,
    })
}

#[test]
fn whatever_targets_do_no_request_is_asked_too_often_too_late_or_of_whom_must_be_left_alone() {
    let wanted = seeds();
    let next = Mutex::new(wanted.clone().unwrap_or(SEEDS));
    let worlds = || {
        let mut seen = Seen::default();
        // Not in the loop's head, where the lock would be kept.
        let seed = || next.lock().unwrap_or_else(PoisonError::into_inner).next();
        while let Some(seed) = seed() {
            seen.add(&run(seed));
        }
        seen
    };
    let mut seen = Seen::default();
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(worlds)).collect();
        for thread in threads {
            seen.add(&thread.join().unwrap_or_else(|failed| resume_unwind(failed)));
        }
    });
    assert!(wanted.is_some() || seen.is_all(), "something did not happen at all: {seen:?}");
}

#[test]
fn a_world_is_the_same_whenever_it_is_run() {
    assert_eq!(run(7), run(7));
}
