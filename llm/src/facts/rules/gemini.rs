//! What each generation of Gemini takes.
//!
//! Sources on ai.google.dev: gemini-api/docs/thinking (budgets and levels by model), /thought-signatures,
//! /structured-output and "What's new in Gemini 4". Penalties: what the API itself says of the models that refuse them.

use super::super::{Facts, Sampling, Thinking, list};
use super::PLAIN;

/// Before 2.5: no thinking, schemas in the older spelling only.
const OLD: Facts = Facts { prefill: false, schema_beside_tools: false, ..PLAIN };

/// From 3 on, as little as all of them have in common. A name that is not known is taken for one of these.
const NEWER: Facts = Facts {
    thinks_unasked: true,
    thinking: Thinking::Level { minimal: false, medium: true },
    json_schema: true,
    penalties: false,
    schema_beside_tools: true,
    signed_calls: true,
    ..OLD
};

pub(super) fn facts(model: &str) -> Facts {
    let name = list::alias(model).unwrap_or(model);
    let Some(rest) = name.strip_prefix("gemini-").filter(|rest| !rest.starts_with("exp")) else { return OLD };
    let is = |word: &str| rest.split('-').any(|piece| piece == word);
    match version(rest) {
        Some(old) if old < (2, 5) => OLD,
        Some((2, 5)) => {
            let (thinks_unasked, thinking) = match () {
                () if is("image") || is("tts") || is("audio") => (false, Thinking::None),
                () if is("pro") => (true, Thinking::Tokens { least: 128, most: 32_768, off: false }),
                () if is("lite") => (false, Thinking::Tokens { least: 512, most: 24_576, off: true }),
                () => (true, Thinking::Tokens { least: 1, most: 24_576, off: true }),
            };
            Facts { thinks_unasked, thinking, json_schema: true, penalties: false, ..OLD }
        }
        Some((3, 0)) if is("pro") => Facts { thinking: Thinking::Level { minimal: false, medium: false }, ..NEWER },
        Some((3, 0)) if is("flash") => Facts { thinking: Thinking::Level { minimal: true, medium: true }, ..NEWER },
        Some((3, 1)) if is("lite") => Facts { thinking: Thinking::Level { minimal: true, medium: true }, ..NEWER },
        Some(new) if new >= (4, 0) => Facts { sampling: Sampling::Fixed, ..NEWER },
        Some(_) | None => NEWER,
    }
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
