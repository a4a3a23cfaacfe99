//! What is known of models, where a request meets it.

use penstock_config::protocol::Report;
use penstock_proxy::Models;
use serde_json::{Value, json};

use crate::{
    bed::{Bed, Resources},
    provider::{Provider, answer},
};

const ANSWER: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-mine","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":2}}"#;
const OWN: &str =
    r#"models: [{provider: Anthropic, model: claude-mine, maxOutputTokens: 1234, pricing: {input: "1", output: "2"}}]"#;

/// The `max_tokens` that a provider of a model that nobody knows was sent, and whether its answer was one without a
/// price.
async fn asked(own: &str, pricing: Value) -> anyhow::Result<(Value, bool)> {
    let provider = Provider::always(answer(200, "", ANSWER)).await?;
    let model = json!({"name": "m", "upstreamName": "claude-mine", "pricing": pricing});
    let claude = json!({"type": "Anthropic", "models": [model]});
    let bed = Bed::start(Resources::new().provider("a", &provider, claude)?)?;
    bed.live.learn(Models::read(own).map_err(|problems| anyhow::anyhow!("{problems:?}"))?);
    assert_eq!(bed.unary().await?.status, 200);
    let sent: Value = serde_json::from_str(&provider.events().seen[0].body)?;
    let unpriced = r#"penstock_unpriced_requests_total{model="claude-mine",provider="default/a",route="m"} 1"#;
    Ok((sent["max_tokens"].clone(), bed.metrics.render().contains(unpriced)))
}

#[tokio::test]
async fn a_user_s_own_model_maximum_fills_anthropic_s_max_tokens() -> anyhow::Result<()> {
    let (without, _) = asked("# nothing", Value::Null).await?;
    let (with, _) = asked(OWN, Value::Null).await?;
    assert!(without != with && with == 1234, "{without}, {with}");
    Ok(())
}

#[tokio::test]
async fn an_answer_without_a_price_is_counted_and_one_with_a_price_of_any_source_is_not() -> anyhow::Result<()> {
    let said = json!({"input": "1", "output": "2"});
    assert!(asked("# nothing", Value::Null).await?.1);
    assert!(!asked(OWN, Value::Null).await?.1);
    assert!(!asked("# nothing", said).await?.1);
    Ok(())
}

#[tokio::test]
async fn models_that_routes_ask_for_and_nobody_prices_are_reported_until_somebody_does() -> anyhow::Result<()> {
    let provider = Provider::always(answer(200, "", ANSWER)).await?;
    let models: Vec<Value> = (10..30).map(|n| json!({"name": format!("mine-{n}")})).collect();
    let priced = json!({"models": [{"name": "own", "pricing": {"input": "1", "output": "2"}}, {"name": "gpt-4o"}]});
    let mut resources = Resources::new();
    resources.provider("a", &provider, json!({"models": models}))?.provider("b", &provider, priced)?;
    let bed = Bed::start(&resources)?;
    let reports = bed.live.reports();
    let [Report::PriceMissing { provider, models, of: 20 }] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((provider.to_string().as_str(), models[0].as_str(), models.len()), ("default/a", "mine-10", 8));
    let rows = (10..30).map(|n| format!("{{provider: OpenAI, model: mine-{n}, pricing: {{input: '0', output: '0'}}}}"));
    let own = format!("models: [{}]", rows.collect::<Vec<_>>().join(", "));
    bed.live.learn(Models::read(&own).map_err(|problems| anyhow::anyhow!("{problems:?}"))?);
    assert_eq!(bed.live.reports(), []);
    Ok(())
}
