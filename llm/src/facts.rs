//! What is known of models: limits from the built-in list, and what translation has to know of each.
//!
//! Nowhere else is a model matched by its name.

pub(crate) mod list;
mod rules;

pub use list::alias;

use crate::compatible::Manners;

/// Who runs a model. The built-in list and the facts go by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    /// OpenAI itself.
    OpenAI,
    /// Anthropic itself.
    Anthropic,
    /// Google's AI Studio.
    Gemini,
    /// Mistral.
    Mistral,
    /// Ollama.
    Ollama,
    /// OpenAI's models on Azure.
    AzureOpenAI,
    /// Amazon Bedrock.
    Bedrock,
    /// Google's Vertex AI.
    VertexAI,
    /// Anything that speaks OpenAI's dialect.
    OpenAICompatible,
}

/// What a model takes and gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The most tokens it reads and writes together, where known.
    pub context_window: Option<u32>,
    /// The most tokens it writes, where known.
    pub max_output: Option<u32>,
    /// It thinks before it answers without being asked, so that its first token may take long.
    pub thinks_unasked: bool,
    /// How thinking is asked for.
    pub thinking: Thinking,
    /// It continues a final assistant message.
    pub prefill: bool,
    /// Which sampling parameters it takes.
    pub sampling: Sampling,
    /// A tool call can be forced.
    pub forced_tools: bool,
    /// It takes a JSON schema for its answer natively.
    pub json_schema: bool,
    /// It takes system messages between the others.
    pub inline_system: bool,
    /// It takes presence and frequency penalties.
    pub penalties: bool,
    /// It takes a schema for its answer and tools in one request.
    pub schema_beside_tools: bool,
    /// Gemini: it refuses a call of its own that comes back without its signature.
    pub signed_calls: bool,
    /// OpenAI: the bound is called `max_completion_tokens`, and `max_tokens` is refused.
    pub max_completion_tokens: bool,
    /// OpenAI: the member of a message that holds thinking; see [`Manners::thinking`].
    pub thinking_member: &'static str,
    /// OpenAI: a message may hold that member; see [`Manners::takes_thinking`].
    pub takes_thinking: bool,
    /// Bytes of text in ten of its tokens, for estimates.
    pub bytes_per_ten_tokens: u16,
}

/// How a model is asked to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinking {
    /// It does not, or nothing is known.
    None,
    /// Anthropic: with a budget of tokens.
    Budget,
    /// Anthropic: it decides itself, and an effort says how hard.
    Adaptive {
        /// It cannot be turned off.
        always: bool,
        /// It knows the effort `xhigh`.
        xhigh: bool,
    },
    /// OpenAI: by `reasoning_effort`.
    Effort,
    /// Gemini: with a budget of tokens.
    Tokens {
        /// The least that it takes, apart from none at all.
        least: u32,
        /// The most that it takes.
        most: u32,
        /// It can be turned off.
        off: bool,
    },
    /// Gemini: by a level; `LOW` and `HIGH` are always among them.
    Level {
        /// It knows `MINIMAL`.
        minimal: bool,
        /// It knows `MEDIUM`.
        medium: bool,
    },
    /// Ollama: by `think`, a level; `low`, `medium` and `high` are among them.
    Think {
        /// It can be turned off, and knows the level `max`.
        off: bool,
    },
}

/// Which sampling parameters a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// All.
    Free,
    /// Temperature or top_p, not both.
    Either,
    /// None.
    Fixed,
}

impl Facts {
    /// What is known of a provider's model. A dated name falls back to its alias; of an unknown one it is what the
    /// provider's newest models take.
    pub fn of(provider: Provider, model: &str) -> Self {
        let row = list::find(provider.name(), model);
        let known = |count: u32| (count > 0).then_some(count);
        let facts = rules::row(provider, model, row.is_some_and(|row| row.reasons)).facts;
        Self {
            context_window: row.and_then(|row| known(row.context_window)),
            max_output: row.and_then(|row| known(row.max_output)),
            ..facts
        }
    }

    /// The same, at a server that is compatible with OpenAI: what it does not know, none of its models takes.
    pub fn at(self, manners: &Manners) -> Self {
        Self {
            thinking_member: manners.thinking,
            takes_thinking: manners.takes_thinking,
            json_schema: self.json_schema && manners.json_schema,
            ..self
        }
    }

    /// The vendor's pages from which the facts of a model were gathered.
    pub fn pages(provider: Provider, model: &str) -> &'static [&'static str] {
        let row = list::find(provider.name(), model);
        rules::row(provider, model, row.is_some_and(|row| row.reasons)).pages
    }

    /// Whether a request thinks, so that its first token may take long; `asked` is [`crate::scan::Scan::reasons`].
    pub fn thinks(&self, asked: bool) -> bool {
        asked || self.thinks_unasked
    }
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::OpenAI,
        Self::Anthropic,
        Self::Gemini,
        Self::Mistral,
        Self::Ollama,
        Self::AzureOpenAI,
        Self::Bedrock,
        Self::VertexAI,
        Self::OpenAICompatible,
    ];

    /// As the built-in list spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAI => "OpenAI",
            Self::Anthropic => "Anthropic",
            Self::Gemini => "Gemini",
            Self::Mistral => "Mistral",
            Self::Ollama => "Ollama",
            Self::AzureOpenAI => "AzureOpenAI",
            Self::Bedrock => "Bedrock",
            Self::VertexAI => "VertexAI",
            Self::OpenAICompatible => "OpenAICompatible",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_come_from_the_list_and_dated_names_fall_back_to_their_alias() {
        let output = |model| Facts::of(Provider::Anthropic, model).max_output;
        assert_eq!(output("claude-haiku-4-5"), Some(64_000));
        assert_eq!(output("claude-haiku-4-5-20251001"), Some(64_000));
        assert_eq!(output("claude-haiku-4-5-20991231"), Some(64_000));
        assert_eq!(output("claude-haiku-4-5-latest"), Some(64_000));
        assert_eq!(output("claude-sonnet-4"), Some(64_000), "an alias whose dated name alone is listed");
        assert_eq!(output("claude-haiku-4-5-turbo"), None);
        assert_eq!(output("nobody"), None);
        assert_eq!(
            Facts::of(Provider::OpenAI, "gpt-4o-2099-01-01").max_output,
            Facts::of(Provider::OpenAI, "gpt-4o").max_output
        );
        assert_eq!(Facts::of(Provider::Ollama, "gpt-4o").max_output, None);
    }

    #[test]
    fn the_most_that_current_claude_models_write_is_known_by_alias_and_by_date() {
        let rows = [
            ("claude-sonnet-4-20250514", 64_000),
            ("claude-haiku-4-5", 64_000),
            ("claude-sonnet-4-5", 64_000),
            ("claude-opus-4-5-20251101", 64_000),
            ("claude-sonnet-4-6", 128_000),
            ("claude-opus-4-6", 128_000),
            ("claude-opus-4-7", 128_000),
            ("claude-opus-4-8", 128_000),
            ("claude-opus-4-8-20990101", 128_000),
            ("claude-sonnet-5", 128_000),
            ("claude-opus-5-5", 128_000),
        ];
        for (model, expected) in rows {
            assert_eq!(Facts::of(Provider::Anthropic, model).max_output, Some(expected), "{model}");
        }
    }

    #[test]
    fn claude_s_generations_differ_in_thinking_prefill_sampling_and_forced_tools() {
        let facts = |model| Facts::of(Provider::Anthropic, model);
        let old = facts("claude-3-5-haiku-20241022");
        assert_eq!((old.thinking, old.prefill, old.sampling), (Thinking::None, true, Sampling::Free));
        let sonnet = facts("claude-sonnet-4-20250514");
        assert_eq!((sonnet.thinking, sonnet.prefill, sonnet.json_schema), (Thinking::Budget, true, false));
        let haiku = facts("claude-haiku-4-5-20251001");
        assert_eq!((haiku.thinking, haiku.sampling, haiku.json_schema), (Thinking::Budget, Sampling::Either, true));
        let opus = facts("claude-opus-4-6");
        assert_eq!((opus.thinking, opus.prefill), (Thinking::Adaptive { always: false, xhigh: false }, false));
        assert_eq!(facts("claude-opus-4-7-20260416").sampling, Sampling::Fixed);
        let newest = facts("claude-opus-5-5");
        assert_eq!((newest.thinking, newest.forced_tools), (Thinking::Adaptive { always: true, xhigh: true }, false));
        assert!(newest.thinks(false) && !haiku.thinks(false) && haiku.thinks(true));
        let small = facts("claude-haiku-5-5");
        assert_eq!((small.thinking, small.forced_tools), (Thinking::Adaptive { always: false, xhigh: true }, true));
        assert_eq!(facts("claude-saga-7").thinking, newest.thinking, "an unknown one is taken as the newest");
    }

    #[test]
    fn openai_s_reasoning_models_take_max_completion_tokens_only() {
        for provider in [Provider::OpenAI, Provider::AzureOpenAI] {
            for model in ["o1", "o3-mini", "o4-mini-2025-04-16", "gpt-5", "gpt-5-mini-2025-08-07"] {
                let facts = Facts::of(provider, model);
                assert!(facts.max_completion_tokens && facts.thinks_unasked, "{model}");
            }
            for model in ["gpt-4o", "gpt-4.1-mini", "gpt-3.5-turbo", "my-deployment"] {
                assert!(!Facts::of(provider, model).max_completion_tokens, "{model}");
            }
        }
        assert!(!Facts::of(Provider::OpenAICompatible, "gpt-5").max_completion_tokens);
    }
}
