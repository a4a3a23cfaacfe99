//! What clients are told of what their answers cost.

use serde_json::{Value, json};

use crate::{
    bed::{Bed, Got, Resources, question},
    log::{line, listen},
    provider::{Act, DONE, Provider, ROLE, STOP, USAGE, answer, end, says, stream, text},
};

/// Dollars for a million tokens, of prompts and of answers.
fn priced(model: &str, input: &str, output: &str) -> Value {
    json!({"models": [{"name": model, "pricing": {"input": input, "output": output}}]})
}

async fn bed(acts: Vec<Act>, spec: Value) -> anyhow::Result<(Bed, Provider)> {
    let provider = Provider::always(acts).await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, spec)?)?;
    Ok((bed, provider))
}

#[tokio::test]
async fn a_whole_answer_says_exactly_what_it_cost_which_is_what_is_logged() -> anyhow::Result<()> {
    listen();
    // Of 3 tokens and 2: a provider that is dear, one that is not, and one that is free.
    for (name, input, output, dollars) in [
        ("cost-dear", "1000000", "2", "3.000004"),
        ("cost-cheap", "0.15", "0.60", "0.00000165"),
        ("cost-free", "0", "0", "0"),
    ] {
        let (bed, _provider) = bed(says("hi"), priced(name, input, output)).await?;
        let body = json!({"model": name, "messages": [{"role": "user", "content": "hi"}]});
        let got = bed.ask(body).await?;
        assert_eq!((got.status, got.header("x-penstock-cost")), (200, dollars));
        let picodollars = line(name).await?["cost_picodollars"].as_u64().unwrap_or_default();
        assert_eq!(dollars.parse::<f64>()?, picodollars as f64 / 1e12);
    }
    Ok(())
}

#[tokio::test]
async fn a_client_of_another_dialect_is_told_too() -> anyhow::Result<()> {
    let (bed, _provider) = bed(says("hi"), priced("m", "1", "2")).await?;
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    let got = Got::read(bed.client.post(bed.url("/v1/messages")).body(body.to_string())).await?;
    assert_eq!((got.status, got.header("x-penstock-cost")), (200, "0.000007"));
    Ok(())
}

#[tokio::test]
async fn without_a_price_or_an_answer_nothing_is_said_of_a_cost() -> anyhow::Result<()> {
    for (acts, spec, status) in [
        (says("hi"), json!({"models": [{"name": "m", "upstreamName": "mystery"}]}), 200),
        (answer(500, "", "{}"), priced("m", "1", "2"), 502),
        (answer(400, "", "{}"), priced("m", "1", "2"), 400),
    ] {
        let (bed, _provider) = bed(acts, spec).await?;
        let got = bed.unary().await?;
        assert_eq!((got.status, got.headers.get("x-penstock-cost")), (status, None), "{got:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_fallback_costs_what_it_takes_itself() -> anyhow::Result<()> {
    let (bad, good) = (Provider::always(answer(500, "", "{}")).await?, Provider::always(says("hi")).await?);
    let mut resources = Resources::new();
    resources.provider("a", &bad, priced("m", "100", "100"))?.provider("b", &good, priced("m", "1", "2"))?;
    let bed = Bed::start(resources.route(&["a", "b"], json!({}))?)?;
    assert_eq!(bed.unary().await?.header("x-penstock-cost"), "0.000007");
    Ok(())
}

fn asks_for_usage() -> Value {
    let mut body = question(true);
    body["stream_options"] = json!({"include_usage": true});
    body
}

/// What a stream's last usage says that it cost.
fn told(got: &Got) -> Option<f64> {
    let chunks = got.body.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    chunks.filter_map(|chunk| chunk["usage"].as_object().cloned()).next_back()?.get("cost")?.as_f64()
}

#[tokio::test]
async fn a_stream_says_its_cost_where_its_client_asks_for_usage() -> anyhow::Result<()> {
    let whole = [stream(&[ROLE, &text("hi"), STOP, USAGE, DONE]), vec![end()]].concat();
    let (priced, _one) = bed(whole.clone(), priced("m", "1", "2")).await?;
    let got = priced.ask(asks_for_usage()).await?;
    assert_eq!((told(&got), got.headers.get("x-penstock-cost")), (Some(0.000_007), None), "{got:?}");
    assert!(got.body.ends_with(DONE), "it stays in its place: {}", got.body);
    let unasked = priced.stream().await?;
    assert!(!unasked.body.contains("cost"), "{unasked:?}");

    let (unpriced, _two) = bed(whole, json!({"models": [{"name": "m", "upstreamName": "mystery"}]})).await?;
    let got = unpriced.ask(asks_for_usage()).await?;
    assert!(got.body.contains(USAGE), "byte for byte: {got:?}");
    Ok(())
}

#[tokio::test]
async fn a_stream_that_another_target_finished_says_what_both_cost_as_the_log_does() -> anyhow::Result<()> {
    listen();
    let first = Provider::always([stream(&[ROLE, &text("Once upon a ")]), vec![Act::Close]].concat()).await?;
    let rest = [stream(&[ROLE, &text("time."), STOP, USAGE, DONE]), vec![end()]].concat();
    let second = Provider::always(rest).await?;
    let mut resources = Resources::new();
    resources.provider("a", &first, priced("m", "10", "20"))?.provider("b", &second, priced("m", "1", "2"))?;
    let spec = json!({"models": ["cost-of-both"], "onStreamBreak": "Continue"});
    let bed = Bed::start(resources.route(&["a", "b"], spec)?)?;
    let mut body = asks_for_usage();
    body["model"] = "cost-of-both".into();
    let got = bed.ask(body).await?;
    let picodollars = line("cost-of-both").await?["cost_picodollars"].as_u64().unwrap_or_default();
    assert!(picodollars > 7_000_000, "{picodollars}");
    assert_eq!(told(&got), Some(picodollars as f64 / 1e12), "{got:?}");
    Ok(())
}
