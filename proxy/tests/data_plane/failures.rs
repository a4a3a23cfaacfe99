//! What a failure of a provider leads to, before the client has seen anything.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    bed::{Bed, Resources},
    provider::{Act, DONE, Provider, ROLE, STOP, answer, completion, delta, end, says, stream, text},
};

/// A route over a provider that fails as told and one that answers well, both ways.
async fn with_fallback(primary: &Provider, more: Value) -> anyhow::Result<(Bed, Provider)> {
    with_patience(primary, json!({}), more).await
}

async fn with_patience(primary: &Provider, timeouts: Value, more: Value) -> anyhow::Result<(Bed, Provider)> {
    let mut good = stream(&[ROLE, &text("fallback"), STOP, DONE]);
    good.push(end());
    let fallback = Provider::start({
        let good = good.clone();
        move |_| good.clone()
    });
    let fallback = fallback.await?;
    let mut resources = Resources::new();
    resources.provider("a", primary, json!({"timeouts": timeouts}))?;
    resources.provider("b", &fallback, json!({}))?.route(&["a", "b"], more)?;
    Ok((Bed::start(&resources)?, fallback))
}

async fn alone(acts: Vec<Act>) -> anyhow::Result<(u16, String, String, String)> {
    let provider = Provider::always(acts).await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, json!({}))?)?;
    let got = bed.unary().await?;
    let (kind, code) = got.error()?;
    Ok((got.status, kind, code, got.header("x-should-retry").to_owned()))
}

/// What must be answered by the fallback, and not be seen by the client.
fn failing_streams() -> Vec<(&'static str, Vec<Act>)> {
    let error = "data: {\"error\":{\"message\":\"m\",\"type\":\"server_error\"}}\n\n";
    let role_then = |acts: Vec<Act>| [stream(&[ROLE]), acts].concat();
    vec![
        ("it closes", vec![Act::Close]),
        ("it resets in the head", vec![Act::Send("HTTP/1.1 200 OK\r\nconte".into()), Act::Close]),
        ("500", answer(500, "", "{}")),
        ("503 for long", answer(503, "retry-after: 60\r\n", "")),
        ("429", answer(429, "retry-after: 60\r\n", "{}")),
        ("401", answer(401, "", "{}")),
        ("404", answer(404, "", "<html>")),
        ("302", answer(302, "location: /\r\n", "")),
        ("silence", vec![Act::Hang]),
        ("silence after the role", role_then(vec![Act::Hang])),
        ("a cut after the role", role_then(vec![Act::Close])),
        ("an end after the role", role_then(vec![end()])),
        ("an error after the role", role_then(stream(&[error]).split_off(1))),
        ("an error as JSON", answer(200, "", r#"{"error":{"message":"m","type":"rate_limit_error"}}"#)),
        ("no events", answer(200, "", &completion("unary"))),
        ("three malformed events", stream(&["data: {\n\n", "data: {\n\n", "data: {\n\n"])),
        ("compressed", answer(200, "content-encoding: gzip\r\n", "xxxx")),
    ]
}

#[tokio::test]
async fn the_client_of_a_stream_sees_only_the_fallback_s_answer() -> anyhow::Result<()> {
    for (name, acts) in failing_streams() {
        let primary = Provider::always(acts).await?;
        let timeouts = if name.starts_with("silence") { json!({"firstToken": "200ms"}) } else { json!({}) };
        let (bed, fallback) = with_patience(&primary, timeouts, json!({})).await?;
        let got = bed.stream().await?;
        assert_eq!(got.status, 200, "{name}");
        assert_eq!(got.body, [ROLE, &text("fallback"), STOP, DONE].concat(), "{name}");
        assert_eq!(
            (got.header("x-penstock-provider"), got.header("x-penstock-attempts")),
            ("default/b", "2"),
            "{name}"
        );
        assert_eq!((primary.calls(), fallback.calls()), (1, 1), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_cut_or_unreadable_is_tried_elsewhere() -> anyhow::Result<()> {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":".to_owned();
    let cases = [
        ("cut", vec![Act::Send(cut), Act::Close]),
        ("no JSON", answer(200, "", "<html>")),
        ("an error in a 200", answer(200, "", r#"{"error":{"message":"m","type":"server_error"}}"#)),
        ("silent", vec![Act::Hang]),
    ];
    for (name, acts) in cases {
        let primary = Provider::always(acts).await?;
        let fallback = Provider::always(says("fallback")).await?;
        let timeouts = if name == "silent" { json!({"answer": "200ms"}) } else { json!({}) };
        let mut resources = Resources::new();
        resources.provider("a", &primary, json!({"timeouts": timeouts}))?;
        resources.provider("b", &fallback, json!({}))?.route(&["a", "b"], json!({}))?;
        let got = Bed::start(&resources)?.unary().await?;
        assert_eq!((got.status, got.body), (200, completion("fallback")), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_client_with_nothing_left_is_told_as_the_table_says() -> anyhow::Result<()> {
    let cases = [
        (vec![Act::Close], 502, "server_error", "upstream_error"),
        (answer(500, "", "secret words"), 502, "server_error", "upstream_error"),
        (answer(429, "retry-after: 60\r\n", "{}"), 429, "rate_limit_error", "rate_limit_exceeded"),
        (answer(402, "", "{}"), 429, "insufficient_quota", "insufficient_quota"),
        (answer(401, "", "{}"), 502, "server_error", "upstream_error"),
        (answer(404, "", "{}"), 404, "invalid_request_error", "model_not_found"),
        (answer(413, "", "{}"), 413, "invalid_request_error", "request_too_large"),
        (answer(200, "", "{"), 502, "server_error", "upstream_error"),
    ];
    for (acts, status, kind, code) in cases {
        let name = format!("{acts:?}");
        let retry = if status == 413 { "" } else { "false" };
        assert_eq!(alone(acts).await?, (status, kind.into(), code.into(), retry.into()), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_request_at_fault_is_answered_with_the_provider_s_words_and_asked_nowhere_else() -> anyhow::Result<()> {
    let body = r#"{"error":{"message":"n must be 1","type":"invalid_request_error","param":"n","code":"bad_n"}}"#;
    let primary = Provider::always(answer(422, "", body)).await?;
    let (bed, fallback) = with_fallback(&primary, json!({})).await?;
    let got = bed.unary().await?;
    assert_eq!((got.status, got.body.as_str()), (422, body));
    assert_eq!(fallback.calls(), 0);
    Ok(())
}

#[tokio::test]
async fn an_error_in_any_form_reaches_the_client_as_openai_s_object() -> anyhow::Result<()> {
    let bodies = [
        r#"[{"error":{"message":"too odd","code":400,"status":"INVALID_ARGUMENT"}}]"#,
        r#"{"error":{"message":"too odd","code":400}}"#,
        r#"{"error":"too odd"}"#,
        r#"{"message":"too odd","code":40001}"#,
        "<html>too odd</html>",
        "",
    ];
    for body in bodies {
        let provider = Provider::always(answer(400, "", body)).await?;
        let bed = Bed::start(Resources::new().provider("a", &provider, json!({}))?)?;
        let got = bed.unary().await?;
        let said: Value = serde_json::from_str(&got.body)?;
        let error = said["error"].as_object().ok_or_else(|| anyhow::anyhow!("{body}: {said}"))?;
        assert_eq!(got.status, 400, "{body}: {said}");
        assert!(error["message"].is_string() && error["type"] == "invalid_request_error", "{body}: {said}");
        let code = &error["code"];
        assert!(error.contains_key("param") && (code.is_string() || code.is_null()), "{body}: {said}");
        assert!(!body.starts_with(['[', '{']) || said.to_string().contains("too odd"), "{body}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_target_is_asked_again_as_often_as_its_retries_say() -> anyhow::Result<()> {
    let provider = Provider::start(|n| if n < 2 { answer(500, "", "{}") } else { says("at last") }).await?;
    let retries = json!({"retries": {"attempts": 2, "waitUpTo": "2s"}});
    let bed = Bed::start(Resources::new().provider("a", &provider, retries)?)?;
    let got = bed.unary().await?;
    assert_eq!((got.status, got.header("x-penstock-attempts")), (200, "3"));
    Ok(())
}

#[tokio::test]
async fn a_class_that_the_route_does_not_list_does_not_fall_back() -> anyhow::Result<()> {
    let primary = Provider::always(answer(500, "", "{}")).await?;
    let (bed, fallback) = with_fallback(&primary, json!({"fallbackOn": ["RateLimit"]})).await?;
    assert_eq!(bed.unary().await?.status, 502);
    assert_eq!(fallback.calls(), 0);
    Ok(())
}

#[tokio::test]
async fn the_last_target_may_be_silent_until_the_deadline_of_the_request() -> anyhow::Result<()> {
    let acts = [vec![Act::Wait(Duration::from_millis(400))], says("slow")].concat();
    let provider = Provider::always(acts).await?;
    let more = json!({"timeouts": {"answer": "50ms", "firstToken": "50ms", "request": "10s"}});
    let bed = Bed::start(Resources::new().provider("a", &provider, more)?)?;
    assert_eq!(bed.unary().await?.status, 200);

    let silent = Provider::always(vec![Act::Hang]).await?;
    let bed = Bed::start(Resources::new().provider("a", &silent, json!({"timeouts": {"request": "300ms"}}))?)?;
    assert_eq!(bed.unary().await?.status, 504);
    silent.until(|events| events.closed == [0]).await?;
    Ok(())
}

#[tokio::test]
async fn a_refusal_falls_back_where_it_is_listed_and_is_an_answer_where_it_is_not() -> anyhow::Result<()> {
    let refusal = delta("{}").replace("\"finish_reason\":null", "\"finish_reason\":\"content_filter\"");
    let mut acts = stream(&[ROLE, &refusal, DONE]);
    acts.push(end());
    let primary = Provider::always(acts).await?;
    let (bed, _fallback) = with_fallback(&primary, json!({"fallbackOn": ["ContentFilter"]})).await?;
    assert!(bed.stream().await?.body.contains("fallback"));
    let (bed, fallback) = with_fallback(&primary, json!({})).await?;
    assert!(bed.stream().await?.body.contains("content_filter"));
    assert_eq!(fallback.calls(), 0);
    Ok(())
}

#[tokio::test]
async fn attempts_and_fallbacks_are_counted_for_whom_they_concern() -> anyhow::Result<()> {
    let primary = Provider::always(answer(500, "", "{}")).await?;
    let (bed, _fallback) = with_fallback(&primary, json!({})).await?;
    bed.stream().await?;
    let text = bed.metrics.render();
    for line in [
        r#"penstock_attempts_total{model="m",outcome="server_error",provider="default/a",route="default/route"} 1"#,
        r#"penstock_fallbacks_total{model="m",provider="default/a",reason="server_error",route="default/route"} 1"#,
        r#"penstock_attempts_total{model="m",outcome="ok",provider="default/b",route="default/route"} 1"#,
        r#"penstock_requests_total{model="m",provider="default/b",route="default/route",status="2xx"} 1"#,
        r#"penstock_first_content_seconds_count{model="m",provider="default/b",route="default/route"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_target_that_was_skipped_has_no_say_in_what_the_client_is_told() -> anyhow::Result<()> {
    let anthropic = Provider::always(vec![Act::Close]).await?;
    let long = r#"{"error":{"message":"m","type":"invalid_request_error","code":"context_length_exceeded"}}"#;
    let openai = Provider::always(answer(400, "", long)).await?;
    let mut resources = Resources::new();
    resources.provider("a", &anthropic, json!({"type": "Anthropic"}))?.provider("b", &openai, json!({}))?;
    let bed = Bed::start(resources.route(&["a", "b"], json!({}))?)?;
    let mut twice = crate::bed::question(false);
    twice["n"] = json!(2);
    let got = bed.ask(twice).await?;
    assert_eq!((got.status, got.error()?.1.as_str()), (400, "context_length_exceeded"));
    assert_eq!((anthropic.calls(), openai.calls()), (0, 1));
    Ok(())
}

#[tokio::test]
async fn the_error_in_a_200_is_judged_by_its_own_code_for_streams_too() -> anyhow::Result<()> {
    let quota = r#"{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}"#;
    let provider = Provider::always(answer(200, "", quota)).await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, json!({}))?)?;
    for got in [bed.unary().await?, bed.stream().await?] {
        assert_eq!((got.status, got.error()?.1.as_str()), (429, "insufficient_quota"));
    }
    Ok(())
}

#[tokio::test]
async fn a_filter_that_cut_an_answer_short_leaves_what_was_said() -> anyhow::Result<()> {
    let cut = completion("half an ans").replace("\"stop\"", "\"content_filter\"");
    let silent = cut.replace("half an ans", "");
    let fallback_on = json!({"fallbackOn": ["ContentFilter"]});
    for (body, is_answer) in [(cut, true), (silent, false)] {
        let primary = Provider::always(answer(200, "", &body)).await?;
        let (bed, fallback) = with_fallback(&primary, fallback_on.clone()).await?;
        let got = bed.unary().await?;
        assert_eq!(got.body == body, is_answer, "{}", got.body);
        assert_eq!(fallback.calls() == 0, is_answer);
    }
    Ok(())
}

#[tokio::test]
async fn a_model_with_fixed_sampling_is_sent_what_it_takes_and_the_client_is_told() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let o3 = json!({"models": [{"name": "m", "upstreamName": "o3-mini"}]});
    let mut resources = Resources::new();
    resources.provider("a", &provider, o3)?;
    let mut warm = crate::bed::question(false);
    warm["temperature"] = json!(0.2);
    warm["max_tokens"] = json!(7);
    let got = Bed::start(&resources)?.ask(warm.clone()).await?;
    assert_eq!((got.status, got.header("x-penstock-dropped-params")), (200, "temperature"));
    let sent: serde_json::Value = serde_json::from_str(&provider.events().seen[0].body)?;
    assert_eq!((&sent["temperature"], &sent["max_completion_tokens"]), (&json!(1), &json!(7)));
    resources.route(&["a"], json!({"onUnsupported": "Reject"}))?;
    let got = Bed::start(&resources)?.ask(warm).await?;
    assert_eq!((got.status, provider.calls()), (422, 1));
    Ok(())
}
