//! The fields that Gemini knows. Its JSON is that of protocol buffers: camel case or snake case, and nothing unknown.
//!
//! Source: ai.google.dev/api (generate-content, caching, tokens, embeddings) and the SDK of Google, which sends no others.

use serde_json::Value;

use super::super::fields::{Fields, Step, Within};
use super::super::refusal::Refusal;
use Within::{Any, List, Map, Object};

pub(super) static GENERATE: Fields = Fields(&[
    ("cachedContent", Any),
    ("contents", List(&CONTENT)),
    ("generationConfig", Object(&CONFIG)),
    ("model", Any),
    ("safetySettings", List(&SAFETY)),
    ("serviceTier", Any),
    ("store", Any),
    ("systemInstruction", Object(&CONTENT)),
    ("toolConfig", Object(&TOOL_CONFIG)),
    ("tools", List(&TOOL)),
]);

pub(super) static COUNT: Fields =
    Fields(&[("contents", List(&CONTENT)), ("generateContentRequest", Object(&GENERATE)), ("model", Any)]);

pub(super) static EMBED: Fields = Fields(&[
    ("content", Object(&CONTENT)),
    ("embedContentConfig", Any),
    ("model", Any),
    ("outputDimensionality", Any),
    ("taskType", Any),
    ("title", Any),
]);

pub(super) static BATCH: Fields = Fields(&[("requests", List(&EMBED))]);

static CONTENT: Fields = Fields(&[("parts", List(&PART)), ("role", Any)]);

static PART: Fields = Fields(&[
    ("codeExecutionResult", Any),
    ("executableCode", Any),
    ("fileData", Object(&FILE)),
    ("functionCall", Object(&CALL)),
    ("functionResponse", Object(&RESPONSE)),
    ("inlineData", Object(&BLOB)),
    ("mediaResolution", Any),
    ("partMetadata", Any),
    ("text", Any),
    ("thought", Any),
    ("thoughtSignature", Any),
    ("toolCall", Any),
    ("toolResponse", Any),
    ("videoMetadata", Any),
]);

static FILE: Fields = Fields(&[("fileUri", Any), ("mimeType", Any)]);
static BLOB: Fields = Fields(&[("data", Any), ("displayName", Any), ("mimeType", Any)]);
static CALL: Fields = Fields(&[("args", Any), ("id", Any), ("name", Any)]);
static RESPONSE: Fields = Fields(&[
    ("id", Any),
    ("name", Any),
    ("parts", List(&PART)),
    ("response", Any),
    ("scheduling", Any),
    ("willContinue", Any),
]);

static CONFIG: Fields = Fields(&[
    ("_responseJsonSchema", Any),
    ("audioTranscriptionConfig", Any),
    ("candidateCount", Any),
    ("enableEnhancedCivicAnswers", Any),
    ("frequencyPenalty", Any),
    ("imageConfig", Any),
    ("logprobs", Any),
    ("maxOutputTokens", Any),
    ("mediaResolution", Any),
    ("presencePenalty", Any),
    ("responseJsonSchema", Any),
    ("responseLogprobs", Any),
    ("responseMimeType", Any),
    ("responseModalities", Any),
    ("responseSchema", Object(&SCHEMA)),
    ("seed", Any),
    ("speechConfig", Any),
    ("stopSequences", Any),
    ("temperature", Any),
    ("thinkingConfig", Object(&THINKING)),
    ("topK", Any),
    ("topP", Any),
]);

static THINKING: Fields = Fields(&[("includeThoughts", Any), ("thinkingBudget", Any), ("thinkingLevel", Any)]);
static SAFETY: Fields = Fields(&[("category", Any), ("threshold", Any)]);
static TOOL_CONFIG: Fields = Fields(&[
    ("functionCallingConfig", Object(&CALLING)),
    ("includeServerSideToolInvocations", Any),
    ("retrievalConfig", Any),
]);
static CALLING: Fields = Fields(&[("allowedFunctionNames", Any), ("mode", Any)]);
static TOOL: Fields = Fields(&[
    ("codeExecution", Any),
    ("computerUse", Any),
    ("fileSearch", Any),
    ("functionDeclarations", List(&FUNCTION)),
    ("googleMaps", Any),
    ("googleSearch", Any),
    ("googleSearchRetrieval", Any),
    ("mcpServers", Any),
    ("urlContext", Any),
]);
static FUNCTION: Fields = Fields(&[
    ("behavior", Any),
    ("description", Any),
    ("name", Any),
    ("parameters", Object(&SCHEMA)),
    ("parametersJsonSchema", Any),
    ("response", Object(&SCHEMA)),
    ("responseJsonSchema", Any),
]);

/// The subset of `OpenAPI` that a schema is. What has more goes into the fields that end in `JsonSchema`.
static SCHEMA: Fields = Fields(&[
    ("anyOf", List(&SCHEMA)),
    ("default", Any),
    ("description", Any),
    ("enum", Any),
    ("example", Any),
    ("format", Any),
    ("items", Object(&SCHEMA)),
    ("maxItems", Any),
    ("maxLength", Any),
    ("maxProperties", Any),
    ("maximum", Any),
    ("minItems", Any),
    ("minLength", Any),
    ("minProperties", Any),
    ("minimum", Any),
    ("nullable", Any),
    ("pattern", Any),
    ("properties", Map(&SCHEMA)),
    ("propertyOrdering", Any),
    ("required", Any),
    ("title", Any),
    ("type", Any),
]);

/// The body in camel case. What is not in `fields` is refused as the real parser does it: by name and place.
pub(super) fn parsed(body: &Value, fields: &Fields) -> Result<Value, Refusal> {
    if !body.is_object() {
        let message = "Invalid JSON payload received. Root element must be a message.".to_owned();
        return Err(Refusal::Invalid { message, param: None });
    }
    let Some(way) = fields.unknown(body, camel) else {
        return Ok(fields.spelled(body, camel));
    };
    let (name, before) = match way.split_last() {
        Some((Step::Key(name), before)) => (name.as_str(), place(before)),
        _ => ("", String::new()),
    };
    let at = if before.is_empty() { String::new() } else { format!(" at '{before}'") };
    let message = format!("Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field.");
    Err(Refusal::Invalid { message, param: Some(before) })
}

/// The way as Google spells it: `contents[0].parts[1]`, snake case.
fn place(way: &[Step]) -> String {
    let mut text = String::new();
    for step in way {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(&snake(key)),
            Step::Key(key) => text.push_str(&format!(".{}", snake(key))),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

fn snake(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_uppercase() { format!("_{}", c.to_ascii_lowercase()) } else { c.to_string() };
    name.chars().map(letter).collect()
}

/// A name in camel case, whichever of the two it came in.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    if first.is_empty() {
        return name.to_owned();
    }
    parts.fold(first, |mut all, part| {
        let mut letters = part.chars();
        all.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        all.extend(letters);
        all
    })
}
