//! Who is asked first among targets of one priority.

use serde_json::{Value, json};

use crate::{
    bed::{Bed, Got, Resources},
    provider::{Act, Provider, answer, says},
};

fn same_priority(balance: &str) -> Value {
    let targets = ["a", "b"].map(|name| json!({"provider": name, "model": "m"}));
    json!({"targets": targets, "balance": balance})
}

fn priced(input: &str) -> Value {
    json!({"models": [{"name": "m", "pricing": {"input": input, "output": input}}]})
}

#[tokio::test]
async fn the_least_busy_target_gets_the_next_request() -> anyhow::Result<()> {
    let busy = Provider::start(|_| [vec![Act::Gate], says("late")].concat()).await?;
    let idle = Provider::always(says("soon")).await?;
    let mut resources = Resources::new();
    resources.provider("a", &busy, json!({}))?.provider("b", &idle, json!({}))?;
    let bed = Bed::start(resources.route(&[], same_priority("LeastBusy"))?)?;
    // Each is asked at random while both are idle; from the moment that one hangs in the busy one, all others go by it.
    let mut waiting = Vec::new();
    while busy.calls() == 0 {
        let request = bed.request(crate::bed::question(false)).send();
        let task = tokio::spawn(request);
        let before = idle.calls();
        tokio::select! {
            events = busy.until(|events| !events.seen.is_empty()) => drop(events?),
            events = idle.until(|events| events.seen.len() > before) => drop(events?),
        }
        waiting.push(task);
    }
    for _ in 0..20 {
        assert!(bed.unary().await?.body.contains("soon"));
    }
    assert_eq!(busy.calls(), 1);
    busy.open_gate();
    for task in waiting {
        assert_eq!(task.await??.status(), 200);
    }
    Ok(())
}

#[tokio::test]
async fn a_slow_target_gets_few_of_the_requests() -> anyhow::Result<()> {
    let slow =
        Provider::always([vec![Act::Wait(std::time::Duration::from_millis(200))], says("slow")].concat()).await?;
    let fast = Provider::always(says("fast")).await?;
    let mut resources = Resources::new();
    resources.provider("a", &slow, json!({}))?.provider("b", &fast, json!({}))?;
    let bed = Bed::start(resources.route(&[], same_priority("LeastLatency"))?)?;
    for _ in 0..30 {
        assert_eq!(bed.unary().await?.status, 200);
    }
    assert!(slow.calls() <= 2, "{} of 30", slow.calls());
    Ok(())
}

#[tokio::test]
async fn the_cheapest_target_is_asked_first_and_one_without_a_price_last() -> anyhow::Result<()> {
    let (dear, cheap) = (Provider::always(says("dear")).await?, Provider::always(says("cheap")).await?);
    for (one, other) in [(priced("3"), priced("0.5")), (json!({}), priced("90"))] {
        let mut resources = Resources::new();
        resources.provider("a", &dear, one)?.provider("b", &cheap, other)?;
        let bed = Bed::start(resources.route(&[], same_priority("LowestCost"))?)?;
        for _ in 0..10 {
            assert!(bed.unary().await?.body.contains("cheap"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_cheapest_for_vectors_is_who_reads_them_for_least_whatever_an_answer_would_cost() -> anyhow::Result<()> {
    let vector = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1]}],"model":"m"}"#;
    let reads = Provider::always(answer(200, "", vector)).await?;
    let writes = Provider::always(says("words")).await?;
    let of =
        |input: &str, output: &str| json!({"models": [{"name": "m", "pricing": {"input": input, "output": output}}]});
    let mut resources = Resources::new();
    resources.provider("a", &reads, of("1", "90"))?.provider("b", &writes, of("2", "1"))?;
    let bed = Bed::start(resources.route(&[], same_priority("LowestCost"))?)?;
    let vectors = json!({"model": "m", "input": "of these words"}).to_string();
    for _ in 0..10 {
        assert_eq!(bed.unary().await?.status, 200);
        assert_eq!(Got::read(bed.client.post(bed.url("/v1/embeddings")).body(vectors.clone())).await?.status, 200);
    }
    assert_eq!([reads.calls(), writes.calls()], [10, 10]);
    Ok(())
}
