//! Where providers are, by type and preset.

use super::*;

/// The compiled provider of this spec, or the message that refuses it.
fn compiled(spec: &str) -> Result<Provider, String> {
    let world = quickstart_and(&format!(
        "kind: AIProvider\nmetadata: {{name: new, namespace: platform}}\nspec: {{models: [{{name: m}}], {spec}}}"
    ));
    let (accepted, reason, message) = condition(&world, Kind::AIProvider, "platform/new", ConditionType::Accepted);
    match provider(&compile(&world).0, "platform/new") {
        Some(provider) if accepted => Ok(provider),
        _ => Err(format!("{reason:?}: {message}")),
    }
}

const OLLAMA: &str =
    "kind: AIProvider\nmetadata: {name: new, namespace: platform}\nspec: {models: [{name: m}], type: Ollama}";

#[test]
fn a_type_with_one_address_knows_it() -> Result<(), String> {
    let rows = [
        ("OpenAI", "https://api.openai.com/v1"),
        ("Anthropic", "https://api.anthropic.com"),
        ("Mistral", "https://api.mistral.ai/v1"),
    ];
    for (of_type, address) in rows {
        assert_eq!(compiled(&format!("type: {of_type}"))?.base_url, address);
    }
    Ok(())
}

#[test]
fn ollama_is_on_this_machine_unless_it_is_said_where_and_gets_time_to_load_a_model() -> Result<(), String> {
    let refusal = compiled("type: Ollama").expect_err("a pod has no Ollama of its own");
    assert!(refusal.contains("127.0.0.1 is not allowed as an upstream"), "{refusal}");
    let mut world = quickstart_and(OLLAMA);
    std::sync::Arc::make_mut(&mut world.settings).outbound.loopback = true;
    let snapshot = compile(&world).0;
    let found = provider(&snapshot, "platform/new").ok_or("it must be served without a key")?;
    assert_eq!(found.base_url, "http://localhost:11434");
    for at in ["http://ollama:11434", "http://ollama:11434/api/", "http://ollama:11434/v1"] {
        assert_eq!(compiled(&format!("type: Ollama, baseURL: '{at}'"))?.base_url, "http://ollama:11434");
    }
    let timeouts = &forward(&snapshot, "m").targets[0].timeouts;
    assert_eq!((timeouts.first_token_ms, timeouts.first_token_reasoning_ms), (60_000, 60_000));
    Ok(())
}

#[test]
fn a_preset_knows_its_address_and_can_be_pointed_elsewhere() -> Result<(), String> {
    let rows = [
        ("Groq", "https://api.groq.com/openai/v1"),
        ("DeepSeek", "https://api.deepseek.com"),
        ("Together", "https://api.together.ai/v1"),
        ("Fireworks", "https://api.fireworks.ai/inference/v1"),
        ("XAI", "https://api.x.ai/v1"),
        ("OpenRouter", "https://openrouter.ai/api/v1"),
    ];
    for (preset, address) in rows {
        let provider = compiled(&format!("type: OpenAICompatible, preset: {preset}"))?;
        assert_eq!(
            (provider.base_url.as_str(), format!("{:?}", provider.preset.expect("must be kept"))),
            (address, preset.into())
        );
        let elsewhere =
            compiled(&format!("type: OpenAICompatible, preset: {preset}, baseURL: 'https://eu.example.com/v1/'"))?;
        assert_eq!(elsewhere.base_url, "https://eu.example.com/v1", "{preset}");
    }
    Ok(())
}

#[test]
fn servers_that_people_run_themselves_need_a_base_url() -> Result<(), String> {
    for preset in ["VLLM", "LlamaCpp"] {
        let spec = format!("type: OpenAICompatible, preset: {preset}");
        let refusal = compiled(&spec).expect_err("must be refused");
        assert!(refusal.starts_with("Invalid: spec.baseURL: "), "{refusal}");
        assert_eq!(compiled(&format!("{spec}, baseURL: 'http://vllm:8000/v1'"))?.base_url, "http://vllm:8000/v1");
    }
    let azure = compiled("type: AzureOpenAI, azure: {apiVersion: 2024-10-21}").expect_err("must be refused");
    assert!(azure.starts_with("Invalid: spec.baseURL: "), "{azure}");
    Ok(())
}

#[test]
fn azure_s_address_is_its_resource_with_a_version_and_its_versionless_api_without() -> Result<(), String> {
    let version = "azure: {apiVersion: 2024-10-21}";
    let rows = [
        ("https://r.openai.azure.com/", version, "https://r.openai.azure.com", Some("2024-10-21")),
        ("https://r.openai.azure.com/openai", version, "https://r.openai.azure.com", Some("2024-10-21")),
        ("https://r.openai.azure.com/openai/v1/", version, "https://r.openai.azure.com/openai/v1", None),
        ("https://r.openai.azure.com", "azure: {}", "https://r.openai.azure.com/openai/v1", None),
        ("https://r.openai.azure.com/openai/", "azure: {}", "https://r.openai.azure.com/openai/v1", None),
        ("https://gateway.example.com/a", version, "https://gateway.example.com/a", Some("2024-10-21")),
    ];
    for (url, azure, base_url, api_version) in rows {
        let provider = compiled(&format!("type: AzureOpenAI, {azure}, baseURL: '{url}'"))?;
        assert_eq!(
            (provider.base_url.as_str(), provider.api_version.as_deref()),
            (base_url, api_version),
            "{url} {azure}"
        );
    }
    Ok(())
}

#[test]
fn a_version_that_azure_would_ignore_is_said() {
    let world = quickstart_and(
        "
kind: AIProvider
metadata: {name: new, namespace: platform}
spec: {type: AzureOpenAI, azure: {apiVersion: 2024-10-21}, baseURL: 'https://r.openai.azure.com/openai/v1'}
",
    );
    let (accepted, _, message) = condition(&world, Kind::AIProvider, "platform/new", ConditionType::Accepted);
    assert!(accepted && message.contains("spec.azure.apiVersion has no effect"), "{message}");
}
