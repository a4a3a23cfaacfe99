//! What each generation of Claude takes.

use super::super::{Facts, Sampling, Thinking, list};
use super::{NEWEST, PLAIN, Row};

/// A generation by its names, without their dates.
struct Generation {
    names: &'static [&'static str],
    row: Row,
}

const MIGRATION: &str = "https://platform.claude.com/docs/en/about-claude/models/migration-guide";
const ERRORS: &str = "https://platform.claude.com/docs/en/api/errors";
const EXTENDED: &str = "https://platform.claude.com/docs/en/build-with-claude/extended-thinking";
const ADAPTIVE: &str = "https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking";
const EFFORT: &str = "https://platform.claude.com/docs/en/build-with-claude/effort";
const SCHEMAS: &str = "https://platform.claude.com/docs/en/build-with-claude/structured-outputs";
const OVERVIEW: &str = "https://platform.claude.com/docs/en/about-claude/models/overview";

static GENERATIONS: &[Generation] = &[
    Generation {
        names: &["claude-3-7-sonnet"],
        row: Row { pages: &[EXTENDED, OVERVIEW], facts: Facts { thinking: Thinking::Budget, ..PLAIN } },
    },
    Generation {
        names: &["claude-sonnet-4", "claude-sonnet-4-0", "claude-opus-4", "claude-opus-4-0"],
        row: Row { pages: &[EXTENDED, OVERVIEW], facts: Facts { thinking: Thinking::Budget, ..PLAIN } },
    },
    Generation {
        names: &["claude-opus-4-1"],
        row: Row {
            pages: &[EXTENDED, MIGRATION],
            facts: Facts { thinking: Thinking::Budget, sampling: Sampling::Either, ..PLAIN },
        },
    },
    Generation {
        names: &["claude-haiku-4-5", "claude-opus-4-5", "claude-sonnet-4-5"],
        row: Row {
            pages: &[EXTENDED, MIGRATION, SCHEMAS],
            facts: Facts { thinking: Thinking::Budget, sampling: Sampling::Either, json_schema: true, ..PLAIN },
        },
    },
    Generation {
        names: &["claude-opus-4-6", "claude-sonnet-4-6"],
        row: Row {
            pages: &[ADAPTIVE, EFFORT, MIGRATION, ERRORS, SCHEMAS],
            facts: Facts {
                thinking: Thinking::Adaptive { always: false, xhigh: false },
                prefill: false,
                sampling: Sampling::Either,
                json_schema: true,
                ..PLAIN
            },
        },
    },
    Generation {
        names: &["claude-opus-4-7"],
        row: Row {
            pages: &[ADAPTIVE, EFFORT, MIGRATION, ERRORS, SCHEMAS],
            facts: Facts {
                thinks_unasked: false,
                thinking: Thinking::Adaptive { always: false, xhigh: true },
                forced_tools: true,
                inline_system: false,
                ..NEWEST
            },
        },
    },
    Generation {
        names: &["claude-opus-4-8"],
        row: Row {
            pages: &[ADAPTIVE, EFFORT, MIGRATION, ERRORS, SCHEMAS],
            facts: Facts {
                thinks_unasked: false,
                thinking: Thinking::Adaptive { always: false, xhigh: true },
                forced_tools: true,
                ..NEWEST
            },
        },
    },
    Generation {
        names: &["claude-opus-5"],
        row: Row {
            pages: &[ADAPTIVE, EFFORT, MIGRATION, ERRORS, SCHEMAS],
            facts: Facts { thinking: Thinking::Adaptive { always: false, xhigh: true }, forced_tools: true, ..NEWEST },
        },
    },
    Generation {
        names: &["claude-sonnet-5"],
        row: Row {
            pages: &[ADAPTIVE, EFFORT, MIGRATION, ERRORS, SCHEMAS],
            facts: Facts {
                thinking: Thinking::Adaptive { always: false, xhigh: true },
                forced_tools: true,
                inline_system: false,
                ..NEWEST
            },
        },
    },
    Generation {
        names: &["claude-fable-5", "claude-mythos-5", "claude-mythos-preview"],
        row: Row {
            pages: &[ADAPTIVE, EFFORT, MIGRATION, ERRORS, SCHEMAS],
            facts: Facts { forced_tools: true, inline_system: false, ..NEWEST },
        },
    },
    Generation {
        names: &["claude-fable-5-1", "claude-mythos-5-1"],
        row: Row {
            pages: &["https://platform.claude.com/docs/en/models/fable-5-1/whats-new-fable-5-1", ADAPTIVE],
            facts: NEWEST,
        },
    },
    Generation {
        names: &["claude-opus-5-5"],
        row: Row {
            pages: &["https://platform.claude.com/docs/en/models/opus-5-5/migration-guide", ADAPTIVE],
            facts: NEWEST,
        },
    },
    // Between tools it may be kept from thinking, but not before the first.
    Generation {
        names: &["claude-sonnet-5-5"],
        row: Row {
            pages: &["https://platform.claude.com/docs/en/models/sonnet-5-5/migration-guide", ADAPTIVE],
            facts: NEWEST,
        },
    },
    Generation {
        names: &["claude-haiku-5-5"],
        row: Row {
            pages: &["https://platform.claude.com/docs/en/models/haiku-5-5/migration-guide", ADAPTIVE],
            facts: Facts { thinking: Thinking::Adaptive { always: false, xhigh: true }, forced_tools: true, ..NEWEST },
        },
    },
];

/// One that nobody has heard of is taken for the newest.
static UNKNOWN: Row = Row { pages: &[ADAPTIVE, MIGRATION], facts: NEWEST };

/// Before the third generation's last. Other vendors serve Anthropic's dialect too, with the manners of those years.
static OLD: Row = Row { pages: &[OVERVIEW], facts: PLAIN };

pub(super) fn row(model: &str) -> &'static Row {
    let name = list::alias(model).unwrap_or(model);
    if let Some(generation) = GENERATIONS.iter().find(|generation| generation.names.contains(&name)) {
        return &generation.row;
    }
    // In the old names the number leads.
    let old = ["claude-3", "claude-2", "claude-instant"].iter().any(|old| name.starts_with(old));
    if old || !name.starts_with("claude") { &OLD } else { &UNKNOWN }
}

/// All rows, for the test that each names its pages.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    GENERATIONS.iter().map(|generation| &generation.row).chain([&OLD, &UNKNOWN])
}
