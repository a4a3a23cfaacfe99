//! Clients of Gemini's dialect.

use serde_json::{Value, json};

use crate::{
    bed::{Bed, Got, Resources},
    provider::{Act, DONE, Provider, ROLE, STOP, USAGE, answer, end, says, stream, text},
};

const ANSWER: &str = r#"{"candidates": [{"content": {"parts": [{"text": "hello"}],"role": "model"},"finishReason": "STOP","x_new": 1.50}],"usageMetadata": {"promptTokenCount": 5,"candidatesTokenCount": 2,"totalTokenCount": 7},"modelVersion": "gemini-real","responseId": "r1"}"#;
const EVENTS: [&str; 2] = [
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"hel\"}],\"role\": \"model\"},\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 5},\"x_new\": 1.50}\r\n\r\n",
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"lo\"}],\"role\": \"model\"},\"finishReason\": \"STOP\",\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 5,\"candidatesTokenCount\": 2}}\r\n\r\n",
];
const GENERATE: &str = "generateContent";
const STREAM: &str = "streamGenerateContent?alt=sse";
const ARRAY: &str = "streamGenerateContent";

fn question() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "x_new": 1.50})
}

async fn ask_of(bed: &Bed, model: &str, method: &str, body: &Value) -> anyhow::Result<Got> {
    let request = bed.client.post(bed.url(&format!("/v1beta/models/{model}:{method}")));
    Got::read(request.header("x-goog-api-key", "a-client-s-own").body(body.to_string())).await
}

async fn ask(bed: &Bed, method: &str) -> anyhow::Result<Got> {
    ask_of(bed, "m", method, &question()).await
}

fn gemini() -> Value {
    json!({"type": "Gemini", "models": [{"name": "m", "upstreamName": "gemini-2.5-flash"}]})
}

async fn bed(acts: Vec<Act>) -> anyhow::Result<(Bed, Provider)> {
    let provider = Provider::always(acts).await?;
    Ok((Bed::start(Resources::new().provider("a", &provider, gemini())?)?, provider))
}

fn ended(events: &[&str]) -> Vec<Act> {
    [stream(events), vec![end()]].concat()
}

/// The texts of an answer's chunks, one after the other.
fn spoken(chunks: &[Value]) -> String {
    let parts = chunks.iter().filter_map(|chunk| chunk["candidates"][0]["content"]["parts"].as_array());
    parts.flatten().filter_map(|part| part["text"].as_str()).collect()
}

fn chunks(body: &str) -> Vec<Value> {
    body.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect()
}

#[tokio::test]
async fn a_request_goes_to_its_own_dialect_and_back_byte_by_byte() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "", ANSWER)).await?;
    let got = ask(&bed, GENERATE).await?;
    assert_eq!((got.status, got.body.as_str()), (200, ANSWER));
    let seen = &provider.events().seen[0];
    assert_eq!(seen.body, question().to_string());
    let head = seen.head.to_ascii_lowercase();
    assert!(head.starts_with("post /v1beta/models/gemini-2.5-flash:generatecontent http/1.1"), "{head}");
    assert!(head.contains("x-goog-api-key: a-key-0") && !head.contains("a-client-s-own"), "{head}");
    assert_eq!(got.header("x-penstock-finish"), "stop");
    Ok(())
}

#[tokio::test]
async fn a_stream_goes_through_byte_by_byte_and_is_counted() -> anyhow::Result<()> {
    let (bed, provider) = bed(ended(&EVENTS)).await?;
    let got = ask(&bed, STREAM).await?;
    assert_eq!((got.status, got.body.as_str()), (200, EVENTS.concat().as_str()));
    assert!(got.header("content-type").starts_with("text/event-stream"));
    let head = &provider.events().seen[0].head;
    assert!(head.starts_with("POST /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse HTTP/1.1"), "{head}");
    let counted =
        r#"penstock_tokens_total{direction="input",model="gemini-2.5-flash",provider="default/a",route="m"} 5"#;
    assert!(bed.metrics.render().contains(counted), "{}", bed.metrics.render());
    Ok(())
}

#[tokio::test]
async fn a_stream_without_alt_sse_is_a_json_array_of_the_same_payloads() -> anyhow::Result<()> {
    let (bed, provider) = bed(ended(&EVENTS)).await?;
    let got = ask(&bed, ARRAY).await?;
    let [one, two] = EVENTS.map(|event| event.trim_start_matches("data: ").trim_end());
    assert_eq!((got.status, got.body.as_str()), (200, format!("[{one},\n{two}\n]").as_str()));
    assert_eq!(got.header("content-type"), "application/json");
    assert!(provider.events().seen[0].head.contains("?alt=sse"));
    Ok(())
}

#[tokio::test]
async fn a_stream_that_breaks_after_content_ends_in_an_error_object() -> anyhow::Result<()> {
    let (bed, _provider) = bed([stream(&EVENTS[..1]), vec![Act::Close]].concat()).await?;
    let got = ask(&bed, STREAM).await?;
    let rest = got.body.strip_prefix(EVENTS[0]).unwrap_or_default();
    assert!(rest.starts_with("data: {\"error\":{\"code\":502,"), "{}", got.body);
    let got = ask(&bed, ARRAY).await?;
    let items: Vec<Value> = serde_json::from_str(&got.body)?;
    assert_eq!((items.len(), &items[1]["error"]["code"]), (2, &json!(502)));
    Ok(())
}

#[tokio::test]
async fn errors_come_in_gemini_s_words() -> anyhow::Result<()> {
    let (bed, _provider) = bed(answer(200, "", ANSWER)).await?;
    let cached = json!({"contents": [], "cachedContent": "cachedContents/1"});
    let twice = json!({"contents": [], "generation_config": {"candidateCount": 0}});
    let rows = [
        ("nobody", question(), 404, "NOT_FOUND", "nobody"),
        ("m", json!([]), 400, "INVALID_ARGUMENT", "must be a JSON object"),
        ("m", cached, 422, "INVALID_ARGUMENT", "cachedContent"),
        ("m", twice, 400, "INVALID_ARGUMENT", "generation_config.candidateCount"),
    ];
    for (model, body, status, name, words) in rows {
        let got = ask_of(&bed, model, GENERATE, &body).await?;
        let error: Value = serde_json::from_str(&got.body)?;
        assert_eq!(
            (got.status, &error["error"]["code"], &error["error"]["status"]),
            (status, &json!(status), &json!(name))
        );
        assert!(error["error"]["message"].as_str().is_some_and(|message| message.contains(words)), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_refused_key_and_an_unknown_path_are_told_in_gemini_s_words_too() -> anyhow::Result<()> {
    let provider = Provider::always(answer(200, "", ANSWER)).await?;
    let mut resources = Resources::new();
    resources.provider("a", &provider, gemini())?.consumer("c", "a-consumer-s-key-of-enough-length", &[])?;
    let bed = Bed::start_with(&resources, |config| config.auth = penstock_proxy::Auth::Required)?;
    let got = ask(&bed, GENERATE).await?;
    assert!(got.status == 401 && got.body.contains("UNAUTHENTICATED"), "{got:?}");
    let url = bed.url("/v1beta/models/m:generateContent?key=a-consumer-s-key-of-enough-length");
    let got = Got::read(bed.client.post(url).body(question().to_string())).await?;
    assert_eq!(got.status, 200);
    assert!(!provider.events().seen[0].head.contains("a-consumer-s-key"));
    let got = Got::read(bed.client.post(bed.url("/v1beta/cachedContents")).body("{}")).await?;
    assert!(got.status == 404 && got.body.contains("NOT_FOUND"), "{got:?}");
    Ok(())
}

#[tokio::test]
async fn a_target_that_fails_is_followed_by_one_of_another_dialect() -> anyhow::Result<()> {
    let error = r#"{"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}"#;
    let first = Provider::always(answer(503, "", error)).await?;
    let second = Provider::always(says("fallback")).await?;
    let mut resources = Resources::new();
    resources.provider("a", &first, gemini())?.provider("b", &second, json!({}))?.route(&["a", "b"], json!({}))?;
    let got = ask(&Bed::start(&resources)?, GENERATE).await?;
    let body: Value = serde_json::from_str(&got.body)?;
    assert_eq!((got.status, spoken(&[body]).as_str()), (200, "fallback"));
    assert_eq!(got.header("x-penstock-provider"), "default/b");
    Ok(())
}

#[tokio::test]
async fn what_proves_another_provider_s_thoughts_is_not_sent_to_gemini() -> anyhow::Result<()> {
    let thinking = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-real","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"text","text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":2}}"#;
    let claude = Provider::always(answer(200, "", thinking)).await?;
    let other = Provider::always(answer(200, "", ANSWER)).await?;
    let mut resources = Resources::new();
    resources.provider("a", &claude, json!({"type": "Anthropic"}))?;
    resources.provider("g", &other, json!({"type": "Gemini", "models": [{"name": "g"}]}))?;
    let bed = Bed::start(&resources)?;
    let first: Value = serde_json::from_str(&ask(&bed, GENERATE).await?.body)?;
    let mut body = question();
    let contents = body["contents"].as_array_mut().expect("must be a list");
    contents.push(first["candidates"][0]["content"].clone());
    contents.push(json!({"role": "user", "parts": [{"text": "and?"}]}));
    ask_of(&bed, "m", GENERATE, &body).await?;
    let sent: Value = serde_json::from_str(&claude.events().seen[1].body)?;
    let thought = json!({"type": "thinking", "thinking": "hm", "signature": "sig"});
    assert_eq!(sent["messages"][1]["content"][0], thought, "it comes back to whom it belongs");
    assert_eq!(ask_of(&bed, "g", GENERATE, &body).await?.status, 200);
    let sent: Value = serde_json::from_str(&other.events().seen[0].body)?;
    let parts = &sent["contents"][1]["parts"];
    assert_eq!(parts[0]["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!(parts[1], json!({"text": "hello"}));
    Ok(())
}

#[tokio::test]
async fn models_are_listed_and_described_in_the_words_of_who_asks() -> anyhow::Result<()> {
    let provider = Provider::always(answer(200, "", ANSWER)).await?;
    let models = ["a", "b", "claude-haiku-4-5"].map(|name| json!({"name": name}));
    let bed = Bed::start(Resources::new().provider("p", &provider, json!({"type": "Anthropic", "models": models}))?)?;
    let get = async |path: &str, header: Option<&'static str>| -> anyhow::Result<(u16, Value)> {
        let request = bed.client.get(bed.url(path));
        let got = Got::read(header.into_iter().fold(request, |request, name| request.header(name, "x"))).await?;
        Ok((got.status, serde_json::from_str(&got.body)?))
    };
    let (_, page) = get("/v1beta/models?pageSize=2", None).await?;
    assert_eq!((&page["models"][0]["name"], &page["nextPageToken"]), (&json!("models/a"), &json!("b")));
    let (_, page) = get("/v1beta/models?pageSize=2&pageToken=b", None).await?;
    let haiku = json!({"name": "models/claude-haiku-4-5", "displayName": "claude-haiku-4-5", "inputTokenLimit": 200_000,
        "outputTokenLimit": 64_000, "supportedGenerationMethods": ["generateContent"]});
    assert_eq!(page, json!({"models": [haiku]}));
    assert_eq!(get("/v1/models/claude-haiku-4-5", Some("x-goog-api-key")).await?, (200, haiku));
    let (status, error) = get("/v1beta/models/nobody", None).await?;
    assert_eq!((status, &error["error"]["status"]), (404, &json!("NOT_FOUND")));

    let version = Some("anthropic-version");
    let (_, page) = get("/v1/models?limit=2", version).await?;
    assert_eq!((&page["has_more"], &page["first_id"], &page["last_id"]), (&json!(true), &json!("a"), &json!("b")));
    let (_, page) = get("/v1/models?after_id=b", version).await?;
    assert_eq!((&page["has_more"], &page["data"][0]["id"]), (&json!(false), &json!("claude-haiku-4-5")));
    assert_eq!((&page["data"][0]["type"], &page["data"][0]["max_tokens"]), (&json!("model"), &json!(64_000)));
    let (status, error) = get("/v1/models/nobody", version).await?;
    assert_eq!((status, &error["error"]["type"]), (404, &json!("not_found_error")));
    assert_eq!(get("/v1/models/a", None).await?.1["object"], "model");
    Ok(())
}

/// Clients of Gemini's before providers of other dialects.
mod translated {
    use super::*;

    async fn bed(acts: Vec<Act>) -> anyhow::Result<(Bed, Provider)> {
        let provider = Provider::always(acts).await?;
        Ok((Bed::start(Resources::new().provider("a", &provider, json!({}))?)?, provider))
    }

    #[tokio::test]
    async fn an_answer_is_translated_both_ways() -> anyhow::Result<()> {
        let (bed, provider) = bed(says("hello")).await?;
        let got = ask(&bed, GENERATE).await?;
        let body: Value = serde_json::from_str(&got.body)?;
        assert_eq!((got.status, spoken(std::slice::from_ref(&body)).as_str()), (200, "hello"));
        assert_eq!(
            (&body["usageMetadata"]["promptTokenCount"], &body["modelVersion"]),
            (&json!(3), &json!("real-model"))
        );
        let sent: Value = serde_json::from_str(&provider.events().seen[0].body)?;
        assert_eq!(sent, json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]}));
        assert_eq!(got.header("x-penstock-dropped-params"), "xNew");
        Ok(())
    }

    #[tokio::test]
    async fn a_stream_is_translated_with_the_usage_that_comes_last() -> anyhow::Result<()> {
        let (bed, provider) = bed(ended(&[ROLE, &text("hel"), &text("lo"), STOP, USAGE, DONE])).await?;
        let got = ask(&bed, STREAM).await?;
        let events = chunks(&got.body);
        assert_eq!(spoken(&events), "hello");
        let last = events.last().expect("must be there");
        assert_eq!(
            (&last["candidates"][0]["finishReason"], &last["usageMetadata"]["candidatesTokenCount"]),
            (&json!("STOP"), &json!(2))
        );
        assert!(!got.body.contains("[DONE]") && got.header("content-type").starts_with("text/event-stream"));
        assert!(provider.events().seen[0].body.contains(r#""include_usage":true"#));
        let got = ask(&bed, ARRAY).await?;
        let items: Vec<Value> = serde_json::from_str(&got.body)?;
        assert_eq!((items, got.header("content-type")), (events, "application/json"));
        Ok(())
    }

    #[tokio::test]
    async fn a_stream_that_is_cut_has_an_error_and_no_reason() -> anyhow::Result<()> {
        let (bed, _provider) = bed([stream(&[ROLE, &text("hel")]), vec![Act::Close]].concat()).await?;
        let got = ask(&bed, STREAM).await?;
        assert!(got.body.contains("data: {\"error\":") && !got.body.contains("finishReason"), "{}", got.body);
        Ok(())
    }

    #[tokio::test]
    async fn what_no_target_has_a_place_for_is_a_422_that_names_it() -> anyhow::Result<()> {
        let (bed, provider) = bed(says("hello")).await?;
        let mut body = question();
        body["tools"] = json!([{"googleSearch": {}}]);
        let got = ask_of(&bed, "m", GENERATE, &body).await?;
        assert!(got.status == 422 && got.body.contains("tools[0]"), "{got:?}");
        assert!(provider.events().seen.is_empty());
        Ok(())
    }
}
