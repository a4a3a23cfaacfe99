//! What the models of Ollama's library take.
//!
//! Names that the page on thinking does not give are those for which model/parsers in Ollama's repository splits thinking
//! off. A model that does not think refuses to be asked to, so of a name that is not known it is taken that it does not.

use super::super::{Facts, Thinking};
use super::{PLAIN, Row};

/// Who thinks, the levels, that it is on unless turned off, and what is different about gpt-oss.
const PAGE: &str = "https://docs.ollama.com/capabilities/thinking";
const SCHEMAS: &str = "https://docs.ollama.com/capabilities/structured-outputs";

const SILENT_FACTS: Facts =
    Facts { json_schema: true, inline_system: true, prefill: false, forced_tools: false, ..PLAIN };

static SILENT: Row = Row { pages: &[PAGE, SCHEMAS], facts: SILENT_FACTS };
static THINKS: Row = thinks(true);
static ALWAYS_THINKS: Row = thinks(false);

const fn thinks(off: bool) -> Row {
    let facts = Facts { thinks_unasked: true, thinking: Thinking::Think { off }, ..SILENT_FACTS };
    Row { pages: &[PAGE, SCHEMAS], facts }
}

/// Names in the library, without size and tag, of models that think.
const THINKING: &[&str] = &[
    "deepseek-r1",
    "deepseek-v3.1",
    "gemma4",
    "glm-4.7",
    "kimi-k2-thinking",
    "nemotron-3-nano",
    "nemotron-3.5-nano",
    "qwen3",
    "qwen3.5",
    "qwen3.8",
];

/// Tags of models that do not, though others of their name do.
const SILENT_TAGS: &[&str] = &["instruct", "coder"];

pub(super) fn row(model: &str) -> &'static Row {
    // hf.co/user/name:tag, or name:tag
    let name = model.rsplit('/').next().unwrap_or(model);
    let (name, tag) = name.split_once(':').unwrap_or((name, ""));
    let is = |known: &str| name == known || name.strip_prefix(known).is_some_and(|rest| rest.starts_with('-'));
    let is_silent = || SILENT_TAGS.iter().any(|silent| tag.contains(silent));
    match is("gpt-oss") {
        _ if is_silent() => &SILENT,
        true => &ALWAYS_THINKS,
        false if THINKING.contains(&name) => &THINKS,
        false => &SILENT,
    }
}

/// All rows, for the test that each names its pages.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    [&SILENT, &THINKS, &ALWAYS_THINKS].into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_of_the_library_that_think_are_known_by_their_name_without_its_tag() {
        let rows = [
            ("gpt-oss", Thinking::Think { off: false }),
            ("gpt-oss:120b-cloud", Thinking::Think { off: false }),
            ("gpt-oss-safeguard:20b", Thinking::Think { off: false }),
            ("qwen3", Thinking::Think { off: true }),
            ("qwen3:0.6b", Thinking::Think { off: true }),
            ("library/deepseek-r1:8b", Thinking::Think { off: true }),
            ("qwen3:4b-instruct-2507-q4_K_M", Thinking::None),
            ("qwen3-coder:30b", Thinking::None),
            ("llama3.2:latest", Thinking::None),
            ("mine", Thinking::None),
        ];
        for (model, thinking) in rows {
            let facts = row(model).facts;
            assert_eq!((facts.thinking, facts.thinks_unasked), (thinking, thinking != Thinking::None), "{model}");
        }
    }
}
