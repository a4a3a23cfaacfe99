use crate::json::Reader;
use crate::{Dialect, gemini};

/// Whether a member refers to state on the provider's account: files, containers, stored answers. `depth` counts the
/// objects and arrays around it; 1 is the request itself.
pub(super) fn refers(dialect: Dialect, key: &str, depth: u8) -> bool {
    match dialect {
        Dialect::OpenAI | Dialect::Mistral | Dialect::Ollama => match key {
            "background"
            | "container"
            | "container_id"
            | "conversation"
            | "file_id"
            | "file_ids"
            | "previous_response_id"
            | "vector_store_id"
            | "vector_store_ids" => true,
            // In a message it names an earlier spoken answer; at the top it asks for a voice.
            "audio" => depth == 3,
            _ => false,
        },
        Dialect::Anthropic => match key {
            "container" | "file_id" => true,
            // A conversation that is kept between its turns (platform.claude.com, build-with-claude/message-threads).
            "thread" => depth == 1,
            _ => false,
        },
        Dialect::Responses => match key {
            "background"
            | "comparison_response_id"
            | "container"
            | "container_id"
            | "conversation"
            | "file_id"
            | "file_ids"
            | "previous_response_id"
            | "skill_id"
            | "vector_store_id"
            | "vector_store_ids" => true,
            // A template by its id.
            "prompt" => depth == 1,
            _ => false,
        },
        Dialect::Gemini => matches!(key, "cachedContent" | "fileSearchStoreNames" | "fileUri"),
    }
}

/// Whether the value of such a member is kept by the provider: `fileUri` also takes addresses that anybody can read, and a
/// `container` in the Responses API, as an object, asks for a new one.
pub(super) fn is_kept(dialect: Dialect, key: &str, value: &str) -> bool {
    match (dialect, key) {
        (Dialect::Gemini, "fileUri") => gemini::is_kept(&Reader::of(value).string().unwrap_or_default()),
        (Dialect::Responses, "container") => value.starts_with('"'),
        _ => true,
    }
}

/// Whether the provider takes what is below the member as the application's own data: a property of a tool's schema
/// that is called `file_id` refers to nothing.
pub(super) fn is_opaque(dialect: Dialect, key: &str) -> bool {
    match dialect {
        Dialect::OpenAI | Dialect::Mistral | Dialect::Ollama => matches!(key, "parameters" | "schema" | "metadata"),
        Dialect::Responses => matches!(key, "parameters" | "output_schema" | "schema" | "metadata" | "arguments"),
        Dialect::Anthropic => matches!(key, "input_schema" | "input_examples" | "input" | "schema" | "metadata"),
        Dialect::Gemini => matches!(
            key,
            "args"
                | "response"
                | "parameters"
                | "parametersJsonSchema"
                | "responseSchema"
                | "responseJsonSchema"
                | "labels"
        ),
    }
}

/// Whether the member holds a picture, a document or a sound.
pub(super) fn is_media(dialect: Dialect, key: &str) -> bool {
    match dialect {
        Dialect::OpenAI | Dialect::Mistral | Dialect::Ollama => matches!(key, "image_url" | "input_audio" | "file"),
        Dialect::Anthropic => key == "source",
        Dialect::Responses => matches!(key, "image_url" | "input_audio" | "file_data" | "file_url"),
        Dialect::Gemini => matches!(key, "inlineData" | "fileData"),
    }
}

/// Whether the member may hold bare base64.
pub(super) fn may_be_base64(key: &str) -> bool {
    matches!(key, "data" | "file_data" | "b64_json" | "thoughtSignature")
}

/// Whether a string, as it stands in the body, is base64: a data URL, or bare where the key says it may be.
pub(super) fn is_base64(text: &str, bare: bool) -> bool {
    let head = &text.as_bytes()[..text.len().min(128)];
    if head.starts_with(b"data:") {
        return memchr::memmem::find(head, b";base64,").is_some();
    }
    let alphabet = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'\\' | b'-' | b'_');
    bare && head.len() >= 64 && head.iter().all(alphabet)
}
