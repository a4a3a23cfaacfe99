use super::*;

/// 1, -2.5 and 0.1, as OpenAI encodes them.
const ENCODED: &str = "AACAPwAAIMDNzMw9";
const VECTOR: &str = r#"{"object": "list","data":[{"object":"embedding","index":0,"embedding":[1,-2.5,0.1]}],"model":"real-1","usage":{"prompt_tokens":3,"total_tokens":3}}"#;
const GEMINI: &str = r#"{"embeddings":[{"values":[1,-2.5,0.1]},{"values":[0.5]}]}"#;
const PATH: &str = "/v1/embeddings";

fn texts() -> String {
    r#"{"input": ["a","b"], "model":"m", "encoding_format":"base64", "user":"ann"}"#.to_owned()
}

fn encoded(body: &str) -> String {
    body.replace("[1,-2.5,0.1]", &format!("\"{ENCODED}\""))
}

#[tokio::test]
async fn a_request_of_the_provider_s_own_dialect_passes_byte_for_byte_but_for_the_model() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "", &encoded(VECTOR)), of("OpenAI")).await?;
    let got = post(&bed, PATH, &texts()).await?;
    assert_eq!((got.status, got.body), (200, encoded(VECTOR)), "base64 stays a string");
    assert_eq!(got.headers["x-penstock-model"], "real");
    assert_eq!(line(&provider, 0), "POST /v1/embeddings");
    assert_eq!(provider.events().seen[0].body, texts().replace("\"m\"", "\"real\""));
    let tokens = r#"penstock_tokens_total{direction="input",model="real",provider="default/a",route="m"} 3"#;
    assert!(bed.metrics.render().contains(tokens));
    Ok(())
}

#[tokio::test]
async fn numbers_are_encoded_for_a_client_that_wants_base64_of_a_server_that_knows_none() -> anyhow::Result<()> {
    let (bed, _provider) = bed(answer(200, "", VECTOR), of("OpenAI")).await?;
    assert_eq!(post(&bed, PATH, &texts()).await?.body, encoded(VECTOR));
    let floats = post(&bed, PATH, r#"{"input":[1,2],"model":"m","stream":true}"#).await?;
    assert_eq!((floats.status, floats.body.as_str()), (200, VECTOR), "nor does a vector stream");
    Ok(())
}

#[tokio::test]
async fn azure_has_embeddings_below_the_deployment() -> anyhow::Result<()> {
    let provider = Provider::always(answer(200, "", VECTOR)).await?;
    let mut spec = of("AzureOpenAI");
    spec["azure"] = json!({"apiVersion": "2024-10-21"});
    let mut resources = Resources::new();
    resources.provider_at("a", &format!("http://{}", provider.address), &["a-key-0"], spec)?;
    let bed = Bed::start(&resources)?;
    assert_eq!(post(&bed, PATH, r#"{"input":"a","model":"m"}"#).await?.status, 200);
    assert_eq!(line(&provider, 0), "POST /openai/deployments/real/embeddings?api-version=2024-10-21");
    Ok(())
}

#[tokio::test]
async fn gemini_embeds_for_a_client_of_openai() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "", GEMINI), of("Gemini")).await?;
    let got = post(&bed, PATH, &texts()).await?;
    let body = json_of(&got)?;
    assert_eq!((&body["model"], &body["data"][0]["embedding"]), (&json!("real"), &json!(ENCODED)));
    assert_eq!(got.header("x-penstock-dropped-params"), "user");
    assert_eq!(line(&provider, 0), "POST /v1beta/models/real:batchEmbedContents");
    let one = |text: &str| json!({"model": "models/real", "content": {"parts": [{"text": text}]}});
    assert_eq!(sent(&provider, 0)?, json!({"requests": [one("a"), one("b")]}));
    Ok(())
}

#[tokio::test]
async fn mistral_embeds_for_a_client_of_openai() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "", VECTOR), of("Mistral")).await?;
    let got = post(&bed, PATH, &texts()).await?;
    assert_eq!(json_of(&got)?["data"][0]["embedding"], json!(ENCODED));
    assert_eq!(line(&provider, 0), "POST /v1/embeddings");
    assert_eq!(sent(&provider, 0)?, json!({"model": "real", "input": ["a", "b"]}));
    Ok(())
}

#[tokio::test]
async fn ollama_embeds_for_a_client_of_openai() -> anyhow::Result<()> {
    let vectors = r#"{"model":"real:latest","embeddings":[[1,-2.5,0.1]],"prompt_eval_count":4}"#;
    let (bed, provider) = bed(answer(200, "", vectors), of("Ollama")).await?;
    let got = post(&bed, PATH, &texts()).await?;
    assert_eq!(json_of(&got)?["data"][0]["embedding"], json!(ENCODED));
    assert_eq!(line(&provider, 0), "POST /api/embed");
    assert_eq!(sent(&provider, 0)?, json!({"model": "real", "input": ["a", "b"], "truncate": false}));
    Ok(())
}

#[tokio::test]
async fn gemini_s_own_requests_pass_with_the_model_of_the_path_in_them() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "", GEMINI), of("Gemini")).await?;
    let one = r#"{"content": {"parts":[{"text":"a"}]},"taskType":"X"}"#;
    let batch = r#"{"requests": [{"model":"models/m","content":{"parts":[{"text":"a"}]}}]}"#;
    for (i, (call, body)) in [("embedContent", one), ("batchEmbedContents", batch)].into_iter().enumerate() {
        let got = post(&bed, &format!("/v1beta/models/m:{call}"), body).await?;
        assert_eq!((got.status, got.body.as_str()), (200, GEMINI));
        assert_eq!(line(&provider, i), format!("POST /v1beta/models/real:{call}"));
        assert_eq!(provider.events().seen[i].body, body.replace("models/m", "models/real"));
    }
    Ok(())
}

#[tokio::test]
async fn openai_embeds_for_a_client_of_gemini() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "", VECTOR), of("OpenAI")).await?;
    let one = r#"{"content": {"parts":[{"text":"a"}]},"taskType":"X","outputDimensionality":3}"#;
    let got = post(&bed, "/v1beta/models/m:embedContent", one).await?;
    let usage = json!({"promptTokenCount": 3, "totalTokenCount": 3});
    assert_eq!(json_of(&got)?, json!({"embedding": {"values": [1, -2.5, 0.1]}, "usageMetadata": usage}));
    assert_eq!(got.header("x-penstock-dropped-params"), "taskType");
    let expected = json!({"model": "real", "input": ["a"], "dimensions": 3, "encoding_format": "float"});
    assert_eq!((line(&provider, 0).as_str(), sent(&provider, 0)?), ("POST /v1/embeddings", expected));
    Ok(())
}

#[tokio::test]
async fn a_target_that_has_none_or_takes_no_tokens_is_skipped_and_a_422_if_it_is_the_last() -> anyhow::Result<()> {
    let groq = json!({"type": "OpenAICompatible", "preset": "Groq"});
    for (first, body) in [
        (of("Anthropic"), r#"{"input":"a","model":"m"}"#),
        (groq, r#"{"input":"a","model":"m"}"#),
        (of("Gemini"), r#"{"input":[1,2],"model":"m"}"#),
    ] {
        let (bed, [skipped, _second]) =
            two((vec![Act::Hang], first.clone()), (answer(200, "", VECTOR), of("OpenAI"))).await?;
        let got = post(&bed, PATH, body).await?;
        assert_eq!((got.status, got.body.as_str(), skipped.calls()), (200, VECTOR, 0), "{first}");

        let (alone, _provider) = super::bed(vec![Act::Hang], first).await?;
        let got = post(&alone, PATH, body).await?;
        let field = if body.contains("[1,2]") { "input" } else { "model" };
        assert_eq!((got.status, &json_of(&got)?["error"]["param"]), (422, &json!(field)), "{}", got.body);
    }
    Ok(())
}

#[tokio::test]
async fn a_failure_goes_to_the_next_target_as_one_of_chat_does() -> anyhow::Result<()> {
    let limited = answer(429, "retry-after: 60\r\n", r#"{"error":{"message":"slow"}}"#);
    for failure in [limited, answer(500, "", ""), answer(200, "", r#"{"data":[]}"#), vec![Act::Close]] {
        let (bed, [first, _second]) = two((failure, of("OpenAI")), (answer(200, "", GEMINI), of("Gemini"))).await?;
        let got = post(&bed, PATH, &texts()).await?;
        assert_eq!((got.status, got.header("x-penstock-provider")), (200, "default/b"), "{}", got.body);
        assert!(first.calls() > 0);
    }
    Ok(())
}

#[tokio::test]
async fn a_provider_that_blames_the_request_is_heard_in_the_client_s_words() -> anyhow::Result<()> {
    let refused = r#"{"error":{"code":400,"message":"too many","status":"INVALID_ARGUMENT"}}"#;
    let (bed, _provider) = bed(answer(400, "", refused), of("Gemini")).await?;
    let got = post(&bed, PATH, &texts()).await?;
    let error = &json_of(&got)?["error"];
    assert_eq!(
        (got.status, &error["type"], &error["message"]),
        (400, &json!("invalid_request_error"), &json!("too many"))
    );
    Ok(())
}
