//! What is said of targets that are in trouble: to metrics, to `/config` and to the operator.

use penstock_config::{ObjectRef, protocol::Report};
use serde_json::json;

use crate::{
    bed::{Bed, Resources},
    provider::{Act, Provider, answer, says},
};

/// A provider that does this, one that answers in its place, and a proxy that was asked so often.
async fn asked(times: usize, acts: Vec<Act>) -> anyhow::Result<(Bed, Provider)> {
    let (primary, fallback) = (Provider::always(acts).await?, Provider::always(says("fallback")).await?);
    let mut resources = Resources::new();
    resources.provider("a", &primary, json!({"timeouts": {"answer": "50ms"}}))?;
    resources.provider("b", &fallback, json!({}))?.route(&["a", "b"], json!({}))?;
    let bed = Bed::start(&resources)?;
    for _ in 0..times {
        assert_eq!(bed.unary().await?.header("x-penstock-provider"), "default/b");
    }
    Ok((bed, primary))
}

fn target() -> (ObjectRef, String) {
    (ObjectRef::new("default", "a"), "m".to_owned())
}

#[tokio::test]
async fn a_target_that_fails_is_passed_by_and_metrics_config_and_reports_say_so() -> anyhow::Result<()> {
    let (bed, primary) = asked(11, answer(503, "", "{}")).await?;
    assert_eq!(primary.calls(), 10, "the eleventh went by");
    bed.metric_is(r#"penstock_target_breaker_open{model="m",provider="default/a"} 1"#).await?;
    bed.metric_is(r#"penstock_target_cooling_down{model="m",provider="default/a"} 0"#).await?;
    bed.metric_is(
        r#"penstock_passed_by_total{model="m",provider="default/a",reason="breaker_open",route="default/route"} 1"#,
    )
    .await?;
    let (provider, model) = target();
    assert_eq!(bed.troubles(), [Report::Failing { provider, model }]);
    let targets = serde_json::to_string(&bed.live.targets())?;
    assert!(targets.contains(r#""breaker":"open""#), "{targets}");
    assert!(!targets.contains("a-key-0"), "{targets}");
    Ok(())
}

#[tokio::test]
async fn a_target_that_wants_to_be_left_alone_is_passed_by_and_metrics_config_and_reports_say_so() -> anyhow::Result<()>
{
    let (bed, primary) = asked(2, answer(429, "retry-after: 60\r\n", "{}")).await?;
    assert_eq!(primary.calls(), 1);
    bed.metric_is(r#"penstock_target_breaker_open{model="m",provider="default/a"} 0"#).await?;
    bed.metric_is(r#"penstock_target_cooling_down{model="m",provider="default/a"} 1"#).await?;
    bed.metric_is(
        r#"penstock_passed_by_total{model="m",provider="default/a",reason="cooling_down",route="default/route"} 1"#,
    )
    .await?;
    let (provider, model) = target();
    assert_eq!(bed.troubles(), [Report::CoolingDown { provider, model }]);
    let targets = serde_json::to_string(&bed.live.targets())?;
    assert!(targets.contains("coolingDownSeconds"), "{targets}");
    assert!(!targets.contains("a-key-0"), "{targets}");
    Ok(())
}

#[tokio::test]
async fn a_limit_of_time_that_passed_is_counted_by_its_name() -> anyhow::Result<()> {
    let (bed, _) = asked(1, vec![Act::Hang]).await?;
    bed.metric_is(
        r#"penstock_timeouts_total{model="m",provider="default/a",route="default/route",timeout="answer"} 1"#,
    )
    .await?;
    Ok(())
}
