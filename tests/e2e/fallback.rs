//! The first target fails, the client sees nothing but the second one's answer; and what it sees when that fails too.

use std::collections::BTreeMap;

use penstock_tests::fake::{Action, Answer, At, How, Refusal, Refuse, Respond, Script};
use serde_json::{Value, json};

use crate::bed::{
    Bed, FALLBACK_KEY, IMPATIENT, PRIMARY, PRIMARY_KEY, assert_error, assert_from_fallback, hello, resources,
};
use crate::sdk;

fn respond(status: u16, kind: &str, body: &str) -> Action {
    let headers = BTreeMap::from([("content-type".to_owned(), kind.to_owned())]);
    Action::Respond(Respond { status, headers, body: body.to_owned() })
}

fn rate_limit(retry_after: &str) -> Action {
    let retry_after = Some(retry_after.to_owned());
    Action::Refuse(Refuse { error: Refusal::RateLimit, retry_after, headers: BTreeMap::new(), after_ms: 0 })
}

/// Failures that no form of answer survives.
fn failures() -> Vec<(&'static str, Action)> {
    vec![
        ("429", Refusal::RateLimit.into()),
        ("429 for an hour", rate_limit("3600")),
        ("quota", Refusal::Quota.into()),
        ("500", Refusal::ServerError.into()),
        ("503", Refusal::Unavailable.into()),
        ("504", Refusal::Timeout.into()),
        ("529 without a body", respond(529, "text/plain", "")),
        ("502 as HTML", respond(502, "text/html", "<html><body>Bad Gateway</body></html>")),
        ("404", Refusal::UnknownModel.into()),
        ("a redirect", respond(302, "text/plain", "")),
        ("200 as HTML", respond(200, "text/html", "<html><body>Welcome</body></html>")),
        ("200 without a body", respond(200, "application/json", "")),
        ("a reset", Action::Reset),
        ("a close", Action::Close),
        ("no answer", Action::Hang),
        ("nothing behind the head", Answer::broken(At::Events(0), How::Stall).into()),
    ]
}

#[tokio::test]
async fn whatever_the_first_target_does_the_client_sees_only_the_second_ones_answer() -> anyhow::Result<()> {
    for (case, action) in failures() {
        for stream in [false, true] {
            // Each starts anew: what one has shown of a target would count for the next.
            let bed = Bed::start(IMPATIENT).await?;
            bed.fakes.script(Script::on("openai").forever(action.clone()));
            let answer = bed.hello(stream).await?;
            assert_from_fallback(&answer, "2", &format!("{case}, stream: {stream}"));
            // On a pooled connection, an end without a byte of an answer may mean it was stale: sent again on a fresh one.
            let most = if matches!(action, Action::Reset | Action::Close) { 2 } else { 1 };
            let (first, second) = bed.calls();
            assert!((1..=most).contains(&first) && second == 1, "{case}, stream: {stream}: {first}, {second}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_first_target_that_refuses_connections_is_passed_over() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    bed.fakes.refuse_connections("openai").await?;
    for stream in [false, true] {
        assert_from_fallback(&bed.hello(stream).await?, "2", &format!("stream: {stream}"));
    }
    assert_eq!(bed.calls(), (0, 2));
    bed.fakes.accept_connections("openai").await?;
    assert_eq!(bed.hello(false).await?.text(), format!("{PRIMARY} You said: hello there"));
    Ok(())
}

#[tokio::test]
async fn an_unary_answer_that_is_cut_or_holds_an_error_comes_from_the_second_target() -> anyhow::Result<()> {
    let bed = Bed::start(IMPATIENT).await?;
    for how in [How::End, How::Close, How::Reset, How::Stall, How::Error(Refusal::ServerError)] {
        bed.fakes.clear_scripts();
        bed.fakes.script(Script::on("openai").forever(Answer::broken(At::Events(0), how.clone())));
        assert_from_fallback(&bed.hello(false).await?, "2", &format!("{how:?}"));
    }
    Ok(())
}

#[tokio::test]
async fn a_stream_that_dies_before_its_first_content_is_as_if_it_had_never_begun() -> anyhow::Result<()> {
    let bed = Bed::start(IMPATIENT).await?;
    for how in [How::End, How::Close, How::Reset, How::Stall, How::Error(Refusal::RateLimit)] {
        bed.fakes.clear_scripts();
        bed.fakes.script(Script::on("openai").forever(Answer::broken(At::Content(0), how.clone())));
        assert_from_fallback(&bed.hello(true).await?, "2", &format!("{how:?}"));
    }
    Ok(())
}

#[tokio::test]
async fn the_openai_sdk_does_not_notice_a_fallback() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    bed.fakes.script(Script::on("openai").forever(Refusal::ServerError));
    let url = format!("{}/v1", bed.gateway.url());
    let answer = ("answer", crate::bed::FALLBACK);
    sdk::run("openai_chat.py", &[("base-url", &url), ("key", "any"), ("model", "smart"), answer]).await
}

#[tokio::test]
async fn a_target_is_asked_again_as_often_as_it_says_before_the_next_one_is() -> anyhow::Result<()> {
    let fakes = penstock_tests::fake::Fakes::start()?;
    let text = resources(&fakes, "").replace("retries: {attempts: 0}", "retries: {attempts: 2, waitUpTo: 1s}");
    let gateway = penstock_tests::gateway::Gateway::start(&text).await?;
    let bed = Bed { fakes, gateway };
    bed.fakes.script(Script::on("openai").times(2, Refusal::ServerError));
    let answer = bed.hello(false).await?;
    assert_eq!((answer.text().starts_with(PRIMARY), answer.header("x-penstock-attempts")), (true, "3"), "{answer:?}");
    bed.fakes.script(Script::on("openai").forever(Refusal::ServerError));
    assert_from_fallback(&bed.hello(true).await?, "4", "500 for ever");
    assert_eq!(bed.calls(), (6, 1));
    Ok(())
}

#[tokio::test]
async fn a_short_retry_after_is_waited_for_and_a_long_one_is_not() -> anyhow::Result<()> {
    let fakes = penstock_tests::fake::Fakes::start()?;
    let text = resources(&fakes, "").replace("retries: {attempts: 0}", "retries: {attempts: 1, waitUpTo: 2s}");
    let gateway = penstock_tests::gateway::Gateway::start(&text).await?;
    let bed = Bed { fakes, gateway };
    bed.fakes.script(Script::on("openai").once(rate_limit("1")));
    assert!(bed.hello(false).await?.text().starts_with(PRIMARY));
    let arrivals: Vec<u64> = bed.fakes.requests_to("openai").iter().map(|record| record.at_us).collect();
    assert!(arrivals[1] - arrivals[0] >= 1_000_000, "{arrivals:?}");
    bed.fakes.script(Script::on("openai").forever(rate_limit("60")));
    assert_from_fallback(&bed.hello(false).await?, "2", "Retry-After: 60");
    Ok(())
}

#[tokio::test]
async fn classes_that_the_route_does_not_list_are_the_clients_to_see() -> anyhow::Result<()> {
    let bed = Bed::start("fallbackOn: [Timeout]").await?;
    for (refusal, status) in [(Refusal::ServerError, 502), (Refusal::UnknownModel, 404), (Refusal::RateLimit, 429)] {
        bed.fakes.clear_scripts();
        bed.fakes.script(Script::on("openai").forever(refusal));
        assert_error(&bed.hello(false).await?, status, &format!("{status}"));
    }
    assert_error(&bed.hello(false).await?, 429, "cooling down");
    assert_eq!(bed.calls(), (3, 0), "nothing is sent to a target that cools down, and nothing elsewhere");
    Ok(())
}

#[tokio::test]
async fn when_every_target_fails_the_client_learns_the_kindest_reason_and_no_providers_secret() -> anyhow::Result<()> {
    let tuning = format!("{}, request: 5s}}", IMPATIENT.trim_end_matches('}'));
    let cases: Vec<(&str, Action, Action, u16)> = vec![
        ("500 and 503", Refusal::ServerError.into(), Refusal::Unavailable.into(), 502),
        ("429 and 500", rate_limit("7"), Refusal::ServerError.into(), 429),
        ("silence and 500", Action::Hang, Refusal::ServerError.into(), 504),
        ("silence and silence", Action::Hang, Action::Hang, 504),
        ("reset and reset", Action::Reset, Action::Reset, 502),
        ("429 and 429", rate_limit("9"), rate_limit("4"), 429),
        ("401 and 403", Refusal::BadKey.into(), Refusal::Forbidden.into(), 502),
    ];
    for (case, first, second, status) in cases {
        for stream in [false, true] {
            // Each starts anew: a rejected key is left alone for 30 s, a target that cools down for as long as it said.
            let bed = Bed::start(&tuning).await?;
            bed.fakes.script(Script::on("openai").forever(first.clone()));
            bed.fakes.script(Script::on("anthropic").forever(second.clone()));
            let case = format!("{case}, stream: {stream}");
            let answer = bed.hello(stream).await?;
            assert_error(&answer, status, &case);
            assert_eq!(answer.header("x-should-retry"), "false", "{case}");
            for secret in [PRIMARY_KEY, FALLBACK_KEY, "org-fake", "127.0.0.1"] {
                assert!(!answer.body.contains(secret), "{case}: {answer:?}");
            }
            match case.split(',').next() {
                Some("429 and 429") => assert_eq!(answer.header("retry-after"), "4", "{case}"),
                Some("429 and 500") => assert_eq!(answer.header("retry-after"), "7", "{case}"),
                _ => {}
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_the_request_itself_is_blamed_for_comes_as_it_came() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    let invalid =
        Refusal::Invalid { message: "Invalid value for 'top_p'.".to_owned(), param: Some("top_p".to_owned()) };
    let unprocessable = json!({"error": {"message": "Too odd.", "type": "odd", "param": null, "code": "odd"}});
    let cases: Vec<(Action, u16, Value)> = vec![
        (
            invalid.into(),
            400,
            json!({"message": "Invalid value for 'top_p'.", "type": "invalid_request_error", "param": "top_p", "code": null}),
        ),
        (respond(422, "application/json", &unprocessable.to_string()), 422, unprocessable["error"].clone()),
    ];
    for (action, status, expected) in cases {
        for stream in [false, true] {
            bed.fakes.clear_scripts();
            bed.fakes.script(Script::on("openai").once(action.clone()));
            let answer = bed.hello(stream).await?;
            assert_eq!(assert_error(&answer, status, "as it came"), expected);
        }
    }
    assert_eq!(bed.calls(), (4, 0));
    Ok(())
}

#[tokio::test]
async fn a_prompt_that_is_too_long_goes_to_the_next_target_only_where_the_route_says_so() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    for (refusal, code) in
        [(Refusal::ContextLength, "context_length_exceeded"), (Refusal::ContentFilter, "content_filter")]
    {
        bed.fakes.clear_scripts();
        bed.fakes.script(Script::on("openai").forever(refusal));
        assert_eq!(assert_error(&bed.hello(false).await?, 400, code)["code"], code);
    }
    assert_eq!(bed.calls(), (2, 0));
    bed.gateway.replace_resources(&resources(&bed.fakes, "fallbackOn: [ContextLength, ContentFilter]"))?;
    bed.gateway
        .until("falling back", async |_| bed.hello(false).await.is_ok_and(|answer| answer.status == 200))
        .await?;
    bed.fakes.clear_scripts();
    bed.fakes.script(Script::on("openai").once(Refusal::ContextLength));
    assert_from_fallback(&bed.gateway.chat(&hello(true)).await?, "2", "context length");
    Ok(())
}
