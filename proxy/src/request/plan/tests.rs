use penstock_llm::{Dialect, classify::classify};

use super::*;

const DEFAULT: &[FallbackOn] = &FallbackOn::DEFAULT;

fn status(status: u16, retry_after: Option<u64>, body: &str) -> Failure {
    Failure::Status(classify(Dialect::OpenAI, status, retry_after.map(Duration::from_secs), body.as_bytes()))
}

fn broken() -> Failure {
    Failure::Broken(UpstreamError::broken_answer("cut"))
}

fn budget() -> Budget {
    Budget::new(Retries { attempts: 2, wait_up_to: Duration::from_secs(2) }, Pace::REAL)
}

fn around(fallback_on: &[FallbackOn]) -> Circumstances<'_> {
    Circumstances { other_credential: false, fallback_on, time_left: Duration::from_secs(600), random: 0.5 }
}

/// What happens to one failure after the other at one target, nothing else being left there.
fn steps(failures: &[Failure]) -> Vec<Step> {
    let mut budget = budget();
    failures.iter().map(|failure| budget.decide(failure, around(DEFAULT))).collect()
}

fn error(failures: Vec<Failure>) -> (u16, Option<u64>) {
    let error = verdict(failures);
    (error.status(), error.retry_after().map(|wait| wait.as_secs()))
}

#[test]
fn what_may_pass_by_itself_is_tried_again_with_growing_waits_and_then_elsewhere() {
    let waits = [Step::Again(Duration::from_millis(100)), Step::Again(Duration::from_millis(200)), Step::NextTarget];
    let unreachable = || Failure::Unreachable("refused".into());
    assert_eq!(steps(&[unreachable(), unreachable(), unreachable()]), waits);
    for code in [500, 502, 503, 504, 520, 529] {
        assert_eq!(steps(&[status(code, None, ""), status(code, None, ""), status(code, None, "")]), waits, "{code}");
    }
    assert_eq!(steps(&[status(429, None, ""), status(429, None, ""), status(429, None, "")]), waits);
}

#[test]
fn a_wait_that_the_provider_names_is_kept_if_it_is_short_and_never_shortened() {
    for code in [429, 503] {
        assert_eq!(steps(&[status(code, Some(2), "")]), [Step::Again(Duration::from_millis(2200))], "{code}");
        assert_eq!(steps(&[status(code, Some(3), "")]), [Step::NextTarget], "{code}");
    }
    let hasty = Circumstances { time_left: Duration::from_secs(1), ..around(DEFAULT) };
    assert_eq!(budget().decide(&status(429, Some(1), ""), hasty), Step::NextTarget, "the deadline comes first");
}

#[test]
fn a_wait_is_as_short_or_as_long_at_any_pace() {
    let pace = Pace::new(0.1).expect("must be a pace");
    let decide = |seconds| {
        let mut budget = Budget::new(Retries { attempts: 2, wait_up_to: Duration::from_secs(2) }, pace);
        budget.decide(&status(429, Some(seconds), "").at(pace), around(DEFAULT))
    };
    assert_eq!(decide(2), Step::Again(Duration::from_millis(220)));
    assert_eq!(decide(3), Step::NextTarget);
}

#[test]
fn a_silent_target_is_not_asked_again() {
    assert_eq!(steps(&[Failure::Silent(Expired::Answer)]), [Step::NextTarget]);
    assert_eq!(steps(&[status(408, None, "")]), [Step::NextTarget]);
}

#[test]
fn a_rejected_credential_gives_way_to_the_next_and_costs_no_retry() {
    let quota = r#"{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}"#;
    for failure in [status(401, None, ""), status(403, None, ""), status(429, None, quota), Failure::NoCredential] {
        let other = Circumstances { other_credential: true, ..around(DEFAULT) };
        assert_eq!(budget().decide(&failure, other), Step::NextCredential, "{failure:?}");
        assert_eq!(steps(&[failure]), [Step::NextTarget]);
    }
}

#[test]
fn an_unreadable_answer_is_tried_once_again() {
    assert_eq!(steps(&[broken(), broken()]), [Step::Again(Duration::from_millis(100)), Step::NextTarget]);
}

#[test]
fn what_no_repetition_changes_goes_elsewhere_at_once() {
    assert_eq!(steps(&[status(404, None, "")]), [Step::NextTarget]);
    assert_eq!(steps(&[status(302, None, "")]), [Step::NextTarget]);
    assert_eq!(steps(&[status(508, None, "")]), [Step::NextTarget]);
    assert_eq!(steps(&[status(413, None, "")]), [Step::NextTarget]);
    let meaning = penstock_llm::Error::Unsupported { field: "n".into(), reason: "one answer only".into() };
    assert_eq!(steps(&[Failure::Meaning(meaning)]), [Step::NextTarget]);
}

#[test]
fn a_request_at_fault_is_not_carried_around() {
    for code in [400, 409, 422] {
        assert_eq!(steps(&[status(code, None, "")]), [Step::Stop], "{code}");
    }
    let long = r#"{"error":{"message":"m","code":"context_length_exceeded"}}"#;
    assert_eq!(steps(&[status(400, None, long)]), [Step::Stop], "not listed by default");
    let listed = around(&[FallbackOn::ContextLength]);
    assert_eq!(budget().decide(&status(400, None, long), listed), Step::NextTarget);
}

#[test]
fn a_class_that_is_not_listed_does_not_fall_back() {
    for failure in
        [Failure::Silent(Expired::Answer), status(404, None, ""), Failure::NoCredential, status(429, Some(60), "")]
    {
        assert_eq!(budget().decide(&failure, around(&[])), Step::Stop, "{failure:?}");
    }
    assert_eq!(budget().decide(&status(413, None, ""), around(&[])), Step::NextTarget, "413 does not ask");
}

#[test]
fn targets_that_failed_alike_give_the_status_of_that_failure() {
    let long = r#"{"error":{"message":"m","code":"context_length_exceeded"}}"#;
    assert_eq!(error(vec![Failure::Unreachable(String::new()), status(500, None, "")]), (502, None));
    assert_eq!(error(vec![Failure::Silent(Expired::Answer)]), (504, None));
    assert_eq!(error(vec![status(401, None, "")]), (502, None));
    assert_eq!(error(vec![status(402, None, "")]), (429, None));
    assert_eq!(error(vec![status(404, None, "")]), (404, None));
    assert_eq!(error(vec![status(413, None, ""), status(413, None, "")]), (413, None));
    assert_eq!(error(vec![status(400, None, long)]), (400, None));
    assert_eq!(error(vec![broken()]), (502, None));
    assert_eq!(error(vec![status(302, None, "")]), (502, None));
    assert_eq!(error(vec![status(429, Some(7), ""), status(429, Some(3), "")]), (429, Some(3)));
}

#[test]
fn targets_that_failed_differently_give_429_before_504_before_502() {
    assert_eq!(
        error(vec![status(429, Some(7), ""), Failure::Silent(Expired::Answer), status(500, None, "")]),
        (429, Some(7))
    );
    assert_eq!(error(vec![status(500, None, ""), status(429, None, "")]), (429, None));
    assert_eq!(error(vec![Failure::Silent(Expired::Answer), status(500, None, "")]), (504, None));
    assert_eq!(error(vec![status(404, None, ""), status(500, None, "")]), (502, None));
}

#[test]
fn a_target_without_room_is_no_failure_and_has_a_say_only_where_nobody_was_asked() {
    let cooling_down = || Failure::CoolingDown(Duration::from_secs(60), FallbackOn::RateLimit);
    let open = || Failure::BreakerOpen(Duration::from_secs(5), FallbackOn::ServerError);
    assert_eq!(Failure::Full.effect(), None);
    assert!(Failure::Full.goes_on(&[]));
    assert_eq!(error(vec![Failure::Full]), (503, Some(1)));
    assert_eq!(error(vec![Failure::Full, cooling_down(), open()]), (503, Some(1)), "there is room sooner");
    assert_eq!(error(vec![status(500, None, ""), Failure::Full]), (502, None));
    assert_eq!(error(vec![status(429, Some(7), ""), Failure::Full]), (429, Some(7)));
}

#[test]
fn only_an_error_that_blames_the_request_is_shown_as_it_came() {
    let body = r#"{"error":{"message":"bad n","type":"invalid_request_error","param":"n","code":"nope"}}"#;
    let error = verdict(vec![status(500, None, ""), status(422, None, body)]);
    assert_eq!((error.status(), error.to_string().as_str(), error.code()), (422, "bad n", Some("nope")));
    let error = verdict(vec![status(401, None, r#"{"error":{"message":"Incorrect API key provided: sk-1"}}"#)]);
    assert!(!error.to_string().contains("sk-1"));
}
