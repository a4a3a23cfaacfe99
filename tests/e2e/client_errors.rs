//! What a client does wrong is an error object of its dialect that names the place, and never reaches a provider.

use penstock_tests::gateway::{Answer, Gateway};
use serde_json::json;

use crate::bed::{Bed, assert_error, hello, resources};
use crate::sdk;

async fn raw(gateway: &Gateway, body: &str) -> anyhow::Result<Answer> {
    let request = gateway.post("/v1/chat/completions").header("content-type", "application/json");
    Answer::of(request.body(body.to_owned())).await
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_with_the_place() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    for body in ["", "{", "[]", "{\"model\": \"smart\", \"messages\": [}", "{\"model\": \"smart\"} x", "\u{feff}{}"] {
        assert_error(&raw(&bed.gateway, body).await?, 400, body);
    }
    let error = assert_error(&raw(&bed.gateway, "{\"model\": \"smart\",\n \"messages\": oops}").await?, 400, "oops");
    let message = error["message"].as_str().unwrap_or_default();
    assert!(message.contains(|c: char| c.is_ascii_digit()), "no place in {message:?}");
    assert!(bed.fakes.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_governed_key_given_twice_is_refused_and_named_even_when_escaped() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    let messages = "\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]";
    let twice = [
        ("model", format!("{{\"model\": \"smart\", {messages}, \"model\": \"gpt-4o\"}}")),
        ("model", format!("{{\"model\": \"smart\", {messages}, \"mod\\u0065l\": \"gpt-4o\"}}")),
        ("stream", format!("{{\"model\": \"smart\", \"stream\": false, {messages}, \"stream\": true}}")),
        ("max_tokens", format!("{{\"model\": \"smart\", \"max_tokens\": 1, {messages}, \"max_tokens\": 2}}")),
        ("tools", format!("{{\"model\": \"smart\", \"tools\": [], {messages}, \"tools\": []}}")),
    ];
    for (key, body) in twice {
        let error = assert_error(&raw(&bed.gateway, &body).await?, 400, &body);
        assert!(error["message"].as_str().is_some_and(|message| message.contains(key)), "{body}: {error}");
    }
    assert!(bed.fakes.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn an_unknown_path_method_or_model_is_never_forwarded() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    for path in
        ["/", "/v1", "/v1/files", "/v1/chat/completions/x", "/v1//chat/completions", "/metrics", "/_admin/requests"]
    {
        assert_error(&Answer::of(bed.gateway.post(path).json(&hello(false))).await?, 404, path);
    }
    let get = penstock_tests::client::client().get(format!("{}/v1/chat/completions", bed.gateway.url()));
    let answer = Answer::of(get).await?;
    assert_error(&answer, 405, "GET");
    assert_eq!(answer.header("allow"), "POST");
    let mut unknown = hello(false);
    unknown["model"] = json!("gpt-none");
    let error = assert_error(&bed.gateway.chat(&unknown).await?, 404, "model");
    assert_eq!((error["code"].as_str(), error["param"].as_str()), (Some("model_not_found"), Some("model")));
    assert!(bed.fakes.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_body_over_the_bound_is_refused_with_the_bound() -> anyhow::Result<()> {
    let fakes = penstock_tests::fake::Fakes::start()?;
    let gateway = Gateway::start_with(&resources(&fakes, ""), &["--auth", "open", "--max-body", "4096"]).await?;
    let mut long = hello(false);
    long["messages"][0]["content"] = json!("x".repeat(5000));
    let error = assert_error(&gateway.chat(&long).await?, 413, "with a length");
    assert!(error["message"].as_str().is_some_and(|message| message.contains("4096")), "{error}");
    let pieces = long
        .to_string()
        .into_bytes()
        .chunks(1000)
        .map(|piece| Ok::<_, std::io::Error>(piece.to_vec()))
        .collect::<Vec<_>>();
    let chunked = reqwest::Body::wrap_stream(futures::stream::iter(pieces));
    let request = gateway.post("/v1/chat/completions").header("content-type", "application/json").body(chunked);
    assert_error(&Answer::of(request).await?, 413, "without a length");
    assert!(fakes.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn an_encoded_body_is_refused() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    let request = bed.gateway.post("/v1/chat/completions").header("content-encoding", "gzip").json(&hello(false));
    assert_error(&Answer::of(request).await?, 415, "gzip");
    assert!(bed.fakes.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_reference_to_state_on_the_providers_account_is_refused_and_named() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    let mut body = hello(false);
    body["messages"][0]["content"] = json!([{"type": "file", "file": {"file_id": "file-1"}}]);
    let error = assert_error(&bed.gateway.chat(&body).await?, 422, "file_id");
    assert!(error["message"].as_str().is_some_and(|message| message.contains("file_id")), "{error}");
    assert!(bed.fakes.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn the_openai_sdk_raises_the_right_exception_for_each_of_them() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    let url = format!("{}/v1", bed.gateway.url());
    sdk::run("openai_client_errors.py", &[("base-url", &url), ("model", "smart")]).await
}
