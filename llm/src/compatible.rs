//! What is different about servers that call themselves compatible with OpenAI.

use crate::scan::Key;

/// A known server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Server {
    /// api.groq.com
    Groq,
    /// api.deepseek.com
    DeepSeek,
    /// api.together.xyz
    Together,
    /// api.fireworks.ai
    Fireworks,
    /// api.x.ai
    XAI,
    /// openrouter.ai
    OpenRouter,
    /// vLLM's own server.
    VLLM,
    /// llama.cpp's own server.
    LlamaCpp,
}

/// How a server differs from OpenAI's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manners {
    /// Usage in a stream is asked for. Where it is not, it comes unasked.
    pub stream_options: bool,
    /// It knows the token bound as `max_completion_tokens` too, and not as `max_tokens` only.
    pub max_completion_tokens: bool,
    /// The member of a message in which it gives its thinking, and takes it back.
    pub thinking: &'static str,
    /// It has `/embeddings`.
    pub embeddings: bool,
    /// It has `/completions`, the older way without messages.
    pub completions: bool,
    /// It has the Responses API for all of its models.
    pub responses: bool,
    /// Members of a request that it refuses, whatever they say; of `n`, more than one.
    pub refuses: &'static [Key],
    /// It takes `messages[].name`.
    pub speaker_names: bool,
    /// It knows the role `developer`.
    pub developer: bool,
}

impl Manners {
    /// OpenAI's own.
    pub const OPENAI: Self = Self {
        stream_options: true,
        max_completion_tokens: true,
        thinking: "reasoning_content",
        embeddings: true,
        completions: true,
        responses: true,
        refuses: &[],
        speaker_names: true,
        developer: true,
    };

    /// What is assumed of a server that is not known.
    pub const UNKNOWN: Self = Self { responses: false, ..Self::OPENAI };

    /// The known differences of a server.
    ///
    /// Sources: openrouter.ai/docs/use-cases/usage-accounting, and tools/server/README.md of llama.cpp. The other rows are
    /// not checked against the vendors' pages yet, which are: console.groq.com/docs/api-reference; api-docs.deepseek.com,
    /// "Create chat completion"; docs.together.ai/reference/chat-completions-1;
    /// docs.fireworks.ai/api-reference/post-chatcompletions; docs.x.ai/docs/api-reference; docs.vllm.ai.
    ///
    /// Embeddings and completions: console.groq.com/docs/api-reference has neither. DeepSeek's completions are a beta under
    /// a base URL of its own (api-docs.deepseek.com/api/create-completion), and it has no embeddings.
    /// docs.x.ai/developers/rest-api-reference/inference/legacy has completions; embeddings are in no chapter of that
    /// reference. The others list both: docs.together.ai/reference, docs.fireworks.ai/api-reference,
    /// openrouter.ai/docs/api-reference, docs.vllm.ai "OpenAI-compatible server", and the README of llama.cpp.
    ///
    /// Who has the Responses API: console.groq.com/docs/openai; docs.fireworks.ai/guides/response-api;
    /// docs.x.ai/developers/model-capabilities/text/comparison; openrouter.ai/docs/client-sdks/typescript/sdks/responses;
    /// docs.vllm.ai, entrypoints/openai/responses; tools/server/README.md of llama.cpp. Two have it for some models only,
    /// so they are asked in chat: api-docs.deepseek.com/guides/responses_api and
    /// docs.together.ai/docs/inference/responses-api.
    ///
    /// What is refused: console.groq.com/docs/openai, "Currently Unsupported OpenAI Features". Who knows no developer:
    /// api-docs.deepseek.com/api/create-chat-completion, where the roles are system, user, assistant and tool.
    pub const fn of(server: Server) -> Self {
        let openai = Self::OPENAI;
        let chat_only = Self { embeddings: false, completions: false, ..openai };
        match server {
            Server::Groq => Self {
                thinking: "reasoning",
                refuses: &[Key::Logprobs, Key::TopLogprobs, Key::LogitBias, Key::N],
                speaker_names: false,
                ..chat_only
            },
            Server::VLLM => Self { thinking: "reasoning", ..openai },
            Server::DeepSeek => Self { max_completion_tokens: false, responses: false, developer: false, ..chat_only },
            Server::LlamaCpp => Self { max_completion_tokens: false, ..openai },
            Server::Together => {
                Self { max_completion_tokens: false, thinking: "reasoning", responses: false, ..openai }
            }
            Server::Fireworks => openai,
            Server::XAI => Self { embeddings: false, ..openai },
            Server::OpenRouter => Self { stream_options: false, thinking: "reasoning", ..openai },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_asked_for_by_preset() {
        assert!(!Manners::of(Server::OpenRouter).stream_options, "it gives usage unasked");
        for server in [Server::Groq, Server::DeepSeek, Server::Together, Server::VLLM, Server::LlamaCpp] {
            assert!(Manners::of(server).stream_options, "{server:?}");
        }
    }
    #[test]
    fn embeddings_and_completions_are_asked_of_the_servers_that_have_them() {
        let has = |server| (Manners::of(server).embeddings, Manners::of(server).completions);
        for server in [Server::Together, Server::Fireworks, Server::OpenRouter, Server::VLLM, Server::LlamaCpp] {
            assert_eq!(has(server), (true, true), "{server:?}");
        }
        assert_eq!([has(Server::Groq), has(Server::DeepSeek)], [(false, false); 2]);
        assert_eq!(has(Server::XAI), (false, true));
    }
}
