//! Clients of Anthropic's dialect.

use serde_json::{Value, json};

use crate::{
    bed::{Bed, Got, Resources},
    provider::{Act, Provider, answer, end, stream},
};

const PATH: &str = "/v1/messages";

pub(crate) const ANSWER: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-real","content":[{"type":"text","text":"hello","citations":null}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":2,"x_new":1}}"#;
const EVENTS: [&str; 5] = [
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-real\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n",
    "event: ping\ndata: {\"type\": \"ping\"}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
];

pub(crate) fn question(stream: bool) -> Value {
    json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": stream, "x_new": 1.50})
}

pub(crate) async fn ask(bed: &Bed, body: &Value) -> anyhow::Result<Got> {
    let request = bed.client.post(bed.url(PATH)).header("anthropic-version", "2023-01-01");
    Got::read(request.header("x-api-key", "a-client-s-own").body(body.to_string())).await
}

async fn bed(acts: Vec<Act>) -> anyhow::Result<(Bed, Provider)> {
    let provider = Provider::always(acts).await?;
    let more = json!({"type": "Anthropic", "models": [{"name": "m", "upstreamName": "claude-real"}]});
    Ok((Bed::start(Resources::new().provider("a", &provider, more)?)?, provider))
}

#[tokio::test]
async fn a_message_goes_to_its_own_dialect_and_back_byte_by_byte() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "request-id: req_1\r\n", ANSWER)).await?;
    let got = ask(&bed, &question(false)).await?;
    assert_eq!((got.status, got.body.as_str()), (200, ANSWER));
    let seen = &provider.events().seen[0];
    assert_eq!(seen.body, question(false).to_string().replace("\"m\"", "\"claude-real\""));
    let head = seen.head.to_ascii_lowercase();
    assert!(head.starts_with("post /v1/messages http/1.1") && head.contains("anthropic-version: 2023-01-01"), "{head}");
    assert!(head.contains("x-api-key: a-key-0") && !head.contains("a-client-s-own"), "{head}");
    Ok(())
}

#[tokio::test]
async fn a_stream_of_messages_goes_through_byte_by_byte() -> anyhow::Result<()> {
    let (bed, provider) = bed([stream(&EVENTS), vec![end()]].concat()).await?;
    let got = ask(&bed, &question(true)).await?;
    assert_eq!((got.status, got.body), (200, EVENTS.concat()));
    assert_eq!(provider.events().seen[0].body, question(true).to_string().replace("\"m\"", "\"claude-real\""));
    let counted = r#"penstock_tokens_total{direction="input",model="claude-real",provider="default/a",route="m"} 5"#;
    assert!(bed.metrics.render().contains(counted), "{}", bed.metrics.render());
    Ok(())
}

#[tokio::test]
async fn an_error_comes_in_anthropic_s_words() -> anyhow::Result<()> {
    let (bed, _provider) = bed(answer(529, "", "{}")).await?;
    let got = ask(&bed, &question(false)).await?;
    let body: Value = serde_json::from_str(&got.body)?;
    assert_eq!((got.status, &body["type"], &body["error"]["type"]), (502, &json!("error"), &json!("api_error")));
    let got = ask(&bed, &json!({"model": "nobody", "messages": []})).await?;
    let body: Value = serde_json::from_str(&got.body)?;
    assert_eq!((got.status, &body["error"]["type"]), (404, &json!("not_found_error")));
    Ok(())
}

#[tokio::test]
async fn a_stream_that_breaks_after_content_ends_in_an_error_event() -> anyhow::Result<()> {
    let (bed, _provider) = bed([stream(&EVENTS[..4]), vec![Act::Close]].concat()).await?;
    let got = ask(&bed, &question(true)).await?;
    let rest = got.body.strip_prefix(&EVENTS[..4].concat()).unwrap_or_default();
    assert!(
        rest.starts_with("event: error\ndata: {\"type\":\"error\"") && !rest.contains("message_stop"),
        "{}",
        got.body
    );
    Ok(())
}

fn thread() -> Value {
    let mut body = question(false);
    body["thread"] = json!({"type": "continue", "previous_message_id": "msg_0"});
    body
}

#[tokio::test]
async fn a_thread_is_refused_so_that_anthropic_s_sdk_sends_all_again() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "", ANSWER)).await?;
    let got = ask(&bed, &thread()).await?;
    let error = &serde_json::from_str::<Value>(&got.body)?["error"];
    assert_eq!((got.status, &error["type"]), (400, &json!("invalid_request_error")));
    assert_eq!(error["details"], json!({"error_code": "thread_unsupported_request", "unsupported": ["thread"]}));
    assert_eq!(provider.calls(), 0);
    Ok(())
}

#[tokio::test]
async fn a_route_that_allows_state_passes_a_thread_and_what_anthropic_says_of_it() -> anyhow::Result<()> {
    const GONE: &str = r#"{"type":"error","error":{"type":"not_found_error","message":"it is gone","details":{"error_code":"thread_not_found"}}}"#;
    let provider = Provider::always(answer(404, "", GONE)).await?;
    let mut resources = Resources::new();
    let more = json!({"type": "Anthropic"});
    let resources = resources.provider("a", &provider, more)?.route(&["a"], json!({"allowState": true}))?;
    let got = ask(&Bed::start(resources)?, &thread()).await?;
    assert_eq!((got.status, serde_json::from_str::<Value>(&got.body)?), (404, serde_json::from_str(GONE)?));
    assert_eq!(provider.events().seen[0].body, thread().to_string());
    Ok(())
}

/// Clients of Anthropic's before a provider of OpenAI's.
mod translated {
    use super::*;
    use crate::provider::{DONE, ROLE, STOP, USAGE, says, text};

    async fn bed(acts: Vec<Act>) -> anyhow::Result<(Bed, Provider)> {
        let provider = Provider::always(acts).await?;
        Ok((Bed::start(Resources::new().provider("a", &provider, json!({}))?)?, provider))
    }

    #[tokio::test]
    async fn a_message_is_translated_both_ways() -> anyhow::Result<()> {
        let (bed, provider) = bed(says("hello")).await?;
        let got = ask(&bed, &question(false)).await?;
        let body: Value = serde_json::from_str(&got.body)?;
        assert_eq!(
            (got.status, &body["content"][0]["text"], &body["stop_reason"]),
            (200, &json!("hello"), &json!("end_turn"))
        );
        assert_eq!(body["usage"]["input_tokens"], 3);
        let seen = &provider.events().seen[0];
        let sent: Value = serde_json::from_str(&seen.body)?;
        assert_eq!(
            (&sent["model"], &sent["max_tokens"], &sent["messages"][0]["content"]),
            (&json!("m"), &json!(9), &json!("hi"))
        );
        assert!(seen.head.to_ascii_lowercase().contains("authorization: bearer a-key-0"), "{}", seen.head);
        assert_eq!(got.header("x-penstock-dropped-params"), "x_new");
        Ok(())
    }

    #[tokio::test]
    async fn a_thread_is_refused_where_state_is_allowed_and_the_target_keeps_none() -> anyhow::Result<()> {
        let provider = Provider::always(says("hello")).await?;
        let mut resources = Resources::new();
        let resources = resources.provider("a", &provider, json!({}))?.route(&["a"], json!({"allowState": true}))?;
        let got = ask(&Bed::start(resources)?, &thread()).await?;
        let error = &serde_json::from_str::<Value>(&got.body)?["error"];
        assert_eq!((got.status, &error["details"]["error_code"]), (400, &json!("thread_unsupported_request")));
        assert_eq!(provider.calls(), 0);
        Ok(())
    }

    #[tokio::test]
    async fn a_stream_is_translated_with_the_usage_that_comes_last() -> anyhow::Result<()> {
        let (bed, provider) =
            bed([stream(&[ROLE, &text("hel"), &text("lo"), STOP, USAGE, DONE]), vec![end()]].concat()).await?;
        let got = ask(&bed, &question(true)).await?;
        let events: Vec<Value> =
            got.body.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect();
        let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
        assert_eq!(kinds.first().zip(kinds.last()), Some((&"message_start", &"message_stop")), "{}", got.body);
        let said: String = events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
        assert_eq!(said, "hello");
        let last = &events[events.len() - 2];
        assert_eq!((&last["delta"]["stop_reason"], &last["usage"]["output_tokens"]), (&json!("end_turn"), &json!(2)));
        assert!(provider.events().seen[0].body.contains(r#""include_usage":true"#));
        Ok(())
    }

    #[tokio::test]
    async fn a_stream_that_is_cut_gets_no_end_marker() -> anyhow::Result<()> {
        let (bed, _provider) = bed([stream(&[ROLE, &text("hel")]), vec![Act::Close]].concat()).await?;
        let got = ask(&bed, &question(true)).await?;
        assert!(got.body.contains("event: error") && !got.body.contains("message_stop"), "{}", got.body);
        Ok(())
    }
}
