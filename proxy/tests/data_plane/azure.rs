//! Providers of OpenAI's dialect that differ from OpenAI: Azure, and the known servers that call themselves compatible.

use serde_json::{Value, json};

use crate::{
    bed::{Bed, Resources, question},
    provider::{Act, DONE, Provider, STOP, USAGE, end, says, stream, text},
};

const FILTER_RESULTS: &str = "data: {\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\",\"prompt_filter_results\":[{\"prompt_index\":0,\"content_filter_results\":{}}]}\n\n";

/// A bed over one provider of these settings, whose base URL ends in `path`.
async fn bed(acts: Vec<Act>, path: &str, spec: Value) -> anyhow::Result<(Bed, Provider)> {
    let provider = Provider::always(acts).await?;
    let base = format!("http://{}{path}", provider.address);
    let mut resources = Resources::new();
    resources.provider_at("a", &base, &["a-key-0"], spec)?;
    Ok((Bed::start(&resources)?, provider))
}

fn azure(settings: Value) -> Value {
    json!({"type": "AzureOpenAI", "azure": settings, "models": [{"name": "m", "upstreamName": "my/gpt-4o"}]})
}

fn compatible(preset: &str) -> Value {
    json!({"type": "OpenAICompatible", "preset": preset})
}

fn head(provider: &Provider) -> String {
    provider.events().seen[0].head.to_ascii_lowercase()
}

fn sent(provider: &Provider) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&provider.events().seen[0].body)?)
}

#[tokio::test]
async fn azure_has_the_deployment_in_the_path_the_version_in_the_query_and_a_header_of_its_own_for_the_key()
-> anyhow::Result<()> {
    let (bed, provider) = bed(says("hello"), "", azure(json!({"apiVersion": "2024-10-21"}))).await?;
    let got = bed.unary().await?;
    assert_eq!(got.status, 200, "{}", got.body);
    let head = head(&provider);
    let line = "post /openai/deployments/my%2fgpt-4o/chat/completions?api-version=2024-10-21 http/1.1";
    assert!(head.starts_with(line), "{head}");
    assert!(head.contains("\r\napi-key: a-key-0\r\n") && !head.contains("authorization"), "{head}");
    Ok(())
}

#[tokio::test]
async fn azure_s_versionless_api_has_neither_and_the_model_in_the_body() -> anyhow::Result<()> {
    for (path, settings) in [("/openai/v1", json!({"apiVersion": "2024-10-21"})), ("", json!({}))] {
        let (bed, provider) = bed(says("hello"), path, azure(settings)).await?;
        assert_eq!(bed.unary().await?.status, 200);
        let head = head(&provider);
        assert!(head.starts_with("post /openai/v1/chat/completions http/1.1"), "{head}");
        assert!(head.contains("\r\napi-key: a-key-0\r\n"), "{head}");
        assert_eq!(sent(&provider)?["model"], "my/gpt-4o");
    }
    Ok(())
}

#[tokio::test]
async fn azure_s_prompt_filter_results_are_no_content_so_the_next_target_may_still_answer() -> anyhow::Result<()> {
    let primary = Provider::always(vec![stream(&[FILTER_RESULTS]).remove(0), Act::Close]).await?;
    let mut acts = stream(&[&text("fallback"), STOP, DONE]);
    acts.push(end());
    let fallback = Provider::always(acts).await?;
    let mut resources = Resources::new();
    let base = format!("http://{}", primary.address);
    resources
        .provider_at("a", &base, &["a-key-0"], azure(json!({"apiVersion": "2024-10-21"})))?
        .provider("b", &fallback, json!({}))?
        .route(&["a", "b"], json!({}))?;
    let got = Bed::start(&resources)?.stream().await?;
    assert_eq!((got.status, got.header("x-penstock-provider")), (200, "default/b"), "{}", got.body);
    assert!(got.body.contains("fallback") && !got.body.contains("prompt_filter_results"), "{}", got.body);
    Ok(())
}

#[tokio::test]
async fn a_preset_decides_whether_usage_is_asked_for() -> anyhow::Result<()> {
    for (preset, asked) in [("Groq", true), ("OpenRouter", false)] {
        let mut acts = stream(&[&text("hello"), STOP, USAGE, DONE]);
        acts.push(end());
        let (bed, provider) = bed(acts, "/v1", compatible(preset)).await?;
        let got = bed.stream().await?;
        assert_eq!(sent(&provider)?["stream_options"]["include_usage"].is_boolean(), asked, "{preset}");
        assert!(!got.body.contains("prompt_tokens") && got.body.ends_with(DONE), "{preset}: {}", got.body);
        assert!(bed.metrics.render().contains(r#"direction="input",model="m",provider="default/a",route="m"} 3"#));
    }
    Ok(())
}

#[tokio::test]
async fn a_preset_that_knows_max_tokens_alone_is_sent_it() -> anyhow::Result<()> {
    let rows = [("DeepSeek", "max_tokens"), ("Together", "max_tokens"), ("LlamaCpp", "max_completion_tokens")];
    for (preset, expected) in rows {
        let (bed, provider) = bed(says("hello"), "/v1", compatible(preset)).await?;
        let mut body = question(false);
        body["max_completion_tokens"] = json!(5);
        assert_eq!(bed.ask(body).await?.status, 200);
        let sent = sent(&provider)?;
        let bounds: Vec<_> = ["max_tokens", "max_completion_tokens"].into_iter().filter(|key| sent[key] == 5).collect();
        assert_eq!(bounds, [expected], "{preset}");
    }
    Ok(())
}

#[tokio::test]
async fn what_groq_refuses_is_cut_and_said_and_several_answers_are_no_hint() -> anyhow::Result<()> {
    let (bed, provider) = bed(says("hello"), "/v1", compatible("Groq")).await?;
    let mut body = question(false);
    (body["logprobs"], body["top_logprobs"], body["n"]) = (json!(true), json!(2), json!(1));
    body["messages"][0]["name"] = json!("ada");
    let got = bed.ask(body.clone()).await?;
    assert_eq!((got.status, got.header("x-penstock-dropped-params")), (200, "logprobs, top_logprobs, messages.name"));
    let expected = {
        let mut expected = question(false);
        expected["n"] = json!(1);
        expected
    };
    assert_eq!(sent(&provider)?, expected);

    body["n"] = json!(2);
    let got = bed.ask(body).await?;
    assert_eq!(got.status, 422, "{}", got.body);
    assert!(got.body.contains(r#""param":"n""#), "{}", got.body);
    assert_eq!(provider.calls(), 1);
    Ok(())
}

#[tokio::test]
async fn a_developer_is_the_system_to_who_does_not_know_developers() -> anyhow::Result<()> {
    for (preset, expected) in [("DeepSeek", "system"), ("XAI", "developer")] {
        let (bed, provider) = bed(says("hello"), "/v1", compatible(preset)).await?;
        let mut body = question(false);
        body["messages"] = json!([{"role": "developer", "content": "be brief"}, {"role": "user", "content": "hi"}]);
        assert_eq!(bed.ask(body).await?.status, 200);
        assert_eq!(sent(&provider)?["messages"][0]["role"], expected, "{preset}");
    }
    Ok(())
}
