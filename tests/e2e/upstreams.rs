//! A provider of each kind that clients of every dialect are tried with, and the fake that plays it.

use penstock_tests::fake::Fakes;

use crate::bed::provider;

pub(crate) struct Upstream {
    pub(crate) name: &'static str,
    pub(crate) fake: &'static str,
    /// As its spec says, with what else the kind wants said.
    pub(crate) of_type: &'static str,
    /// What follows the fake's URL.
    below: &'static str,
    pub(crate) model: &'static str,
    pub(crate) thinker: &'static str,
    /// One that wants something else of its clients than `model` does.
    strict: Option<&'static str>,
    /// Its answers show the thinking.
    pub(crate) shows_thinking: bool,
    /// What a request must hold that asks it to think.
    pub(crate) asks_to_think: &'static str,
    /// What the scripts of `tests/sdk` are told that it lacks.
    pub(crate) lacks: &'static str,
}

pub(crate) const UPSTREAMS: [Upstream; 7] = [
    Upstream {
        name: "OpenAI",
        fake: "openai",
        of_type: "OpenAI",
        below: "/v1",
        model: "gpt-4o",
        thinker: "o4-mini",
        strict: None,
        shows_thinking: false,
        asks_to_think: "effort",
        lacks: "plain-chunks",
    },
    Upstream {
        name: "Anthropic",
        fake: "anthropic",
        of_type: "Anthropic",
        below: "",
        model: "claude-sonnet-4-5",
        thinker: "claude-sonnet-4-5",
        strict: None,
        shows_thinking: true,
        asks_to_think: "thinking",
        lacks: "",
    },
    Upstream {
        name: "Gemini",
        fake: "gemini",
        of_type: "Gemini",
        below: "/v1beta",
        model: "gemini-2.5-flash",
        thinker: "gemini-2.5-pro",
        // Wants its signatures back.
        strict: Some("gemini-3.5-flash"),
        shows_thinking: true,
        asks_to_think: "thinkingConfig",
        lacks: "one-call,pieces",
    },
    Upstream {
        name: "Mistral",
        fake: "mistral",
        of_type: "Mistral",
        below: "/v1",
        model: "mistral-large-latest",
        thinker: "mistral-small-latest",
        strict: None,
        shows_thinking: true,
        asks_to_think: "reasoning_effort",
        lacks: "pieces",
    },
    Upstream {
        name: "AzureOpenAI",
        fake: "azure",
        of_type: "AzureOpenAI\n  azure: {apiVersion: 2024-10-21}",
        below: "",
        model: "gpt-4.1",
        thinker: "o3-mini",
        strict: None,
        shows_thinking: false,
        asks_to_think: "effort",
        lacks: "plain-chunks",
    },
    Upstream {
        name: "Ollama",
        fake: "ollama",
        of_type: "Ollama",
        below: "",
        model: "llama3.2",
        thinker: "qwen3",
        strict: None,
        shows_thinking: true,
        asks_to_think: "think",
        lacks: "one-call,choice,pieces",
    },
    Upstream {
        name: "DeepSeek",
        fake: "deepseek",
        of_type: "OpenAICompatible\n  preset: DeepSeek",
        below: "/v1",
        model: "deepseek-chat",
        thinker: "deepseek-reasoner",
        strict: None,
        shows_thinking: true,
        asks_to_think: "deepseek-reasoner",
        lacks: "",
    },
];

impl Upstream {
    /// The base URL of its provider.
    pub(crate) fn url(&self, fakes: &Fakes) -> String {
        fakes.url(self.fake) + self.below
    }

    /// The models that whatever does not think is tried with.
    pub(crate) fn models(&self) -> impl Iterator<Item = &'static str> {
        [Some(self.model), self.strict].into_iter().flatten()
    }

    /// The AIProvider with all of its models, named after the fake.
    fn resource(&self, fakes: &Fakes) -> String {
        let thinker = Some(self.thinker).filter(|thinker| *thinker != self.model);
        let models = self.models().chain(thinker).collect::<Vec<_>>().join("}, {name: ");
        provider(self.fake, self.of_type, &self.url(fakes), "key-of-the-proxy", &models)
    }
}

/// The AIProviders of all of them.
pub(crate) fn resources(fakes: &Fakes) -> String {
    UPSTREAMS.iter().map(|upstream| upstream.resource(fakes)).collect::<Vec<_>>().join("---\n")
}
