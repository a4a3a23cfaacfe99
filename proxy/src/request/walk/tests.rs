use penstock_llm::{
    Dialect,
    classify::{UpstreamError, classify},
};

use super::{
    simulation::config::{Config, Provider},
    *,
};
use crate::{
    health::Effect,
    live::{Live, route::Answer},
    metrics::Metrics,
};

const DEFAULT: &[FallbackOn] = &FallbackOn::DEFAULT;

/// A route over providers, in their order. Retries are 2, `waitUpTo` is 2 s, `request` a minute.
struct Bed {
    _live: Live,
    forward: Arc<Forward>,
    start: Instant,
}

impl Bed {
    /// A provider for each number of keys.
    fn new(keys: &[usize], fallback_on: &[FallbackOn]) -> Self {
        let live = Live::new(Metrics::new());
        let providers = keys.iter().enumerate().map(|(number, keys)| Provider::new(number, *keys)).collect();
        assert!(live.apply(&Config::chain(providers, fallback_on).snapshot()).is_empty());
        let route = live.tables().routes["r0"].clone();
        let Answer::Forward(forward) = &route.answer else { panic!("must forward") };
        Self { forward: forward.clone(), _live: live, start: Instant::now() }
    }

    fn at(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    fn walk(&self) -> Walk<'_> {
        let order = self.forward.targets.iter().collect();
        Walk::new(&self.forward, order, self.start + self.forward.deadline, Pace::REAL)
    }

    /// Requests that fail at the first target, one a walk, so often that its breaker opens.
    fn open_first(&self, now: Instant) {
        for _ in 0..10 {
            let mut walk = self.walk();
            let turn = asked(&mut walk, 0, now);
            fails(&mut walk, turn, status(500), now);
        }
    }
}

fn asked<'a>(walk: &mut Walk<'a>, place: usize, now: Instant) -> Turn<'a> {
    let Next::Ask(turn) = walk.next(now) else { panic!("must ask") };
    assert_eq!(turn.target.provider.name, format!("default/p{place}"));
    turn
}

/// Another request is let in.
fn entered<'a>(target: &'a Arc<Target>, tried: &[Arc<Credential>], asking: Asking, now: Instant) -> Turn<'a> {
    let Ok(Some(turn)) = enter(target, tried, asking, None, now) else { panic!("must be let in") };
    turn
}

fn is_over(walk: &mut Walk<'_>, now: Instant) -> bool {
    matches!(walk.next(now), Next::Over)
}

fn waits(walk: &mut Walk<'_>, now: Instant) -> Option<Duration> {
    let Next::Wait(until) = walk.next(now) else { return None };
    Some(until - now)
}

/// True if it goes on to another target.
fn fails<'a>(walk: &mut Walk<'a>, turn: Turn<'a>, failure: Failure, now: Instant) -> bool {
    let sent_with = Some(turn.pick.clone());
    walk.failed(Ended { turn, failure, sent_with, random: 0.5 }, now)
}

fn status(status: u16) -> Failure {
    Failure::Status(classify(Dialect::OpenAI, status, None, b""))
}

fn limited(seconds: u64) -> Failure {
    Failure::Status(classify(Dialect::OpenAI, 429, Some(Duration::from_secs(seconds)), b""))
}

fn told(walk: Walk<'_>, now: Instant) -> (u16, Option<Duration>) {
    let error = walk.verdict(now);
    (error.status(), error.retry_after())
}

#[tokio::test(start_paused = true)]
async fn a_target_that_wants_to_be_left_alone_is_passed_by_and_the_one_who_was_told_so_waits_and_asks_it() {
    let bed = Bed::new(&[0, 0], DEFAULT);
    let mut waiter = bed.walk();
    let turn = asked(&mut waiter, 0, bed.start);
    assert!(!fails(&mut waiter, turn, limited(2), bed.start));
    assert_eq!(waits(&mut waiter, bed.start), Some(Duration::from_millis(2_200)));

    let mut newcomer = bed.walk();
    drop(asked(&mut newcomer, 1, bed.at(1_000)));
    let passed: Vec<_> = newcomer.passed_by().map(|(target, why)| (target.provider.name.as_str(), why)).collect();
    assert_eq!(passed, [("default/p0", Skipped::CoolingDown)]);

    // Another is told to wait for longer meanwhile.
    let mut other = entered(&bed.forward.targets[0], &[], Asking::Again, bed.start);
    other.permit.note(None, Effect::Wait(Some(Duration::from_secs(9)), FallbackOn::RateLimit), bed.at(1_000));
    drop(asked(&mut waiter, 0, bed.at(2_200)));
}

#[tokio::test(start_paused = true)]
async fn a_target_is_not_passed_by_for_a_class_that_the_route_does_not_list() {
    let bed = Bed::new(&[0, 0], &[FallbackOn::ServerError]);
    let mut first = bed.walk();
    let turn = asked(&mut first, 0, bed.start);
    assert!(!fails(&mut first, turn, limited(9), bed.start));
    assert!(is_over(&mut first, bed.start));
    let mut second = bed.walk();
    assert!(is_over(&mut second, bed.at(2_000)));
    assert_eq!(told(second, bed.at(2_000)), (429, Some(Duration::from_secs(7))));
}

#[tokio::test(start_paused = true)]
async fn a_target_whose_breaker_is_open_is_passed_by_and_asked_when_no_other_has_answered() {
    let bed = Bed::new(&[0, 0], DEFAULT);
    bed.open_first(bed.start);
    let mut walk = bed.walk();
    let turn = asked(&mut walk, 1, bed.start);
    assert!(!fails(&mut walk, turn, Failure::Silent(Expired::Answer), bed.start), "nobody is left who may be asked");
    let turn = asked(&mut walk, 0, bed.start);
    assert!(!fails(&mut walk, turn, status(500), bed.start), "the last one is asked once");
    assert!(is_over(&mut walk, bed.start));
    assert_eq!(told(walk, bed.start), (504, None));
}

#[tokio::test(start_paused = true)]
async fn four_at_once_probe_the_last_target_and_the_rest_is_told_when_to_come_again() {
    let bed = Bed::new(&[0], DEFAULT);
    bed.open_first(bed.start);
    let now = bed.at(1_000);
    let mut walks: Vec<_> = (0..4).map(|_| bed.walk()).collect();
    let turns: Vec<_> = walks.iter_mut().map(|walk| asked(walk, 0, now)).collect();
    let mut fifth = bed.walk();
    assert!(is_over(&mut fifth, now));
    assert_eq!(told(fifth, now), (503, Some(Duration::from_secs(4))));
    drop(turns);
    drop(asked(&mut bed.walk(), 0, now));
}

#[tokio::test(start_paused = true)]
async fn no_wait_is_begun_that_the_deadline_would_end_and_nobody_is_asked_after_it() {
    let bed = Bed::new(&[0, 0], DEFAULT);
    let late = bed.at(59_000);
    let mut walk = bed.walk();
    let turn = asked(&mut walk, 0, late);
    assert!(fails(&mut walk, turn, limited(1), late));
    assert!(is_over(&mut walk, bed.at(60_000)));
    assert_eq!(told(walk, bed.at(60_000)), (429, Some(Duration::from_secs(1))));
}

#[tokio::test(start_paused = true)]
async fn one_that_wakes_after_the_deadline_is_told_what_it_waited_for() {
    let bed = Bed::new(&[0], DEFAULT);
    let mut walk = bed.walk();
    let turn = asked(&mut walk, 0, bed.at(58_000));
    assert!(!fails(&mut walk, turn, limited(1), bed.at(58_000)));
    assert!(is_over(&mut walk, bed.at(60_000)));
    assert_eq!(told(walk, bed.at(60_000)), (429, Some(Duration::from_secs(1))));
    let mut walk = bed.walk();
    assert!(is_over(&mut walk, bed.at(60_000)));
    assert_eq!(told(walk, bed.at(60_000)), (504, None));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_taken_gives_way_to_the_next_one_and_then_to_the_next_target() {
    let bed = Bed::new(&[2, 1], DEFAULT);
    let mut walk = bed.walk();
    let first = asked(&mut walk, 0, bed.start);
    let key = first.pick.fingerprint();
    assert!(!fails(&mut walk, first, status(401), bed.start));
    let second = asked(&mut walk, 0, bed.start);
    assert_ne!(second.pick.fingerprint(), key);
    assert!(fails(&mut walk, second, status(401), bed.start));
    drop(asked(&mut walk, 1, bed.start));
    // Both are left alone by everyone else.
    drop(asked(&mut bed.walk(), 1, bed.at(29_000)));
    drop(asked(&mut bed.walk(), 0, bed.at(30_000)));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_failed_too_often_while_one_waited_for_it_is_not_asked_again() {
    let bed = Bed::new(&[0, 0], DEFAULT);
    let mut walk = bed.walk();
    let turn = asked(&mut walk, 0, bed.start);
    assert!(!fails(&mut walk, turn, limited(1), bed.start));
    let target = &bed.forward.targets[0];
    for _ in 0..10 {
        let mut turn = entered(target, &[], Asking::Again, bed.start);
        turn.permit.note(None, Effect::Failed(FallbackOn::ServerError), bed.start);
    }
    drop(asked(&mut walk, 1, bed.at(1_100)));
    let told = told(walk, bed.at(1_100));
    assert_eq!(told, (429, Some(Duration::from_secs(1))), "it has failed, and was not only passed by");
}

#[tokio::test(start_paused = true)]
async fn what_would_be_more_than_the_share_of_repetitions_goes_to_the_next_target_at_once() {
    let bed = Bed::new(&[0, 0], DEFAULT);
    let seat = &bed.forward.targets[0].seat;
    while seat.may_repeat() {}
    let mut walk = bed.walk();
    let turn = asked(&mut walk, 0, bed.start);
    assert!(fails(&mut walk, turn, status(500), bed.start));
    drop(asked(&mut walk, 1, bed.start));
}

#[tokio::test(start_paused = true)]
async fn a_silent_target_is_left_only_while_another_may_be_asked() {
    let bed = Bed::new(&[0, 0], DEFAULT);
    let patience = Duration::from_secs(5);
    let mut walk = bed.walk();
    let turn = asked(&mut walk, 0, bed.start);
    let until = walk.patient_until(patience, bed.start);
    assert_eq!(until, bed.at(5_000));
    assert!(matches!(walk.silent(until, Expired::Answer, patience), Err(Failure::Silent(Expired::Answer))));

    let other = &bed.forward.targets[1];
    let mut busy = entered(other, &[], Asking::First, bed.start);
    busy.permit.note(None, Effect::Wait(Some(Duration::from_secs(8)), FallbackOn::RateLimit), bed.start);
    assert_eq!(walk.silent(until, Expired::Answer, patience).ok(), Some(bed.at(10_000)), "nobody is left to ask");
    assert!(walk.silent(bed.at(10_000), Expired::Answer, patience).is_err(), "now there is");

    assert!(fails(&mut walk, turn, Failure::Silent(Expired::Answer), bed.at(10_000)));
    let _last = asked(&mut walk, 1, bed.at(10_000));
    assert_eq!(walk.patient_until(patience, bed.at(10_000)), bed.at(60_000), "the last one has until the deadline");
    let end = walk.silent(bed.at(60_000), Expired::Answer, patience);
    assert!(matches!(end, Err(Failure::Silent(Expired::Request))));
}

#[tokio::test(start_paused = true)]
async fn what_a_provider_says_against_the_request_is_told_whoever_was_passed_by() {
    let bed = Bed::new(&[0, 0], DEFAULT);
    let mut first = bed.walk();
    let turn = asked(&mut first, 0, bed.start);
    fails(&mut first, turn, limited(9), bed.start);
    let mut walk = bed.walk();
    let turn = asked(&mut walk, 1, bed.start);
    assert!(!fails(&mut walk, turn, status(422), bed.start));
    assert!(is_over(&mut walk, bed.start));
    assert_eq!(told(walk, bed.start), (422, None));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_cut_is_asked_for_once_more() {
    let bed = Bed::new(&[0, 0], DEFAULT);
    let cut = || Failure::Broken(UpstreamError::broken_answer("cut"));
    let mut walk = bed.walk();
    let turn = asked(&mut walk, 0, bed.start);
    assert!(!fails(&mut walk, turn, cut(), bed.start));
    let turn = asked(&mut walk, 0, bed.at(100));
    assert!(fails(&mut walk, turn, cut(), bed.at(100)));
}

#[tokio::test(start_paused = true)]
async fn one_that_waited_for_a_key_is_a_newcomer_to_the_others() {
    let bed = Bed::new(&[3], DEFAULT);
    let mut walk = bed.walk();
    let first = asked(&mut walk, 0, bed.start);
    let key = first.pick.clone().key().expect("must be a key");
    assert!(!fails(&mut walk, first, limited(1), bed.start));

    let mut other = entered(&bed.forward.targets[0], &[key], Asking::First, bed.start);
    let second = other.pick.fingerprint();
    other.permit.note(second, Effect::Wait(Some(Duration::from_secs(9)), FallbackOn::RateLimit), bed.start);
    let again = asked(&mut walk, 0, bed.at(1_100));
    assert!(!fails(&mut walk, again, status(401), bed.at(1_100)));
    let third = asked(&mut walk, 0, bed.at(1_100)).pick.fingerprint();
    assert_ne!(third, second, "the second wants to be left alone");
}
