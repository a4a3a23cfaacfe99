//! Who may ask for what, and what is not a request.

use penstock_proxy::Auth;
use serde_json::{Value, json};

use crate::{
    bed::{Bed, Got, PATH, Resources, question},
    provider::{Provider, says},
};

const GOLD: &str = "gold-key-of-at-least-20";
const TIN: &str = "tin-key-of-at-least-20-c";

async fn bed() -> anyhow::Result<(Bed, Provider)> {
    let provider = Provider::always(says("hi")).await?;
    let mut resources = Resources::new();
    let models = json!({"models": [{"name": "m"}, {"name": "other"}]});
    resources.provider("a", &provider, models)?.consumer("gold", GOLD, &[])?.consumer("tin", TIN, &["other"])?;
    let bed = Bed::start_with(&resources, |config| {
        config.auth = Auth::Required;
        config.max_body = 1000;
    });
    Ok((bed?, provider))
}

async fn get(bed: &Bed, path: &str, key: &str) -> anyhow::Result<Got> {
    Got::read(bed.client.get(bed.url(path)).bearer_auth(key)).await
}

#[tokio::test]
async fn only_a_known_key_may_call() -> anyhow::Result<()> {
    let (bed, provider) = bed().await?;
    let none = bed.unary().await?;
    assert_eq!((none.status, none.error()?), (401, ("authentication_error".into(), "invalid_api_key".into())));
    let wrong = Got::read(bed.request(question(false)).bearer_auth("wrong")).await?;
    assert_eq!(wrong.status, 401);
    assert_eq!(provider.calls(), 0);
    assert_eq!(Got::read(bed.request(question(false)).bearer_auth(GOLD)).await?.status, 200);
    assert_eq!(Got::read(bed.request(question(false)).header("x-api-key", GOLD)).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_model_that_a_consumer_may_not_use_does_not_exist_for_it() -> anyhow::Result<()> {
    let (bed, _provider) = bed().await?;
    let refused = Got::read(bed.request(question(false)).bearer_auth(TIN)).await?;
    assert_eq!((refused.status, refused.error()?.1.as_str()), (404, "model_not_found"));
    let ids = async |key| {
        let list: Value = serde_json::from_str(&get(&bed, "/v1/models", key).await?.body)?;
        let ids =
            list["data"].as_array().into_iter().flatten().filter_map(|model| model["id"].as_str().map(str::to_owned));
        anyhow::Ok(ids.collect::<Vec<_>>())
    };
    assert_eq!(ids(GOLD).await?, ["m", "other"]);
    assert_eq!(ids(TIN).await?, ["other"]);
    assert_eq!(get(&bed, "/v1/models/other", TIN).await?.status, 200);
    assert_eq!(get(&bed, "/v1/models/m", TIN).await?.status, 404);
    assert_eq!(Got::read(bed.client.get(bed.url("/v1/models"))).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn what_is_no_request_is_told_so_in_openai_s_form() -> anyhow::Result<()> {
    let (bed, provider) = bed().await?;
    let post = |path: &str, body: &str| bed.client.post(bed.url(path)).bearer_auth(GOLD).body(body.to_owned());
    let large = "x".repeat(2000);
    let cases = [
        (post("/v1/unknown", "{}"), 404, "unknown_url"),
        (bed.client.get(bed.url(PATH)).bearer_auth(GOLD), 405, "method_not_allowed"),
        (post(PATH, &large), 413, "request_too_large"),
        (post(PATH, "{}").header("content-encoding", "gzip"), 415, "unsupported_encoding"),
        (post(PATH, "{\"model\":"), 400, "invalid_request"),
        (post(PATH, r#"{"model":"m","model":"other","messages":[]}"#), 400, "invalid_request"),
        (post(PATH, r#"{"model":"nobody","messages":[]}"#), 404, "model_not_found"),
    ];
    for (request, status, code) in cases {
        let got = Got::read(request).await?;
        assert_eq!((got.status, got.error()?.1.as_str()), (status, code), "{}", got.body);
    }
    let got = Got::read(post(PATH, &large)).await?;
    assert!(got.body.contains("1000 bytes"), "{}", got.body);
    assert_eq!(provider.calls(), 0);
    Ok(())
}

#[tokio::test]
async fn state_on_the_provider_s_account_is_refused_by_name_unless_the_route_allows_it() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let mut resources = Resources::new();
    resources.provider("a", &provider, json!({}))?;
    let mut body = question(false);
    body["messages"][0]["content"] = json!([{"type": "file", "file": {"file_id": "file-1"}}]);
    let bed = Bed::start(&resources)?;
    let got = bed.ask(body.clone()).await?;
    assert_eq!((got.status, provider.calls()), (422, 0));
    assert!(got.body.contains("file_id"), "{}", got.body);
    resources.route(&["a"], json!({"allowState": true}))?;
    bed.live.apply(&resources.snapshot());
    assert_eq!(bed.ask(body).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_reasoning_model_is_told_its_bound_by_the_name_that_it_takes() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let models = json!({"models": [{"name": "m", "upstreamName": "o3-mini"}]});
    let bed = Bed::start(Resources::new().provider("a", &provider, models)?)?;
    let mut body = question(false);
    body["max_tokens"] = json!(7);
    assert_eq!(bed.ask(body).await?.status, 200);
    let sent: Value = serde_json::from_str(&provider.events().seen[0].body)?;
    assert_eq!((&sent["max_completion_tokens"], sent.get("max_tokens")), (&json!(7), None), "{sent}");
    Ok(())
}

#[tokio::test]
async fn the_model_is_the_provider_s_name_upstream_and_every_other_byte_is_the_client_s() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let models = json!({"models": [{"name": "m", "upstreamName": "real-model"}]});
    let bed = Bed::start(Resources::new().provider("a", &provider, models)?)?;
    let body = r#"{ "messages": [{"role":"user","content":"\u0068i"}], "x_unknown": 1.50, "model": "m" }"#;
    let request = bed.client.post(bed.url(PATH)).body(body);
    let got = Got::read(request).await?;
    assert_eq!(got.header("x-penstock-model"), "real-model");
    assert_eq!(provider.events().seen[0].body, body.replace("\"m\"", "\"real-model\""));
    Ok(())
}
