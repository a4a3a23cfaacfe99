mod gemini;
mod ollama;

use super::{Facts, Provider, Sampling, Thinking, list};
use crate::compatible::Manners;

/// What one generation of Claude takes.
struct Generation {
    /// Names without their date.
    names: &'static [&'static str],
    facts: Facts,
}

const NEWEST: Facts = Facts {
    context_window: None,
    max_output: None,
    thinks_unasked: true,
    thinking: Thinking::Adaptive { always: true, xhigh: true },
    prefill: false,
    sampling: Sampling::Fixed,
    forced_tools: false,
    json_schema: true,
    inline_system: true,
    penalties: true,
    schema_beside_tools: true,
    signed_calls: false,
    max_completion_tokens: false,
    thinking_member: Manners::OPENAI.thinking,
};

const PLAIN: Facts = Facts {
    thinks_unasked: false,
    thinking: Thinking::None,
    prefill: true,
    sampling: Sampling::Free,
    forced_tools: true,
    json_schema: false,
    inline_system: false,
    ..NEWEST
};

/// Sources on platform.claude.com: each model's migration guide; "Prefill not supported" on the page of API errors;
/// build-with-claude/adaptive-thinking, /effort and /structured-outputs.
const GENERATIONS: &[Generation] = &[
    Generation { names: &["claude-3-7-sonnet"], facts: Facts { thinking: Thinking::Budget, ..PLAIN } },
    Generation {
        names: &["claude-sonnet-4", "claude-sonnet-4-0", "claude-opus-4", "claude-opus-4-0"],
        facts: Facts { thinking: Thinking::Budget, ..PLAIN },
    },
    Generation {
        names: &["claude-opus-4-1"],
        facts: Facts { thinking: Thinking::Budget, sampling: Sampling::Either, ..PLAIN },
    },
    Generation {
        names: &["claude-haiku-4-5", "claude-opus-4-5", "claude-sonnet-4-5"],
        facts: Facts { thinking: Thinking::Budget, sampling: Sampling::Either, json_schema: true, ..PLAIN },
    },
    Generation {
        names: &["claude-opus-4-6", "claude-sonnet-4-6"],
        facts: Facts {
            thinking: Thinking::Adaptive { always: false, xhigh: false },
            prefill: false,
            sampling: Sampling::Either,
            json_schema: true,
            ..PLAIN
        },
    },
    Generation {
        names: &["claude-opus-4-7"],
        facts: Facts {
            thinks_unasked: false,
            thinking: Thinking::Adaptive { always: false, xhigh: true },
            forced_tools: true,
            inline_system: false,
            ..NEWEST
        },
    },
    Generation {
        names: &["claude-opus-4-8"],
        facts: Facts {
            thinks_unasked: false,
            thinking: Thinking::Adaptive { always: false, xhigh: true },
            forced_tools: true,
            ..NEWEST
        },
    },
    Generation {
        names: &["claude-opus-5"],
        facts: Facts { thinking: Thinking::Adaptive { always: false, xhigh: true }, forced_tools: true, ..NEWEST },
    },
    Generation {
        names: &["claude-sonnet-5"],
        facts: Facts {
            thinking: Thinking::Adaptive { always: false, xhigh: true },
            forced_tools: true,
            inline_system: false,
            ..NEWEST
        },
    },
    Generation {
        names: &["claude-fable-5", "claude-mythos-5", "claude-mythos-preview"],
        facts: Facts { forced_tools: true, inline_system: false, ..NEWEST },
    },
];

/// The facts of a model; `reasons` is what the built-in list says. Limits are left out.
pub(super) fn facts(provider: Provider, model: &str, reasons: bool) -> Facts {
    match provider {
        Provider::Anthropic => claude(model),
        // learn.microsoft.com and platform.openai.com, "Reasoning models": `max_tokens` is refused.
        Provider::OpenAI | Provider::AzureOpenAI => Facts {
            thinks_unasked: reasons,
            thinking: if reasons { Thinking::Effort } else { Thinking::None },
            sampling: if reasons { Sampling::Fixed } else { Sampling::Free },
            json_schema: true,
            inline_system: true,
            prefill: false,
            max_completion_tokens: reasons,
            ..PLAIN
        },
        Provider::Gemini => gemini::facts(model),
        Provider::Mistral => mistral(model, reasons),
        Provider::Ollama => ollama::facts(model),
        Provider::Bedrock | Provider::VertexAI | Provider::OpenAICompatible => {
            Facts { thinks_unasked: reasons, json_schema: true, inline_system: true, prefill: false, ..PLAIN }
        }
    }
}

/// docs.mistral.ai, capabilities/reasoning: Magistral always thinks and is not asked how hard; of Mistral's other models
/// those that can think do so when `reasoning_effort` asks for it.
fn mistral(model: &str, reasons: bool) -> Facts {
    let always = model.starts_with("magistral");
    Facts {
        thinks_unasked: always,
        thinking: if reasons && !always { Thinking::Effort } else { Thinking::None },
        json_schema: true,
        inline_system: true,
        ..PLAIN
    }
}

fn claude(model: &str) -> Facts {
    let name = list::alias(model).unwrap_or(model);
    if let Some(generation) = GENERATIONS.iter().find(|generation| generation.names.contains(&name)) {
        return generation.facts;
    }
    // Before the third generation's last, names lead with the number. Other vendors serve Anthropic's dialect too, with
    // the manners of those years.
    let old = ["claude-3", "claude-2", "claude-instant"].iter().any(|old| name.starts_with(old));
    if old || !name.starts_with("claude") { PLAIN } else { NEWEST }
}
