use std::time::SystemTime;

use serde_json::json;

use super::*;

fn rules(limits: &Limiter, all: &[(&str, serde_json::Value)]) -> Vec<Arc<Rule>> {
    let build = |(name, more): &(&str, serde_json::Value)| {
        let mut object = json!({"models": [], "consumers": null, "perConsumer": false, "perUser": false,
            "perModel": false, "perProvider": false, "requests": null, "tokens": null, "cost": null});
        for (member, value) in more.as_object().into_iter().flatten() {
            object[member] = value.clone();
        }
        let limit = serde_json::from_value(object).expect("must be a limit");
        limits.rule(&ObjectRef::new("p", name), &limit)
    };
    all.iter().map(build).collect()
}

fn rate(limit: u64) -> serde_json::Value {
    json!({"limit": limit, "windowMs": 60_000, "burst": limit})
}

const ALICE: Subject<'static> = Subject { consumer: Some("p/search"), user: "alice", model: "smart", provider: None };

fn reserve(
    limits: &Limiter,
    rules: &[Arc<Rule>],
    subject: Subject<'_>,
    amounts: Amounts<u64>,
    now: Instant,
) -> Result<(Reservation, Standing), Box<Refusal>> {
    let moment = Moment::at(now, SystemTime::UNIX_EPOCH);
    limits.reserve_here(limits.holds(rules, None, subject, &moment), amounts, now)
}

fn tokens(tokens: u64) -> Amounts<u64> {
    Amounts { requests: 1, tokens, cost: 0 }
}

#[test]
fn all_must_pass_and_none_is_charged_if_one_refuses() {
    let (limits, now) = (Limiter::new(Metrics::new()), Instant::now());
    let rules = rules(&limits, &[("a", json!({"requests": rate(10)})), ("b", json!({"tokens": rate(100)}))]);
    let (_first, standing) = reserve(&limits, &rules, ALICE, tokens(80), now).expect("must pass");
    let remaining = |standing: Standing| standing.0.map(|left| left.map(|left| left.remaining));
    assert_eq!(remaining(standing), Amounts { requests: Some(9), tokens: Some(20), cost: None });
    let refused = reserve(&limits, &rules, ALICE, tokens(30), now).map(|_| ()).expect_err("must be refused");
    assert_eq!(
        (refused.rule.as_str(), refused.code(), refused.wait()),
        ("p/b", "rate_limit_exceeded", Some(Duration::from_secs(6)))
    );
    assert_eq!(remaining(refused.standing), Amounts { requests: Some(9), tokens: Some(20), cost: None });
    let never = reserve(&limits, &rules, ALICE, tokens(101), now).map(|_| ()).expect_err("must be refused");
    assert_eq!(never.wait(), None);
    assert_eq!(
        never.to_string(),
        "RateLimit p/b allows 100 tokens in 1m, 100 at once: this request may take 101 tokens; make it shorter"
    );
}

#[test]
fn what_was_reserved_is_settled_for_what_was_used_and_a_failure_gives_all_of_it_back() {
    let (limits, now) = (Limiter::new(Metrics::new()), Instant::now());
    let rules = rules(&limits, &[("a", json!({"requests": rate(10), "tokens": rate(100)}))]);
    let left = |limits: &Limiter| {
        let (probe, standing) = reserve(limits, &rules, ALICE, Amounts::default(), now).expect("must pass");
        probe.settle(Amounts::default(), now);
        standing.0.map(|left| left.map_or(0, |left| left.remaining))
    };
    for (used, expected) in [(tokens(20), [9, 80]), (tokens(90), [8, 0]), (Amounts::default(), [8, 0])] {
        let amounts = if expected[1] == 0 && used == Amounts::default() { tokens(0) } else { tokens(50) };
        let (reservation, _) = reserve(&limits, &rules, ALICE, amounts, now).expect("must pass");
        reservation.settle(used, now);
        let Amounts { requests, tokens, .. } = left(&limits);
        assert_eq!([requests, tokens], expected);
    }
    let refused = reserve(&limits, &rules, ALICE, tokens(1), now).map(|_| ()).expect_err("it is owed");
    assert_eq!(refused.wait(), Some(Duration::from_millis(6_600)), "10 that were used too much, and one");
}

#[test]
fn a_limit_binds_whom_it_matches_and_each_of_its_subjects_alone() {
    let (limits, now) = (Limiter::new(Metrics::new()), Instant::now());
    let one = json!({"models": ["smart"], "consumers": [{"namespace": "p", "name": "search"}], "perUser": true,
        "requests": rate(1)});
    let rules = rules(&limits, &[("a", one)]);
    let passes = |subject| reserve(&limits, &rules, subject, tokens(0), now).is_ok();
    assert_eq!([passes(ALICE), passes(ALICE)], [true, false]);
    assert!(passes(Subject { user: "bob", ..ALICE }));
    assert!((0..3).all(|_| passes(Subject { model: "other", ..ALICE })));
    assert!((0..3).all(|_| passes(Subject { consumer: Some("p/other"), ..ALICE })));
    assert!((0..3).all(|_| passes(Subject { consumer: None, ..ALICE })), "who has no name is no Consumer");
}

#[test]
fn users_of_two_consumers_are_two_whatever_they_are_called() {
    let (limits, now) = (Limiter::new(Metrics::new()), Instant::now());
    let rules = rules(&limits, &[("a", json!({"perUser": true, "requests": rate(1)}))]);
    for (consumer, user) in [(Some("p/a"), "x"), (Some("p/b"), "x"), (None, "x"), (Some("p/a"), "x2")] {
        let subject = Subject { consumer, user, ..ALICE };
        assert!(reserve(&limits, &rules, subject, tokens(0), now).is_ok(), "{consumer:?} {user}");
        assert!(reserve(&limits, &rules, subject, tokens(0), now).is_err(), "{consumer:?} {user}");
    }
}

#[test]
fn a_provider_s_limit_binds_attempts_alone_and_each_provider_s() {
    let (limits, now) = (Limiter::new(Metrics::new()), Instant::now());
    let rules = rules(&limits, &[("a", json!({"perProvider": true, "requests": rate(1)}))]);
    let passes = |provider| reserve(&limits, &rules, Subject { provider, ..ALICE }, tokens(0), now).is_ok();
    assert!(passes(None) && passes(None));
    assert_eq!([passes(Some("p/x")), passes(Some("p/x")), passes(Some("p/y"))], [true, false, true]);
}

#[test]
fn a_change_of_the_configuration_fills_no_bucket_and_a_limit_that_was_gone_begins_anew() {
    let (limits, now) = (Limiter::new(Metrics::new()), Instant::now());
    let limit = |count| [("a", json!({"requests": rate(count)}))];
    let old = rules(&limits, &limit(1));
    assert!(reserve(&limits, &old, ALICE, tokens(0), now).is_ok());
    let same = rules(&limits, &limit(1));
    drop(old);
    limits.prune();
    assert!(reserve(&limits, &same, ALICE, tokens(0), now).is_err());
    drop(same);
    limits.prune();
    assert!(reserve(&limits, &rules(&limits, &limit(1)), ALICE, tokens(0), now).is_ok());
}

#[test]
fn threads_that_ask_at_once_get_no_more_together_than_there_is() {
    let limits = Limiter::new(Metrics::new());
    let now = Instant::now();
    let rules = rules(&limits, &[("a", json!({"requests": rate(500)})), ("b", json!({"requests": rate(700)}))]);
    let passed: usize = std::thread::scope(|scope| {
        let ask = || (0..400).filter(|_| reserve(&limits, &rules, ALICE, tokens(0), now).is_ok()).count();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().expect("must not panic")).sum()
    });
    assert_eq!(passed, 500);
}
