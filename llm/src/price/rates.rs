use crate::neutral::Usage;

/// Prices in picodollars for a token, and for an image. A price of dollars for a million tokens is as many millionths:
/// $0.15 is 150,000. An explicit 0 is free; `None` is not said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// A token of the prompt.
    pub input: Option<u64>,
    /// A token of the answer.
    pub output: Option<u64>,
    /// A token of the prompt that was in the provider's cache; as `input` if not said.
    pub cached_input: Option<u64>,
    /// A token of the prompt that was written to the provider's cache; as `input` if not said.
    pub cache_write: Option<u64>,
    /// The same, to be kept for an hour; as `cache_write` if not said.
    pub cache_write_1h: Option<u64>,
    /// A token of thinking; as `output` if not said.
    pub reasoning: Option<u64>,
    /// A token of sound in the prompt; as `input` if not said.
    pub audio_input: Option<u64>,
    /// A token of sound in the answer; as `output` if not said.
    pub audio_output: Option<u64>,
    /// A picture in the answer, whatever its tokens; if not said, they cost as `output`.
    pub image: Option<u64>,
}

impl Rates {
    /// A tier's rates, with what it leaves out taken from the base. What a cache holds keeps its ratio to the price of
    /// input, since that is how vendors set it: platform.claude.com/docs/en/about-claude/pricing, "Prompt caching".
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        let Self {
            input,
            output,
            cached_input,
            cache_write,
            cache_write_1h,
            reasoning,
            audio_input,
            audio_output,
            image,
        } = *self;
        let ratio = [input.or(base.input).unwrap_or(1), base.input.unwrap_or(1)];
        let kept = |own: Option<u64>, base: Option<u64>| own.or_else(|| base.map(|rate| times(rate, ratio)));
        Self {
            input: input.or(base.input),
            output: output.or(base.output),
            cached_input: kept(cached_input, base.cached_input),
            cache_write: kept(cache_write, base.cache_write),
            cache_write_1h: kept(cache_write_1h, base.cache_write_1h),
            // What thinking costs beside a tier's own answer is not to be guessed from a tier that does not say it.
            reasoning: reasoning.or(if output.is_some() { None } else { base.reasoning }),
            audio_input: audio_input.or(base.audio_input),
            audio_output: audio_output.or(base.audio_output),
            image: image.or(base.image),
        }
    }

    /// All rates of the prompt by one factor, those of the answer by another.
    pub(super) fn scaled(&self, prompt: [u64; 2], answer: [u64; 2]) -> Self {
        let Self {
            input,
            output,
            cached_input,
            cache_write,
            cache_write_1h,
            reasoning,
            audio_input,
            audio_output,
            image,
        } = *self;
        let scaled = |rate: Option<u64>, by| rate.map(|rate| times(rate, by));
        Self {
            input: scaled(input, prompt),
            output: scaled(output, answer),
            cached_input: scaled(cached_input, prompt),
            cache_write: scaled(cache_write, prompt),
            cache_write_1h: scaled(cache_write_1h, prompt),
            reasoning: scaled(reasoning, answer),
            audio_input: scaled(audio_input, prompt),
            audio_output: scaled(audio_output, answer),
            image: scaled(image, answer),
        }
    }

    /// The prompt: what was read from a cache, what was written to one, sound, and the rest. Counts that contradict the
    /// whole are cut to it.
    pub(super) fn input_cost(&self, input: u64, usage: &Usage) -> Option<u128> {
        let mut rest = input;
        let cached = take(&mut rest, usage.cached_input);
        let mut written = take(&mut rest, usage.cache_write.or(usage.cache_write_1h));
        let written_1h = take(&mut written, usage.cache_write_1h);
        let audio = take(&mut rest, usage.audio_input);
        let cache_write = self.cache_write.or(self.input);
        sum([
            (rest, self.input),
            (cached, self.cached_input.or(self.input)),
            (written, cache_write),
            (written_1h, self.cache_write_1h.or(cache_write)),
            (audio, self.audio_input.or(self.input)),
        ])
    }

    /// The answer: thinking, sound, pictures, and the rest.
    pub(super) fn output_cost(&self, output: u64, usage: &Usage) -> Option<u128> {
        let mut rest = output;
        let reasoning = take(&mut rest, usage.reasoning);
        let audio = take(&mut rest, usage.audio_output);
        let image_tokens = take(&mut rest, usage.image_output);
        let images = match (self.image, usage.images.filter(|images| *images > 0)) {
            (Some(_), Some(images)) => (images, self.image),
            // Their number is what costs, and nobody counted them.
            (Some(_), None) if image_tokens > 0 => return None,
            (Some(_) | None, _) => (image_tokens, self.output),
        };
        sum([
            (rest, self.output),
            (reasoning, self.reasoning.or(self.output)),
            (audio, self.audio_output.or(self.output)),
            images,
        ])
    }
}

/// Takes so much of what is left, as far as there is so much.
fn take(rest: &mut u64, count: Option<u64>) -> u64 {
    let taken = count.unwrap_or(0).min(*rest);
    *rest -= taken;
    taken
}

/// What is not there costs nothing, whatever its price.
fn sum<const N: usize>(parts: [(u64, Option<u64>); N]) -> Option<u128> {
    parts.into_iter().try_fold(0_u128, |sum, (count, rate)| match count {
        0 => Some(sum),
        count => sum.checked_add(u128::from(count) * u128::from(rate?)),
    })
}

/// A rate by a factor, rounded up: rather too much than too little. By nothing over nothing it stays.
fn times(rate: u64, [over, under]: [u64; 2]) -> u64 {
    if under == 0 {
        return rate;
    }
    let product = (u128::from(rate) * u128::from(over)).div_ceil(u128::from(under));
    u64::try_from(product).unwrap_or(u64::MAX)
}
