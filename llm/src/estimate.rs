//! What a request will probably take, known before it is sent: for limits and for choosing among targets.

use crate::facts::Facts;
use crate::neutral::Usage;
use crate::price::Price;
use crate::scan::Scan;

/// Tokens of a picture, document or sound. OpenAI counts 765 for a picture of 1024 x 1024, Anthropic at most about 1,600,
/// Gemini 258 to 1,120; how large one is would only be known by decoding it.
const MEDIUM: u64 = 1_000;

/// Bytes of text in ten tokens. Beyond these no tokenizer goes with any language, whatever a file of facts says.
const BYTES: [u16; 2] = [15, 60];

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
        Self { input: input(scan.text_bytes, scan.media, facts), output: each.saturating_mul(scan.choices) }
    }

    /// What it will probably cost, in picodollars; `None` where a price is not known.
    pub fn cost(&self, price: &Price) -> Option<u64> {
        price.cost(&Usage { input: Some(self.input), output: Some(self.output), ..Usage::default() })
    }
}

fn input(text_bytes: usize, media: usize, facts: &Facts) -> u64 {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let [least, most] = BYTES;
    let text = count(text_bytes).saturating_mul(10).div_ceil(facts.bytes_per_ten_tokens.clamp(least, most).into());
    text.saturating_add(count(media).saturating_mul(MEDIUM)).max(1)
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

    fn estimate(body: &serde_json::Value, expected: u64) -> Estimate {
        let scan = crate::scan::scan(&Call::chat(crate::Dialect::OpenAI), body.to_string().as_bytes());
        Estimate::of(&scan.expect("must be a request"), &facts(), expected)
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

    proptest! {
        #[test]
        fn an_estimate_rises_with_text_and_pictures_is_never_0_and_stays_within_any_tokenizer(
            bytes in 0..50_000_000_usize, more in 0..1_000_usize, media in 0..100_usize, ratio: u16,
        ) {
            let facts = Facts { bytes_per_ten_tokens: ratio, ..facts() };
            let tokens = input(bytes, media, &facts);
            prop_assert!(tokens >= 1);
            prop_assert!(tokens <= input(bytes + more, media, &facts));
            prop_assert!(tokens < input(bytes, media + 1, &facts));
            let text = tokens.max(2) - u64::try_from(media)? * MEDIUM;
            let bytes = u64::try_from(bytes)?;
            prop_assert!(text <= bytes + 2 && text >= bytes / 6, "{} of {}", text, bytes);
        }
    }
}
