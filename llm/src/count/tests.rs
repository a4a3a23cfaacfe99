//! Counting tokens between the dialects. The names say the rules.

use serde_json::{Value, json};

use super::*;
use crate::call::{Form, InPath, Operation, Reader};
use crate::classify::ErrorKind;
use crate::facts::{Facts, Provider};
use crate::neutral::Usage;
use crate::relay::Client;
use crate::translate::Names;

fn anthropic() -> Call {
    Call::new(Dialect::Anthropic, Operation::CountTokens)
}

fn gemini() -> Call {
    let path = InPath { model: "m".into(), form: Form::Whole };
    Call { path: Some(path), ..Call::new(Dialect::Gemini, Operation::CountTokens) }
}

fn sent(call: &Call, target: &Target<'_>, body: &Value) -> Value {
    let emitted = call.request(body.to_string().as_bytes(), target).expect("must be translated");
    serde_json::from_slice(&emitted.body).expect("must be JSON")
}

fn target(dialect: Dialect, provider: Provider, model: &str) -> Target<'_> {
    Target { dialect, model, facts: Facts::of(provider, model), ask_for_usage: false }
}

fn answered(client: Dialect, upstream: Dialect, body: &str) -> Result<Option<String>, ErrorKind> {
    let call = Call::new(client, Operation::CountTokens);
    let client = Client { dialect: client, include_usage: false, choices: 1, now: 1 };
    let reader = Reader { client: &client, names: &Names::default(), base64: false, model: "m" };
    let answer = call.answer(upstream, &reader, body.as_bytes()).map_err(|error| error.kind)?;
    assert_eq!(answer.usage, Usage::default(), "counting costs nothing");
    Ok(answer.body.map(|body| String::from_utf8(body).expect("must be UTF-8")))
}

fn messages() -> Value {
    json!({"model": "m", "system": "Be brief.", "messages": [{"role": "user", "content": "Weather?"}],
        "tools": [{"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]})
}

#[test]
fn a_conversation_is_counted_by_gemini_with_its_system_text_and_tools() {
    let body = sent(&anthropic(), &target(Dialect::Gemini, Provider::Gemini, "gemini-2.5-pro"), &messages());
    let request = &body["generateContentRequest"];
    assert_eq!(request["model"], "models/gemini-2.5-pro");
    assert_eq!(request["contents"], json!([{"role": "user", "parts": [{"text": "Weather?"}]}]));
    assert_eq!(request["systemInstruction"], json!({"parts": [{"text": "Be brief."}]}));
    assert_eq!(request["tools"][0]["functionDeclarations"][0]["name"], "weather");
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "no other member may stand beside it");
}

#[test]
fn max_tokens_is_not_in_count_tokens() {
    let claude = target(Dialect::Anthropic, Provider::Anthropic, "claude-sonnet-4-20250514");
    let contents = json!([{"role": "user", "parts": [{"text": "Weather?"}]}]);
    let system = json!({"parts": [{"text": "Be brief."}]});
    let tools = json!([{"functionDeclarations": [{"name": "weather", "parameters": {"type": "OBJECT"}}]}]);
    let whole = json!({"model": "models/m", "contents": contents, "systemInstruction": system, "tools": tools,
        "generationConfig": {"maxOutputTokens": 5, "temperature": 0.5}});
    let mut keys = Vec::new();
    for body in [json!({"contents": contents}), json!({"generateContentRequest": whole})] {
        let body = sent(&gemini(), &claude, &body);
        assert_eq!(body["messages"], json!([{"role": "user", "content": [{"type": "text", "text": "Weather?"}]}]));
        assert_eq!(body["model"], "claude-sonnet-4-20250514");
        keys.push(body.as_object().expect("must be an object").keys().cloned().collect::<Vec<_>>());
    }
    keys.iter_mut().for_each(|keys| keys.sort_unstable());
    assert_eq!(keys, [vec!["messages", "model"], vec!["messages", "model", "system", "tools"]]);
}

#[test]
fn a_provider_that_does_not_count_is_a_422_that_says_so() {
    for (dialect, provider) in [(Dialect::OpenAI, Provider::OpenAI), (Dialect::Mistral, Provider::Mistral)] {
        let error = anthropic().request(messages().to_string().as_bytes(), &target(dialect, provider, "m"));
        let error = error.expect_err("must be refused");
        assert_eq!((error.status(), error.param()), (422, Some("model")));
    }
}

#[test]
fn a_malformed_conversation_names_its_place() {
    let claude = target(Dialect::Anthropic, Provider::Anthropic, "claude-sonnet-4-20250514");
    let google = target(Dialect::Gemini, Provider::Gemini, "gemini-2.5-pro");
    let message = r#"{"model":"m","messages":[{"role":"user","content":7}]}"#;
    let content = r#"{"generateContentRequest":{"contents":[{"parts":[{"text":7}]}]}}"#;
    for (call, target, body, place) in [
        (anthropic(), google, message, "messages[0].content"),
        (gemini(), claude, content, "contents[0].parts[0].text"),
    ] {
        let error = call.request(body.as_bytes(), &target).expect_err("must be refused");
        assert_eq!((error.status(), error.param()), (400, Some(place)));
        let at = body.find('7').expect("must be there");
        assert!(error.to_string().contains(&format!("byte {at}")), "{error}");
    }
}

#[test]
fn a_count_is_told_in_the_client_s_words() {
    let gemini = r#"{"totalTokens": 31, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 31}]}"#;
    let rows = [
        (Dialect::Anthropic, Dialect::Gemini, gemini, Ok(Some(r#"{"input_tokens":31}"#))),
        (Dialect::Anthropic, Dialect::Gemini, "{}", Ok(Some(r#"{"input_tokens":0}"#))),
        (Dialect::Gemini, Dialect::Anthropic, r#"{"input_tokens":7}"#, Ok(Some(r#"{"totalTokens":7}"#))),
        (Dialect::Gemini, Dialect::Gemini, gemini, Ok(None)),
        (Dialect::Anthropic, Dialect::Anthropic, r#"{"input_tokens":7}"#, Ok(None)),
        (Dialect::Anthropic, Dialect::Anthropic, "{}", Err(ErrorKind::ServerError)),
        (Dialect::Anthropic, Dialect::Gemini, r#"[{"error":{"code":503}}]"#, Err(ErrorKind::ServerError)),
        (Dialect::Gemini, Dialect::Gemini, "[]", Err(ErrorKind::ServerError)),
        (
            Dialect::Anthropic,
            Dialect::Anthropic,
            r#"{"type":"error","error":{"type":"rate_limit_error"}}"#,
            Err(ErrorKind::RateLimit),
        ),
    ];
    for (client, upstream, body, expected) in rows {
        assert_eq!(answered(client, upstream, body), expected.map(|body| body.map(str::to_owned)), "{body}");
    }
}
