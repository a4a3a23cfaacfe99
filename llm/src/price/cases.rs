//! Sixty and more cases, each with what the vendor's page asks for each kind of token, and the sum worked out by hand.

use super::*;

/// Whose price it is, and the page that lists it.
type Page = (Provider, &'static str);

const OPENAI: Page = (Provider::OpenAI, "https://developers.openai.com/api/docs/pricing");
const ANTHROPIC: Page = (Provider::Anthropic, "https://platform.claude.com/docs/en/about-claude/pricing");
const GEMINI: Page = (Provider::Gemini, "https://ai.google.dev/gemini-api/docs/pricing");
const MISTRAL: Page = (Provider::Mistral, "https://mistral.ai/pricing");
const AZURE: Page = (Provider::AzureOpenAI, "https://azure.microsoft.com/pricing/details/azure-openai");

/// Page, model, what was counted, how much of it at how many dollars for a million, and the dollars in all.
type Case = (Page, &'static str, Usage, &'static [(u64, &'static str)], &'static str);

fn counted(input: u64, output: u64) -> Usage {
    Usage { input: Some(input), output: Some(output), ..Usage::default() }
}

/// Dollars in picodollars.
fn picos(dollars: &str) -> u64 {
    let (whole, fraction) = dollars.split_once('.').unwrap_or((dollars, ""));
    format!("{whole}{fraction:0<12}").parse().expect("must be dollars")
}

fn cases() -> Vec<Case> {
    vec![
        (OPENAI, "gpt-4o", counted(1_000, 500), &[(1_000, "2.5"), (500, "10")], "0.0075"),
        // A cached token is half of one.
        (
            OPENAI,
            "gpt-4o",
            Usage { cached_input: Some(600), ..counted(1_000, 500) },
            &[(400, "2.5"), (600, "1.25"), (500, "10")],
            "0.00675",
        ),
        (OPENAI, "gpt-4o-mini", counted(12_345, 678), &[(12_345, "0.15"), (678, "0.6")], "0.00225855"),
        // No price of cached tokens is listed: that of input.
        (
            OPENAI,
            "gpt-4o-2024-05-13",
            Usage { cached_input: Some(500), ..counted(1_000, 10) },
            &[(1_000, "5"), (10, "15")],
            "0.00515",
        ),
        (
            OPENAI,
            "gpt-4.1",
            Usage { cached_input: Some(75_000), ..counted(100_000, 2_000) },
            &[(25_000, "2"), (75_000, "0.5"), (2_000, "8")],
            "0.1035",
        ),
        (OPENAI, "gpt-4.1-mini", counted(3_000, 900), &[(3_000, "0.4"), (900, "1.6")], "0.00264"),
        (
            OPENAI,
            "gpt-4.1-nano-2025-04-14",
            Usage { cached_input: Some(49_920), ..counted(50_000, 50) },
            &[(80, "0.1"), (49_920, "0.025"), (50, "0.4")],
            "0.001276",
        ),
        // Reasoning is inside the answer.
        (OPENAI, "o1", Usage { reasoning: Some(2_500), ..counted(200, 3_000) }, &[(200, "15"), (3_000, "60")], "0.183"),
        (
            OPENAI,
            "o3",
            Usage { reasoning: Some(1_024), ..counted(10_000, 1_500) },
            &[(10_000, "2"), (1_500, "8")],
            "0.032",
        ),
        (
            OPENAI,
            "o4-mini",
            Usage { cached_input: Some(1_024), reasoning: Some(256), ..counted(2_048, 512) },
            &[(1_024, "1.1"), (1_024, "0.275"), (512, "4.4")],
            "0.0036608",
        ),
        (
            OPENAI,
            "gpt-5",
            Usage { cached_input: Some(8_192), reasoning: Some(1_984), ..counted(9_000, 2_100) },
            &[(808, "1.25"), (8_192, "0.125"), (2_100, "10")],
            "0.023034",
        ),
        (OPENAI, "gpt-5-mini-2025-08-07", counted(700, 70), &[(700, "0.25"), (70, "2")], "0.000315"),
        (OPENAI, "gpt-5-nano", counted(1, 1), &[(1, "0.05"), (1, "0.4")], "0.00000045"),
        (
            OPENAI,
            "gpt-5-pro",
            Usage { reasoning: Some(3_500), ..counted(1_200, 4_000) },
            &[(1_200, "15"), (4_000, "120")],
            "0.498",
        ),
        (
            OPENAI,
            "gpt-5.1",
            Usage { cached_input: Some(63_488), ..counted(64_000, 1_000) },
            &[(512, "1.25"), (63_488, "0.125"), (1_000, "10")],
            "0.018576",
        ),
        (OPENAI, "gpt-5.2", counted(333, 777), &[(333, "1.75"), (777, "14")], "0.01146075"),
        // A tier begins above its bound.
        (OPENAI, "gpt-5.4", counted(272_000, 1_000), &[(272_000, "2.5"), (1_000, "15")], "0.695"),
        // It is for the whole request, and cached tokens count towards it.
        (
            OPENAI,
            "gpt-5.4",
            Usage { cached_input: Some(200_000), ..counted(272_001, 1_000) },
            &[(72_001, "5"), (200_000, "0.5"), (1_000, "22.5")],
            "0.482505",
        ),
        (
            OPENAI,
            "gpt-5.6",
            Usage { cached_input: Some(10_000), cache_write: Some(4_096), ..counted(20_000, 400) },
            &[(5_904, "4"), (10_000, "0.4"), (4_096, "5"), (400, "20")],
            "0.056096",
        ),
        (
            OPENAI,
            "gpt-6-sol",
            Usage { cache_write: Some(100_000), ..counted(300_000, 2_000) },
            &[(200_000, "4"), (100_000, "5"), (2_000, "15")],
            "1.33",
        ),
        (
            OPENAI,
            "gpt-6.1-terra",
            Usage { cached_input: Some(5_000), ..counted(5_000, 5_000) },
            &[(5_000, "0.05"), (5_000, "5")],
            "0.02525",
        ),
        (
            OPENAI,
            "gpt-6-luna",
            Usage { cached_input: Some(6_000), cache_write: Some(3_000), ..counted(10_000, 100) },
            &[(1_000, "0.1"), (6_000, "0.01"), (3_000, "0.125"), (100, "0.5")],
            "0.000585",
        ),
        // Flex is half of all.
        (
            OPENAI,
            "gpt-5",
            Usage { cached_input: Some(8_000), terms: Some(Terms::Flex), ..counted(9_000, 2_000) },
            &[(1_000, "0.625"), (8_000, "0.0625"), (2_000, "5")],
            "0.011125",
        ),
        // So is flex of a long request.
        (
            OPENAI,
            "gpt-5.4",
            Usage { terms: Some(Terms::Flex), ..counted(300_000, 1_000) },
            &[(300_000, "2.5"), (1_000, "11.25")],
            "0.76125",
        ),
        (
            OPENAI,
            "gpt-4o-audio-preview-2025-06-03",
            Usage { audio_input: Some(1_000), audio_output: Some(600), ..counted(1_500, 800) },
            &[(500, "2.5"), (1_000, "40"), (200, "10"), (600, "80")],
            "0.09125",
        ),
        (
            OPENAI,
            "gpt-audio-mini",
            Usage { audio_input: Some(300), audio_output: Some(250), ..counted(400, 300) },
            &[(100, "0.6"), (300, "10"), (50, "2.4"), (250, "20")],
            "0.00818",
        ),
        (OPENAI, "gpt-3.5-turbo", counted(4_000, 96), &[(4_000, "0.5"), (96, "1.5")], "0.002144"),
        (OPENAI, "gpt-4-turbo-2024-04-09", counted(8_000, 1_000), &[(8_000, "10"), (1_000, "30")], "0.11"),
        // An embedding reports no answer.
        (
            OPENAI,
            "text-embedding-3-small",
            Usage { input: Some(8_191), ..Usage::default() },
            &[(8_191, "0.02")],
            "0.00016382",
        ),
        (
            OPENAI,
            "text-embedding-3-large",
            Usage { input: Some(100_000), ..Usage::default() },
            &[(100_000, "0.13")],
            "0.013",
        ),
        // A date that is not listed.
        (OPENAI, "gpt-5-2099-01-01", counted(10, 20), &[(10, "1.25"), (20, "10")], "0.0002125"),
        (ANTHROPIC, "claude-haiku-4-5", counted(1_000, 500), &[(1_000, "1"), (500, "5")], "0.0035"),
        (
            ANTHROPIC,
            "claude-haiku-4-5-20251001",
            Usage { cached_input: Some(20_000), ..counted(21_000, 500) },
            &[(1_000, "1"), (20_000, "0.1"), (500, "5")],
            "0.0055",
        ),
        (
            ANTHROPIC,
            "claude-haiku-4-5",
            Usage { cache_write: Some(5_000), ..counted(6_000, 100) },
            &[(1_000, "1"), (5_000, "1.25"), (100, "5")],
            "0.00775",
        ),
        (
            ANTHROPIC,
            "claude-haiku-4-5",
            Usage { cache_write: Some(5_000), cache_write_1h: Some(2_000), ..counted(6_000, 100) },
            &[(1_000, "1"), (3_000, "1.25"), (2_000, "2"), (100, "5")],
            "0.00925",
        ),
        (
            ANTHROPIC,
            "claude-sonnet-4-5",
            Usage {
                cached_input: Some(100_000),
                cache_write: Some(2_300),
                cache_write_1h: Some(2_000),
                ..counted(102_310, 50)
            },
            &[(10, "3"), (100_000, "0.3"), (300, "3.75"), (2_000, "6"), (50, "15")],
            "0.043905",
        ),
        (ANTHROPIC, "claude-sonnet-4-20250514", counted(150_000, 8_000), &[(150_000, "3"), (8_000, "15")], "0.57"),
        // No tier: the whole window costs the same.
        (ANTHROPIC, "claude-sonnet-4-6", counted(400_000, 4_000), &[(400_000, "3"), (4_000, "15")], "1.26"),
        (ANTHROPIC, "claude-opus-4-5-20251101", counted(4_321, 1_234), &[(4_321, "5"), (1_234, "25")], "0.052455"),
        // Thinking is inside the answer.
        (
            ANTHROPIC,
            "claude-opus-5",
            Usage { reasoning: Some(15_000), ..counted(900, 16_000) },
            &[(900, "5"), (16_000, "25")],
            "0.4045",
        ),
        (
            ANTHROPIC,
            "claude-opus-5-5",
            Usage { cached_input: Some(49_000), ..counted(50_000, 300) },
            &[(1_000, "4"), (49_000, "0.2"), (300, "20")],
            "0.0198",
        ),
        (
            ANTHROPIC,
            "claude-fable-5-1",
            Usage { cached_input: Some(799_000), ..counted(800_000, 2_000) },
            &[(1_000, "10"), (799_000, "0.25"), (2_000, "50")],
            "0.30975",
        ),
        // Only the part for an hour is reported.
        (
            ANTHROPIC,
            "claude-sonnet-5-5",
            Usage { cache_write_1h: Some(7_000), ..counted(7_000, 700) },
            &[(7_000, "4"), (700, "10")],
            "0.035",
        ),
        (ANTHROPIC, "claude-haiku-5-5", counted(100_000, 1_000), &[(100_000, "0.1"), (1_000, "0.5")], "0.0105"),
        (
            ANTHROPIC,
            "claude-haiku-5-5",
            Usage { cached_input: Some(120_000), ..counted(150_000, 1_000) },
            &[(30_000, "0.5"), (120_000, "0.05"), (1_000, "2.5")],
            "0.0235",
        ),
        // An hour costs twice the input, in the tier too.
        (
            ANTHROPIC,
            "claude-haiku-5-5",
            Usage { cache_write: Some(140_000), cache_write_1h: Some(40_000), ..counted(150_000, 1_000) },
            &[(10_000, "0.5"), (100_000, "0.625"), (40_000, "1"), (1_000, "2.5")],
            "0.11",
        ),
        // In the United States all costs a tenth more.
        (
            ANTHROPIC,
            "claude-opus-4-6",
            Usage { cached_input: Some(5_000), terms: Some(Terms::InCountry), ..counted(10_000, 1_000) },
            &[(5_000, "5.5"), (5_000, "0.55"), (1_000, "27.5")],
            "0.05775",
        ),
        (ANTHROPIC, "claude-opus-4-8-20990101", counted(2, 1), &[(2, "5"), (1, "25")], "0.000035"),
        (GEMINI, "gemini-2.5-flash", counted(1_000, 500), &[(1_000, "0.3"), (500, "2.5")], "0.00155"),
        // A minute of sound is 1,920 tokens.
        (
            GEMINI,
            "gemini-2.5-flash",
            Usage { audio_input: Some(1_920), ..counted(2_920, 100) },
            &[(1_000, "0.3"), (1_920, "1"), (100, "2.5")],
            "0.00247",
        ),
        (
            GEMINI,
            "gemini-2.5-flash",
            Usage { reasoning: Some(2_000), ..counted(100, 2_037) },
            &[(100, "0.3"), (2_037, "2.5")],
            "0.0051225",
        ),
        (GEMINI, "gemini-2.5-pro", counted(200_000, 1_000), &[(200_000, "1.25"), (1_000, "10")], "0.26"),
        (
            GEMINI,
            "gemini-2.5-pro",
            Usage { cached_input: Some(150_000), ..counted(200_001, 1_000) },
            &[(50_001, "2.5"), (150_000, "0.25"), (1_000, "15")],
            "0.1775025",
        ),
        (
            GEMINI,
            "gemini-2.5-flash-lite",
            Usage { cached_input: Some(32_768), ..counted(40_000, 40) },
            &[(7_232, "0.1"), (32_768, "0.01"), (40, "0.4")],
            "0.00106688",
        ),
        (
            GEMINI,
            "gemini-3.1-pro-preview",
            Usage { reasoning: Some(2_500), ..counted(500_000, 3_000) },
            &[(500_000, "4"), (3_000, "18")],
            "2.054",
        ),
        // A picture costs 0.039.
        (
            GEMINI,
            "gemini-2.5-flash-image",
            Usage { image_output: Some(1_290), images: Some(1), ..counted(12, 1_290) },
            &[(12, "0.3"), (1, "39000")],
            "0.0390036",
        ),
        (
            GEMINI,
            "gemini-3-pro-image",
            Usage { image_output: Some(2_240), images: Some(2), ..counted(600, 2_340) },
            &[(600, "2"), (100, "12"), (2, "134000")],
            "0.2704",
        ),
        (
            GEMINI,
            "gemini-3.8-flash",
            Usage { cached_input: Some(2_048), ..counted(3_000, 1_500) },
            &[(952, "0.75"), (2_048, "0.075"), (1_500, "3.75")],
            "0.0064926",
        ),
        (
            GEMINI,
            "gemini-4-argon",
            Usage { cached_input: Some(240_000), ..counted(250_000, 10_000) },
            &[(10_000, "2"), (240_000, "0.1"), (10_000, "10")],
            "0.144",
        ),
        (
            GEMINI,
            "gemini-embedding-001",
            Usage { input: Some(2_048), ..Usage::default() },
            &[(2_048, "0.15")],
            "0.0003072",
        ),
        (MISTRAL, "mistral-large-latest", counted(1_000, 500), &[(1_000, "0.5"), (500, "1.5")], "0.00125"),
        (
            MISTRAL,
            "mistral-small-latest",
            Usage { cached_input: Some(20_000), ..counted(30_000, 200) },
            &[(10_000, "0.15"), (20_000, "0.015"), (200, "0.6")],
            "0.00192",
        ),
        (
            MISTRAL,
            "magistral-medium-latest",
            Usage { reasoning: Some(4_500), ..counted(800, 5_000) },
            &[(800, "1.5"), (5_000, "7.5")],
            "0.0387",
        ),
        (MISTRAL, "mistral-medium-2604", counted(12_000, 345), &[(12_000, "1.5"), (345, "7.5")], "0.0205875"),
        (MISTRAL, "mistral-embed", Usage { input: Some(5_000), ..Usage::default() }, &[(5_000, "0.1")], "0.0005"),
        (
            AZURE,
            "gpt-4o",
            Usage { cached_input: Some(600), ..counted(1_000, 500) },
            &[(400, "2.5"), (600, "1.25"), (500, "10")],
            "0.00675",
        ),
    ]
}

#[test]
fn sixty_cost_cases_worked_out_by_hand_from_the_vendors_pages() {
    let cases = cases();
    assert!(cases.len() >= 60, "{}", cases.len());
    for ((provider, page), model, usage, parts, dollars) in cases {
        let sum: u64 = parts.iter().map(|(count, rate)| count * (picos(rate) / 1_000_000)).sum();
        assert_eq!(sum, picos(dollars), "the sum of {model}");
        let price = Price::of(provider, model).unwrap_or_else(|| panic!("{model} must be listed; see {page}"));
        assert_eq!(price.cost(&usage), Some(sum), "{model}, {usage:?}; see {page}");
    }
}
