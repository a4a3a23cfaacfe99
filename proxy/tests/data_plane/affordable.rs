//! `maxCostPerRequest`: who is asked, and what a client is told where nobody may be.

use serde_json::{Value, json};

use crate::{
    bed::{Bed, Got, Resources, question},
    provider::{Act, Provider, answer, says},
};

/// A million dollars for a million tokens of the answer make a dollar a token.
fn dollars_a_token(dollars: &str) -> Value {
    json!({"models": [{"name": "m", "pricing": {"input": "0", "output": format!("{dollars}000000")}}]})
}

fn unpriced(name: &str) -> Value {
    json!({"models": [{"name": "m", "upstreamName": name}]})
}

/// A question whose answer has at most so many tokens.
fn of_tokens(tokens: u64) -> Value {
    let mut body = question(false);
    body["max_tokens"] = tokens.into();
    body
}

/// Providers that say this, at a dollar, three dollars and nobody knows how much for a token, behind one another.
struct Route {
    providers: Vec<Provider>,
    bed: Bed,
}

impl Route {
    async fn new(acts: &[fn() -> Vec<Act>], bound: &str, models: &[Value]) -> anyhow::Result<Self> {
        let (mut resources, mut providers) = (Resources::new(), Vec::new());
        let names = ["a", "b", "c"];
        for ((acts, model), name) in acts.iter().zip(models).zip(names) {
            let provider = Provider::always(acts()).await?;
            resources.provider(name, &provider, model.clone())?;
            providers.push(provider);
        }
        resources.route(&names[..providers.len()], json!({"maxCostPerRequest": bound}))?;
        Ok(Self { bed: Bed::start(&resources)?, providers })
    }

    /// How often each was asked so far.
    fn calls(&self) -> Vec<usize> {
        self.providers.iter().map(Provider::calls).collect()
    }
}

fn good() -> Vec<Act> {
    says("hi")
}

fn bad() -> Vec<Act> {
    answer(500, "", "{}")
}

#[tokio::test]
async fn a_target_that_may_cost_more_is_passed_by() -> anyhow::Result<()> {
    let route = Route::new(&[good, good], "6", &[dollars_a_token("3"), dollars_a_token("1")]).await?;
    assert_eq!(route.bed.ask(of_tokens(2)).await?.status, 200, "as much as the bound is not more");
    assert_eq!(route.calls(), [1, 0]);
    assert_eq!(route.bed.ask(of_tokens(3)).await?.status, 200);
    assert_eq!(route.calls(), [1, 1], "9 dollars and 3");
    Ok(())
}

#[tokio::test]
async fn a_fallback_that_may_cost_more_is_not_asked_either() -> anyhow::Result<()> {
    let route = Route::new(&[bad, good], "6", &[dollars_a_token("1"), dollars_a_token("3")]).await?;
    assert_eq!(route.bed.ask(of_tokens(3)).await?.status, 502);
    assert_eq!(route.calls(), [1, 0]);
    assert_eq!(route.bed.ask(of_tokens(2)).await?.status, 200);
    assert_eq!(route.calls(), [2, 1]);
    Ok(())
}

#[tokio::test]
async fn a_target_without_a_price_is_passed_by_as_its_cost_could_be_anything() -> anyhow::Result<()> {
    let route = Route::new(&[good, good], "6", &[unpriced("mystery"), dollars_a_token("1")]).await?;
    assert_eq!(route.bed.ask(of_tokens(3)).await?.status, 200);
    assert_eq!(route.calls(), [0, 1]);
    Ok(())
}

#[tokio::test]
async fn where_nobody_is_left_the_client_is_told_what_it_may_cost_and_whose_price_is_missing() -> anyhow::Result<()> {
    let models = [dollars_a_token("3"), unpriced("mystery"), dollars_a_token("2")];
    let route = Route::new(&[good, good, good], "0.05", &models).await?;
    for stream in [false, true] {
        let mut body = of_tokens(3);
        body["stream"] = stream.into();
        let got = route.bed.ask(body).await?;
        let (of_type, code) = got.error()?;
        assert_eq!((got.status, of_type.as_str(), code.as_str()), (422, "invalid_request_error", "max_cost_exceeded"));
        assert!(got.body.contains("maxCostPerRequest of 0.05 US dollars: this request may cost 6;"), "{}", got.body);
        assert!(got.body.contains("no price is known of `mystery`"), "{}", got.body);
    }
    assert_eq!(route.calls(), [0, 0, 0]);

    let nobody_knows = Route::new(&[good], "0.05", &[unpriced("mystery")]).await?;
    let got = nobody_knows.bed.unary().await?;
    assert!(got.status == 422 && got.body.contains("0.05 US dollars; no price is known of `mystery`"), "{got:?}");
    Ok(())
}

#[tokio::test]
async fn each_dialect_is_told_in_its_own_words() -> anyhow::Result<()> {
    let route = Route::new(&[good], "1", &[dollars_a_token("1")]).await?;
    let ask = async |path: &str, body: Value| {
        Got::read(route.bed.client.post(route.bed.url(path)).body(body.to_string())).await
    };
    let anthropic = ask("/v1/messages", of_tokens(2)).await?;
    assert!(anthropic.status == 422 && anthropic.body.contains(r#""type":"error""#), "{anthropic:?}");
    let contents = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
    let gemini = ask("/v1beta/models/m:generateContent", contents).await?;
    assert!(gemini.status == 422 && gemini.body.contains(r#""status":"INVALID_ARGUMENT""#), "{gemini:?}");
    Ok(())
}

#[tokio::test]
async fn vectors_have_no_answer_to_pay_for() -> anyhow::Result<()> {
    let route = Route::new(&[good], "1", &[dollars_a_token("9")]).await?;
    let body = json!({"model": "m", "input": "hi"});
    let vectors = route.bed.client.post(route.bed.url("/v1/embeddings")).body(body.to_string());
    assert_ne!(Got::read(vectors).await?.status, 422);
    assert_eq!(route.calls(), [1]);
    Ok(())
}

#[tokio::test]
async fn limits_are_charged_for_the_targets_that_are_left_and_not_for_a_refusal() -> anyhow::Result<()> {
    let (dear, cheap) = (Provider::always(good()).await?, Provider::always(good()).await?);
    let mut resources = Resources::new();
    resources.provider("dear", &dear, dollars_a_token("9"))?.provider("cheap", &cheap, dollars_a_token("1"))?;
    resources
        .limit("few", json!({"cost": {"limit": "6", "window": "24h"}, "requests": {"limit": 5, "window": "24h"}}))?;
    resources.route(&["dear", "cheap"], json!({"maxCostPerRequest": "5"}))?;
    let bed = Bed::start(&resources)?;
    assert_eq!(bed.ask(of_tokens(6)).await?.status, 422);
    let got = bed.ask(of_tokens(3)).await?;
    assert_eq!((got.status, got.header("x-ratelimit-remaining-requests")), (200, "4"));
    assert_eq!([dear.calls(), cheap.calls()], [0, 1], "27 dollars would be more than the limit ever has");
    Ok(())
}
