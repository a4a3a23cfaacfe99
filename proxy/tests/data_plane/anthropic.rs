//! Clients of OpenAI's dialect before a provider of Anthropic's.

use serde_json::{Value, json};

use crate::{
    bed::{Bed, Resources, question},
    provider::{Act, DONE, Provider, answer, end, says, stream},
};

const ANSWER: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-real","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":2}}"#;

const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-real\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n";
const BLOCK: &str = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
const TEXT: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}\n\n";
const END: &str = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
const OVERLOADED: &str =
    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";

fn anthropic() -> Value {
    json!({"type": "Anthropic", "models": [{"name": "m", "upstreamName": "claude-real"}]})
}

async fn bed(acts: Vec<Act>) -> anyhow::Result<(Bed, Provider)> {
    let provider = Provider::always(acts).await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, anthropic())?)?;
    Ok((bed, provider))
}

/// The contents of a stream's chunks, one after the other.
fn spoken(body: &str) -> String {
    let chunks = body.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    chunks.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_unary_answer_is_translated_both_ways() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "request-id: req_1\r\n", ANSWER)).await?;
    let got = bed.unary().await?;
    let body: Value = serde_json::from_str(&got.body)?;
    assert_eq!((got.status, &body["choices"][0]["message"]["content"]), (200, &json!("hello")));
    assert_eq!((&body["usage"]["prompt_tokens"], &body["model"]), (&json!(5), &json!("claude-real")));
    assert_eq!(got.header("x-penstock-upstream-request-id"), "req_1");
    let seen = &provider.events().seen[0];
    let head = seen.head.to_ascii_lowercase();
    assert!(head.starts_with("post /v1/messages http/1.1") && head.contains("x-api-key: a-key-0"), "{head}");
    assert!(head.contains("anthropic-version: ") && !head.contains("authorization"), "{head}");
    let sent: Value = serde_json::from_str(&seen.body)?;
    assert_eq!((&sent["model"], sent["max_tokens"].is_u64()), (&json!("claude-real"), true));
    Ok(())
}

#[tokio::test]
async fn a_paused_turn_is_a_stop_and_said_in_a_header() -> anyhow::Result<()> {
    let (bed, _provider) = bed(answer(200, "", &ANSWER.replace("end_turn", "pause_turn"))).await?;
    let got = bed.unary().await?;
    let body: Value = serde_json::from_str(&got.body)?;
    assert_eq!((&body["choices"][0]["finish_reason"], got.header("x-penstock-finish")), (&json!("stop"), "pause"));
    Ok(())
}

#[tokio::test]
async fn a_stream_is_translated_to_its_end_marker() -> anyhow::Result<()> {
    let mut acts = stream(&[START, BLOCK, TEXT, END]);
    acts.push(end());
    let (bed, _provider) = bed(acts).await?;
    let got = bed.stream().await?;
    assert_eq!(spoken(&got.body), "hello");
    assert!(got.body.ends_with(DONE) && got.header("content-type").starts_with("text/event-stream"));
    assert!(
        bed.metrics.render().contains(
            r#"penstock_tokens_total{direction="input",model="claude-real",provider="default/a",route="m"} 5"#
        )
    );
    Ok(())
}

#[tokio::test]
async fn what_comes_before_its_content_does_not_commit() -> anyhow::Result<()> {
    let primary = Provider::always(stream(&[START, BLOCK, OVERLOADED])).await?;
    let fallback = Provider::start(|_| {
        let mut acts = stream(&[&crate::provider::text("fallback"), crate::provider::STOP, DONE]);
        acts.push(end());
        acts
    });
    let fallback = fallback.await?;
    let mut resources = Resources::new();
    resources
        .provider("a", &primary, anthropic())?
        .provider("b", &fallback, json!({}))?
        .route(&["a", "b"], json!({}))?;
    let got = Bed::start(&resources)?.stream().await?;
    assert_eq!((spoken(&got.body).as_str(), got.header("x-penstock-provider")), ("fallback", "default/b"));
    Ok(())
}

#[tokio::test]
async fn an_error_after_its_content_is_said_in_the_client_s_dialect() -> anyhow::Result<()> {
    let (bed, _provider) = bed(stream(&[START, BLOCK, TEXT, OVERLOADED])).await?;
    let body = bed.stream().await?.body;
    assert_eq!(spoken(&body), "hello");
    let last = body.trim_end().lines().last().unwrap_or_default();
    assert!(last.starts_with("data: {\"error\":{") && !body.contains("[DONE]"), "{body}");
    Ok(())
}

#[tokio::test]
async fn a_hint_that_it_does_not_know_is_dropped_and_said_or_as_the_route_wants() -> anyhow::Result<()> {
    let anthropic_one = Provider::always(answer(200, "", ANSWER)).await?;
    let openai_one = Provider::always(says("openai")).await?;
    let mut body = question(false);
    body["seed"] = json!(7);
    for (wanted, status, who) in [("Drop", 200, "default/a"), ("Reject", 422, ""), ("Skip", 200, "default/b")] {
        let mut resources = Resources::new();
        resources.provider("a", &anthropic_one, anthropic())?.provider("b", &openai_one, json!({}))?;
        resources.route(&["a", "b"], json!({"onUnsupported": wanted}))?;
        let got = Bed::start(&resources)?.ask(body.clone()).await?;
        assert_eq!((got.status, got.header("x-penstock-provider")), (status, who), "{wanted}: {}", got.body);
        let dropped = if wanted == "Drop" { "seed" } else { "" };
        assert_eq!(got.header("x-penstock-dropped-params"), dropped, "{wanted}");
    }
    Ok(())
}

#[tokio::test]
async fn a_hint_dropped_from_a_stream_is_said_in_its_head() -> anyhow::Result<()> {
    let mut acts = stream(&[START, BLOCK, TEXT, END]);
    acts.push(end());
    let (bed, _provider) = bed(acts).await?;
    let mut body = question(true);
    body["seed"] = json!(7);
    let got = bed.ask(body).await?;
    assert_eq!((spoken(&got.body).as_str(), got.header("x-penstock-dropped-params")), ("hello", "seed"));
    Ok(())
}

#[tokio::test]
async fn a_schema_by_a_forced_tool_is_streamed_as_content() -> anyhow::Result<()> {
    let tool = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"city\",\"input\":{}}}\n\n";
    let input = |json: &str| {
        let delta = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": json}});
        format!("event: content_block_delta\ndata: {delta}\n\n")
    };
    let end_of_tool = END.replace("end_turn", "tool_use");
    let mut acts = stream(&[START, tool, &input(""), &input("{\"name\":"), &input("\"Bern\"}"), &end_of_tool]);
    acts.push(end());
    let provider = Provider::always(acts).await?;
    // A model without a native form for schemas.
    let model = json!({"type": "Anthropic", "models": [{"name": "m", "upstreamName": "claude-sonnet-4-20250514"}]});
    let bed = Bed::start(Resources::new().provider("a", &provider, model)?)?;
    let mut body = question(true);
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]});
    body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "city", "schema": schema}});
    let got = bed.ask(body).await?;
    assert_eq!(spoken(&got.body), "{\"name\":\"Bern\"}", "{}", got.body);
    assert!(!got.body.contains("tool_calls") && got.body.contains("\"finish_reason\":\"stop\""), "{}", got.body);
    assert!(got.body.ends_with(DONE), "{}", got.body);
    let sent: Value = serde_json::from_str(&provider.events().seen[0].body)?;
    assert_eq!(sent["tool_choice"]["name"], "city", "{sent}");
    Ok(())
}

#[tokio::test]
async fn several_choices_are_left_to_a_target_that_knows_them() -> anyhow::Result<()> {
    let anthropic_one = Provider::always(answer(200, "", ANSWER)).await?;
    let openai_one = Provider::always(says("openai")).await?;
    let mut resources = Resources::new();
    resources.provider("a", &anthropic_one, anthropic())?.provider("b", &openai_one, json!({}))?;
    let bed = Bed::start(resources.route(&["a", "b"], json!({}))?)?;
    let mut body = question(false);
    body["n"] = json!(2);
    let got = bed.ask(body).await?;
    assert_eq!((got.status, got.header("x-penstock-provider")), (200, "default/b"), "{}", got.body);
    assert_eq!((anthropic_one.calls(), openai_one.calls()), (0, 1));
    Ok(())
}

#[tokio::test]
async fn what_it_has_no_words_for_is_a_422_that_names_the_field_if_nobody_is_left() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "", ANSWER)).await?;
    let mut body = question(false);
    body["modalities"] = json!(["text", "audio"]);
    let got = bed.ask(body).await?;
    assert_eq!((got.status, provider.calls()), (422, 0), "{}", got.body);
    assert!(got.body.contains("modalities"), "{}", got.body);
    Ok(())
}
