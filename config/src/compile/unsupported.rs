//! What the API has and this version does not do.
//!
//! What limits, protects or authenticates refuses its object: doing without would be unsafe. What only tunes is
//! accepted and named. Nothing is ignored in silence.

use penstock_crds::{AIProviderSpec, MiddlewareType, ProviderType, Reason, RoutePolicySpec};

use super::draft::Draft;

pub(super) fn provider(spec: &AIProviderSpec, draft: &mut Draft) {
    match spec.type_ {
        ProviderType::OpenAI
        | ProviderType::OpenAICompatible
        | ProviderType::AzureOpenAI
        | ProviderType::Anthropic
        | ProviderType::Gemini
        | ProviderType::Mistral
        | ProviderType::Ollama => {}
        ProviderType::Bedrock | ProviderType::VertexAI => refuse(draft, &format!("type: {:?}", spec.type_)),
    }
}

pub(super) fn route(spec: &RoutePolicySpec, draft: &mut Draft) {
    for (index, middleware) in spec.middleware.iter().flatten().enumerate() {
        let field = format!("middleware[{index}]: {:?}", middleware.type_);
        match middleware.type_ {
            MiddlewareType::PIIScrubber | MiddlewareType::PromptInjection => refuse(draft, &field),
            MiddlewareType::RequestLogger => tunes(draft, &field),
        }
    }
    if spec.cache.is_some() {
        tunes(draft, "cache");
    }
}

fn refuse(draft: &mut Draft, field: &str) {
    draft.refuse(Reason::NotSupported, format!("spec.{field} is not supported by this version; remove it"));
}

fn tunes(draft: &mut Draft, field: &str) {
    draft.note(format!("spec.{field} has no effect in this version"));
}
