//! What a request will probably take, known before it is sent: for limits and for choosing among targets. And what it has
//! taken, where its provider does not say.

use crate::facts::Facts;
use crate::neutral::Usage;
use crate::price::Price;
use crate::scan::Scan;
use crate::seen::Seen;

/// Tokens of a picture, document or sound. OpenAI counts 765 for a picture of 1024 x 1024, Anthropic at most about 1,600,
/// Gemini 258 to 1,120; how large one is would only be known by decoding it.
const MEDIUM: u64 = 1_000;

/// Bytes of text in ten tokens. Beyond these no tokenizer goes with any language, whatever a file of facts says.
const BYTES: [u16; 2] = [15, 60];

/// No model writes more tokens, where nothing is known of it.
const LONGEST: u64 = 128_000;

/// Tokens that a model thinks in a second. Those of today's that think do so at 50 to 200: who leaves pays rather too little.
const THOUGHT_PER_SECOND: u64 = 50;

/// What tokens are estimated from, whatever model reads the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    text_bytes: usize,
    tokens: usize,
    media: usize,
    max_tokens: Option<u64>,
    choices: u64,
    reasons: bool,
}

/// Tokens that a request will probably take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Of the prompt; never 0.
    pub input: u64,
    /// Of the answer.
    pub output: u64,
}

impl Estimate {
    /// Of a request to a model. `expected_output` is how many tokens an answer has, unless the client bounds it lower; 0
    /// where there is none, as for embeddings.
    pub fn of(scan: &Scan, facts: &Facts, expected_output: u64) -> Self {
        let most = facts.max_output.map_or(u64::MAX, u64::from);
        let each = scan.max_tokens.unwrap_or(expected_output).min(expected_output).min(most);
        Self { input: Size::of(scan).input(facts), output: each.saturating_mul(scan.choices) }
    }

    /// What it will probably cost, in picodollars; `None` where a price is not known.
    pub fn cost(&self, price: &Price) -> Option<u64> {
        price.cost(&Usage { input: Some(self.input), output: Some(self.output), ..Usage::default() })
    }
}

impl Size {
    /// Of a request.
    pub fn of(scan: &Scan) -> Self {
        let Scan { text_bytes, tokens, media, max_tokens, choices, reasons, .. } = *scan;
        Self { text_bytes, tokens, media, max_tokens, choices, reasons }
    }

    /// Tokens of the prompt, for a model of these facts; never 0.
    pub fn input(&self, facts: &Facts) -> u64 {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let text = tokens(count(self.text_bytes), facts).saturating_add(count(self.tokens));
        text.saturating_add(count(self.media).saturating_mul(MEDIUM)).max(1)
    }

    /// Tokens of what was seen of an answer, thinking apart. What was not read counts as if all of it were text, and as no
    /// more than the client or the model bounds an answer to.
    pub fn said(&self, seen: &Seen, facts: &Facts) -> u64 {
        tokens(seen.said, facts).saturating_add(tokens(seen.unread, facts).min(self.most(facts)))
    }

    /// Tokens of the thinking that a model must have done that was silent for so long: none that does not think. Most
    /// providers hide what their models think, and say how much it was at the end only.
    pub fn unseen(&self, seconds: u64, facts: &Facts) -> u64 {
        let thinks = self.reasons || facts.thinks_unasked;
        if thinks { seconds.saturating_mul(THOUGHT_PER_SECOND).min(self.most(facts)) } else { 0 }
    }

    /// All that its answers can have.
    fn most(&self, facts: &Facts) -> u64 {
        let model = facts.max_output.map_or(LONGEST, u64::from);
        self.max_tokens.unwrap_or(model).min(model).saturating_mul(self.choices)
    }
}

/// Tokens of so many bytes of text, for a model of these facts.
pub fn tokens(bytes: u64, facts: &Facts) -> u64 {
    let [least, most] = BYTES;
    bytes.saturating_mul(10).div_ceil(facts.bytes_per_ten_tokens.clamp(least, most).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::call::Call;
    use crate::facts::Provider;

    fn facts() -> Facts {
        Facts::of(Provider::OpenAI, "gpt-4o")
    }

    fn scan(body: &serde_json::Value) -> Box<Scan> {
        let scan = crate::scan::scan(&Call::chat(crate::Dialect::OpenAI), body.to_string().as_bytes());
        scan.expect("must be a request")
    }

    fn estimate(body: &serde_json::Value, expected: u64) -> Estimate {
        Estimate::of(&scan(body), &facts(), expected)
    }

    fn size(body: &serde_json::Value) -> Size {
        Size::of(&scan(body))
    }

    fn request(content: serde_json::Value) -> serde_json::Value {
        serde_json::json!({"model": "gpt-4o", "messages": [{"role": "user", "content": content}]})
    }

    #[test]
    fn text_counts_by_its_bytes_pictures_by_a_constant_and_base64_not_at_all() {
        let base = estimate(&request("".into()), 0).input;
        assert_eq!(estimate(&request("x".repeat(4_000).into()), 0).input, base + 1_000);
        let picture = |bytes: usize| {
            let url = format!("data:image/png;base64,{}", "A".repeat(bytes));
            estimate(&request(serde_json::json!([{"type": "image_url", "image_url": {"url": url}}])), 0).input
        };
        assert_eq!(picture(40_000), picture(4));
        assert!(picture(4) >= 1_000 && picture(4) < 1_100, "{}", picture(4));
    }

    #[test]
    fn the_answer_is_the_client_s_bound_at_most_what_is_expected_for_each_choice() {
        let mut body = request("hi".into());
        assert_eq!(estimate(&body, 1_024).output, 1_024);
        body["max_tokens"] = 100.into();
        assert_eq!(estimate(&body, 1_024).output, 100);
        body["max_tokens"] = 100_000.into();
        assert_eq!(estimate(&body, 1_024).output, 1_024);
        body["n"] = 3.into();
        assert_eq!(estimate(&body, 1_024).output, 3_072);
        assert_eq!(estimate(&body, 1_000_000).output, 3 * 16_384, "no answer is longer than the model's own bound");
    }

    #[test]
    fn the_cost_is_that_of_the_tokens_and_unknown_where_the_price_is() {
        let price = Price::of(Provider::OpenAI, "gpt-4o").expect("must be listed");
        let estimate = Estimate { input: 1_000, output: 500 };
        assert_eq!(estimate.cost(price), Some(1_000 * 2_500_000 + 500 * 10_000_000));
        assert_eq!(estimate.cost(&Price::flat(crate::price::Rates::default())), None);
    }

    #[test]
    fn tokens_in_place_of_text_are_counted_as_they_are() {
        let call = Call::new(crate::Dialect::OpenAI, crate::call::Operation::Embeddings);
        let scan = crate::scan::scan(&call, br#"{"model":"m","input":[[1,2,3],[4,5]]}"#).expect("must be a request");
        assert_eq!(Size::of(&scan).input(&facts()), 5);
    }

    #[test]
    fn what_was_seen_of_an_answer_counts_by_its_bytes_and_what_was_not_read_by_the_bound() {
        let mut body = request("hi".into());
        let seen = |said, unread| Seen { said, unread, ..Seen::default() };
        assert_eq!(
            size(&body).said(&seen(400_000, 0), &facts()),
            100_000,
            "even where the model should not have said it"
        );
        assert_eq!(size(&body).said(&seen(0, 4_000), &facts()), 1_000);
        assert_eq!(size(&body).said(&seen(0, 40_000_000), &facts()), 16_384);
        body["max_tokens"] = 100.into();
        assert_eq!(size(&body).said(&seen(0, 40_000_000), &facts()), 100);
        let nobody = Facts { max_output: None, ..facts() };
        assert_eq!(size(&request("hi".into())).said(&seen(0, 40_000_000), &nobody), LONGEST);
    }

    #[test]
    fn only_a_model_that_thinks_is_held_to_have_thought_and_never_more_than_the_bound() {
        let mut body = request("hi".into());
        assert_eq!(size(&body).unseen(10, &facts()), 0);
        assert_eq!(size(&body).unseen(10, &Facts { thinks_unasked: true, ..facts() }), 500);
        body["reasoning_effort"] = "high".into();
        assert_eq!(size(&body).unseen(10, &facts()), 500);
        body["max_tokens"] = 100.into();
        assert_eq!(size(&body).unseen(10, &facts()), 100);
    }

    proptest! {
        #[test]
        fn an_estimate_rises_with_text_and_pictures_is_never_0_and_stays_within_any_tokenizer(
            bytes in 0..50_000_000_usize, more in 0..1_000_usize, media in 0..100_usize, ratio: u16,
        ) {
            let facts = Facts { bytes_per_ten_tokens: ratio, ..facts() };
            let input = |text_bytes, media| Size { text_bytes, media, ..size(&request("".into())) }.input(&facts);
            let tokens = input(bytes, media);
            prop_assert!(tokens >= 1);
            prop_assert!(tokens <= input(bytes + more, media));
            prop_assert!(tokens < input(bytes, media + 1));
            let text = tokens.max(2) - u64::try_from(media)? * MEDIUM;
            let bytes = u64::try_from(bytes)?;
            prop_assert!(text <= bytes + 2 && text >= bytes / 6, "{} of {}", text, bytes);
        }
    }
}
