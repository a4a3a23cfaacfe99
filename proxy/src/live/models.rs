//! What is known of models: users' own rows before the built-in ones.

use std::{borrow::Cow, collections::HashMap};

use penstock_crds::{
    Pricing, Usd,
    own::{OwnFacts, OwnModel, OwnPricing, OwnRates, OwnSampling, OwnThinking, ThinkingType},
    read::{Problem, own_models},
};
use penstock_llm::{
    compatible::Manners,
    facts::{self, Facts, Provider, Sampling, Thinking},
    price::{Price, Rates, Tier},
};

/// Users' own prices and facts, over the built-in ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Models(HashMap<(Provider, String), OwnModel>);

impl Models {
    /// Reads a file of users' own rows.
    ///
    /// # Errors
    /// What is wrong with it, by line and field. Nothing of it counts then.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let rows = own_models(text)?.into_iter();
        Ok(Self(rows.map(|row| ((super::provider::vendor(row.provider), row.model.clone()), row)).collect()))
    }

    /// What a model costs: as its provider's object says, else the user's own row, else as built in. `None` where nobody
    /// says it.
    pub(crate) fn price(&self, provider: Provider, model: &str, said: Option<&Pricing>) -> Option<Price> {
        let own = || self.find(provider, model).and_then(|row| row.pricing.as_ref()).map(price);
        said.map(flat).or_else(own).or_else(|| Price::of(provider, model).cloned())
    }

    /// What is known of a model: each fact as the user's own row says, else as built in, for its server.
    pub(crate) fn facts(&self, provider: Provider, model: &str, manners: &Manners) -> Facts {
        let built_in = Facts::of(provider, model).at(manners);
        let Some(row) = self.find(provider, model) else { return built_in };
        let known = row.facts.as_ref().map_or(built_in, |own| over(own, built_in));
        Facts {
            context_window: row.context_window.or(built_in.context_window),
            max_output: row.max_output_tokens.or(built_in.max_output),
            ..known
        }
    }

    /// A dated name falls back to its alias.
    fn find(&self, provider: Provider, model: &str) -> Option<&OwnModel> {
        let row = |model: &str| self.0.get(&(provider, model.to_owned()));
        row(model).or_else(|| row(facts::alias(model)?))
    }
}

/// What an AIProvider says of a model.
fn flat(pricing: &Pricing) -> Price {
    let Pricing { input, output, cached_input } = pricing;
    Price::flat(Rates {
        input: Some(input.micros()),
        output: Some(output.micros()),
        cached_input: cached_input.as_ref().map(Usd::micros),
        ..Rates::default()
    })
}

fn price(own: &OwnPricing) -> Price {
    let tiers =
        own.tiers.iter().map(|tier| Tier { above_input: tier.above_input_tokens.into(), rates: rates(&tier.rates) });
    Price {
        base: rates(&own.base),
        tiers: Cow::Owned(tiers.collect()),
        flex: own.flex.as_ref().map(|flex| [flex.input.micros(), flex.output.micros()]),
    }
}

fn rates(own: &OwnRates) -> Rates {
    let token = |price: &Option<Usd>| price.as_ref().map(Usd::micros);
    Rates {
        input: token(&own.input),
        output: token(&own.output),
        cached_input: token(&own.cached_input),
        cache_write: token(&own.cache_write),
        cache_write_1h: token(&own.cache_write_1h),
        reasoning: token(&own.reasoning),
        audio_input: token(&own.audio_input),
        audio_output: token(&own.audio_output),
        image: own.output_per_image.as_ref().map(Usd::picos),
    }
}

fn over(own: &OwnFacts, built_in: Facts) -> Facts {
    let sampling = own.sampling.map(|sampling| match sampling {
        OwnSampling::Free => Sampling::Free,
        OwnSampling::Either => Sampling::Either,
        OwnSampling::Fixed => Sampling::Fixed,
    });
    Facts {
        thinks_unasked: own.thinks_unasked.unwrap_or(built_in.thinks_unasked),
        thinking: own.thinking.as_ref().map_or(built_in.thinking, thinking),
        prefill: own.prefill.unwrap_or(built_in.prefill),
        sampling: sampling.unwrap_or(built_in.sampling),
        forced_tools: own.forced_tools.unwrap_or(built_in.forced_tools),
        json_schema: own.json_schema.unwrap_or(built_in.json_schema),
        inline_system: own.inline_system.unwrap_or(built_in.inline_system),
        penalties: own.penalties.unwrap_or(built_in.penalties),
        schema_beside_tools: own.schema_beside_tools.unwrap_or(built_in.schema_beside_tools),
        signed_calls: own.signed_calls.unwrap_or(built_in.signed_calls),
        max_completion_tokens: own.max_completion_tokens.unwrap_or(built_in.max_completion_tokens),
        bytes_per_ten_tokens: own.bytes_per_ten_tokens.unwrap_or(built_in.bytes_per_ten_tokens),
        ..built_in
    }
}

fn thinking(own: &OwnThinking) -> Thinking {
    match own.type_ {
        ThinkingType::None => Thinking::None,
        ThinkingType::Budget => Thinking::Budget,
        ThinkingType::Effort => Thinking::Effort,
        ThinkingType::Adaptive => {
            let own = own.adaptive.unwrap_or_default();
            Thinking::Adaptive { always: own.always, xhigh: own.xhigh }
        }
        ThinkingType::Tokens => {
            let own = own.tokens.expect("must be there: it was read");
            Thinking::Tokens { least: own.least, most: own.most, off: own.off }
        }
        ThinkingType::Level => {
            let own = own.level.unwrap_or_default();
            Thinking::Level { minimal: own.minimal, medium: own.medium }
        }
        ThinkingType::Think => Thinking::Think { off: own.think.unwrap_or_default().off },
    }
}

#[cfg(test)]
mod tests {
    use penstock_llm::neutral::Usage;

    use super::*;

    const OWN: &str = r#"
models:
- provider: Anthropic
  model: claude-haiku-4-5
  pricing: {input: "0.9", output: "4.5"}
- provider: Gemini
  model: gemini-2.5-pro
  pricing: {input: "1", output: "8", outputPerImage: "0.03", tiers: [{aboveInputTokens: 200000, input: "2", output: "12"}]}
  maxOutputTokens: 1000
  facts: {sampling: Fixed, thinking: {type: Tokens, tokens: {least: 1, most: 2}}, prefill: true}
- provider: Ollama
  model: mine
  contextWindow: 8192
  facts: {thinking: {type: Think, think: {off: true}}}
"#;

    fn own() -> Models {
        Models::read(OWN).expect("must be well formed")
    }

    fn cost(price: Option<Price>, input: u64) -> Option<u64> {
        price?.cost(&Usage { input: Some(input), output: Some(10), ..Usage::default() })
    }

    #[test]
    fn a_provider_s_object_goes_before_the_user_s_row_and_that_before_the_built_in_list() {
        let (models, built_in) = (own(), Models::default());
        let said = Pricing {
            input: "0.5".parse().expect("must be money"),
            output: "1".parse().expect("must be money"),
            cached_input: None,
        };
        let (vendor, dated) = (Provider::Anthropic, "claude-haiku-4-5-20251001");
        let of = |models: &Models, said| cost(models.price(vendor, dated, said), 1_000);
        assert_eq!(of(&built_in, None), Some(1_000 * 1_000_000 + 10 * 5_000_000));
        assert_eq!(of(&models, None), Some(1_000 * 900_000 + 10 * 4_500_000), "a row for all dates");
        assert_eq!(of(&models, Some(&said)), Some(1_000 * 500_000 + 10 * 1_000_000));
        let long = models.price(Provider::Gemini, "gemini-2.5-pro", None);
        assert_eq!(cost(long, 200_001), Some(200_001 * 2_000_000 + 10 * 12_000_000));
        assert_eq!(models.price(Provider::Ollama, "mine", None), None, "neither built in nor said");
    }

    #[test]
    fn facts_that_a_row_says_win_and_others_stay_built_in() {
        let (models, openai) = (own(), &Manners::OPENAI);
        let (vendor, name) = (Provider::Gemini, "gemini-2.5-pro");
        let expected = Facts {
            max_output: Some(1_000),
            sampling: Sampling::Fixed,
            thinking: Thinking::Tokens { least: 1, most: 2, off: false },
            prefill: true,
            ..Facts::of(vendor, name)
        };
        assert_eq!(models.facts(vendor, name, openai), expected);
        let mine = models.facts(Provider::Ollama, "mine", openai);
        assert_eq!((mine.context_window, mine.thinking), (Some(8_192), Thinking::Think { off: true }));
        assert_eq!(models.facts(Provider::OpenAI, "gpt-4o", openai), Facts::of(Provider::OpenAI, "gpt-4o"));
    }
}
