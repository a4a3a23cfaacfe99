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
    /// It says that it takes that member in an assistant's message.
    pub takes_thinking: bool,
    /// An answer can be bound to a JSON schema, and not to JSON only.
    pub json_schema: bool,
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
        takes_thinking: false,
        json_schema: true,
        embeddings: true,
        completions: true,
        responses: true,
        refuses: &[],
        speaker_names: true,
        developer: true,
    };

    /// What is assumed of a server that is not known.
    pub const UNKNOWN: Self = Self { responses: false, ..Self::OPENAI };

    /// The known differences of a server, each row by the vendor's own pages, or its SDK on PyPI where that is made from
    /// the vendor's description of the API.
    ///
    /// What could not be verified, and is as OpenAI has it: that Groq, Together, Fireworks and xAI look at
    /// `stream_options` (only their answers tell of it; Fireworks and Together send usage in the last chunk anyway); that
    /// xAI knows `max_completion_tokens`, and how it calls its thinking in chat; that OpenRouter still has `/completions`.
    pub const fn of(server: Server) -> Self {
        let known = Self { takes_thinking: true, ..Self::OPENAI };
        match server {
            Server::Groq => groq(known),
            Server::DeepSeek => deepseek(known),
            Server::Together => together(known),
            // docs.fireworks.ai/api-reference (chat, completions, embeddings), guides/response-api; PyPI fireworks-ai 1.2 (`max_completion_tokens` is an alias, messages have `reasoning_content`).
            Server::Fireworks => known,
            // docs.x.ai/developers/rest-api-reference/inference/legacy has completions, no chapter there has embeddings;
            // developers/model-capabilities/text/comparison: Responses before chat, which is deprecated and gives no
            // thinking.
            Server::XAI => Self { embeddings: false, ..Self::OPENAI },
            // openrouter.ai/docs/use-cases/usage-accounting and PyPI openrouter 1.3 (ChatStreamOptions: no effect, usage
            // always comes; ChatRequest, ChatAssistantMessage, `/embeddings`, `/responses`).
            Server::OpenRouter => Self { stream_options: false, thinking: "reasoning", ..known },
            // vllm/entrypoints/openai: chat_completion/protocol.py (ChatCompletionRequest, ChatMessage), responses,
            // completion; docs.vllm.ai "OpenAI-compatible server".
            Server::VLLM => Self { thinking: "reasoning", ..known },
            // tools/server of llama.cpp: README.md (endpoints, "Reasoning support"), server-schema.cpp (`stream_options`,
            // `max_completion_tokens`).
            Server::LlamaCpp => known,
        }
    }
}

/// console.groq.com/docs/api-reference, docs/openai (Responses yes, completions no; what is refused: "Currently Unsupported
/// OpenAI Features"), docs/reasoning; PyPI groq 1.7 (`max_completion_tokens`, `reasoning`). The SDK has `/embeddings` too,
/// which the reference has not. Schemas are for some models only (docs/structured-outputs), which users' own model facts
/// can say.
const fn groq(known: Manners) -> Manners {
    Manners {
        thinking: "reasoning",
        embeddings: false,
        completions: false,
        refuses: &[Key::Logprobs, Key::TopLogprobs, Key::LogitBias, Key::N],
        speaker_names: false,
        ..known
    }
}

/// api-docs.deepseek.com: api/create-chat-completion (`max_tokens`, `stream_options`, the roles, of which none is
/// developer), guides/json_mode (JSON, but no schemas), guides/thinking_mode (with calls thinking must come back),
/// guides/vision (pictures are taken). Completions are a beta under a base URL of its own (api/create-completion); there
/// are no embeddings. Responses leave out kinds of items that they do not know without a word (api/create-response): it is
/// asked in chat, where what is left out is said.
const fn deepseek(known: Manners) -> Manners {
    Manners {
        max_completion_tokens: false,
        json_schema: false,
        embeddings: false,
        completions: false,
        responses: false,
        developer: false,
        ..known
    }
}

/// docs.together.ai/reference/chat-completions-1 and PyPI together 3.1 (`max_tokens` only, `reasoning` in messages,
/// `json_schema`, `/completions`, `/embeddings`). Responses are for some models only, and others may answer malformed:
/// docs/inference/responses-api.
const fn together(known: Manners) -> Manners {
    Manners { max_completion_tokens: false, thinking: "reasoning", responses: false, ..known }
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
    fn the_token_bound_keeps_its_newer_name_where_the_server_knows_it() {
        for server in [Server::DeepSeek, Server::Together] {
            assert!(!Manners::of(server).max_completion_tokens, "{server:?}");
        }
        for server in [Server::Groq, Server::Fireworks, Server::OpenRouter, Server::VLLM, Server::LlamaCpp] {
            assert!(Manners::of(server).max_completion_tokens, "{server:?}");
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
