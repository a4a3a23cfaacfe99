//! Clients of other dialects before a provider of Gemini's.

use serde_json::{Value, json};

use crate::{
    bed::{Bed, Got, Resources, question},
    provider::{Act, DONE, Provider, answer, end, says, stream},
};

const ANSWER: &str = r#"{"candidates":[{"content":{"parts":[{"text":"hello"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"totalTokenCount":7},"modelVersion":"gemini-real","responseId":"r1"}"#;
const TEXT: &str = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hel\"}],\"role\":\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":5,\"totalTokenCount\":5},\"modelVersion\":\"gemini-real\",\"responseId\":\"r1\"}\r\n\r\n";
const LAST: &str = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"lo\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":5,\"candidatesTokenCount\":2,\"totalTokenCount\":7},\"modelVersion\":\"gemini-real\",\"responseId\":\"r1\"}\r\n\r\n";
const EMPTY: &str = "data: {\"candidates\":[{\"content\":{\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":5},\"modelVersion\":\"gemini-real\",\"responseId\":\"r1\"}\r\n\r\n";
const OVERLOADED: &str =
    "data: {\"error\":{\"code\":503,\"message\":\"The model is overloaded.\",\"status\":\"UNAVAILABLE\"}}\r\n\r\n";

fn gemini() -> Value {
    json!({"type": "Gemini", "models": [{"name": "m", "upstreamName": "gemini-2.5-flash"}]})
}

async fn bed(acts: Vec<Act>) -> anyhow::Result<(Bed, Provider)> {
    let provider = Provider::always(acts).await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, gemini())?)?;
    Ok((bed, provider))
}

/// Gemini first, then a provider of OpenAI's that says `fallback`.
async fn two(acts: Vec<Act>) -> anyhow::Result<(Bed, [Provider; 2])> {
    let first = Provider::always(acts).await?;
    let second = Provider::start(|_| {
        let mut acts = stream(&[&crate::provider::text("fallback"), crate::provider::STOP, DONE]);
        acts.push(end());
        acts
    });
    let second = second.await?;
    let mut resources = Resources::new();
    resources.provider("a", &first, gemini())?.provider("b", &second, json!({}))?.route(&["a", "b"], json!({}))?;
    Ok((Bed::start(&resources)?, [first, second]))
}

/// The contents of a stream's chunks, one after the other.
fn spoken(body: &str) -> String {
    let chunks = body.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    chunks.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_unary_answer_is_translated_both_ways_with_the_key_in_its_header() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "", ANSWER)).await?;
    let got = bed.unary().await?;
    let body: Value = serde_json::from_str(&got.body)?;
    assert_eq!((got.status, &body["choices"][0]["message"]["content"]), (200, &json!("hello")));
    assert_eq!((&body["usage"]["prompt_tokens"], &body["model"]), (&json!(5), &json!("gemini-real")));
    let seen = &provider.events().seen[0];
    let head = seen.head.to_ascii_lowercase();
    assert!(head.starts_with("post /v1beta/models/gemini-2.5-flash:generatecontent http/1.1"), "{head}");
    assert!(head.contains("x-goog-api-key: a-key-0") && !head.contains("authorization"), "{head}");
    let sent: Value = serde_json::from_str(&seen.body)?;
    assert_eq!(sent, json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}));
    Ok(())
}

#[tokio::test]
async fn a_stream_is_translated_and_ends_with_its_last_event() -> anyhow::Result<()> {
    // The body stays open: what ends the answer is said by its last event, and nothing is waited for.
    let mut acts = stream(&[TEXT, LAST]);
    acts.push(Act::Hang);
    let (bed, provider) = bed(acts).await?;
    let got = bed.stream().await?;
    assert_eq!(spoken(&got.body), "hello");
    assert!(got.body.ends_with(DONE) && got.header("content-type").starts_with("text/event-stream"));
    let head = &provider.events().seen[0].head;
    assert!(head.starts_with("POST /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse HTTP/1.1"), "{head}");
    assert!(bed.metrics.render().contains(
        r#"penstock_tokens_total{direction="input",model="gemini-2.5-flash",provider="default/a",route="m"} 5"#
    ));
    Ok(())
}

#[tokio::test]
async fn a_tool_loop_of_two_turns_keeps_name_id_and_signature() -> anyhow::Result<()> {
    let called = json!({"candidates": [{"content": {"role": "model", "parts": [
        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "QUI="}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 5}, "responseId": "r1", "modelVersion": "gemini-real"});
    let called = called.to_string();
    let provider = Provider::start(move |number| answer(200, "", if number == 0 { &called } else { ANSWER })).await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, gemini())?)?;
    let mut body = question(false);
    body["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let first: Value = serde_json::from_str(&bed.ask(body.clone()).await?.body)?;
    assert_eq!(first["choices"][0]["finish_reason"], "tool_calls");
    let message = &first["choices"][0]["message"];
    let messages = body["messages"].as_array_mut().expect("must be a list");
    messages.push(message.clone());
    messages.push(json!({"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "done"}));
    assert_eq!(bed.ask(body).await?.status, 200);
    let sent: Value = serde_json::from_str(&provider.events().seen[1].body)?;
    let call = &sent["contents"][1]["parts"][0];
    assert_eq!((&call["functionCall"]["name"], &call["thoughtSignature"]), (&json!("f"), &json!("QUI=")));
    let response = &sent["contents"][2]["parts"][0]["functionResponse"];
    assert_eq!((&response["name"], &response["response"]), (&json!("f"), &json!({"output": "done"})));
    assert_eq!(response["id"], call["functionCall"]["id"]);
    Ok(())
}

#[tokio::test]
async fn a_streamed_call_is_a_call_of_the_client_s_tool() -> anyhow::Result<()> {
    let called = json!({"candidates": [{"content": {"role": "model", "parts": [
        {"functionCall": {"id": "x1", "name": "f", "args": {"a": 1}}}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 5}, "responseId": "r1"});
    let mut acts = stream(&[&format!("data: {called}\r\n\r\n")]);
    acts.push(end());
    let (bed, _provider) = bed(acts).await?;
    let body = bed.stream().await?.body;
    assert!(body.contains(r#""id":"x1""#) && body.contains(r#""finish_reason":"tool_calls""#), "{body}");
    assert!(body.contains(r#"{\"a\":1}"#) && body.ends_with(DONE), "{body}");
    Ok(())
}

#[tokio::test]
async fn an_error_or_an_empty_stop_before_its_content_falls_back() -> anyhow::Result<()> {
    for events in [[OVERLOADED], [EMPTY]] {
        let (bed, _providers) = two(stream(&events)).await?;
        let got = bed.stream().await?;
        assert_eq!((spoken(&got.body).as_str(), got.header("x-penstock-provider")), ("fallback", "default/b"));
    }
    Ok(())
}

#[tokio::test]
async fn an_error_after_its_content_is_said_in_the_client_s_dialect() -> anyhow::Result<()> {
    let (bed, _provider) = bed(stream(&[TEXT, OVERLOADED])).await?;
    let body = bed.stream().await?.body;
    assert_eq!(spoken(&body), "hel");
    let last = body.trim_end().lines().last().unwrap_or_default();
    assert!(last.starts_with("data: {\"error\":{") && !body.contains("[DONE]"), "{body}");
    Ok(())
}

#[tokio::test]
async fn a_bad_key_is_never_the_client_s_and_falls_back_where_the_route_says_so() -> anyhow::Result<()> {
    let error = r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}"#;
    let (alone, _provider) = bed(answer(400, "", error)).await?;
    let got = alone.unary().await?;
    assert_eq!(got.status, 502, "{}", got.body);
    assert!(!got.body.contains("API key"), "{}", got.body);
    let first = Provider::always(answer(400, "", error)).await?;
    let second = Provider::always(says("fallback")).await?;
    let mut resources = Resources::new();
    resources.provider("a", &first, gemini())?.provider("b", &second, json!({}))?;
    resources.route(&["a", "b"], json!({"fallbackOn": ["Auth"]}))?;
    assert_eq!(Bed::start(&resources)?.unary().await?.header("x-penstock-provider"), "default/b");
    Ok(())
}

#[tokio::test]
async fn what_it_refuses_is_an_error_of_the_client_s_dialect() -> anyhow::Result<()> {
    let error = r#"{"error":{"code":400,"message":"Invalid value at 'contents'","status":"INVALID_ARGUMENT"}}"#;
    let (bed, _provider) = bed(answer(400, "", error)).await?;
    let got = bed.unary().await?;
    assert_eq!((got.status, got.error()?.0.as_str()), (400, "invalid_request_error"), "{}", got.body);
    Ok(())
}

#[tokio::test]
async fn clients_of_anthropic_s_are_answered_too() -> anyhow::Result<()> {
    let ask = async |bed: &Bed, stream: bool| {
        let body =
            json!({"model": "m", "max_tokens": 5, "stream": stream, "messages": [{"role": "user", "content": "hi"}]});
        Got::read(bed.client.post(bed.url("/v1/messages")).body(body.to_string())).await
    };
    let (whole, provider) = bed(answer(200, "", ANSWER)).await?;
    let got = ask(&whole, false).await?;
    let body: Value = serde_json::from_str(&got.body)?;
    assert_eq!(
        (got.status, &body["content"][0]["text"], &body["stop_reason"]),
        (200, &json!("hello"), &json!("end_turn"))
    );
    let sent: Value = serde_json::from_str(&provider.events().seen[0].body)?;
    assert_eq!(sent["generationConfig"]["maxOutputTokens"], 5);
    let (streamed, _provider) = bed([stream(&[TEXT, LAST]), vec![end()]].concat()).await?;
    let got = ask(&streamed, true).await?;
    let events = got.body.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    let said: String = events.filter_map(|event| event["delta"]["text"].as_str().map(str::to_owned)).collect();
    assert_eq!(said, "hello", "{}", got.body);
    assert!(got.body.trim_end().ends_with(r#"{"type":"message_stop"}"#), "{}", got.body);
    Ok(())
}
