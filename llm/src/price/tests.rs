use proptest::prelude::*;

use super::*;

fn listed(provider: Provider, model: &str) -> Price {
    Price::of(provider, model).unwrap_or_else(|| panic!("{model} must be listed")).clone()
}

fn counted(input: u64, output: u64) -> Usage {
    Usage { input: Some(input), output: Some(output), ..Usage::default() }
}

#[test]
fn prices_are_looked_up_by_provider_and_model_and_dated_names_fall_back_to_their_alias() {
    let alias = listed(Provider::Anthropic, "claude-haiku-4-5");
    assert_eq!(listed(Provider::Anthropic, "claude-haiku-4-5-20991231"), alias);
    assert_eq!(listed(Provider::OpenAI, "gpt-5-2099-01-01"), listed(Provider::OpenAI, "gpt-5"));
    assert_eq!(Price::of(Provider::Ollama, "gpt-5"), None);
    assert_eq!(Price::of(Provider::Anthropic, "claude-nobody"), None);
}

#[test]
fn every_figure_of_the_data_is_in_the_table_exactly() {
    let data = include_str!("../../data/model-prices.jsonl");
    // Read by another way than that of the build: a decimal point moved by six.
    let moved = |figure: &serde_json::Value| {
        let figure = figure.as_str()?;
        let at = figure.find('.').unwrap_or(figure.len());
        let digits: String = figure.chars().filter(|c| *c != '.').chain("000000".chars()).take(at + 6).collect();
        digits.parse::<u64>().ok()
    };
    let row = |figures: &serde_json::Value| Rates {
        input: moved(&figures["input"]),
        output: moved(&figures["output"]),
        cached_input: moved(&figures["cachedInput"]),
        cache_write: moved(&figures["cacheWrite"]),
        cache_write_1h: moved(&figures["cacheWrite1h"]),
        reasoning: moved(&figures["reasoning"]),
        audio_input: moved(&figures["audioInput"]),
        audio_output: moved(&figures["audioOutput"]),
        image: moved(&figures["outputPerImage"]).map(|micros| micros * 1_000_000),
    };
    for line in data.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("must be JSON");
        let text = |key: &str| line[key].as_str().expect("must be text");
        let found = list::find(text("provider"), text("model")).expect("must be found");
        let price = &PRICES[usize::from(found.price)];
        let listed = &line["usdPerMillion"];
        assert_eq!(price.base, row(listed), "{line}");
        let tiers: Vec<Tier> = listed["tiers"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|tier| Tier {
                above_input: tier["aboveInputTokens"].as_u64().expect("must be a number"),
                rates: row(tier),
            })
            .collect();
        assert_eq!(price.tiers, tiers, "{line}");
    }
    assert!(PRICES.len() < data.lines().count(), "equal prices must be kept once");
}

#[test]
fn an_unknown_price_is_null_and_an_explicit_zero_is_free() {
    let free = listed(Provider::Gemini, "gemma-3-27b-it");
    assert_eq!(free.cost(&counted(1_000, 1_000)), Some(0));
    let none = Price::flat(Rates::default());
    assert_eq!(none.cost(&counted(1, 0)), None);
    assert_eq!(none.cost(&counted(0, 1)), None);
    let half = Price::flat(Rates { input: Some(1), ..Rates::default() });
    assert_eq!((half.cost(&counted(7, 0)), half.cost(&counted(7, 1))), (Some(7), None));
    for seconds in ["whisper-1", "tts-1", "gpt-transcribe"] {
        assert_eq!(Price::of(Provider::OpenAI, seconds), None, "{seconds}");
    }
}

#[test]
fn counts_that_were_not_reported_make_the_cost_unknown() {
    let price = listed(Provider::OpenAI, "gpt-4o");
    assert_eq!(price.cost(&Usage::default()), None);
    assert_eq!(price.cost(&Usage { input: Some(1), ..Usage::default() }), None);
    assert_eq!(price.cost(&Usage { output: Some(1), ..Usage::default() }), None);
}

#[test]
fn counts_that_contradict_each_other_never_cost_more_than_the_whole() {
    let price = listed(Provider::Anthropic, "claude-sonnet-4-5");
    let odd = Usage {
        cached_input: Some(u64::MAX),
        cache_write: Some(u64::MAX),
        cache_write_1h: Some(u64::MAX),
        reasoning: Some(u64::MAX),
        ..counted(100, 10)
    };
    assert_eq!(price.cost(&odd), Some(100 * 300_000 + 10 * 15_000_000));
    let endless = Usage { output: Some(u64::MAX), ..counted(u64::MAX, 0) };
    assert_eq!(price.cost(&endless), None, "more than fits is not known");
}

#[test]
fn terms_that_no_price_is_known_for_make_the_cost_unknown() {
    let price = listed(Provider::OpenAI, "gpt-5");
    let on = |terms| price.cost(&Usage { terms, ..counted(1_000, 1_000) });
    assert_eq!(on(None), on(Some(Terms::Listed)));
    assert_eq!(on(Some(Terms::Other)), None);
    let flat = Price::flat(price.base);
    assert_eq!(flat.cost(&Usage { terms: Some(Terms::Flex), ..counted(1, 1) }), None);
}

proptest! {
    #[test]
    fn a_cost_never_falls_when_more_is_written_or_less_was_cached(
        input in 0..1_000_000_u64, output in 0..100_000_u64, cached in 0..1_000_000_u64, more in 0..1_000_u64,
    ) {
        let price = listed(Provider::Gemini, "gemini-2.5-pro");
        let usage = Usage { cached_input: Some(cached.min(input)), ..counted(input, output) };
        let cost = price.cost(&usage);
        prop_assert!(cost.is_some());
        let dearer = [
            Usage { output: Some(output + more), ..usage },
            Usage { cached_input: None, ..usage },
            Usage { input: Some(input + more), ..usage },
        ];
        for usage in dearer {
            prop_assert!(cost <= price.cost(&usage), "{:?}", usage);
        }
    }
}
