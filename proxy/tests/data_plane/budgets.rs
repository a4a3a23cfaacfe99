//! What Consumers and their users may spend in a period, and what is left of it after a restart.

use penstock_proxy::StoreConfig;
use penstock_tests::redis::Redis;
use serde_json::{Value, json};

use crate::{
    bed::{Bed, Got, PATH, Resources, question},
    provider::{Provider, answer, says},
};

const KEY: &str = "a-key-of-twenty-characters-and-more";

/// A dollar a token of the answer, of which there are two, and a Consumer who may spend so much.
fn resources(provider: &Provider, budget: Value) -> anyhow::Result<Resources> {
    let mut resources = Resources::new();
    let pricing = json!({"input": "0", "output": "1000000"});
    resources.provider("a", provider, json!({"models": [{"name": "m", "pricing": pricing}]}))?;
    resources.consumer_with("team", KEY, json!({"budget": budget, "userFrom": {"type": "Body"}}))?;
    Ok(resources)
}

/// One that may take so many tokens for an answer.
async fn ask(bed: &Bed, user: &str, tokens: u64) -> anyhow::Result<Got> {
    let mut body = question(false);
    body["max_tokens"] = tokens.into();
    body["user"] = user.into();
    Got::read(bed.client.post(bed.url(PATH)).bearer_auth(KEY).body(body.to_string())).await
}

async fn statuses(bed: &Bed, asked: &[(&str, u64)]) -> anyhow::Result<Vec<u16>> {
    let mut statuses = Vec::new();
    for (user, tokens) in asked {
        statuses.push(ask(bed, user, *tokens).await?.status);
    }
    Ok(statuses)
}

#[tokio::test]
async fn a_spent_budget_is_told_of_with_the_day_on_which_it_begins_anew() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let bed = Bed::start(&resources(&provider, json!({"limit": "5", "period": "Month"}))?)?;
    // Each may cost 3 and costs 2; of what is left then, 1, a request for 1 may go.
    assert_eq!(statuses(&bed, &[("a", 3), ("b", 3), ("c", 3), ("c", 1)]).await?, [200, 200, 429, 200]);
    let refused = ask(&bed, "d", 1).await?;
    let (of_type, code) = refused.error()?;
    assert_eq!((refused.status, of_type.as_str(), code.as_str()), (429, "rate_limit_error", "budget_exceeded"));
    let says = "the budget of Consumer default/team allows 5 US dollars in a month, and less is left than the 1 that";
    assert!(refused.body.contains(says), "{}", refused.body);
    assert!(refused.body.contains("-01T00:00:00Z"), "{}", refused.body);
    let seconds: u64 = refused.header("retry-after").parse()?;
    assert!(seconds <= 31 * 86_400, "{seconds}");
    assert_eq!(refused.header("x-should-retry"), "false");
    bed.metric_is("penstock_budget_refused_requests_total{consumer=\"default/team\"} 2").await?;
    bed.metric_is("penstock_budget_used_ratio{consumer=\"default/team\"} 1.2").await?;
    assert_eq!(provider.calls(), 3);
    let spent = bed.live.reports().iter().any(|report| format!("{report:?}").contains("percent: 100"));
    assert!(spent, "{:?}", bed.live.reports());
    Ok(())
}

#[tokio::test]
async fn each_user_of_a_consumer_has_a_budget_of_its_own_in_it() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let bed = Bed::start(&resources(&provider, json!({"limit": "7", "userLimit": "2", "period": "Week"}))?)?;
    assert_eq!(statuses(&bed, &[("a", 2), ("a", 1), ("b", 2), ("c", 2), ("d", 2)]).await?, [200, 429, 200, 200, 429]);
    let refused = ask(&bed, "a", 1).await?;
    assert!(refused.body.contains("the budget of a user of Consumer default/team"), "{}", refused.body);
    let larger = ask(&bed, "e", 3).await?;
    assert_eq!((larger.status, larger.error()?.1.as_str()), (400, "request_exceeds_limit"));
    Ok(())
}

#[tokio::test]
async fn what_failed_is_not_spent_and_other_consumers_have_no_part_in_it() -> anyhow::Result<()> {
    let provider = Provider::start(|call| if call == 0 { answer(500, "", "{}") } else { says("hi") }).await?;
    let mut resources = resources(&provider, json!({"limit": "2", "period": "Day"}))?;
    resources.consumer("other", "another-key-of-twenty-characters", &[])?;
    let bed = Bed::start(&resources)?;
    assert_eq!(statuses(&bed, &[("a", 2), ("a", 2), ("a", 1)]).await?, [502, 200, 429]);
    let other = bed.client.post(bed.url(PATH)).bearer_auth("another-key-of-twenty-characters");
    assert_eq!(Got::read(other.body(question(false).to_string())).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn what_is_spent_outlives_a_proxy_that_is_alone_in_its_file() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("state.db");
    let provider = Provider::always(says("hi")).await?;
    let resources = resources(&provider, json!({"limit": "5", "userLimit": "3", "period": "Month"}))?;
    let start = || Bed::start_with(&resources, |config| config.state = Some(file.clone()));
    let bed = start()?;
    assert_eq!(statuses(&bed, &[("alice@example.com", 2), ("b", 2)]).await?, [200, 200]);
    bed.finish().await?;
    let bed = start()?;
    bed.metric_is("penstock_budget_used_ratio{consumer=\"default/team\"} 0.8").await?;
    assert_eq!(statuses(&bed, &[("c", 2), ("alice@example.com", 1), ("c", 1)]).await?, [429, 200, 429]);
    bed.finish().await?;
    for entry in std::fs::read_dir(folder.path())? {
        let kept = std::fs::read(entry?.path())?;
        assert!(!kept.windows(5).any(|bytes| bytes == b"alice"), "names of users do not rest there");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_spent_outlives_all_proxies_in_their_redis() -> anyhow::Result<()> {
    let redis = Redis::start().await?;
    let store = || Some(StoreConfig { urls: vec![redis.url()], ..StoreConfig::default() });
    let provider = Provider::always(says("hi")).await?;
    let resources = resources(&provider, json!({"limit": "5", "userLimit": "3", "period": "Month"}))?;
    let start = async || {
        let bed = Bed::start_with(&resources, |config| config.store = store())?;
        bed.metric_is("penstock_limit_store_up 1").await?;
        anyhow::Ok(bed)
    };
    let (bed, other) = (start().await?, start().await?);
    assert_eq!(statuses(&bed, &[("a", 2), ("b", 2)]).await?, [200, 200]);
    bed.finish().await?;
    assert_eq!(statuses(&other, &[("c", 2)]).await?, [429]);
    other.finish().await?;
    let bed = start().await?;
    assert_eq!(statuses(&bed, &[("a", 1), ("c", 1)]).await?, [200, 429]);
    bed.finish().await
}
