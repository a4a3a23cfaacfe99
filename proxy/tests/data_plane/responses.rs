//! Clients of OpenAI's Responses API.

use serde_json::{Value, json};

use crate::{
    bed::{Bed, Got, Resources},
    provider::{Act, DONE, Provider, ROLE, STOP, USAGE, answer, end, says, stream, text},
};

const PATH: &str = "/v1/responses";

const ANSWER: &str = r#"{"id":"resp_1","object":"response","status":"completed","error":null,"model":"gpt-real","output":[{"type":"never_heard_of","x":1.50},{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hello","annotations":[]}]}],"usage":{"input_tokens":5,"output_tokens":2,"total_tokens":7}}"#;
const EVENTS: [&str; 4] = [
    "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\",\"status\":\"in_progress\",\"output\":[],\"usage\":null}}\n\n",
    "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{\"id\":\"msg_1\",\"type\":\"message\",\"content\":[]}}\n\n",
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":2,\"delta\":\"hello\",\"x_new\":1.50}\n\n",
    "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":3,\"response\":{\"id\":\"resp_1\",\"status\":\"completed\",\"output\":[],\"usage\":{\"input_tokens\":5,\"output_tokens\":2}}}\n\n",
];

fn question(stream: bool) -> Value {
    json!({"model": "m", "input": "hi", "stream": stream, "x_new": 1.50, "max_output_tokens": 9})
}

async fn ask(bed: &Bed, body: &Value) -> anyhow::Result<Got> {
    Got::read(bed.client.post(bed.url(PATH)).bearer_auth("a-client-s-own").body(body.to_string())).await
}

async fn bed(acts: Vec<Act>, more: Value) -> anyhow::Result<(Bed, Provider)> {
    let provider = Provider::always(acts).await?;
    Ok((Bed::start(Resources::new().provider("a", &provider, more)?)?, provider))
}

fn renamed() -> Value {
    json!({"models": [{"name": "m", "upstreamName": "gpt-real"}]})
}

#[tokio::test]
async fn a_response_goes_to_a_provider_that_has_them_and_back_byte_by_byte() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "x-request-id: req_1\r\n", ANSWER), renamed()).await?;
    let got = ask(&bed, &question(false)).await?;
    assert_eq!((got.status, got.body.as_str()), (200, ANSWER));
    assert_eq!(got.header("x-penstock-upstream-request-id"), "req_1");
    let seen = &provider.events().seen[0];
    assert_eq!(seen.body, question(false).to_string().replace("\"m\"", "\"gpt-real\""));
    let head = seen.head.to_ascii_lowercase();
    assert!(
        head.starts_with("post /v1/responses http/1.1") && head.contains("authorization: bearer a-key-0"),
        "{head}"
    );
    Ok(())
}

#[tokio::test]
async fn a_stream_of_responses_passes_byte_by_byte_and_is_never_asked_for_usage() -> anyhow::Result<()> {
    let (bed, provider) = bed([stream(&EVENTS), vec![end()]].concat(), renamed()).await?;
    let got = ask(&bed, &question(true)).await?;
    assert_eq!((got.status, got.body), (200, EVENTS.concat()));
    assert!(!provider.events().seen[0].body.contains("stream_options"), "the API has no such option");
    let counted = r#"penstock_tokens_total{direction="input",model="gpt-real",provider="default/a",route="m"} 5"#;
    assert!(bed.metrics.render().contains(counted), "{}", bed.metrics.render());
    Ok(())
}

#[tokio::test]
async fn a_stream_that_breaks_after_content_ends_in_a_flat_error_with_the_next_number() -> anyhow::Result<()> {
    let (bed, _provider) = bed([stream(&EVENTS[..3]), vec![Act::Close]].concat(), json!({})).await?;
    let got = ask(&bed, &question(true)).await?;
    let rest = got.body.strip_prefix(&EVENTS[..3].concat()).unwrap_or_default();
    let data = rest.strip_prefix("event: error\ndata: ").unwrap_or_default();
    let error: Value = serde_json::from_str(data)?;
    assert_eq!(
        (&error["type"], &error["sequence_number"], &error["code"]),
        (&json!("error"), &json!(3), &json!("upstream_error"))
    );
    Ok(())
}

#[tokio::test]
async fn a_failed_response_before_content_goes_to_the_next_target() -> anyhow::Result<()> {
    let failed = "data: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"oh\"}}}\n\n";
    let first = Provider::always([stream(&[EVENTS[0], EVENTS[1], failed]), vec![end()]].concat()).await?;
    let second = Provider::always([stream(&EVENTS), vec![end()]].concat()).await?;
    let mut resources = Resources::new();
    resources.provider("a", &first, json!({}))?.provider("b", &second, json!({}))?.route(&["a", "b"], json!({}))?;
    let got = ask(&Bed::start(&resources)?, &question(true)).await?;
    assert_eq!((got.body, first.calls(), second.calls()), (EVENTS.concat(), 1, 1));
    Ok(())
}

#[tokio::test]
async fn a_provider_without_responses_is_asked_in_chat() -> anyhow::Result<()> {
    let (bed, provider) = bed(says("hello"), json!({"type": "OpenAICompatible"})).await?;
    let got = ask(&bed, &question(false)).await?;
    let body: Value = serde_json::from_str(&got.body)?;
    assert_eq!((got.status, &body["object"], &body["model"]), (200, &json!("response"), &json!("real-model")));
    assert_eq!(body["output"][0]["content"][0]["text"], "hello");
    assert_eq!(got.header("x-penstock-dropped-params"), "x_new");
    let seen = &provider.events().seen[0];
    assert!(seen.head.starts_with("POST /v1/chat/completions "), "{}", seen.head);
    let sent: Value = serde_json::from_str(&seen.body)?;
    assert_eq!(
        (&sent["messages"][0]["content"], &sent["max_tokens"], &sent["store"]),
        (&json!("hi"), &json!(9), &Value::Null)
    );
    Ok(())
}

#[tokio::test]
async fn a_translated_stream_is_typed_events_and_its_break_an_error_with_the_next_number() -> anyhow::Result<()> {
    let whole = [ROLE.to_owned(), text("hel"), text("lo"), STOP.to_owned(), USAGE.to_owned(), DONE.to_owned()];
    let pieces: Vec<&str> = whole.iter().map(String::as_str).collect();
    let compatible = || json!({"type": "OpenAICompatible"});
    let (plane, provider) = bed([stream(&pieces), vec![end()]].concat(), compatible()).await?;
    let got = ask(&plane, &question(true)).await?;
    let names: Vec<_> = got.body.lines().filter_map(|line| line.strip_prefix("event: response.")).collect();
    assert_eq!((names.first(), names.last()), (Some(&"created"), Some(&"completed")));
    assert!(!got.body.contains("[DONE]") && got.body.contains(r#""total_tokens":5"#), "{}", got.body);
    assert!(provider.events().seen[0].body.contains("include_usage"), "chat has that option");

    let (plane, _provider) = bed([stream(&pieces[..2]), vec![Act::Close]].concat(), compatible()).await?;
    let got = ask(&plane, &question(true)).await?;
    let events = got.body.matches("event: ").count();
    let (_, error) = got.body.rsplit_once("event: error\ndata: ").unwrap_or_default();
    let error: Value = serde_json::from_str(error)?;
    assert_eq!(error["sequence_number"], json!(events - 1));
    assert!(!got.body.contains("response.completed"), "{}", got.body);
    Ok(())
}

#[tokio::test]
async fn presets_and_azure_are_asked_in_responses_where_their_vendors_say_they_have_them() -> anyhow::Result<()> {
    let azure = |settings: Value| json!({"type": "AzureOpenAI", "azure": settings});
    let preset = |name: &str| json!({"type": "OpenAICompatible", "preset": name});
    let deployment = "/openai/deployments/m/chat/completions?api-version=2024-10-21";
    let rows = [
        ("/v1", preset("Groq"), "/v1/responses"),
        ("/v1", preset("VLLM"), "/v1/responses"),
        ("/v1", preset("DeepSeek"), "/v1/chat/completions"),
        ("", azure(json!({})), "/openai/v1/responses"),
        ("", azure(json!({"apiVersion": "2024-10-21"})), deployment),
    ];
    for (base, more, path) in rows {
        let acts = if path.ends_with("responses") { answer(200, "", ANSWER) } else { says("hello") };
        let provider = Provider::always(acts).await?;
        let base = format!("http://{}{base}", provider.address);
        let mut resources = Resources::new();
        let bed = Bed::start(resources.provider_at("a", &base, &["key"], more.clone())?)?;
        let got = ask(&bed, &json!({"model": "m", "input": "hi"})).await?;
        assert_eq!(got.status, 200, "{more}: {}", got.body);
        let head = &provider.events().seen[0].head;
        assert!(head.starts_with(&format!("POST {path} ")), "{more}: {head}");
    }
    Ok(())
}

#[tokio::test]
async fn what_a_target_cannot_say_goes_to_one_that_can() -> anyhow::Result<()> {
    let chat = Provider::always(says("hello")).await?;
    let native = Provider::always(answer(200, "", ANSWER)).await?;
    let mut resources = Resources::new();
    resources.provider("a", &chat, json!({"type": "OpenAICompatible"}))?.provider("b", &native, json!({}))?;
    let bed = Bed::start(resources.route(&["a", "b"], json!({}))?)?;
    let search = json!({"model": "m", "input": "hi", "tools": [{"type": "web_search"}]});
    assert_eq!((ask(&bed, &search).await?.body.as_str(), chat.calls(), native.calls()), (ANSWER, 0, 1));
    Ok(())
}

#[tokio::test]
async fn references_to_state_are_a_422_and_stored_responses_a_404() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "", ANSWER), json!({})).await?;
    for (member, value) in [
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!("conv_1")),
        ("background", json!(true)),
        ("input", json!([{"type": "item_reference", "id": "msg_1"}])),
    ] {
        let mut body = question(false);
        body[member] = value;
        let got = ask(&bed, &body).await?;
        assert_eq!((got.status, got.error()?.1.as_str()), (422, "state_not_allowed"), "{member}");
    }
    let got = Got::read(bed.client.get(bed.url("/v1/responses/resp_1"))).await?;
    assert_eq!((got.status, got.error()?.1.as_str()), (404, "state_not_allowed"));
    assert!(got.body.contains("/v1/responses/resp_1"), "{}", got.body);
    assert_eq!(provider.calls(), 0);
    Ok(())
}

#[tokio::test]
async fn a_route_with_one_target_may_allow_state() -> anyhow::Result<()> {
    let provider = Provider::always(answer(200, "", ANSWER)).await?;
    let mut resources = Resources::new();
    let resources = resources.provider("a", &provider, json!({}))?.route(&["a"], json!({"allowState": true}))?;
    let body = json!({"model": "m", "input": "hi", "previous_response_id": "resp_0", "store": true});
    let got = ask(&Bed::start(resources)?, &body).await?;
    assert_eq!((got.status, provider.events().seen[0].body.as_str()), (200, body.to_string().as_str()));
    Ok(())
}

#[tokio::test]
async fn thoughts_that_are_only_named_pass_to_who_stored_them_where_state_is_allowed() -> anyhow::Result<()> {
    let thought = json!({"type": "reasoning", "id": "rs_1", "summary": []});
    let body = json!({"model": "m", "input": [{"role": "user", "content": "hi"}, thought]});
    let (bed, provider) = bed(answer(200, "", ANSWER), json!({})).await?;
    let got = ask(&bed, &body).await?;
    assert_eq!((got.status, got.error()?.1.as_str()), (422, "state_not_allowed"));
    assert!(got.body.contains("input[1].id"), "{}", got.body);
    assert_eq!(provider.calls(), 0);

    let mut resources = Resources::new();
    let resources = resources.provider("a", &provider, json!({}))?.route(&["a"], json!({"allowState": true}))?;
    let got = ask(&Bed::start(resources)?, &body).await?;
    assert_eq!((got.status, provider.events().seen[0].body.as_str()), (200, body.to_string().as_str()));
    Ok(())
}

#[tokio::test]
async fn an_error_comes_in_openai_s_words() -> anyhow::Result<()> {
    let (bed, _provider) = bed(answer(500, "", "{}"), json!({})).await?;
    let got = ask(&bed, &question(false)).await?;
    assert_eq!((got.status, got.error()?.0.as_str()), (502, "server_error"));
    let got = ask(&bed, &json!({"model": "nobody", "input": []})).await?;
    assert_eq!((got.status, got.error()?.1.as_str()), (404, "model_not_found"));
    Ok(())
}
