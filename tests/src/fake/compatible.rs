//! A server that is compatible with `OpenAI` in its own way: `DeepSeek`, with its reasoning beside the content, its usage in
//! every stream, its own words for cached tokens and its own errors.
//!
//! Source: api-docs.deepseek.com (api/create-chat-completion, guides/thinking_mode, guides/json_mode,
//! quick_start/error_codes).

pub(crate) mod errors;

use serde_json::{Value, json};

use super::Refusal;
use super::call::Call;
use super::openai;
use super::plan::{Data, Event, Response, Stamp};
use super::question::{Question, text_of};
use super::reply::{Reply, deltas};

/// What the fakes know by default.
pub(crate) const MODELS: [&str; 3] = ["deepseek-chat", "deepseek-reasoner", "deepseek-v4-flash"];

/// The API answers with and without `/v1`.
pub(crate) fn respond(call: &Call<'_>) -> Result<Response, Refusal> {
    match (call.method, call.path.strip_prefix("/v1").unwrap_or(call.path)) {
        ("GET", "/models") => {
            let model = |name: &String| json!({"id": name, "object": "model", "owned_by": "deepseek"});
            call.say(&json!({"object": "list", "data": call.models.iter().map(model).collect::<Value>()}))
        }
        ("POST", "/chat/completions") => {
            let body = call.json()?;
            let mut question = openai::read::chat(body, call.asking.model)?;
            call.knows(&question.model)?;
            question.schema = schema(body)?;
            question.thinks = match body.pointer("/thinking/type").and_then(Value::as_str) {
                Some(kind) => kind == "enabled",
                None => question.model.ends_with("-reasoner"),
            };
            if question.thinks {
                check_thoughts(body)?;
            }
            call.chat(&question)
        }
        (_, "/models" | "/chat/completions") => Err(Refusal::WrongMethod),
        _ => Err(Refusal::UnknownPath),
    }
}

/// The schema of the answer, which is in the prompt if anywhere: `response_format` knows JSON only, and that only where the
/// prompt speaks of it.
fn schema(body: &Value) -> Result<Option<Value>, Refusal> {
    match body.pointer("/response_format/type").and_then(Value::as_str) {
        None | Some("text") => return Ok(None),
        Some("json_object") => {}
        Some(_) => return Err(Refusal::invalid("response_format", "This response_format type is unavailable now")),
    }
    let messages = body["messages"].as_array().into_iter().flatten();
    let prompt = messages.map(|message| text_of(&message["content"])).collect::<Vec<_>>().join("\n");
    if !prompt.to_lowercase().contains("json") {
        return Err(Refusal::invalid(
            "response_format",
            "Prompt must contain the word 'json' in some form to use 'response_format' of type 'json_object'.",
        ));
    }
    let written = prompt.find('{').and_then(|at| serde_json::Deserializer::from_str(&prompt[at..]).into_iter().next());
    Ok(Some(written.and_then(Result::ok).unwrap_or_else(|| json!({"type": "object"}))))
}

/// With thinking, the thought that led to a call comes back with the call.
fn check_thoughts(body: &Value) -> Result<(), Refusal> {
    let messages = body["messages"].as_array().into_iter().flatten();
    let calls = messages.filter(|message| message["tool_calls"].is_array());
    if calls.clone().all(|message| message["reasoning_content"].is_string()) {
        return Ok(());
    }
    Err(Refusal::invalid("messages", "The `reasoning_content` in the thinking mode must be passed back to the API."))
}

pub(crate) fn headers(request_id: &str) -> Vec<(String, String)> {
    let headers = [("x-ds-trace-id", request_id), ("server", "elb"), ("vary", "origin, access-control-request-method")];
    headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn usage(question: &Question, reply: &Reply) -> Value {
    let output = reply.output_tokens();
    json!({
        "prompt_tokens": question.prompt_tokens,
        "completion_tokens": output,
        "total_tokens": question.prompt_tokens + output,
        "prompt_tokens_details": {"cached_tokens": reply.cached},
        "completion_tokens_details": {"reasoning_tokens": reply.thinking_tokens()},
        "prompt_cache_hit_tokens": reply.cached,
        "prompt_cache_miss_tokens": question.prompt_tokens.saturating_sub(reply.cached),
    })
}

/// What only `OpenAI` itself says.
fn foreign(whole: &mut Value, question: &Question) {
    if let Some(fields) = whole.as_object_mut() {
        fields.remove("service_tier");
    }
    whole["model"] = json!(question.model);
}

/// The whole answer as one object.
pub(crate) fn unary(stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Value {
    let reply = &reply.refusal_as_text();
    let mut whole = openai::write::unary(stamp, question, reply, with_usage);
    foreign(&mut whole, question);
    for choice in whole["choices"].as_array_mut().into_iter().flatten() {
        let mut message = json!({"role": "assistant", "content": choice["message"]["content"]});
        if message["content"].is_null() {
            message["content"] = json!("");
        }
        if let Some(thinking) = &reply.thinking {
            message["reasoning_content"] = json!(thinking);
        }
        if let Some(calls) = choice["message"].get("tool_calls") {
            message["tool_calls"] = calls.clone();
        }
        choice["message"] = message;
    }
    if with_usage {
        whole["usage"] = usage(question, reply);
    }
    whole
}

/// The answer as a stream, `[DONE]` excluded: reasoning first, usage in the chunk that says why it ended.
pub(crate) fn events(stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Vec<Event> {
    let reply = &reply.refusal_as_text();
    let mut events = openai::write::events(stamp, question, reply, false);
    for event in &mut events {
        let Data::Json(chunk) = &mut event.data else { continue };
        foreign(chunk, question);
        if let Some(delta) = chunk.pointer_mut("/choices/0/delta").and_then(Value::as_object_mut) {
            delta.remove("refusal");
        }
    }
    let thoughts = reasoning(&events, reply);
    events.splice(1..1, thoughts);
    if let Some(Event { data: Data::Json(last), .. }) = events.last_mut().filter(|_| with_usage) {
        last["usage"] = usage(question, reply);
    }
    events
}

/// The chunks of the reasoning, like the first one otherwise.
fn reasoning(events: &[Event], reply: &Reply) -> Vec<Event> {
    let Some(Event { data: Data::Json(first), .. }) = events.first() else {
        return Vec::new();
    };
    let chunk = |word: &str| {
        let mut chunk = first.clone();
        chunk["choices"][0]["delta"] = json!({"content": null, "reasoning_content": word});
        Event::data(chunk).content()
    };
    deltas(reply.thinking.as_deref().unwrap_or_default()).map(chunk).collect()
}
