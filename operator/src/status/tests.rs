use std::collections::BTreeSet;

use penstock_config::{CredentialState, Hash, ObjectRef};

use super::*;

fn seen(conditions: Vec<Condition>, credentials: Vec<CredentialStatus>) -> Seen {
    let object = serde_json::json!({
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "AIProvider",
        "metadata": {"name": "openai", "namespace": "ns", "uid": "u", "generation": 2, "resourceVersion": "9"},
        "spec": {"type": "OpenAI", "models": [{"name": "gpt-4o"}]},
        "status": AIProviderStatus { conditions, credentials },
    });
    let object = serde_json::from_value(object).expect("must be an object");
    crate::stores::object::Read::new(penstock_crds::Kind::AIProvider, &object).1.seen
}

fn condition(type_: &str, status: Truth, reason: &str, generation: i64) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status,
        observed_generation: Some(generation),
        last_transition_time: "then".to_owned(),
        reason: reason.to_owned(),
        message: "before".to_owned(),
    }
}

fn verdict(live: bool) -> Verdict {
    Verdict {
        findings: vec![Finding {
            condition: ConditionType::Accepted,
            status: live,
            reason: if live { Reason::Accepted } else { Reason::Invalid },
            message: String::new(),
        }],
        live,
        form: Hash::of(b"form"),
        credentials: vec![CredentialState {
            secret: "openai".to_owned(),
            key: "api-key".to_owned(),
            resource_version: Some("41".to_owned()),
            digest: Some(Hash::of(b"key")),
        }],
        made: vec![],
    }
}

fn status(seen: &Seen, verdict: Result<&Verdict, &str>, programmed: Programmed) -> AIProviderStatus {
    let key = Key::new(Kind::AIProvider, ObjectRef::new("ns", "openai"));
    let facts = Facts { key: &key, seen, verdict, programmed, troubles: None, limit: None };
    facts.status(|_| Some("42".to_owned()), "now")
}

fn find<'a>(status: &'a AIProviderStatus, type_: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

#[test]
fn a_transition_has_a_new_time_only_when_the_status_changes() {
    let seen = seen(
        vec![condition("Accepted", Truth::True, "Accepted", 1), condition("Programmed", Truth::False, "Pending", 1)],
        vec![],
    );
    let status = status(&seen, Ok(&verdict(true)), Programmed::Yes { pods: 1 });
    let accepted = find(&status, "Accepted").expect("must be there");
    assert_eq!((accepted.last_transition_time.as_str(), accepted.observed_generation), ("then", Some(2)));
    let programmed = find(&status, "Programmed").expect("must be there");
    assert_eq!((programmed.status, programmed.last_transition_time.as_str()), (Truth::True, "now"));
}

#[test]
fn a_leader_that_does_not_know_yet_leaves_what_stands() {
    let programmed = condition("Programmed", Truth::True, "Programmed", 2);
    let healthy = condition("Healthy", Truth::True, "Healthy", 2);
    let credential = CredentialStatus {
        secret: "openai".to_owned(),
        key: "api-key".to_owned(),
        resource_version: Some("42".to_owned()),
        programmed: true,
    };
    let seen = seen(vec![programmed.clone(), healthy.clone()], vec![credential.clone()]);
    let status = status(&seen, Ok(&verdict(true)), Programmed::Unknown);
    assert_eq!(find(&status, "Programmed"), Some(&programmed));
    assert_eq!(find(&status, "Healthy"), Some(&healthy));
    assert_eq!(status.credentials, [credential]);
}

#[test]
fn health_stays_as_it_was_known_while_a_change_is_on_its_way() {
    let healthy = condition("Healthy", Truth::False, "CredentialsRejected", 1);
    let seen = seen(vec![healthy.clone()], vec![]);
    let pending = Programmed::Pending { missing: vec!["proxy-0".to_owned()], of: 2 };
    let refused = Programmed::Refused { by: vec![("proxy-0".to_owned(), "why".to_owned())], of: 2 };
    for programmed in [pending, refused] {
        assert_eq!(find(&status(&seen, Ok(&verdict(true)), programmed), "Healthy"), Some(&healthy));
    }
    assert_eq!(find(&status(&seen, Ok(&verdict(true)), Programmed::NoProxies), "Healthy"), None);
}

#[test]
fn a_credential_that_changed_while_nobody_looked_is_not_called_programmed() {
    let credential = CredentialStatus {
        secret: "openai".to_owned(),
        key: "api-key".to_owned(),
        resource_version: Some("40".to_owned()),
        programmed: true,
    };
    let seen = seen(vec![], vec![credential]);
    let status = status(&seen, Ok(&verdict(true)), Programmed::Unknown);
    assert_eq!(status.credentials[0].resource_version.as_deref(), Some("42"));
    assert!(!status.credentials[0].programmed);
}

#[test]
fn a_refused_object_names_pods_and_reasons_and_an_invalid_one_points_at_its_conditions() {
    let by = (0..7).map(|n| (format!("proxy-{n}"), "unknown variant".to_owned())).collect();
    let refused = status(&seen(vec![], vec![]), Ok(&verdict(true)), Programmed::Refused { by, of: 9 });
    let programmed = find(&refused, "Programmed").expect("must be there");
    assert_eq!((programmed.status, programmed.reason.as_str()), (Truth::False, "Refused"));
    assert!(programmed.message.starts_with("7 of 9 proxies refused it: proxy-0: unknown variant, "), "{programmed:?}");
    assert!(programmed.message.ends_with(" and 2 more"), "{programmed:?}");
    assert!(!refused.credentials[0].programmed);

    let invalid = status(&seen(vec![], vec![]), Ok(&verdict(false)), Programmed::Yes { pods: 1 });
    assert_eq!(find(&invalid, "Programmed").map(|c| c.reason.as_str()), Some("Invalid"));
    let unreadable = status(&seen(vec![], vec![]), Err("spec.type: unknown"), Programmed::Yes { pods: 1 });
    let accepted = find(&unreadable, "Accepted").expect("must be there");
    assert_eq!((accepted.status, accepted.message.as_str()), (Truth::False, "spec.type: unknown"));
}

#[test]
fn a_rejected_key_makes_its_provider_unhealthy_and_names_the_key() {
    let healthy = healthy(&Troubles { rejected: rejected(), ..Troubles::default() });
    assert_eq!((healthy.status, healthy.reason.as_str()), (Truth::False, "CredentialsRejected"));
    assert!(healthy.message.contains("api-key of Secret openai"), "{healthy:?}");
}

#[test]
fn models_that_fail_are_named_with_how_many_proxies_say_so() {
    let failing = trouble(&["gpt-4o", "gpt-4o-mini"], &["proxy-0", "proxy-2"], 3);
    let healthy = healthy(&Troubles { failing, ..Troubles::default() });
    assert_eq!((healthy.status, healthy.reason.as_str()), (Truth::False, "Failing"));
    assert!(healthy.message.starts_with("2 of 3 proxies report"), "{healthy:?}");
    assert!(healthy.message.ends_with(": gpt-4o, gpt-4o-mini"), "{healthy:?}");
}

#[test]
fn a_rejected_key_is_told_before_failures_and_these_before_cooldowns() {
    let mut troubles = Troubles {
        rejected: rejected(),
        failing: trouble(&["gpt-4o"], &["proxy-0"], 1),
        cooling_down: trouble(&["gpt-4o-mini"], &["proxy-0"], 1),
        unpriced: Unpriced::default(),
    };
    assert_eq!(healthy(&troubles).reason, "CredentialsRejected");
    troubles.rejected.clear();
    assert_eq!(healthy(&troubles).reason, "Failing");
    troubles.failing = Trouble::default();
    let healthy = healthy(&troubles);
    assert_eq!(healthy.reason, "CoolingDown");
    assert!(healthy.message.ends_with(": gpt-4o-mini"), "{healthy:?}");
}

fn rejected() -> BTreeSet<(String, String)> {
    BTreeSet::from([("openai".to_owned(), "api-key".to_owned())])
}

fn trouble(models: &[&str], pods: &[&str], of: usize) -> Trouble {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Trouble { models: names(models), pods: names(pods), of }
}

fn healthy(troubles: &Troubles) -> Condition {
    with_troubles("Healthy", troubles)
}

fn with_troubles(condition: &str, troubles: &Troubles) -> Condition {
    let key = Key::new(Kind::AIProvider, ObjectRef::new("ns", "openai"));
    let (seen, verdict) = (seen(vec![], vec![]), verdict(true));
    let programmed = Programmed::Yes { pods: 1 };
    let facts =
        Facts { key: &key, seen: &seen, verdict: Ok(&verdict), programmed, troubles: Some(troubles), limit: None };
    find(&facts.status(|_| None, "now"), condition).expect("must be there").clone()
}

#[test]
fn a_price_that_nobody_says_is_named_and_the_provider_is_as_well_as_before() {
    let models = (0..6).map(|n| format!("m{n}")).collect();
    let troubles = Troubles { unpriced: Unpriced { models, of: 40 }, ..Troubles::default() };
    let priced = with_troubles("Priced", &troubles);
    assert_eq!((priced.status, priced.reason.as_str()), (Truth::False, "PriceMissing"));
    assert!(priced.message.starts_with("no price is known of m0, m1, m2, m3, m4 and 35 more; "), "{priced:?}");
    let healthy = healthy(&troubles);
    assert_eq!((healthy.status, healthy.reason.as_str()), (Truth::True, "Healthy"));
    let status = AIProviderStatus { conditions: vec![priced, healthy], ..AIProviderStatus::default() };
    assert_eq!(complaints(&status).count(), 0, "nothing went wrong");
}

#[test]
fn a_provider_is_priced_once_every_proxy_runs_it_and_none_lacks_a_price() {
    let priced = |programmed| {
        let status = status(&seen(vec![], vec![]), Ok(&verdict(true)), programmed);
        find(&status, "Priced").map(|priced| (priced.status, priced.reason.clone()))
    };
    assert_eq!(priced(Programmed::Yes { pods: 2 }), Some((Truth::True, "Priced".to_owned())));
    assert_eq!([priced(Programmed::Unknown), priced(Programmed::NoProxies)], [None, None]);
    let ill = Troubles { rejected: rejected(), ..Troubles::default() };
    assert_eq!(with_troubles("Priced", &ill).reason, "Priced");
}

#[test]
fn a_limit_is_enforced_where_the_proxies_keep_it() {
    let key = Key::new(Kind::RateLimit, ObjectRef::new("ns", "few"));
    let (seen, verdict) = (seen(vec![], vec![]), verdict(true));
    let enforced = |is_used, without: &[&str], on_failure, programmed| {
        let without = without.iter().map(|pod| (*pod).to_owned()).collect();
        let store = LimitStore { is_used, without, of: 3 };
        let limit = Some((&store, on_failure));
        let facts = Facts { key: &key, seen: &seen, verdict: Ok(&verdict), programmed, troubles: None, limit };
        let status = facts.status(|_| None, "now");
        find(&status, "Enforced").map(|found| (found.status, found.reason.clone(), found.message.clone()))
    };
    let runs = || Programmed::Yes { pods: 3 };
    let reason = |is_used, without: &[&str], on_failure| {
        enforced(is_used, without, on_failure, runs()).map(|(status, reason, _)| (status, reason))
    };
    let is = |status, reason: &str| Some((status, reason.to_owned()));
    assert_eq!(reason(false, &["a", "b", "c"], StoreFailure::Deny), is(Truth::True, "Shared"));
    assert_eq!(reason(true, &[], StoreFailure::Deny), is(Truth::True, "Redis"));
    assert_eq!(reason(true, &["a"], StoreFailure::Local), is(Truth::True, "Local"));
    assert_eq!(reason(true, &["a"], StoreFailure::Deny), is(Truth::False, "StoreDown"));
    let (_, _, message) = enforced(true, &["a", "b"], StoreFailure::Allow, runs()).expect("must be there");
    assert_eq!(message, "2 of 3 proxies do not reach the store of limits: everything passes there: a, b");
    assert_eq!(enforced(true, &[], StoreFailure::Local, Programmed::NoProxies), None);
}

#[test]
fn a_long_message_is_cut_between_characters() {
    assert_eq!(cut("päärt", 5), "p...");
    assert_eq!(cut("short", 5), "short");
}
