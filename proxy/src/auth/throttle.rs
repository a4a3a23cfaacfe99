//! How often one address may be wrong about who it is.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{StateStore, keyed::ShrinkableKeyedStateStore},
};
use tokio::time::Instant;

use crate::pace::Pace;

/// So many times at once, and once more in each [`REFILL`].
const BURST: NonZeroU32 = NonZeroU32::new(10).expect("must not be zero");
const REFILL: Duration = Duration::from_secs(1);
/// So many networks have cells of their own. Any more share one, until others are full again and forgotten.
const MOST: usize = 65_536;
/// Between two looks for cells that are full, and the same where there is no room.
const SWEEP: Duration = Duration::from_secs(60);
const SWEEP_WHEN_FULL: Duration = Duration::from_secs(1);

/// A cell for each network that was wrong lately. Who is right never comes here.
pub(crate) struct Throttle {
    limiter: RateLimiter<Ask, Cells, Since, NoOpMiddleware<Duration>>,
    swept: Mutex<Instant>,
    most: usize,
}

/// What is counted, each in a cell of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Wrong {
    /// Anything that was shown and is nobody's.
    Failed,
    /// A signature that had to be verified, and was wrong.
    Forged,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Ask {
    of: (IpAddr, Wrong),
    takes: bool,
}

struct Cells(Mutex<Table>);

struct Table {
    own: HashMap<(IpAddr, Wrong), Nanos>,
    /// Of all for whom there was no room.
    others: HashMap<Wrong, Nanos>,
    most: usize,
}

/// Time since the start.
struct Since(Instant);

impl Throttle {
    pub(crate) fn new(pace: Pace) -> Self {
        Self::with_room(MOST, pace)
    }

    fn with_room(most: usize, pace: Pace) -> Self {
        let quota = Quota::with_period(pace.of(REFILL)).unwrap_or(Quota::per_second(BURST)).allow_burst(BURST);
        let table = Table { own: HashMap::new(), others: HashMap::new(), most };
        let now = Instant::now();
        Self { limiter: RateLimiter::new(quota, Cells(table.into()), Since(now)), swept: now.into(), most }
    }

    /// Counts that an address was wrong.
    ///
    /// # Errors
    /// When it was too often: until when it is no more.
    pub(crate) fn take(&self, address: IpAddr, wrong: Wrong) -> Result<(), Duration> {
        self.sweep();
        self.ask(address, wrong, true)
    }

    /// Says the same and counts nothing.
    pub(crate) fn look(&self, address: IpAddr, wrong: Wrong) -> Result<(), Duration> {
        self.ask(address, wrong, false)
    }

    fn ask(&self, address: IpAddr, wrong: Wrong, takes: bool) -> Result<(), Duration> {
        let asked = self.limiter.check_key(&Ask { of: (network(address), wrong), takes });
        asked.map_err(|not_until| not_until.wait_time_from(self.limiter.clock().now()))
    }

    /// Forgets cells that are full: new ones are just like them.
    fn sweep(&self) {
        let mut swept = lock(&self.swept);
        let every = if self.limiter.len() < self.most { SWEEP } else { SWEEP_WHEN_FULL };
        if swept.elapsed() >= every {
            *swept = Instant::now();
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
    }
}

impl Clock for Since {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

impl StateStore for Cells {
    type Key = Ask;

    fn measure_and_replace<T, F, E>(&self, ask: &Ask, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut table = lock(&self.0);
        let is_own = table.own.contains_key(&ask.of) || table.own.len() < table.most;
        let cell = if is_own { table.own.get(&ask.of) } else { table.others.get(&ask.of.1) };
        let (outcome, next) = measure(cell.copied())?;
        match (ask.takes, is_own) {
            (true, true) => drop(table.own.insert(ask.of, next)),
            (true, false) => drop(table.others.insert(ask.of.1, next)),
            (false, _) => {}
        }
        Ok(outcome)
    }
}

impl ShrinkableKeyedStateStore<Ask> for Cells {
    fn retain_recent(&self, drop_below: Nanos) {
        lock(&self.0).own.retain(|_, cell| *cell > drop_below);
    }

    fn shrink_to_fit(&self) {
        lock(&self.0).own.shrink_to_fit();
    }

    fn len(&self) -> usize {
        lock(&self.0).own.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whose cell an address has: a subscriber of IPv6 has a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    }
}

/// A panic in between leaves numbers, which are good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("must be an address")
    }

    /// How often an address may be wrong at once.
    fn times(throttle: &Throttle, from: &str, wrong: Wrong) -> usize {
        (0..100).take_while(|_| throttle.take(address(from), wrong).is_ok()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_may_be_wrong_ten_times_and_then_once_a_second() {
        let throttle = Throttle::new(Pace::REAL);
        assert_eq!(times(&throttle, "192.0.2.1", Wrong::Failed), 10);
        assert_eq!(throttle.take(address("192.0.2.1"), Wrong::Failed), Err(Duration::from_secs(1)));
        advance(Duration::from_millis(400)).await;
        assert_eq!(throttle.take(address("192.0.2.1"), Wrong::Failed), Err(Duration::from_millis(600)));
        advance(Duration::from_millis(600)).await;
        assert_eq!(times(&throttle, "192.0.2.1", Wrong::Failed), 1, "refusals cost nothing");
        advance(Duration::from_secs(3600)).await;
        assert_eq!(times(&throttle, "192.0.2.1", Wrong::Failed), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn others_and_what_else_is_counted_have_cells_of_their_own_and_a_look_takes_nothing() {
        let throttle = Throttle::new(Pace::REAL);
        let one = address("192.0.2.1");
        assert!((0..100).all(|_| throttle.look(one, Wrong::Forged).is_ok()));
        assert_eq!(times(&throttle, "192.0.2.1", Wrong::Forged), 10);
        assert_eq!(throttle.look(one, Wrong::Forged), Err(Duration::from_secs(1)));
        assert_eq!(throttle.look(one, Wrong::Failed), Ok(()));
        assert_eq!(throttle.look(address("192.0.2.2"), Wrong::Forged), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn all_addresses_of_a_64_of_ipv6_have_one_cell() {
        let throttle = Throttle::new(Pace::REAL);
        let spent = (0..20).filter(|n| throttle.take(address(&format!("2001:db8::{n}")), Wrong::Failed).is_ok());
        assert_eq!(spent.count(), 10);
        assert!(throttle.look(address("2001:db8:0:0:ffff::"), Wrong::Failed).is_err());
        assert!(throttle.look(address("2001:db8:0:1::"), Wrong::Failed).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_most_networks_all_share_a_cell_until_there_is_room_again() {
        let throttle = Throttle::with_room(2, Pace::REAL);
        assert_eq!(times(&throttle, "192.0.2.1", Wrong::Failed), 10);
        assert_eq!(times(&throttle, "192.0.2.2", Wrong::Failed), 10);
        let strangers = (0..100).filter(|n| throttle.take(address(&format!("198.51.100.{n}")), Wrong::Failed).is_ok());
        assert_eq!((strangers.count(), throttle.limiter.len()), (10, 2), "new addresses bring no new cells");
        assert_eq!(times(&throttle, "192.0.2.1", Wrong::Failed), 0, "and push nobody out");
        advance(Duration::from_secs(20)).await;
        assert_eq!(times(&throttle, "203.0.113.1", Wrong::Failed), 10);
        assert_eq!(throttle.limiter.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_held_for_many_addresses_is_given_back() {
        let throttle = Throttle::new(Pace::REAL);
        for n in 0..200_000_u32 {
            let _ = throttle.take(IpAddr::V4(n.into()), Wrong::Failed);
        }
        assert_eq!(throttle.limiter.len(), MOST);
        advance(SWEEP).await;
        let _ = throttle.take(address("192.0.2.1"), Wrong::Failed);
        let room = lock(&throttle.limiter.into_state_store().0).own.capacity();
        assert!(room < 100, "{room}");
    }
}
