use super::*;

const RATE_LIMIT: FallbackOn = FallbackOn::RateLimit;
const SERVER_ERROR: FallbackOn = FallbackOn::ServerError;

/// A gate and the time, in milliseconds since it was made.
struct Bed {
    gate: Gate,
    start: Instant,
}

impl Bed {
    fn new() -> Self {
        let start = Instant::now();
        Self { gate: Gate::new(Pace::REAL, start), start }
    }

    fn at(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    fn enter(&mut self, asking: Asking, millis: u64) -> Result<Entry, (Why, u64)> {
        let closed = |closed: Closed| (closed.why, (closed.until - self.start).as_millis() as u64);
        self.gate.enter(asking, self.start + Duration::from_millis(millis)).map_err(closed)
    }

    fn note(&mut self, entry: Entry, effect: Effect, since: u64, millis: u64) {
        self.gate.note(entry, effect, self.at(since), self.at(millis));
    }

    fn fail(&mut self, times: u32, millis: u64) {
        for _ in 0..times {
            self.note(Entry::Ordinary, Effect::Failed(SERVER_ERROR), millis, millis);
        }
    }

    fn troubles(&self, millis: u64) -> Vec<Trouble> {
        self.gate.troubles(self.at(millis)).collect()
    }

    fn wait(&mut self, seconds: Option<u64>, millis: u64) {
        let effect = Effect::Wait(seconds.map(Duration::from_secs), RATE_LIMIT);
        self.note(Entry::Ordinary, effect, millis, millis);
    }
}

#[test]
fn a_wait_that_the_provider_names_keeps_others_away_and_not_those_who_waited() {
    let mut bed = Bed::new();
    bed.wait(Some(7), 0);
    assert_eq!(bed.enter(Asking::First, 6_999), Err((Why::CoolingDown, 7_000)));
    assert_eq!(bed.enter(Asking::LastResort, 6_999), Err((Why::CoolingDown, 7_000)));
    assert_eq!(bed.enter(Asking::Again, 6_999), Ok(Entry::Ordinary));
    assert_eq!(bed.enter(Asking::First, 7_000), Ok(Entry::Ordinary));
}

#[test]
fn no_wait_is_longer_than_five_minutes_and_none_is_shortened_by_a_later_one() {
    let mut bed = Bed::new();
    bed.wait(Some(86_400), 0);
    assert_eq!(bed.enter(Asking::First, 1_000), Err((Why::CoolingDown, 300_000)));
    bed.wait(Some(1), 2_000);
    assert_eq!(bed.enter(Asking::First, 4_000), Err((Why::CoolingDown, 300_000)));
}

#[test]
fn guessed_waits_double_one_after_the_other_until_the_target_answers() {
    let mut bed = Bed::new();
    let mut now = 0;
    for seconds in [5, 10, 20, 40, 60, 60] {
        bed.wait(None, now);
        bed.wait(None, now + 1);
        now += seconds * 1_000;
        assert_eq!(bed.enter(Asking::First, now - 1), Err((Why::CoolingDown, now)), "two at once are one");
        assert_eq!(bed.enter(Asking::First, now), Ok(Entry::Ordinary));
    }
    bed.note(Entry::Ordinary, Effect::Answered, now, now);
    bed.wait(None, now);
    assert_eq!(bed.enter(Asking::First, now), Err((Why::CoolingDown, now + 5_000)));
}

#[test]
fn an_answer_to_what_was_asked_before_the_cooldown_does_not_end_it() {
    let mut bed = Bed::new();
    bed.wait(Some(7), 1_000);
    bed.note(Entry::Ordinary, Effect::Answered, 500, 2_000);
    assert!(bed.enter(Asking::First, 3_000).is_err());
    bed.note(Entry::Ordinary, Effect::Answered, 2_500, 4_000);
    assert_eq!(bed.enter(Asking::First, 4_000), Ok(Entry::Ordinary), "one that was exempt was answered");
}

#[test]
fn the_breaker_opens_when_half_of_enough_calls_failed_lately() {
    let mut bed = Bed::new();
    bed.fail(9, 0);
    assert_eq!(bed.enter(Asking::First, 0), Ok(Entry::Ordinary), "too few to tell");
    bed.fail(1, 10_500);
    assert_eq!(bed.enter(Asking::First, 10_500), Ok(Entry::Ordinary), "the others are long ago");
    for _ in 0..11 {
        bed.note(Entry::Ordinary, Effect::Answered, 10_500, 10_500);
    }
    bed.fail(9, 10_600);
    assert_eq!(bed.enter(Asking::First, 10_600), Ok(Entry::Ordinary), "ten of twenty-one");
    bed.fail(1, 10_600);
    assert_eq!(bed.enter(Asking::First, 10_600), Err((Why::BreakerOpen, 15_600)));
    assert_eq!(bed.enter(Asking::Again, 10_600), Err((Why::BreakerOpen, 15_600)));
}

#[test]
fn one_probe_at_a_time_finds_out_and_each_that_fails_doubles_the_time() {
    let mut bed = Bed::new();
    bed.fail(10, 0);
    let mut now = 0;
    for seconds in [5, 10, 20, 30, 30] {
        now += seconds * 1_000;
        assert!(bed.enter(Asking::First, now - 1).is_err());
        assert_eq!(bed.enter(Asking::First, now), Ok(Entry::Probe { due: true, opening: 1 }));
        assert!(bed.enter(Asking::First, now).is_err(), "only one");
        bed.note(Entry::Probe { due: true, opening: 1 }, Effect::Failed(SERVER_ERROR), now, now);
    }
    now += 30_000;
    let probe = bed.enter(Asking::First, now);
    assert_eq!(probe, Ok(Entry::Probe { due: true, opening: 1 }));
    bed.note(Entry::Probe { due: true, opening: 1 }, Effect::Answered, now, now);
    assert_eq!(bed.enter(Asking::First, now), Ok(Entry::Ordinary));
    bed.fail(10, now);
    assert_eq!(bed.enter(Asking::First, now), Err((Why::BreakerOpen, now + 5_000)), "from the start again");
}

#[test]
fn a_probe_whose_client_leaves_makes_room_for_another_and_counts_neither_way() {
    let mut bed = Bed::new();
    bed.fail(10, 0);
    let probe = bed.enter(Asking::First, 5_000).expect("must be due");
    bed.gate.release(probe);
    assert_eq!(bed.enter(Asking::First, 5_000), Ok(Entry::Probe { due: true, opening: 1 }));
}

#[test]
fn a_probe_that_is_told_to_wait_leaves_the_breaker_as_it_was() {
    let mut bed = Bed::new();
    bed.fail(10, 0);
    let probe = bed.enter(Asking::First, 5_000).expect("must be due");
    bed.note(probe, Effect::Wait(Some(Duration::from_secs(1)), RATE_LIMIT), 5_000, 5_000);
    assert_eq!(bed.enter(Asking::First, 5_500), Err((Why::CoolingDown, 6_000)));
    assert_eq!(bed.enter(Asking::First, 6_000), Ok(Entry::Probe { due: true, opening: 1 }));
}

#[test]
fn up_to_four_with_nowhere_else_to_go_are_let_through_and_their_failures_prolong_nothing() {
    let mut bed = Bed::new();
    bed.fail(10, 0);
    let early = Entry::Probe { due: false, opening: 1 };
    for _ in 0..4 {
        assert_eq!(bed.enter(Asking::LastResort, 1_000), Ok(early));
    }
    assert_eq!(bed.enter(Asking::LastResort, 1_000), Err((Why::BreakerOpen, 5_000)));
    bed.note(early, Effect::Failed(SERVER_ERROR), 1_000, 1_100);
    assert_eq!(bed.enter(Asking::LastResort, 1_100), Ok(early));
    assert_eq!(bed.enter(Asking::First, 5_000), Err((Why::BreakerOpen, 5_000)), "four are on their way");
    bed.note(early, Effect::Answered, 1_000, 5_100);
    assert_eq!(bed.enter(Asking::First, 5_100), Ok(Entry::Ordinary));
}

#[test]
fn a_probe_that_ends_when_the_breaker_has_closed_and_opened_again_is_not_of_now() {
    let mut bed = Bed::new();
    bed.fail(10, 0);
    let late = bed.enter(Asking::LastResort, 1_000).expect("must be let through");
    let early = bed.enter(Asking::LastResort, 1_000).expect("must be let through");
    bed.note(early, Effect::Answered, 1_000, 2_000);
    bed.fail(10, 3_000);
    assert_eq!(bed.enter(Asking::First, 8_000), Ok(Entry::Probe { due: true, opening: 2 }));
    bed.note(late, Effect::Answered, 1_000, 8_000);
    assert_eq!(bed.enter(Asking::First, 8_000), Err((Why::BreakerOpen, 8_000)), "its probe is still on its way");
}

#[test]
fn at_another_pace_the_same_things_happen_sooner() {
    let start = Instant::now();
    let mut gate = Gate::new(Pace::new(0.01).expect("must be a share"), start);
    for _ in 0..10 {
        gate.note(Entry::Ordinary, Effect::Failed(SERVER_ERROR), start, start);
    }
    let closed = gate.enter(Asking::First, start).expect_err("must be open");
    assert_eq!(closed.until - start, Duration::from_millis(50));
}

#[test]
fn a_breaker_that_opens_and_closes_is_one_trouble_until_a_minute_after_the_last_time() {
    let mut bed = Bed::new();
    bed.fail(9, 0);
    assert_eq!(bed.troubles(0), [], "too few to tell");
    for opening in [0, 6_000, 12_000] {
        bed.fail(10, opening);
        let probe = bed.enter(Asking::First, opening + 5_000).expect("must be let through");
        bed.note(probe, Effect::Answered, opening + 5_000, opening + 5_500);
        assert_eq!(bed.troubles(opening + 6_000), [Trouble::Failing], "it has closed");
    }
    assert_eq!(bed.troubles(12_000 + 64_999), [Trouble::Failing]);
    assert_eq!(bed.troubles(12_000 + 65_000), []);
}

#[test]
fn a_probe_that_fails_prolongs_what_is_reported() {
    let mut bed = Bed::new();
    bed.fail(10, 0);
    let probe = bed.enter(Asking::First, 60_000).expect("must be let through");
    bed.note(probe, Effect::Failed(SERVER_ERROR), 60_000, 61_000);
    assert_eq!(bed.troubles(61_000 + 69_999), [Trouble::Failing]);
    assert_eq!(bed.troubles(61_000 + 70_000), []);
}

#[test]
fn a_cooldown_is_reported_until_a_minute_after_it_would_have_ended() {
    let mut bed = Bed::new();
    bed.wait(Some(7), 0);
    bed.note(Entry::Ordinary, Effect::Answered, 1_000, 2_000);
    assert_eq!(bed.troubles(66_999), [Trouble::CoolingDown]);
    assert_eq!(bed.troubles(67_000), []);
}
