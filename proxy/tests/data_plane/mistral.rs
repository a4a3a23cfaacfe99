//! Clients of OpenAI's dialect before a provider of Mistral's.

use serde_json::{Value, json};

use crate::{
    bed::{Bed, Got, Resources, question, spoken},
    provider::{Act, DONE, Provider, STOP, answer, end, says, stream, text},
};

const ANSWER: &str = r#"{"id":"cmpl-1","object":"chat.completion","created":7,"model":"magistral-real","choices":[{"index":0,"message":{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"hello"}],"tool_calls":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#;

fn mistral() -> Value {
    json!({"type": "Mistral", "models": [{"name": "m", "upstreamName": "mistral-small-latest"}]})
}

async fn bed(acts: Vec<Act>) -> anyhow::Result<(Bed, Provider)> {
    let provider = Provider::always(acts).await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, mistral())?)?;
    Ok((bed, provider))
}

fn chunk(delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"cmpl-1\",\"object\":\"chat.completion.chunk\",\"model\":\"real\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

fn thinking(text: &str) -> String {
    let chunk_of = json!([{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]);
    chunk(&json!({"content": chunk_of}).to_string(), "null")
}

fn last() -> String {
    let chunk = chunk(r#"{"content":""}"#, r#""stop""#);
    chunk.replace("}]}\n\n", "}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}\n\n")
}

#[tokio::test]
async fn a_unary_answer_is_translated_both_ways() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "", ANSWER)).await?;
    let mut body = question(false);
    for (key, value) in [("seed", json!(7)), ("max_completion_tokens", json!(5)), ("user", json!("ann"))] {
        body[key] = value;
    }
    let got = bed.ask(body).await?;
    let body: Value = serde_json::from_str(&got.body)?;
    let message = &body["choices"][0]["message"];
    assert_eq!((&message["content"], &message["reasoning_content"]), (&json!("hello"), &json!("hm")));
    assert_eq!((&body["usage"]["prompt_tokens"], &body["model"]), (&json!(5), &json!("magistral-real")));
    assert_eq!((got.status, got.header("x-penstock-dropped-params")), (200, "user"));
    let seen = &provider.events().seen[0];
    let head = seen.head.to_ascii_lowercase();
    assert!(head.starts_with("post /v1/chat/completions http/1.1"), "{head}");
    assert!(head.contains("\r\nauthorization: bearer a-key-0\r\n"), "{head}");
    let expected = json!({"model": "mistral-small-latest", "messages": [{"role": "user", "content": "hi"}],
        "random_seed": 7, "max_tokens": 5});
    assert_eq!(serde_json::from_str::<Value>(&seen.body)?, expected);
    Ok(())
}

#[tokio::test]
async fn a_stream_of_thinking_and_text_is_translated_to_its_end_marker() -> anyhow::Result<()> {
    let first = chunk(r#"{"role":"assistant","content":""}"#, "null");
    let mut acts = stream(&[&first, &thinking("hm"), &chunk(r#"{"content":"hello"}"#, "null"), &last(), DONE]);
    acts.push(end());
    let (bed, provider) = bed(acts).await?;
    let got = bed.stream().await?;
    assert_eq!((spoken(&got.body, "reasoning_content"), spoken(&got.body, "content")), ("hm".into(), "hello".into()));
    assert!(got.body.ends_with(DONE) && !got.body.contains("usage"), "{}", got.body);
    let sent: Value = serde_json::from_str(&provider.events().seen[0].body)?;
    assert_eq!((&sent["stream"], sent.get("stream_options")), (&json!(true), None));
    let counted = r#"direction="input",model="mistral-small-latest",provider="default/a",route="m"} 5"#;
    assert!(bed.metrics.render().contains(counted));
    Ok(())
}

#[tokio::test]
async fn a_failure_before_content_goes_to_the_next_target() -> anyhow::Result<()> {
    let first = chunk(r#"{"role":"assistant","content":""}"#, "null");
    let primary = Provider::always(stream(&[&first, &chunk("{}", r#""error""#)])).await?;
    let mut acts = stream(&[&text("fallback"), STOP, DONE]);
    acts.push(end());
    let fallback = Provider::always(acts).await?;
    let mut resources = Resources::new();
    resources.provider("a", &primary, mistral())?.provider("b", &fallback, json!({}))?.route(&["a", "b"], json!({}))?;
    let got = Bed::start(&resources)?.stream().await?;
    assert_eq!((spoken(&got.body, "content").as_str(), got.header("x-penstock-provider")), ("fallback", "default/b"));
    Ok(())
}

#[tokio::test]
async fn what_it_has_no_words_for_goes_to_a_target_that_has() -> anyhow::Result<()> {
    let primary = Provider::always(answer(200, "", ANSWER)).await?;
    let fallback = Provider::always(says("openai")).await?;
    let mut resources = Resources::new();
    resources.provider("a", &primary, mistral())?.provider("b", &fallback, json!({}))?.route(&["a", "b"], json!({}))?;
    let mut body = question(false);
    body["modalities"] = json!(["text", "audio"]);
    let got = Bed::start(&resources)?.ask(body).await?;
    assert_eq!((got.status, got.header("x-penstock-provider"), primary.calls()), (200, "default/b", 0), "{}", got.body);
    Ok(())
}

#[tokio::test]
async fn an_unknown_field_s_422_and_a_bad_key_s_401_are_told_in_openai_s_words() -> anyhow::Result<()> {
    let rows = [
        (422, r#"{"detail":[{"type":"extra_forbidden","loc":["body","x"],"msg":"Extra inputs"}]}"#, 422),
        (
            400,
            r#"{"object":"error","message":"Expected last role User","type":"invalid_request_message_order","code":"3230"}"#,
            400,
        ),
        (401, r#"{"detail":"Unauthorized"}"#, 502),
    ];
    for (status, body, told) in rows {
        let (bed, _provider) = bed(answer(status, "", body)).await?;
        let got = bed.unary().await?;
        assert_eq!(got.status, told, "{}", got.body);
        assert!(!got.error()?.0.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn clients_of_anthropic_s_dialect_are_answered_in_it() -> anyhow::Result<()> {
    let mut acts = stream(&[&thinking("hm"), &chunk(r#"{"content":"hello"}"#, "null"), &last(), DONE]);
    acts.push(end());
    let (bed, provider) = bed(acts).await?;
    let body = json!({"model": "m", "max_tokens": 5, "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let request = bed.client.post(bed.url("/v1/messages")).header("content-type", "application/json");
    let got = Got::read(request.body(body.to_string())).await?;
    assert!(got.body.contains(r#""thinking":"hm""#) && got.body.contains(r#""text":"hello""#), "{}", got.body);
    assert!(got.body.contains("event: message_stop"), "{}", got.body);
    let sent: Value = serde_json::from_str(&provider.events().seen[0].body)?;
    assert_eq!(sent["messages"], json!([{"role": "user", "content": "hi"}]));
    Ok(())
}
