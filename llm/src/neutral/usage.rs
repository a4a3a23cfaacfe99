/// Tokens of one answer. Absent is not zero: a field is `None` until a provider reports it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// All of the prompt, tokens read from and written to a cache included.
    pub input: Option<u64>,
    /// All of the answer, reasoning included.
    pub output: Option<u64>,
    /// Of `input`: read from the provider's cache.
    pub cached_input: Option<u64>,
    /// Of `input`: written to the provider's cache.
    pub cache_write: Option<u64>,
    /// Of `cache_write`: kept for an hour, which costs more.
    pub cache_write_1h: Option<u64>,
    /// Of `output`: thinking.
    pub reasoning: Option<u64>,
    /// Of `input`: sound.
    pub audio_input: Option<u64>,
    /// Of `output`: sound.
    pub audio_output: Option<u64>,
    /// Of `output`: pictures.
    pub image_output: Option<u64>,
    /// How many pictures the answer has; some are paid by the piece.
    pub images: Option<u64>,
    /// On what terms the answer was made.
    pub terms: Option<Terms>,
}

/// What changes the price of an answer, as its provider reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Terms {
    /// The list price.
    Listed,
    /// OpenAI's `service_tier: flex`.
    Flex,
    /// Anthropic's `inference_geo: us`.
    InCountry,
    /// Some other tier or speed.
    Other,
}

impl Terms {
    /// What a `service_tier` says in an answer.
    pub(crate) fn of_tier(word: &str) -> Self {
        match word {
            "default" | "standard" | "on_demand" | "unspecified" => Self::Listed,
            "flex" => Self::Flex,
            _ => Self::Other,
        }
    }
}

impl Usage {
    /// Takes over each field that `later` reports: usage is cumulative, so the latest wins and nothing is added.
    pub fn update(&mut self, later: &Self) {
        let Self {
            input,
            output,
            cached_input,
            cache_write,
            cache_write_1h,
            reasoning,
            audio_input,
            audio_output,
            image_output,
            images,
            terms,
        } = later;
        self.input = input.or(self.input);
        self.output = output.or(self.output);
        self.cached_input = cached_input.or(self.cached_input);
        self.cache_write = cache_write.or(self.cache_write);
        self.cache_write_1h = cache_write_1h.or(self.cache_write_1h);
        self.reasoning = reasoning.or(self.reasoning);
        self.audio_input = audio_input.or(self.audio_input);
        self.audio_output = audio_output.or(self.audio_output);
        self.image_output = image_output.or(self.image_output);
        self.images = images.or(self.images);
        self.terms = terms.or(self.terms);
    }

    /// Whether anything was counted.
    pub fn is_reported(&self) -> bool {
        Self { terms: None, ..*self } != Self::default()
    }

    /// Prompt and answer together, where both are known.
    pub fn total(&self) -> Option<u64> {
        Some(self.input?.saturating_add(self.output?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_cumulative_so_the_latest_of_each_field_wins_and_absent_is_not_zero() {
        let mut usage = Usage { input: Some(10), output: Some(1), ..Usage::default() };
        usage.update(&Usage { output: Some(7), reasoning: Some(0), ..Usage::default() });
        assert_eq!(usage, Usage { input: Some(10), output: Some(7), reasoning: Some(0), ..Usage::default() });
        assert_eq!(usage.total(), Some(17));
    }
}
