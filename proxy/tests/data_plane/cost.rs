//! What clients are told of what their answers cost.

use serde_json::{Value, json};

use crate::{
    bed::{Bed, Got, Resources},
    log::{line, listen},
    provider::{Act, Provider, answer, says},
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
