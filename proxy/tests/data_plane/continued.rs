//! Streams that break after their first content and are finished by another target.

use serde_json::{Value, json};

use crate::{
    bed::{Bed, Resources, question, spoken},
    log::{line, listen},
    provider::{Act, DONE, Provider, ROLE, STOP, USAGE, answer, end, says, stream, text},
};

const BEGINNING: &str = "Once upon a ";
const REST: &str = "time there was.";

fn begins(then: Act) -> Vec<Act> {
    [stream(&[ROLE, &text(BEGINNING)]), vec![then]].concat()
}

fn finishes(with: &str) -> Vec<Act> {
    let (role, said) = (ROLE.replace("c1", "c2"), text(with).replace("c1", "c2"));
    [stream(&[&role, &said, STOP, USAGE, DONE]), vec![end()]].concat()
}

/// A route that continues, over these providers in this order.
fn bed(providers: &[(&Provider, Value)]) -> anyhow::Result<Bed> {
    bed_of("m", providers)
}

fn bed_of(model: &str, providers: &[(&Provider, Value)]) -> anyhow::Result<Bed> {
    let mut resources = Resources::new();
    let names = ["a", "b", "c", "d"];
    for (name, (provider, more)) in names.iter().zip(providers) {
        resources.provider(name, provider, more.clone())?;
    }
    let more = json!({"models": [model], "onStreamBreak": "Continue"});
    Bed::start(resources.route(&names[..providers.len()], more)?)
}

/// The ids of a stream's chunks, each once.
fn ids(body: &str) -> Vec<String> {
    let chunks = body.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    let mut ids: Vec<_> = chunks.filter_map(|chunk| chunk["id"].as_str().map(str::to_owned)).collect();
    ids.dedup();
    ids
}

/// What a provider was sent last.
fn sent(provider: &Provider, number: usize) -> Value {
    serde_json::from_str(&provider.events().seen[number].body).expect("must be JSON")
}

#[tokio::test]
async fn the_client_sees_one_answer_however_the_first_target_breaks() -> anyhow::Result<()> {
    let error = Act::Send(crate::provider::chunk(
        "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n",
    ));
    for (name, then) in [("cut", Act::Close), ("ended", end()), ("stalled", Act::Hang), ("an error", error)] {
        let first = Provider::always(begins(then)).await?;
        let second = Provider::always(finishes(REST)).await?;
        let bed = bed(&[(&first, json!({"timeouts": {"idle": "200ms"}})), (&second, json!({}))])?;
        let got = bed.stream().await?;
        assert_eq!(spoken(&got.body, "content"), [BEGINNING, REST].concat(), "{name}: {}", got.body);
        assert_eq!(
            (ids(&got.body), got.body.matches("finish_reason\":\"stop").count()),
            (vec!["c1".into()], 1),
            "{name}"
        );
        assert!(got.body.ends_with(DONE) && !got.body.contains("error"), "{name}: {}", got.body);
        assert_eq!((first.calls(), second.calls()), (1, 1));
        assert!(sent(&second, 0)["messages"].to_string().contains("Once upon a"), "it must know what was said");
    }
    Ok(())
}

#[tokio::test]
async fn a_target_that_starts_over_is_not_heard_twice() -> anyhow::Result<()> {
    let first = Provider::always(begins(Act::Close)).await?;
    let second = Provider::always(finishes(&[BEGINNING, REST].concat())).await?;
    let got = bed(&[(&first, json!({})), (&second, json!({}))])?.stream().await?;
    assert_eq!(spoken(&got.body, "content"), [BEGINNING, REST].concat(), "{}", got.body);
    Ok(())
}

#[tokio::test]
async fn a_target_that_refuses_the_beginning_is_asked_the_other_way() -> anyhow::Result<()> {
    let first = Provider::always(begins(Act::Close)).await?;
    let refused = r#"{"type":"error","error":{"type":"invalid_request_error","message":"no prefill here"}}"#;
    let rest = [
        r#"{"type":"message_start","message":{"id":"m2","role":"assistant","model":"x","content":[],"usage":{"input_tokens":9,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"time there was."}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let rest: Vec<String> = rest
        .iter()
        .map(|data| {
            let value: Value = serde_json::from_str(data).expect("must be JSON");
            format!("event: {}\ndata: {data}\n\n", value["type"].as_str().unwrap_or_default())
        })
        .collect();
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let good = [stream(&rest), vec![end()]].concat();
    let second = Provider::start(move |n| if n == 0 { answer(400, "", refused) } else { good.clone() }).await?;
    let claude = json!({"type": "Anthropic", "models": [{"name": "m", "upstreamName": "claude-sonnet-4-20250514"}]});
    let got = bed(&[(&first, json!({})), (&second, claude)])?.stream().await?;
    assert_eq!(spoken(&got.body, "content"), [BEGINNING, REST].concat(), "{}", got.body);
    let last =
        |number| sent(&second, number)["messages"].as_array().and_then(|all| all.last().cloned()).unwrap_or_default();
    assert_eq!((last(0)["role"].as_str(), last(1)["role"].as_str()), (Some("assistant"), Some("user")));
    assert_eq!(second.calls(), 2);
    Ok(())
}

#[tokio::test]
async fn what_can_t_be_continued_ends_in_the_in_band_error() -> anyhow::Result<()> {
    let call = crate::provider::delta(
        r#"{"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"f","arguments":"{"}}]}"#,
    );
    let tools = [stream(&[ROLE, &call]), vec![Act::Close]].concat();
    let mut schema = question(true);
    schema["response_format"] = json!({"type": "json_object"});
    for (acts, body) in [(tools, question(true)), (begins(Act::Close), schema)] {
        let first = Provider::always(acts).await?;
        let second = Provider::always(finishes(REST)).await?;
        let bed = bed(&[(&first, json!({})), (&second, json!({}))])?;
        let got = bed.ask(body).await?;
        assert!(got.body.contains("no provider could answer") && !got.body.contains(DONE.trim()), "{}", got.body);
        assert_eq!(second.calls(), 0);
    }
    Ok(())
}

#[tokio::test]
async fn two_targets_may_go_on_and_no_third() -> anyhow::Result<()> {
    let breaks = |with: &str| [stream(&[ROLE, &text(with)]), vec![Act::Close]].concat();
    let first = Provider::always(breaks("one, ")).await?;
    let second = Provider::always(breaks("two, ")).await?;
    let third = Provider::always(breaks("three, ")).await?;
    let fourth = Provider::always(finishes("four")).await?;
    let all = [(&first, json!({})), (&second, json!({})), (&third, json!({})), (&fourth, json!({}))];
    let got = bed(&all)?.stream().await?;
    assert_eq!(spoken(&got.body, "content"), "one, two, three, ");
    assert!(got.body.contains("error") && !got.body.contains(DONE.trim()), "{}", got.body);
    assert_eq!(fourth.calls(), 0);
    Ok(())
}

#[tokio::test]
async fn if_nobody_goes_on_the_client_is_told_in_band() -> anyhow::Result<()> {
    let first = Provider::always(begins(Act::Close)).await?;
    let second = Provider::always(answer(503, "", "")).await?;
    let got = bed(&[(&first, json!({})), (&second, json!({}))])?.stream().await?;
    assert_eq!(spoken(&got.body, "content"), BEGINNING);
    assert!(got.body.contains("no provider could answer") && !got.body.contains(DONE.trim()), "{}", got.body);
    Ok(())
}

#[tokio::test]
async fn without_being_asked_to_nobody_goes_on() -> anyhow::Result<()> {
    let first = Provider::always(begins(Act::Close)).await?;
    let second = Provider::always(says("not asked")).await?;
    let mut resources = Resources::new();
    resources.provider("a", &first, json!({}))?.provider("b", &second, json!({}))?;
    let got = Bed::start(resources.route(&["a", "b"], json!({}))?)?.stream().await?;
    assert!(got.body.contains("error"));
    assert_eq!(second.calls(), 0);
    Ok(())
}

#[tokio::test]
async fn each_part_is_paid_at_its_own_price_and_both_targets_are_named() -> anyhow::Result<()> {
    listen();
    let priced = |price: &str| json!({"models": [{"name": "m", "pricing": {"input": price, "output": price}}]});
    let first = Provider::always(begins(Act::Close)).await?;
    let second = Provider::always(finishes(REST)).await?;
    let bed = bed_of("continued", &[(&first, priced("1")), (&second, priced("2"))])?;
    let mut body = question(true);
    body["model"] = "continued".into();
    body["stream_options"] = json!({"include_usage": true});
    let got = bed.ask(body).await?;
    let line = line("continued").await?;
    let number = |name: &str| line[name].as_u64().unwrap_or_else(|| panic!("{name} must be in {line}"));
    assert_eq!((line["continued_from"].as_str(), line["provider"].as_str()), (Some("default/a"), Some("default/b")));
    assert_eq!((line["end"].as_str(), line["estimated"].as_bool()), (Some("complete"), Some(true)), "{line}");
    // The second provider reports 3 tokens in and 2 out, at 2 dollars for a million.
    let (input, output) = (number("input_tokens"), number("output_tokens"));
    assert_eq!(number("cost_picodollars"), (input + output - 2) * 1_000_000 + 5 * 2_000_000, "{line}");
    let chunks = got.body.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    let told =
        chunks.filter_map(|chunk| chunk.get("usage").filter(|usage| usage.is_object()).cloned()).collect::<Vec<_>>();
    assert_eq!(told.len(), 1, "{}", got.body);
    assert_eq!(told[0]["completion_tokens"], output, "{}", got.body);
    Ok(())
}
