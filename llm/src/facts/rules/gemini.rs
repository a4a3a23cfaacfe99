//! What each generation of Gemini takes.

use super::super::{Facts, Sampling, Thinking, list};
use super::{PLAIN, Row};

const THINKING: &str = "https://ai.google.dev/gemini-api/docs/thinking";
const SIGNATURES: &str = "https://ai.google.dev/gemini-api/docs/thought-signatures";
const SCHEMAS: &str = "https://ai.google.dev/gemini-api/docs/structured-output";
const MODELS: &str = "https://ai.google.dev/gemini-api/docs/models";
const PICTURES: &str = "https://ai.google.dev/gemini-api/docs/image-generation";

/// Before 2.5: no thinking, schemas in the older spelling only. 4 characters in a token:
/// ai.google.dev/gemini-api/docs/tokens.
const PLAIN_OLD: Facts = Facts { prefill: false, schema_beside_tools: false, bytes_per_ten_tokens: 40, ..PLAIN };

/// Of 2.5. That they refuse penalties is what the API itself says.
const MIDDLE: Facts = Facts { json_schema: true, penalties: false, ..PLAIN_OLD };

/// From 3 on, as little as all of them have in common. A name that is not known is taken for one of these.
const NEWER: Facts = Facts {
    thinks_unasked: true,
    thinking: Thinking::Level { minimal: false, medium: true },
    schema_beside_tools: true,
    signed_calls: true,
    ..MIDDLE
};

/// Levels beside the two that are always there.
const fn level(minimal: bool, medium: bool) -> Facts {
    Facts { thinking: Thinking::Level { minimal, medium }, ..NEWER }
}

/// Budgets from 512 tokens up are those of the small model, which does not think unasked.
const fn budget(least: u32, most: u32, off: bool) -> Facts {
    Facts { thinks_unasked: least < 512, thinking: Thinking::Tokens { least, most, off }, ..MIDDLE }
}

static OLD: Row = Row { pages: &[MODELS, SCHEMAS], facts: PLAIN_OLD };
static MEDIA_2_5: Row = Row { pages: &[PICTURES, MODELS], facts: MIDDLE };
static PRO_2_5: Row = Row { pages: &[THINKING, SCHEMAS], facts: budget(128, 32_768, false) };
static LITE_2_5: Row = Row { pages: &[THINKING, SCHEMAS], facts: budget(512, 24_576, true) };
static FLASH_2_5: Row = Row { pages: &[THINKING, SCHEMAS], facts: budget(1, 24_576, true) };
static PRO_3: Row = Row { pages: &[THINKING, SIGNATURES, SCHEMAS], facts: level(false, false) };
static FLASH_3: Row = Row { pages: &[THINKING, SIGNATURES, SCHEMAS], facts: level(true, true) };
static LITE_3_1: Row = Row { pages: &[THINKING, SIGNATURES, SCHEMAS], facts: level(true, true) };
static FROM_3: Row = Row { pages: &[THINKING, SIGNATURES, SCHEMAS], facts: NEWER };
/// "What's new in Gemini 4".
static FROM_4: Row =
    Row { pages: &[MODELS, THINKING, SIGNATURES], facts: Facts { sampling: Sampling::Fixed, ..NEWER } };

pub(super) fn row(model: &str) -> &'static Row {
    let name = list::alias(model).unwrap_or(model);
    let Some(rest) = name.strip_prefix("gemini-").filter(|rest| !rest.starts_with("exp")) else { return &OLD };
    let is = |word: &str| rest.split('-').any(|piece| piece == word);
    match version(rest) {
        Some(old) if old < (2, 5) => &OLD,
        Some((2, 5)) if is("image") || is("tts") || is("audio") => &MEDIA_2_5,
        Some((2, 5)) if is("pro") => &PRO_2_5,
        Some((2, 5)) if is("lite") => &LITE_2_5,
        Some((2, 5)) => &FLASH_2_5,
        Some((3, 0)) if is("pro") => &PRO_3,
        Some((3, 0)) if is("flash") => &FLASH_3,
        Some((3, 1)) if is("lite") => &LITE_3_1,
        Some(new) if new >= (4, 0) => &FROM_4,
        Some(_) | None => &FROM_3,
    }
}

/// All rows, for the test that each names its pages.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    [&OLD, &MEDIA_2_5, &PRO_2_5, &LITE_2_5, &FLASH_2_5, &PRO_3, &FLASH_3, &LITE_3_1, &FROM_3, &FROM_4].into_iter()
}

/// `2.5-pro` is (2, 5), `3-flash` is (3, 0).
fn version(rest: &str) -> Option<(u32, u32)> {
    let number = rest.split('-').next()?;
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(model: &str) -> Facts {
        row(model).facts
    }

    #[test]
    fn gemini_s_generations_differ_in_thinking_schemas_signatures_and_sampling() {
        let level = |minimal, medium| Thinking::Level { minimal, medium };
        let rows = [
            ("gemini-1.5-pro", Thinking::None),
            ("gemini-2.0-flash-001", Thinking::None),
            ("gemma-3-27b-it", Thinking::None),
            ("gemini-exp-1206", Thinking::None),
            ("gemini-2.5-flash-image", Thinking::None),
            ("gemini-2.5-pro", Thinking::Tokens { least: 128, most: 32_768, off: false }),
            ("gemini-2.5-flash", Thinking::Tokens { least: 1, most: 24_576, off: true }),
            ("gemini-2.5-flash-preview-09-2025", Thinking::Tokens { least: 1, most: 24_576, off: true }),
            ("gemini-2.5-flash-lite", Thinking::Tokens { least: 512, most: 24_576, off: true }),
            ("gemini-3-pro-preview", level(false, false)),
            ("gemini-3-flash-preview", level(true, true)),
            ("gemini-3.1-pro-preview", level(false, true)),
            ("gemini-3.1-flash-lite", level(true, true)),
            ("gemini-3.8-flash", level(false, true)),
            ("gemini-4-argon", level(false, true)),
            ("gemini-flash-latest", level(false, true)),
        ];
        for (model, thinking) in rows {
            assert_eq!(facts(model).thinking, thinking, "{model}");
        }
        assert!(!facts("gemini-2.0-flash").json_schema && facts("gemini-2.5-flash").json_schema);
        assert!(!facts("gemini-2.5-pro").signed_calls && facts("gemini-3-pro-preview").signed_calls);
        assert!(facts("gemini-2.0-flash").penalties && !facts("gemini-2.5-flash").penalties);
        assert_eq!(
            (facts("gemini-3.8-flash").sampling, facts("gemini-4-argon").sampling),
            (Sampling::Free, Sampling::Fixed)
        );
    }
}
