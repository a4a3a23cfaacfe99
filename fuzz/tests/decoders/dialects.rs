use std::iter::successors;

use penstock_llm::Dialect;
use penstock_llm::call::{Call, Form, InPath, Operation};
use penstock_llm::facts::Provider;

/// All dialects. A new one joins in the match, which does not compile without it.
pub(crate) fn dialects() -> impl Iterator<Item = Dialect> + Clone {
    successors(Some(Dialect::OpenAI), |dialect| match dialect {
        Dialect::OpenAI => Some(Dialect::Responses),
        Dialect::Responses => Some(Dialect::Anthropic),
        Dialect::Anthropic => Some(Dialect::Gemini),
        Dialect::Gemini => Some(Dialect::Mistral),
        Dialect::Mistral => Some(Dialect::Ollama),
        Dialect::Ollama => None,
    })
}

pub(crate) fn operations() -> impl Iterator<Item = Operation> + Clone {
    successors(Some(Operation::Chat), |operation| match operation {
        Operation::Chat => Some(Operation::Completions),
        Operation::Completions => Some(Operation::Embeddings),
        Operation::Embeddings => Some(Operation::BatchEmbeddings),
        Operation::BatchEmbeddings => Some(Operation::CountTokens),
        Operation::CountTokens => None,
    })
}

pub(crate) fn call(dialect: Dialect, operation: Operation) -> Call {
    let path = match dialect {
        Dialect::Gemini => Some(InPath { model: "m".into(), form: Form::Events }),
        Dialect::OpenAI | Dialect::Responses | Dialect::Anthropic | Dialect::Mistral | Dialect::Ollama => None,
    };
    Call { dialect, operation, path }
}

/// Models of which the facts differ.
pub(crate) fn models(dialect: Dialect) -> &'static [(Provider, &'static str)] {
    match dialect {
        Dialect::OpenAI | Dialect::Responses => {
            &[(Provider::OpenAI, "gpt-4o"), (Provider::OpenAI, "gpt-5"), (Provider::OpenAICompatible, "other")]
        }
        Dialect::Anthropic => &[(Provider::Anthropic, "claude-opus-4-6"), (Provider::Anthropic, "claude-3-haiku")],
        Dialect::Gemini => {
            &[(Provider::Gemini, "gemini-3-pro"), (Provider::Gemini, "gemini-2.5-flash"), (Provider::Gemini, "gemma")]
        }
        Dialect::Mistral => &[(Provider::Mistral, "mistral-large-latest")],
        Dialect::Ollama => &[(Provider::Ollama, "llama3.2"), (Provider::Ollama, "gpt-oss")],
    }
}
