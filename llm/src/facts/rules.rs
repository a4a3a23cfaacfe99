mod claude;
mod gemini;
mod ollama;

use super::{Facts, Provider, Sampling, Thinking};
use crate::compatible::Manners;

/// What some models take, and the vendor's pages that say so.
pub(super) struct Row {
    pub(super) pages: &'static [&'static str],
    /// Limits are left out.
    pub(super) facts: Facts,
}

/// What Anthropic's newest models take. Their tokens are shorter than those of the generations before: "What's new in
/// Claude Opus 4.7" says up to 1.35 times as many for the same text.
const NEWEST: Facts = Facts {
    context_window: None,
    max_output: None,
    thinks_unasked: true,
    thinking: Thinking::Adaptive { always: true, xhigh: true },
    prefill: false,
    sampling: Sampling::Fixed,
    forced_tools: false,
    json_schema: true,
    inline_system: true,
    penalties: true,
    schema_beside_tools: true,
    signed_calls: false,
    max_completion_tokens: false,
    thinking_member: Manners::OPENAI.thinking,
    takes_thinking: Manners::OPENAI.takes_thinking,
    bytes_per_ten_tokens: 28,
};

/// Little that is special. 3.5 characters in a token is what Anthropic's glossary says of English.
const PLAIN: Facts = Facts {
    thinks_unasked: false,
    thinking: Thinking::None,
    prefill: true,
    sampling: Sampling::Free,
    forced_tools: true,
    json_schema: false,
    inline_system: false,
    bytes_per_ten_tokens: 35,
    ..NEWEST
};

/// 4 characters in a token: help.openai.com, "What are tokens and how to count them?".
const OPENAI: Facts =
    Facts { json_schema: true, inline_system: true, prefill: false, bytes_per_ten_tokens: 40, ..PLAIN };

/// `max_tokens` is refused.
const OPENAI_REASONS: Facts = Facts {
    thinks_unasked: true,
    thinking: Thinking::Effort,
    sampling: Sampling::Fixed,
    max_completion_tokens: true,
    ..OPENAI
};

/// Anything else: what is asked for beyond text is not known to be refused.
const OTHER: Facts = Facts { json_schema: true, inline_system: true, prefill: false, ..PLAIN };
const OTHER_REASONS: Facts = Facts { thinks_unasked: true, ..OTHER };

const MISTRAL: Facts = Facts { json_schema: true, inline_system: true, ..PLAIN };

/// A provider's models that do not reason, and those that do.
struct Pair {
    provider: Provider,
    plain: Row,
    reasons: Row,
}

impl Pair {
    const fn new(provider: Provider, pages: &'static [&'static str], plain: Facts, reasons: Facts) -> Self {
        Self { provider, plain: Row { pages, facts: plain }, reasons: Row { pages, facts: reasons } }
    }
}

/// Where the built-in list's word that a model reasons is all that tells a provider's models apart.
static PAIRS: &[Pair] = &[
    Pair::new(
        Provider::OpenAI,
        &["https://developers.openai.com/api/docs/guides/reasoning", "https://developers.openai.com/api/docs/models"],
        OPENAI,
        OPENAI_REASONS,
    ),
    Pair::new(
        Provider::AzureOpenAI,
        &["https://learn.microsoft.com/azure/ai-foundry/openai/how-to/reasoning"],
        OPENAI,
        OPENAI_REASONS,
    ),
    Pair::new(
        Provider::Mistral,
        &["https://docs.mistral.ai/capabilities/reasoning"],
        MISTRAL,
        Facts { thinking: Thinking::Effort, ..MISTRAL },
    ),
    Pair::new(
        Provider::Bedrock,
        &["https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html"],
        OTHER,
        OTHER_REASONS,
    ),
    Pair::new(
        Provider::VertexAI,
        &["https://cloud.google.com/vertex-ai/generative-ai/docs/models"],
        OTHER,
        OTHER_REASONS,
    ),
    Pair::new(
        Provider::OpenAICompatible,
        &["https://platform.openai.com/docs/api-reference/chat"],
        OTHER,
        OTHER_REASONS,
    ),
];

/// Mistral's models that always think, and are not asked how hard.
static MAGISTRAL: Row = Row {
    pages: &["https://docs.mistral.ai/capabilities/reasoning"],
    facts: Facts { thinks_unasked: true, ..MISTRAL },
};

/// What is known of a model; `reasons` is what the built-in list says.
pub(super) fn row(provider: Provider, model: &str, reasons: bool) -> &'static Row {
    match provider {
        Provider::Anthropic => claude::row(model),
        Provider::Gemini => gemini::row(model),
        Provider::Ollama => ollama::row(model),
        Provider::Mistral if model.starts_with("magistral") => &MAGISTRAL,
        Provider::Mistral
        | Provider::OpenAI
        | Provider::AzureOpenAI
        | Provider::Bedrock
        | Provider::VertexAI
        | Provider::OpenAICompatible => {
            let pair = PAIRS.iter().find(|pair| pair.provider == provider).expect("must be a row: a test has all");
            if reasons { &pair.reasons } else { &pair.plain }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_model_facts_names_the_vendor_s_page() {
        let pairs = PAIRS.iter().flat_map(|pair| [&pair.plain, &pair.reasons]);
        let rows: Vec<&Row> =
            pairs.chain([&MAGISTRAL]).chain(claude::all()).chain(gemini::all()).chain(ollama::all()).collect();
        assert!(rows.len() > 30, "{}", rows.len());
        let vendors = [
            "platform.claude.com/docs/",
            "ai.google.dev/gemini-api/docs/",
            "developers.openai.com/api/",
            "platform.openai.com/docs/",
            "learn.microsoft.com/azure/",
            "docs.mistral.ai/",
            "docs.ollama.com/",
            "docs.aws.amazon.com/bedrock/",
            "cloud.google.com/vertex-ai/",
        ];
        for Row { pages, facts } in rows {
            assert!(!pages.is_empty(), "{facts:?}");
            for page in *pages {
                let path = page.strip_prefix("https://").unwrap_or_default();
                assert!(vendors.iter().any(|vendor| path.starts_with(vendor)), "{page}");
            }
        }
    }

    #[test]
    fn every_provider_has_rows() {
        for provider in Provider::ALL {
            for reasons in [false, true] {
                assert!(!row(provider, "anything", reasons).pages.is_empty(), "{provider:?}");
            }
        }
    }
}
