//! What clients ask besides chat: vectors, the continuation of a text, the number of tokens.

use serde_json::{Value, json};

use crate::{
    bed::{Bed, Got, Resources},
    provider::{Act, DONE, Provider, answer, end, stream},
};

mod completions;
mod embeddings;

const COUNT: &str = r#"{"input_tokens": 12}"#;
const MESSAGES: &str = r#"{"model": "m", "messages":[{"role":"user","content":"hi"}], "x":1.50}"#;

/// A bed over one provider of these settings.
async fn bed(acts: Vec<Act>, spec: Value) -> anyhow::Result<(Bed, Provider)> {
    let provider = Provider::always(acts).await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, spec)?)?;
    Ok((bed, provider))
}

/// A bed over a route to two providers of these settings.
async fn two(first: (Vec<Act>, Value), second: (Vec<Act>, Value)) -> anyhow::Result<(Bed, [Provider; 2])> {
    let providers = [Provider::always(first.0).await?, Provider::always(second.0).await?];
    let mut resources = Resources::new();
    resources.provider("a", &providers[0], first.1)?.provider("b", &providers[1], second.1)?;
    let bed = Bed::start(resources.route(&["a", "b"], json!({}))?)?;
    Ok((bed, providers))
}

fn of(r#type: &str) -> Value {
    json!({"type": r#type, "models": [{"name": "m", "upstreamName": "real"}]})
}

async fn post(bed: &Bed, path: &str, body: &str) -> anyhow::Result<Got> {
    let request = bed.client.post(bed.url(path)).header("content-type", "application/json");
    Got::read(request.body(body.to_owned())).await
}

/// The first line of a request's head, without its version.
fn line(provider: &Provider, request: usize) -> String {
    let head = &provider.events().seen[request].head;
    head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned()
}

fn sent(provider: &Provider, request: usize) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&provider.events().seen[request].body)?)
}

fn json_of(got: &Got) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&got.body)?)
}

#[tokio::test]
async fn anthropic_s_own_count_passes_byte_for_byte_but_for_the_model_and_costs_nothing() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "", COUNT), of("Anthropic")).await?;
    let got = post(&bed, "/v1/messages/count_tokens?beta=true", MESSAGES).await?;
    assert_eq!((got.status, got.body.as_str()), (200, COUNT));
    assert_eq!(got.header("x-penstock-provider"), "default/a");
    assert_eq!(line(&provider, 0), "POST /v1/messages/count_tokens");
    assert_eq!(provider.events().seen[0].body, MESSAGES.replace("\"m\"", "\"real\""));
    let tokens = r#"penstock_tokens_total{direction="input",model="real",provider="default/a",route="m"} 0"#;
    let metrics = bed.metrics.render();
    assert!(metrics.contains(tokens), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn gemini_counts_for_a_client_of_anthropic() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "", r#"{"totalTokens": 31}"#), of("Gemini")).await?;
    let got = post(&bed, "/v1/messages/count_tokens", MESSAGES).await?;
    assert_eq!((got.status, json_of(&got)?), (200, json!({"input_tokens": 31})));
    assert_eq!(line(&provider, 0), "POST /v1beta/models/real:countTokens");
    let contents = json!([{"role": "user", "parts": [{"text": "hi"}]}]);
    let request = json!({"model": "models/real", "contents": contents});
    assert_eq!(sent(&provider, 0)?, json!({"generateContentRequest": request}));
    Ok(())
}

#[tokio::test]
async fn anthropic_counts_for_a_client_of_gemini() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "", COUNT), of("Anthropic")).await?;
    let got = post(&bed, "/v1beta/models/m:countTokens", r#"{"contents": [{"parts": [{"text": "hi"}]}]}"#).await?;
    assert_eq!((got.status, json_of(&got)?), (200, json!({"totalTokens": 12})));
    assert_eq!(line(&provider, 0), "POST /v1/messages/count_tokens");
    let messages = json!([{"role": "user", "content": [{"type": "text", "text": "hi"}]}]);
    assert_eq!(sent(&provider, 0)?, json!({"model": "real", "messages": messages}));
    Ok(())
}

#[tokio::test]
async fn gemini_s_own_count_passes_in_both_its_forms() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "", r#"{"totalTokens":31}"#), of("Gemini")).await?;
    let forms = [
        r#"{"contents": [{"parts": [{"text": "hi"}]}]}"#,
        r#"{"generateContentRequest": {"model": "models/m", "contents": []}}"#,
    ];
    for (i, body) in forms.into_iter().enumerate() {
        let got = post(&bed, "/v1beta/models/m:countTokens", body).await?;
        assert_eq!((got.status, got.body.as_str()), (200, r#"{"totalTokens":31}"#));
        assert_eq!(line(&provider, i), "POST /v1beta/models/real:countTokens");
        assert_eq!(provider.events().seen[i].body, body.replace("models/m", "models/real"));
    }
    Ok(())
}

#[tokio::test]
async fn a_target_that_does_not_count_is_skipped_and_a_422_in_the_client_s_words_if_it_is_the_last()
-> anyhow::Result<()> {
    let (bed, [first, _second]) =
        two((vec![Act::Hang], of("OpenAI")), (answer(200, "", COUNT), of("Anthropic"))).await?;
    let got = post(&bed, "/v1/messages/count_tokens", MESSAGES).await?;
    assert_eq!((got.status, got.body.as_str(), first.calls()), (200, COUNT, 0));

    let (bed, _provider) = two((vec![Act::Hang], of("OpenAI")), (vec![Act::Hang], of("Mistral"))).await?;
    let got = post(&bed, "/v1/messages/count_tokens", MESSAGES).await?;
    let error = &json_of(&got)?["error"];
    assert_eq!((got.status, &error["type"]), (422, &json!("invalid_request_error")), "{}", got.body);
    assert!(got.body.contains("counts no tokens"), "{}", got.body);
    let got = post(&bed, "/v1beta/models/m:countTokens", r#"{"contents": []}"#).await?;
    assert_eq!((got.status, &json_of(&got)?["error"]["status"]), (422, &json!("INVALID_ARGUMENT")));
    Ok(())
}

#[tokio::test]
async fn a_count_that_fails_goes_to_the_next_target() -> anyhow::Result<()> {
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#;
    for failure in [answer(529, "", overloaded), answer(200, "", overloaded), answer(200, "", "{}")] {
        let second = (answer(200, "", COUNT), of("Anthropic"));
        let (bed, [first, _second]) = two((failure, of("Anthropic")), second).await?;
        let got = post(&bed, "/v1/messages/count_tokens", MESSAGES).await?;
        assert_eq!((got.status, got.body.as_str(), first.calls()), (200, COUNT, 1));
        assert_eq!(got.header("x-penstock-attempts"), "2");
    }
    Ok(())
}

#[tokio::test]
async fn a_path_of_these_takes_post_only_and_says_so_in_its_dialect() -> anyhow::Result<()> {
    let (bed, _provider) = bed(vec![Act::Hang], of("OpenAI")).await?;
    for (path, member) in [("/v1/embeddings", "type"), ("/v1beta/models/m:countTokens", "status")] {
        let got = Got::read(bed.client.get(bed.url(path))).await?;
        assert_eq!((got.status, got.header("allow")), (405, "POST"));
        assert!(json_of(&got)?["error"][member].is_string(), "{}", got.body);
    }
    Ok(())
}
