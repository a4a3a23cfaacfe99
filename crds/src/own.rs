//! The file in which users keep their own prices and facts of models. Not a kind: it is infrastructure, given by a flag.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::MODEL_NAME;
use crate::path::Path;
use crate::{FieldError, ProviderType, Usd};

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OwnModels {
    /// Rows that stand before the built-in ones.
    #[schemars(length(max = 4096), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["provider", "model"]))]
    pub models: Vec<OwnModel>,
}

/// What is said of one model. What is left out is as it is built in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnModel {
    /// The type of the AIProviders that serve it.
    pub provider: ProviderType,
    /// The provider's own name of the model; without a date it also stands for the dated ones.
    #[schemars(length(min = 1, max = 253), regex(pattern = MODEL_NAME))]
    pub model: String,
    /// All of its prices. None of the built-in ones are added to them.
    #[serde(default)]
    pub pricing: Option<OwnPricing>,
    /// The most tokens that it reads and writes together.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub context_window: Option<u32>,
    /// The most tokens that it writes.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub max_output_tokens: Option<u32>,
    /// What it takes.
    #[serde(default)]
    pub facts: Option<OwnFacts>,
}

/// Prices in US dollars per million tokens. What is left out costs as that of which it is a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnPricing {
    /// Prices of requests up to the first tier.
    #[serde(flatten)]
    pub base: OwnRates,
    /// Prices of longer requests, by rising length.
    #[serde(default)]
    #[schemars(length(max = 8))]
    pub tiers: Vec<OwnTier>,
    /// Prices in OpenAI's flex processing. Without it, what an answer on these terms cost is unknown.
    #[serde(default)]
    pub flex: Option<OwnFlex>,
}

/// Prices in US dollars per million tokens, and per image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnRates {
    /// Of the prompt.
    #[serde(default)]
    pub input: Option<Usd>,
    /// Of the answer.
    #[serde(default)]
    pub output: Option<Usd>,
    /// Of the prompt, read from the provider's cache.
    #[serde(default)]
    pub cached_input: Option<Usd>,
    /// Of the prompt, written to the provider's cache.
    #[serde(default)]
    pub cache_write: Option<Usd>,
    /// The same, kept for an hour.
    #[serde(default)]
    pub cache_write_1h: Option<Usd>,
    /// Of the answer, thinking.
    #[serde(default)]
    pub reasoning: Option<Usd>,
    /// Of the prompt, sound.
    #[serde(default)]
    pub audio_input: Option<Usd>,
    /// Of the answer, sound.
    #[serde(default)]
    pub audio_output: Option<Usd>,
    /// Of one image of the answer.
    #[serde(default)]
    pub output_per_image: Option<Usd>,
}

/// Prices of a whole request that is longer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnTier {
    /// It is for requests with more tokens in their prompt.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub above_input_tokens: u32,
    /// Its prices.
    #[serde(flatten)]
    pub rates: OwnRates,
}

/// Prices in US dollars per million tokens, of requests up to the first tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OwnFlex {
    /// Of the prompt.
    pub input: Usd,
    /// Of the answer.
    pub output: Usd,
}

/// What a model takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnFacts {
    /// It thinks before it answers without being asked.
    #[serde(default)]
    pub thinks_unasked: Option<bool>,
    /// How thinking is asked for.
    #[serde(default)]
    pub thinking: Option<OwnThinking>,
    /// It continues a final assistant message.
    #[serde(default)]
    pub prefill: Option<bool>,
    /// Which sampling parameters it takes.
    #[serde(default)]
    pub sampling: Option<OwnSampling>,
    /// A tool call can be forced.
    #[serde(default)]
    pub forced_tools: Option<bool>,
    /// It takes a JSON schema for its answer natively.
    #[serde(default)]
    pub json_schema: Option<bool>,
    /// It takes system messages between the others.
    #[serde(default)]
    pub inline_system: Option<bool>,
    /// It takes presence and frequency penalties.
    #[serde(default)]
    pub penalties: Option<bool>,
    /// It takes a schema for its answer and tools in one request.
    #[serde(default)]
    pub schema_beside_tools: Option<bool>,
    /// Gemini: it refuses a call of its own that comes back without its signature.
    #[serde(default)]
    pub signed_calls: Option<bool>,
    /// OpenAI: the bound is called `max_completion_tokens`.
    #[serde(default)]
    pub max_completion_tokens: Option<bool>,
    /// Bytes of text in ten of its tokens, for estimates.
    #[serde(default)]
    #[schemars(range(min = 15, max = 60))]
    pub bytes_per_ten_tokens: Option<u16>,
}

/// How a model is asked to think.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OwnThinking {
    /// None: it is not. Budget: Anthropic's, in tokens. Adaptive: Anthropic's, by effort. Effort: OpenAI's. Tokens:
    /// Gemini's, in tokens. Level: Gemini's, by a word. Think: Ollama's.
    #[serde(rename = "type")]
    pub type_: ThinkingType,
    /// With `type: Adaptive`. Defaults to neither.
    #[serde(default)]
    pub adaptive: Option<AdaptiveThinking>,
    /// With `type: Tokens`, where it is required.
    #[serde(default)]
    pub tokens: Option<TokenThinking>,
    /// With `type: Level`. Defaults to neither.
    #[serde(default)]
    pub level: Option<LevelThinking>,
    /// With `type: Think`. Defaults to one that can't be turned off.
    #[serde(default)]
    pub think: Option<OllamaThinking>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ThinkingType {
    None,
    Budget,
    Adaptive,
    Effort,
    Tokens,
    Level,
    Think,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AdaptiveThinking {
    /// It cannot be turned off.
    #[serde(default)]
    pub always: bool,
    /// It knows the effort `xhigh`.
    #[serde(default)]
    pub xhigh: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenThinking {
    /// The least that it takes, apart from none at all.
    pub least: u32,
    /// The most that it takes.
    pub most: u32,
    /// It can be turned off.
    #[serde(default)]
    pub off: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LevelThinking {
    /// It knows `MINIMAL`.
    #[serde(default)]
    pub minimal: bool,
    /// It knows `MEDIUM`.
    #[serde(default)]
    pub medium: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OllamaThinking {
    /// It can be turned off, and knows the level `max`.
    #[serde(default)]
    pub off: bool,
}

/// Which sampling parameters a model takes: all, temperature or top_p but not both, none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OwnSampling {
    Free,
    Either,
    Fixed,
}

impl OwnModels {
    /// What the schema does not say.
    pub(crate) fn check(&self, path: &Path<'_>, out: &mut Vec<FieldError>) {
        let list = path.field("models");
        for (index, model) in self.models.iter().enumerate() {
            let row = list.item(index);
            if let Some(pricing) = &model.pricing {
                pricing.check(&row.field("pricing"), out);
            }
            if let Some(thinking) = model.facts.as_ref().and_then(|facts| facts.thinking.as_ref()) {
                thinking.check(&row.field("facts").field("thinking"), out);
            }
        }
    }
}

impl OwnPricing {
    fn check(&self, path: &Path<'_>, out: &mut Vec<FieldError>) {
        let tiers = path.field("tiers");
        for (index, pair) in self.tiers.windows(2).enumerate() {
            if pair[0].above_input_tokens >= pair[1].above_input_tokens {
                let tier = tiers.item(index + 1);
                out.push(tier.field("aboveInputTokens").error("must be more than that of the tier before it"));
            }
        }
        let needed = [("input", &self.base.input), ("output", &self.base.output)];
        for (name, _) in needed.into_iter().filter(|(_, price)| self.flex.is_some() && price.is_none()) {
            out.push(path.field(name).error("is required with flex: other prices follow the ratio of the two"));
        }
    }
}

impl OwnThinking {
    fn check(&self, path: &Path<'_>, out: &mut Vec<FieldError>) {
        if self.type_ == ThinkingType::Tokens && self.tokens.is_none() {
            out.push(path.field("tokens").error("is required with type: Tokens, e.g. {least: 128, most: 32768}"));
        }
        let parts = [
            ("adaptive", ThinkingType::Adaptive, self.adaptive.is_some()),
            ("tokens", ThinkingType::Tokens, self.tokens.is_some()),
            ("level", ThinkingType::Level, self.level.is_some()),
            ("think", ThinkingType::Think, self.think.is_some()),
        ];
        for (name, wanted, is_there) in parts {
            if is_there && self.type_ != wanted {
                out.push(path.field(name).error(&format!("is only allowed with type: {wanted:?}")));
            }
        }
    }
}
