//! Requests of Gemini's clients. The names say the rules.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::call::{Call, Form, InPath, Operation};
use crate::facts::{Facts, Provider};
use crate::neutral::Part;
use crate::translate::{self, Emitted, Target};
use crate::{Error, gemini};

mod rich;
mod tools;

fn call(form: Form) -> Call {
    let path = Some(InPath { model: "smart".into(), form });
    Call { dialect: Dialect::Gemini, operation: Operation::Chat, path }
}

fn to(provider: Provider, model: &str, form: Form, request: &Value) -> Result<Emitted, Error> {
    let dialect = match provider {
        Provider::Anthropic => Dialect::Anthropic,
        Provider::Mistral => Dialect::Mistral,
        _ => Dialect::OpenAI,
    };
    let target = Target { dialect, model, facts: Facts::of(provider, model), ask_for_usage: true };
    translate::chat(&call(form), request.to_string().as_bytes(), &target)
}

/// What a provider of OpenAI's is sent, and which hints it is not.
fn openai(request: &Value) -> (Value, Vec<String>) {
    let emitted = to(Provider::OpenAI, "gpt-4o", Form::Whole, request).expect("must be sayable");
    let dropped = emitted.dropped.iter().map(ToString::to_string).collect();
    (serde_json::from_slice(&emitted.body).expect("must be JSON"), dropped)
}

fn sent(request: &Value) -> Value {
    let (sent, dropped) = openai(request);
    assert!(dropped.is_empty(), "{dropped:?}");
    sent
}

fn anthropic(request: &Value) -> Value {
    let emitted = to(Provider::Anthropic, "claude-sonnet-4-5", Form::Whole, request).expect("must be sayable");
    serde_json::from_slice(&emitted.body).expect("must be JSON")
}

fn refused(request: &Value) -> Error {
    to(Provider::OpenAI, "gpt-4o", Form::Whole, request).expect_err("must be refused")
}

fn hello() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]})
}

fn with(members: &Value) -> Value {
    let mut request = hello();
    let all = request.as_object_mut().expect("must be an object");
    all.extend(members.as_object().expect("must be an object").clone());
    request
}

#[test]
fn the_smallest_request_takes_model_and_stream_from_the_path() {
    let expected = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(sent(&hello()), expected);
    for form in [Form::Events, Form::Array] {
        let emitted = to(Provider::OpenAI, "gpt-4o", form, &hello()).expect("must be sayable");
        let sent: Value = serde_json::from_slice(&emitted.body).expect("must be JSON");
        assert_eq!((&sent["stream"], &sent["stream_options"]), (&json!(true), &json!({"include_usage": true})));
    }
}

#[test]
fn one_item_stands_for_a_list_and_names_are_read_in_snake_case_too() {
    let older = json!({"system_instruction": {"parts": {"text": "Be brief."}}, "contents": {"parts": {"text": "hi"}},
        "generation_config": {"max_output_tokens": 5, "stop_sequences": "END", "top_p": 0.50}});
    let newer = json!({"systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "generationConfig": {"maxOutputTokens": 5, "stopSequences": ["END"], "topP": 0.50}});
    assert_eq!(sent(&older), sent(&newer));
    let expected = json!({"model": "gpt-4o", "max_tokens": 5, "top_p": 0.5, "stop": ["END"], "messages": [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]});
    assert_eq!(sent(&newer), expected);
}

#[test]
fn settings_are_said_in_the_target_s_words_and_hints_that_it_does_not_know_are_named() {
    let config = json!({"temperature": 0.5, "topK": 40.0, "candidateCount": 1, "seed": 7, "presencePenalty": 0.5,
        "responseLogprobs": true, "mediaResolution": "MEDIA_RESOLUTION_LOW"});
    let (body, dropped) = openai(&with(&json!({"generationConfig": config, "safetySettings": [{"category": "x"}]})));
    assert_eq!((&body["temperature"], &body["seed"], &body["presence_penalty"]), (&json!(0.5), &json!(7), &json!(0.5)));
    let expected = ["top_k", "generationConfig.mediaResolution", "generationConfig.responseLogprobs", "safetySettings"];
    assert_eq!(dropped, expected);
    assert_eq!(anthropic(&with(&json!({"generationConfig": config})))["top_k"].to_string(), "40");
}

#[test]
fn thinking_is_a_budget_a_level_or_nothing_and_shown_thoughts_are_wanted_thoughts() {
    let thinking = |config: Value| {
        let request = with(&json!({"generationConfig": {"thinkingConfig": config}}));
        let (body, schemas) = (request.to_string(), Schemas::default());
        parse_request(body.as_bytes(), &schemas).expect("must parse").reasoning.map(|it| format!("{it:?}"))
    };
    let rows = [
        (json!({"thinkingBudget": 0}), Some("Off")),
        (json!({"thinkingBudget": -1}), Some("Adaptive")),
        (json!({"thinking_budget": 2048, "includeThoughts": true}), Some("Budget(2048)")),
        (json!({"thinkingLevel": "HIGH"}), Some("Effort(\"high\")")),
        (json!({"includeThoughts": true}), Some("Adaptive")),
        (json!({"includeThoughts": false}), None),
    ];
    for (config, expected) in rows {
        assert_eq!(thinking(config.clone()).as_deref(), expected, "{config}");
    }
}

#[test]
fn a_schema_for_the_answer_is_a_json_schema_for_others() {
    let schema = json!({"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": true}}});
    let json = json!({"type": "object", "properties": {"a": {"type": ["string", "null"]}}});
    for (key, given) in [("responseSchema", &schema), ("response_schema", &schema), ("responseJsonSchema", &json)] {
        let request = with(&json!({"generationConfig": {"responseMimeType": "application/json", key: given}}));
        let format = json!({"type": "json_schema", "json_schema": {"name": "answer", "schema": json}});
        assert_eq!(sent(&request)["response_format"], format, "{key}");
    }
    let request = with(&json!({"generationConfig": {"responseMimeType": "application/json"}}));
    assert_eq!(sent(&request)["response_format"], json!({"type": "json_object"}));
}

#[test]
fn pictures_and_documents_are_the_others_and_base64_is_in_the_standard_alphabet() {
    let request = json!({"contents": [{"parts": [
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo-_w"}},
        {"file_data": {"file_uri": "https://example.com/a.png"}},
        {"inline_data": {"mime_type": "application/pdf", "data": "JVBERi0="}}, {"text": "these"}]}]});
    let expected = json!([
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo+/w=="}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "document.pdf"}},
        {"type": "text", "text": "these"}]);
    assert_eq!(sent(&request)["messages"][0]["content"], expected);
}

#[test]
fn an_answer_sent_back_piece_by_piece_is_one_message() {
    let model = |parts: Value| json!({"role": "model", "parts": parts});
    let signature = gemini::signature("sig+/=");
    let request = json!({"contents": [{"parts": [{"text": "q"}]},
        model(json!([{"text": "two ", "thought": true}])), model(json!([{"text": "cities", "thought": true}])),
        model(json!([{"text": "", "thought": true, "thoughtSignature": signature}])),
        model(json!([{"text": "You "}])), model(json!([{"text": "said"}, {"text": ""}])),
        {"role": "user", "parts": [{"text": "r"}]}]});
    let messages = &anthropic(&request)["messages"];
    let expected = json!([{"type": "thinking", "thinking": "two cities", "signature": "sig+/="},
        {"type": "text", "text": "You said"}]);
    assert_eq!((&messages[1]["content"], messages.as_array().map(Vec::len)), (&expected, Some(3)));
    assert_eq!(sent(&request)["messages"][1], json!({"role": "assistant", "content": "You said"}));
}

#[test]
fn gemini_s_own_signatures_and_thoughts_stay_with_it() {
    let request = json!({"contents": [{"parts": [{"text": "q"}]}, {"role": "model", "parts": [
        {"text": "hm", "thought": true, "thoughtSignature": "QUJD"}, {"text": "a", "thoughtSignature": "QUJD"},
        {"thoughtSignature": "QUJD"}]}, {"parts": [{"text": "r"}]}]});
    assert_eq!(sent(&request)["messages"][1], json!({"role": "assistant", "content": "a"}));
}

#[test]
fn what_others_have_no_place_for_is_a_422_that_names_it_in_gemini_s_words() {
    let rows = [
        (json!({"cachedContent": "cachedContents/1"}), "cachedContent"),
        (json!({"generationConfig": {"responseModalities": ["TEXT", "AUDIO"]}}), "generationConfig.responseModalities"),
        (json!({"generationConfig": {"responseMimeType": "text/x.enum"}}), "generationConfig.responseMimeType"),
        (json!({"tools": [{"googleSearch": {}}]}), "tools[0]"),
        (json!({"contents": [{"parts": [{"executableCode": {"code": "1"}}]}]}), "contents"),
        (json!({"contents": [{"parts": [{"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}]}]}), "contents"),
        (json!({"contents": [{"parts": [{"fileData": {"fileUri": "gs://b/a.png"}}]}]}), "contents"),
    ];
    for (members, expected) in rows {
        let error = refused(&with(&members));
        assert_eq!((error.status(), error.param()), (422, Some(expected)), "{members}: {error}");
    }
    let fine = with(&json!({"generationConfig": {"responseModalities": ["TEXT"], "responseMimeType": "text/plain"}}));
    assert_eq!(openai(&fine).0["messages"], sent(&hello())["messages"]);
    let many = with(&json!({"generationConfig": {"candidateCount": 2}}));
    assert_eq!(sent(&many)["n"], 2);
    for (provider, form) in [(Provider::OpenAI, Form::Events), (Provider::Anthropic, Form::Whole)] {
        let error = to(provider, "m", form, &many).expect_err("must be refused");
        assert_eq!(error.param(), Some("generationConfig.candidateCount"));
    }
}

#[test]
fn what_is_malformed_is_a_400_that_names_the_place() {
    let rows = [
        (json!({"contents": 7}), "contents"),
        (json!({"contents": [{"role": "assistant", "parts": []}]}), "contents[0].role"),
        (json!({"contents": [{"parts": [{"text": 7}]}]}), "contents[0].parts[0].text"),
        (
            json!({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "a b"}}]}]}),
            "contents[0].parts[0].inlineData.data",
        ),
        (
            json!({"contents": [{"parts": [{"functionResponse": {"name": "f", "response": {}}}]}]}),
            "contents[0].parts[0].functionResponse",
        ),
        (json!({"generationConfig": {"maxOutputTokens": -1}}), "generationConfig.maxOutputTokens"),
        (
            json!({"generationConfig": {"thinkingConfig": {"thinkingBudget": 1.5}}}),
            "generationConfig.thinkingConfig.thinkingBudget",
        ),
        (json!({"tools": [{"functionDeclarations": [{"parameters": {}}]}]}), "tools[0].functionDeclarations[0]"),
    ];
    for (members, expected) in rows {
        let error = refused(&with(&members));
        assert_eq!((error.status(), error.param()), (400, Some(expected)), "{members}: {error}");
    }
    let error = refused(&json!({"generationConfig": {}}));
    assert!(error.to_string().contains("contents is missing"), "{error}");
}

#[test]
fn members_that_are_not_known_are_kept() {
    let body = with(&json!({"novel_thing": {"a": [1.50]}, "generationConfig": {"novel": 1}})).to_string();
    let schemas = Schemas::default();
    let request = parse_request(body.as_bytes(), &schemas).expect("must parse");
    let kept: Vec<_> = request.extra.iter().map(|extra| (&*extra.name, extra.value.0)).collect();
    assert_eq!(kept, [("generationConfig.novel", "1"), ("novelThing", r#"{"a":[1.5]}"#)]);
    let body = json!({"contents": [{"parts": [{"text": "a", "novel": 2}, {"novelPart": {}}]}]}).to_string();
    let request = parse_request(body.as_bytes(), &schemas).expect("must parse");
    let [Part::Text { extra, .. }, Part::Unknown { kind, value, .. }] = &request.messages[0].parts[..] else {
        panic!("{:?}", request.messages)
    };
    assert_eq!((&*extra[0].name, extra[0].value.0), ("novel", "2"));
    assert_eq!((&**kind, value.0), ("novelPart", r#"{"novelPart":{}}"#));
}

fn rich() -> String {
    let schema = json!({"type": "OBJECT", "properties": {"a": {"type": "ARRAY", "items": {"type": "STRING"}}}});
    json!({"systemInstruction": {"parts": [{"text": "é"}]}, "tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {"maxOutputTokens": 9, "thinkingConfig": {"thinkingBudget": 5}, "responseMimeType": "application/json", "responseSchema": schema},
        "contents": [{"role": "user", "parts": [{"text": "q\n"}, {"inlineData": {"mimeType": "image/png", "data": "iVBO"}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": [1.50]}}, "thoughtSignature": "QUJD"}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": "r"}}}]}]})
    .to_string()
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(cut in 0usize..2000, junk in any::<Vec<u8>>(), at in 0usize..2000) {
        let rich = rich();
        let mut changed = rich.as_bytes()[..rich.len() - cut.min(rich.len())].to_vec();
        let at = at.min(changed.len());
        changed.splice(at..at, junk.iter().copied());
        for body in [changed, junk] {
            for provider in [Provider::OpenAI, Provider::Anthropic, Provider::Mistral] {
                let dialect = if provider == Provider::Anthropic { Dialect::Anthropic } else { Dialect::OpenAI };
                let target = Target { dialect, model: "m", facts: Facts::of(provider, "m"), ask_for_usage: false };
                drop(translate::chat(&call(Form::Events), &body, &target));
            }
            drop(crate::scan::scan(&call(Form::Whole), &body));
        }
    }
}
