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
fn a_preset_knows_its_address_and_can_be_pointed_elsewhere() -> Result<(), String> {
    let rows = [
        ("Groq", "https://api.groq.com/openai/v1"),
        ("DeepSeek", "https://api.deepseek.com/v1"),
        ("Together", "https://api.together.xyz/v1"),
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
