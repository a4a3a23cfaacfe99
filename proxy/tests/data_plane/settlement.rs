//! Who pays for what, however a request ends: what is logged and counted, against what the provider really wrote.

mod buckets;
mod vendor;

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    bed::{Bed, Got, Resources, question},
    log::{line, listen},
    provider::{Act, Provider, answer, completion, end, stream},
};
use vendor::{INPUT, Vendor};

/// So many tokens are written, of 5 bytes each, and a stream that breaks does so after the second number.
const WRITTEN: usize = 60;
const BROKEN: usize = 40;

/// Picodollars for a token: what [`priced`] says.
const PRICES: [u64; 2] = [1_000_000, 2_000_000];

/// A model of its own for each case, so that its line is found.
struct Case {
    bed: Bed,
    provider: Provider,
    model: String,
}

impl Case {
    async fn new(name: &str, vendor: Vendor, acts: Vec<Act>) -> anyhow::Result<Self> {
        listen();
        let model = format!("{name}-{vendor:?}");
        let provider = Provider::always(acts).await?;
        let bed = Bed::start(Resources::new().provider("a", &provider, priced(&model, vendor))?)?;
        Ok(Self { bed, provider, model })
    }

    fn ask(&self, stream: bool) -> reqwest::RequestBuilder {
        self.bed.request(asks(&self.model, stream))
    }

    async fn line(&self) -> anyhow::Result<Value> {
        line(&self.model).await
    }

    /// The value of a metric of the target.
    fn metric(&self, name: &str) -> Option<f64> {
        let text = self.bed.metrics.render();
        let series = text.lines().find(|line| line.starts_with(name) && line.contains("provider=\"default/a\""))?;
        series.rsplit(' ').next()?.parse().ok()
    }
}

fn priced(model: &str, vendor: Vendor) -> Value {
    let model = json!({"name": model, "upstreamName": "real", "pricing": {"input": "1", "output": "2"}});
    json!({"type": format!("{vendor:?}"), "models": [model]})
}

fn asks(model: &str, stream: bool) -> Value {
    let mut body = question(stream);
    body["model"] = model.into();
    body
}

fn events(events: &[String]) -> Vec<Act> {
    stream(&events.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A stream of so many tokens, and what comes then.
fn words(vendor: Vendor, reports: bool, tokens: usize, then: impl IntoIterator<Item = Act>) -> Vec<Act> {
    let mut all = vendor.begins(reports);
    all.extend((0..tokens).map(|_| vendor.says("word ", reports)));
    events(&all).into_iter().chain(then).collect()
}

fn whole(vendor: Vendor, reports: bool) -> Vec<Act> {
    let mut all = vendor.begins(reports);
    all.extend((0..WRITTEN).map(|_| vendor.says("word ", reports)));
    all.extend(vendor.ends(reports.then_some(WRITTEN)));
    [events(&all), vec![end()]].concat()
}

/// What a line says of tokens and money, which must agree.
fn settled(line: &Value) -> (u64, u64) {
    let number = |name: &str| line[name].as_u64().unwrap_or_else(|| panic!("{name} must be in {line}"));
    let (input, output) = (number("input_tokens"), number("output_tokens"));
    assert_eq!(number("cost_picodollars"), input * PRICES[0] + output * PRICES[1], "{line}");
    (input, output)
}

/// A count of ours: never less than what was written, and never more than its bytes.
fn is_about(output: u64, tokens: usize) -> bool {
    (tokens..tokens * 5).contains(&usize::try_from(output).unwrap_or(usize::MAX))
}

/// The prompt exactly where it was reported by then, and the words that came.
fn charged_for_what_was_seen(vendor: Vendor, line: &Value, end: &str) {
    assert_eq!((&line["end"], &line["estimated"]), (&json!(end), &json!(true)), "{line}");
    let (input, output) = settled(line);
    assert!(is_about(output, BROKEN), "{line}");
    assert!(if vendor.reports_input_first() { input == INPUT } else { input > 0 }, "{line}");
}

#[tokio::test]
async fn a_whole_answer_is_charged_as_it_is_reported() -> anyhow::Result<()> {
    for vendor in Vendor::ALL {
        let case = Case::new("complete", vendor, whole(vendor, true)).await?;
        assert_eq!(Got::read(case.ask(true)).await?.status, 200);
        let line = case.line().await?;
        assert_eq!((&line["end"], &line["estimated"]), (&json!("complete"), &json!(false)), "{line}");
        assert_eq!(settled(&line), (INPUT, WRITTEN as u64), "{line}");
        let dollars = case.metric("penstock_cost_usd_total");
        assert_eq!(dollars, Some((INPUT + 2 * WRITTEN as u64) as f64 / 1e6), "{vendor:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_whole_answer_without_usage_is_estimated_and_marked() -> anyhow::Result<()> {
    for vendor in Vendor::ALL {
        let case = Case::new("unreported", vendor, whole(vendor, false)).await?;
        assert_eq!(Got::read(case.ask(true)).await?.status, 200);
        let line = case.line().await?;
        assert_eq!((&line["end"], &line["estimated"]), (&json!("complete"), &json!(true)), "{line}");
        let (input, output) = settled(&line);
        assert!(input > 0 && is_about(output, WRITTEN), "{line}");
        assert_eq!(case.metric("penstock_tokens_total{direction=\"output\""), Some(output as f64));
        let unary = Case::new("unreported-unary", vendor, answer(200, "", &vendor.answer("word ", WRITTEN))).await?;
        assert_eq!(Got::read(unary.ask(false)).await?.status, 200);
        let line = unary.line().await?;
        assert!(line["estimated"] == true && is_about(settled(&line).1, WRITTEN), "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_that_breaks_is_charged_for_what_was_seen() -> anyhow::Result<()> {
    for vendor in Vendor::ALL {
        let case = Case::new("broken", vendor, words(vendor, true, BROKEN, [Act::Close])).await?;
        assert!(Got::read(case.ask(true)).await?.body.contains("error"));
        charged_for_what_was_seen(vendor, &case.line().await?, "broken");
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_is_charged_for_what_it_saw() -> anyhow::Result<()> {
    for vendor in Vendor::ALL {
        let case = Case::new("left", vendor, words(vendor, true, BROKEN, [Act::Hang])).await?;
        let mut response = case.ask(true).send().await?;
        let mut got = String::new();
        while got.matches("word ").count() < BROKEN {
            got += std::str::from_utf8(&response.chunk().await?.expect("must go on"))?;
        }
        drop(response);
        charged_for_what_was_seen(vendor, &case.line().await?, "client_left");
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_a_model_that_thought_unseen_is_charged_for_the_time() -> anyhow::Result<()> {
    let second = Act::Wait(Duration::from_secs(1));
    let acts =
        [events(&Vendor::OpenAI.begins(true)), vec![second], words(Vendor::OpenAI, true, 1, [Act::Hang]).split_off(2)];
    let case = Case::new("thought", Vendor::OpenAI, acts.concat()).await?;
    let mut body = asks(&case.model, true);
    body["reasoning_effort"] = "high".into();
    let mut response = case.bed.request(body).send().await?;
    while !response.chunk().await?.expect("must go on").windows(5).any(|bytes| bytes == b"word ") {}
    drop(response);
    let line = case.line().await?;
    assert!(line["end"] == "client_left" && settled(&line).1 >= 50, "{line}");
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_before_there_is_an_answer_is_charged_for_its_prompt() -> anyhow::Result<()> {
    for vendor in Vendor::ALL {
        let case = Case::new("cancelled", vendor, vec![Act::Hang]).await?;
        let request = tokio::spawn(case.ask(true).send());
        case.provider.until(|events| events.seen.len() == 1).await?;
        request.abort();
        let line = case.line().await?;
        let said = (&line["end"], &line["status"], &line["estimated"]);
        assert_eq!(said, (&json!("cancelled"), &json!(499), &json!(true)), "{line}");
        let (input, output) = settled(&line);
        assert!(input > 0 && output == 0, "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn an_attempt_that_fails_before_its_content_costs_the_client_nothing_and_the_operator_what_it_reports()
-> anyhow::Result<()> {
    for vendor in Vendor::ALL {
        let case = Case::new("failed", vendor, [events(&vendor.reports_early()), vec![Act::Close]].concat()).await?;
        assert_eq!(Got::read(case.ask(true)).await?.status, 502);
        let line = case.line().await?;
        assert_eq!(
            (&line["end"], &line["estimated"], settled(&line)),
            (&json!("failed"), &json!(false), (0, 0)),
            "{line}"
        );
        let lost = INPUT * PRICES[0] + vendor.early_output() * PRICES[1];
        assert_eq!(line["lost_picodollars"], lost, "{line}");
        assert_eq!(case.metric("penstock_cost_usd_total"), Some(lost as f64 / 1e12), "{vendor:?}");
        assert_eq!(case.metric("penstock_tokens_total{direction=\"input\""), Some(INPUT as f64), "{vendor:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_has_a_head_and_no_content_yet_pays_as_one_without_a_head() -> anyhow::Result<()> {
    for (model, leaves) in [("held-left", true), ("held-failed", false)] {
        listen();
        let early = events(&Vendor::Anthropic.reports_early());
        let provider = Provider::always([early, vec![Act::Gate, Act::Close]].concat()).await?;
        let mut resources = Resources::new();
        resources.provider("a", &provider, priced(model, Vendor::Anthropic))?;
        let bed = Bed::start_with(&resources, |config| config.hold_head = Duration::from_millis(50))?;
        let mut response = bed.request(asks(model, true)).send().await?;
        assert!(response.chunk().await?.is_some_and(|sign| sign.starts_with(b":")), "{model}");
        if leaves {
            drop(response);
        } else {
            provider.open_gate();
            assert!(response.text().await?.contains("error"), "{model}");
        }
        let line = line(model).await?;
        assert_eq!(line["end"], if leaves { "cancelled" } else { "failed" }, "{line}");
        let (input, output) = settled(&line);
        assert!(if leaves { input > 0 } else { (input, output) == (0, 0) }, "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn the_client_pays_for_the_answer_that_it_got_and_not_for_the_one_that_failed_before_it() -> anyhow::Result<()> {
    listen();
    for vendor in Vendor::ALL {
        let model = format!("fallback-{vendor:?}");
        let first = Provider::always([events(&vendor.reports_early()), vec![Act::Close]].concat()).await?;
        let second = Provider::always(whole(vendor, true)).await?;
        let mut resources = Resources::new();
        resources.provider("a", &first, priced("m", vendor))?.provider("b", &second, priced("m", vendor))?;
        let bed = Bed::start(resources.route(&["a", "b"], json!({"models": [model]}))?)?;
        assert_eq!(bed.ask(asks(&model, true)).await?.status, 200);
        let line = line(&model).await?;
        assert_eq!((&line["provider"], &line["end"]), (&json!("default/b"), &json!("complete")), "{line}");
        assert_eq!(settled(&line), (INPUT, WRITTEN as u64), "{line}");
        assert_eq!(line["lost_picodollars"], INPUT * PRICES[0] + vendor.early_output() * PRICES[1], "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn a_whole_answer_that_says_that_it_failed_is_lost_with_what_it_took() -> anyhow::Result<()> {
    let body = completion("half").replace("\"stop\"", "\"error\"");
    let case = Case::new("failing", Vendor::OpenAI, answer(200, "", &body)).await?;
    assert_eq!(Got::read(case.ask(false)).await?.status, 502);
    let line = case.line().await?;
    assert_eq!((&line["end"], settled(&line)), (&json!("failed"), (0, 0)), "{line}");
    assert_eq!(line["lost_picodollars"], 3 * PRICES[0] + 2 * PRICES[1], "{line}");
    Ok(())
}

#[tokio::test]
async fn an_answer_too_large_to_be_read_is_charged_as_no_more_than_its_bound() -> anyhow::Result<()> {
    let case = Case::new("large", Vendor::OpenAI, answer(200, "", &completion(&"x".repeat(33 << 20)))).await?;
    let mut body = asks(&case.model, false);
    body["max_tokens"] = 50.into();
    assert_eq!(case.bed.ask(body).await?.status, 200);
    let line = case.line().await?;
    assert_eq!((&line["end"], &line["estimated"], settled(&line).1), (&json!("complete"), &json!(true), 50), "{line}");
    Ok(())
}

#[tokio::test]
async fn vectors_without_usage_are_charged_for_their_texts_and_counting_is_free() -> anyhow::Result<()> {
    let vector = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1]}],"model":"real"}"#;
    let case = Case::new("vectors", Vendor::OpenAI, answer(200, "", vector)).await?;
    let asks = json!({"model": case.model, "input": "word ".repeat(WRITTEN)});
    let post = |path: &str, body: &Value| case.bed.client.post(case.bed.url(path)).body(body.to_string());
    assert_eq!(Got::read(post("/v1/embeddings", &asks)).await?.status, 200);
    let line = case.line().await?;
    assert_eq!((&line["end"], &line["estimated"], line.get("output_tokens")), (&json!("complete"), &json!(true), None));
    assert!(line["input_tokens"].as_u64().is_some_and(|input| is_about(input, WRITTEN)), "{line}");

    let case = Case::new("counting", Vendor::Anthropic, answer(200, "", r#"{"input_tokens":14}"#)).await?;
    let asks = json!({"model": case.model, "messages": [{"role": "user", "content": "hi"}]});
    let post = case.bed.client.post(case.bed.url("/v1/messages/count_tokens")).body(asks.to_string());
    assert_eq!(Got::read(post).await?.status, 200);
    let line = case.line().await?;
    assert_eq!(
        (&line["end"], &line["estimated"], settled(&line)),
        (&json!("complete"), &json!(false), (0, 0)),
        "{line}"
    );
    Ok(())
}
