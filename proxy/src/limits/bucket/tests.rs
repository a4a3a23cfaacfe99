use proptest::prelude::*;

use super::*;

fn share(limit: u64, window_ms: u64, burst: u64, among: u32) -> Share {
    Share { rate: Rate { limit, window_ms, burst }, among }
}

const SECOND: Duration = Duration::from_secs(1);

/// Takes it if it can be.
fn ask(bucket: &mut Bucket, share: &Share, amount: u64, now: Instant) -> Result<(), Short> {
    bucket.refill(share, now);
    bucket.look(share, amount).map(|()| bucket.take(share, amount))
}

#[test]
fn a_burst_passes_at_once_and_then_what_comes_in() {
    let (share, start) = (share(60, 60_000, 10, 1), Instant::now());
    let mut bucket = Bucket::full(&share, start);
    assert!((0..10).all(|_| ask(&mut bucket, &share, 1, start).is_ok()));
    assert_eq!(ask(&mut bucket, &share, 1, start), Err(Short::For(SECOND)));
    assert_eq!(ask(&mut bucket, &share, 4, start), Err(Short::For(4 * SECOND)));
    let almost = start + SECOND - Duration::from_nanos(1);
    assert_eq!(ask(&mut bucket, &share, 1, almost), Err(Short::For(Duration::from_nanos(1))));
    assert_eq!(ask(&mut bucket, &share, 1, start + SECOND), Ok(()));
    assert_eq!((bucket.left(&share), bucket.full_in(&share)), (0, 10 * SECOND));
}

#[test]
fn what_is_more_than_the_capacity_never_passes_and_a_debt_is_paid_first() {
    let (share, start) = (share(10, 1_000, 10, 1), Instant::now());
    let mut bucket = Bucket::full(&share, start);
    assert_eq!(ask(&mut bucket, &share, 11, start), Err(Short::Forever));
    assert_eq!(ask(&mut bucket, &share, 10, start), Ok(()));
    bucket.take(&share, 20);
    assert_eq!(ask(&mut bucket, &share, 1, start), Err(Short::For(Duration::from_millis(2_100))));
    assert_eq!(bucket.left(&share), 0);
    bucket.give(&share, 1_000);
    assert!(bucket.is_full(), "and no fuller");
}

#[test]
fn proxies_share_a_limit_and_one_that_is_half_full_stays_so_when_their_number_changes() {
    let (alone, start) = (share(60, 60_000, 60, 1), Instant::now());
    let mut bucket = Bucket::full(&alone, start);
    assert!(ask(&mut bucket, &alone, 30, start).is_ok());
    let of_three = Share { among: 3, ..alone };
    assert_eq!(bucket.left(&of_three), 30);
    assert!((0..10).all(|_| ask(&mut bucket, &of_three, 1, start).is_ok()));
    assert_eq!(ask(&mut bucket, &of_three, 1, start), Err(Short::For(3 * SECOND)), "each refills a third as fast");
}

#[test]
fn a_share_of_less_than_one_still_passes_one_and_a_large_request_a_full_share() {
    let start = Instant::now();
    let of_five = share(1, 1_000, 1, 5);
    let mut bucket = Bucket::full(&of_five, start);
    assert_eq!(ask(&mut bucket, &of_five, 1, start), Ok(()));
    assert_eq!(ask(&mut bucket, &of_five, 1, start), Err(Short::For(5 * SECOND)));

    let tokens = share(90, 1_000, 90, 3);
    let mut bucket = Bucket::full(&tokens, start);
    assert_eq!(ask(&mut bucket, &tokens, 60, start), Ok(()), "twice the share");
    assert_eq!(ask(&mut bucket, &tokens, 1, start), Err(Short::For(Duration::from_nanos(1_033_333_334))));
}

#[test]
fn what_was_taken_of_a_limit_stays_taken_when_it_is_changed() {
    let (minute, start) = (share(60, 60_000, 60, 1), Instant::now());
    let mut bucket = Bucket::full(&minute, start);
    assert!(ask(&mut bucket, &minute, 40, start).is_ok());
    let hour = share(3_600, 3_600_000, 3_600, 1);
    bucket.refill(&hour, start);
    assert_eq!(bucket.left(&hour), 3_560);
}

/// What happens to a bucket.
#[derive(Clone, Debug)]
enum Event {
    Pass(u64),
    Reserve(u64),
    /// Of the reservation at this place, so much of it was used; more than all of it, perhaps.
    Settle(usize, u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => (0..3_000_000_000_u64).prop_map(Event::Pass),
        4 => (0..150_u64).prop_map(Event::Reserve),
        3 => (any::<usize>(), 0..200_u64).prop_map(|(place, used)| Event::Settle(place, used)),
    ];
    prop::collection::vec(event, 1..200)
}

/// The same in fractions of a nanosecond's refill, with every amount added up anew.
struct Model {
    share: Share,
    /// When and how much: negative is taken.
    history: Vec<(u128, i128)>,
}

impl Model {
    fn level(&self, now: u128) -> i128 {
        let (mut level, mut at) = (self.share.full(), 0);
        for (when, change) in &self.history {
            level = (level + (when - at) as i128 * i128::from(self.share.rate.limit)).min(self.share.full());
            level = (level + change).min(self.share.full());
            at = *when;
        }
        (level + (now - at) as i128 * i128::from(self.share.rate.limit)).min(self.share.full())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn it_never_gives_more_than_its_capacity_and_its_rate_and_never_keeps_what_was_given_back(
        limit in 1..500_u64, window_ms in 1..5_000_u64, burst in 1..150_u64, among in 1..6_u32, events in events(),
    ) {
        let (share, start) = (share(limit, window_ms, burst, among), Instant::now());
        let mut bucket = Bucket::full(&share, start);
        let mut model = Model { share, history: vec![] };
        let (mut now, mut open, mut kept) = (0_u64, Vec::new(), 0_i128);
        for event in events {
            let at = start + Duration::from_nanos(now);
            match event {
                Event::Pass(nanos) => now += nanos,
                Event::Reserve(amount) => {
                    let before = model.level(now.into());
                    let taken = ask(&mut bucket, &share, amount, at);
                    let fits = amount == 0 || amount <= burst && before >= share.weight(amount).min(share.full());
                    prop_assert_eq!(taken.is_ok(), fits, "{:?} at {}", taken, before);
                    if taken.is_ok() {
                        model.history.push((now.into(), -share.weight(amount)));
                        open.push(amount);
                        kept += share.weight(amount);
                    } else if let Err(Short::For(wait)) = taken {
                        let then = u128::from(now) + wait.as_nanos();
                        prop_assert!(model.level(then) >= share.weight(amount).min(share.full()), "it waits long enough");
                        prop_assert!(model.level(then - 1) < share.weight(amount).min(share.full()), "and no longer");
                    }
                }
                Event::Settle(place, used) if !open.is_empty() => {
                    let reserved = open.swap_remove(place % open.len());
                    bucket.settle(&share, (reserved, used), at);
                    let change = share.weight(reserved) - share.weight(used);
                    model.history.push((now.into(), change));
                    kept -= change;
                }
                Event::Settle(..) => {}
            }
            // A copy: nobody looks at a bucket after each event.
            let mut seen = bucket;
            seen.refill(&share, start + Duration::from_nanos(now));
            prop_assert_eq!(share.full() - seen.spent, model.level(now.into()));
            let came = share.full() + i128::from(now) * i128::from(limit);
            let overdrawn = seen.spent;
            prop_assert!(kept <= came + overdrawn, "{} of {}", kept, came);
        }
        for reserved in open {
            bucket.settle(&share, (reserved, 0), start + Duration::from_nanos(now));
        }
        bucket.refill(&share, start + Duration::from_nanos(now));
        let debt = bucket.full_in(&share);
        bucket.refill(&share, start + Duration::from_nanos(now) + debt);
        prop_assert!(bucket.is_full(), "nothing is lost for ever");
    }

    #[test]
    fn a_day_of_odd_intervals_brings_exactly_what_a_day_does(
        limit in 1..1_000_u64, steps in prop::collection::vec(1..900_000_000_007_u64, 96),
    ) {
        let (share, start) = (share(limit, 86_400_000, 1_000_000_000, 1), Instant::now());
        let mut bucket = Bucket::full(&share, start);
        bucket.take(&share, 2_000_000_000);
        let mut once = bucket;
        let mut now = start;
        for step in steps {
            now += Duration::from_nanos(step);
            bucket.refill(&share, now);
        }
        once.refill(&share, now);
        prop_assert_eq!(bucket.spent, once.spent);
    }
}

#[test]
fn what_a_share_took_is_told_once_for_what_it_weighs_and_again_if_it_was_not_heard() {
    let (of_three, start) = (share(60, 60_000, 60, 3), Instant::now());
    let mut bucket = Bucket::full(&of_three, start);
    bucket.learn(Bucket::stored(30 * 60_000, &of_three, start));
    (0..4).for_each(|_| bucket.take_untold(&of_three, 1));
    bucket.give_untold(&of_three, 1);
    let news = News { begin: 30 * 60_000, more: 3 * 60_000 };
    assert_eq!(bucket.tell(&of_three), news);
    assert_eq!(
        bucket.tell(&of_three),
        News { begin: 39 * 60_000, more: 0 },
        "others ask before the store has answered"
    );
    bucket.untell(&of_three, news);
    bucket.learn(Bucket::stored(40 * 60_000, &of_three, start));
    assert_eq!(bucket.tell(&of_three), News { begin: 40 * 60_000, more: 3 * 60_000 });
}

#[test]
fn what_has_come_back_by_now_is_no_news() {
    let (of_three, start) = (share(60, 60_000, 60, 3), Instant::now());
    let mut bucket = Bucket::full(&of_three, start);
    (0..10).for_each(|_| bucket.take_untold(&of_three, 1));
    bucket.refill(&of_three, start + 24 * SECOND);
    assert_eq!(bucket.tell(&of_three), News { begin: 0, more: 2 * 60_000 }, "24 of 30 are back");
    bucket.take_untold(&of_three, 1);
    bucket.refill(&of_three, start + 60 * SECOND);
    assert!(!bucket.has_news() && bucket.is_full());
}
