//! OpenAI to the neutral form and back.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::compatible::{Manners, Server};
use crate::facts::{Facts, Provider};
use crate::translate::{self, Target};
use crate::{Dialect, Error, anthropic};

fn back(body: &[u8]) -> Result<Vec<u8>, Error> {
    let target = Target {
        dialect: Dialect::OpenAI,
        model: "gpt-4o",
        facts: Facts::of(Provider::OpenAI, "gpt-4o"),
        ask_for_usage: false,
    };
    translate::request(Dialect::OpenAI, body, &target).map(|emitted| emitted.body)
}

fn fixtures() -> Vec<Value> {
    let tool = json!({"type": "function", "function": {"name": "f", "description": "d", "strict": true, "x_new": [1],
        "parameters": {"type": "object", "properties": {"a": {"$ref": "#/x"}}}}});
    let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1.50}"},
        "extra_content": {"google": {"thought_signature": "s"}}});
    let custom_call = json!({"id": "c2", "type": "custom", "custom": {"name": "sql", "input": "select"}});
    let parts = json!([{"type": "text", "text": "a\u{e9}", "x_new": {"y": null}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
        {"type": "file", "file": {"filename": "b.pdf", "file_data": "JVBERi0="}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "text", "text": "cached", "cache_control": {"type": "ephemeral"}}]);
    let all = json!({
        "model": "gpt-4o", "max_tokens": 5, "temperature": 0.70, "top_p": 1, "top_k": 3, "n": 2, "stop": ["a", "b"], "seed": 7,
        "stream": true, "stream_options": {"include_usage": true, "include_obfuscation": false}, "user": "u", "safety_identifier": "s",
        "reasoning_effort": "xhigh", "parallel_tool_calls": false, "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "description": "d", "schema": {"type": "object"}, "strict": false}},
        "logit_bias": {"1": -100}, "metadata": {"k": "v"}, "x_unknown": {"deep": [1, {"er": 1e3}]}, "prompt_cache_key": "p",
        "tools": [tool, {"type": "custom", "custom": {"name": "sql", "format": {"type": "text"}}}, {"type": "function", "function": {"name": "g"}}],
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "developer", "content": [{"type": "text", "text": "d"}]},
            {"role": "user", "content": parts, "name": "ann"},
            {"role": "assistant", "content": null, "tool_calls": [call, custom_call]},
            {"role": "tool", "tool_call_id": "c1", "content": "r", "x_new": true},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "r"}]},
            {"role": "assistant", "content": "so", "reasoning_content": "hm", "audio": {"id": "a"}},
            {"role": "assistant", "content": "so", "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "redacted_thinking", "data": "z"}]},
            {"role": "assistant", "content": null, "refusal": "no"},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            {"role": "user", "content": ""},
        ],
    });
    let small = |members: Value| {
        let mut request = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]});
        request
            .as_object_mut()
            .expect("must be an object")
            .extend(members.as_object().expect("must be members").clone());
        request
    };
    vec![
        all,
        small(json!({})),
        small(
            json!({"stop": "END", "tool_choice": "required", "reasoning_effort": "none", "response_format": {"type": "text"}}),
        ),
        small(
            json!({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}, "response_format": {"type": "json_object"}}),
        ),
        small(
            json!({"tool_choice": "none", "stop": ["one"], "tools": [{"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}]}),
        ),
        small(json!({"temperature": 0, "stream": true, "modalities": ["text"], "audio": {"voice": "alloy"}})),
    ]
}

#[test]
fn a_request_emitted_in_its_own_dialect_is_the_same_json_unknown_fields_included() {
    for fixture in fixtures() {
        let body = fixture.to_string();
        let emitted = back(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(serde_json::from_slice::<Value>(&emitted).expect("must be JSON"), fixture);
    }
}

#[test]
fn the_token_bound_is_written_under_the_name_that_the_model_takes() {
    let body = br#"{"model":"m","messages":[],"max_tokens":7}"#;
    for (model, key) in [("gpt-4o", "max_tokens"), ("gpt-5", "max_completion_tokens")] {
        let target =
            Target { dialect: Dialect::OpenAI, model, facts: Facts::of(Provider::OpenAI, model), ask_for_usage: false };
        let emitted = translate::request(Dialect::OpenAI, body, &target).expect("must be translated");
        let seen: Value = serde_json::from_slice(&emitted.body).expect("must be JSON");
        assert_eq!(seen, json!({"model": model, "messages": [], key: 7}));
    }
}

#[test]
fn thinking_is_given_back_in_the_member_that_the_server_calls_it() {
    let body = json!({"model": "m", "messages": [{"role": "assistant", "content": "so", "reasoning_content": "hm"}]});
    let facts = Facts::of(Provider::OpenAICompatible, "m");
    for server in [Server::Groq, Server::DeepSeek] {
        let thinking_member = Manners::of(server).thinking;
        let facts = facts.at(&Manners::of(server));
        let target = Target { dialect: Dialect::OpenAI, model: "m", facts, ask_for_usage: false };
        let emitted =
            translate::request(Dialect::OpenAI, body.to_string().as_bytes(), &target).expect("must be emitted");
        let sent: Value = serde_json::from_slice(&emitted.body).expect("must be JSON");
        assert_eq!(sent["messages"][0][thinking_member], "hm", "{server:?}");
    }
}

#[test]
fn thinking_that_nobody_signed_goes_back_with_its_call_to_a_server_that_takes_it() {
    let turn = |signature: &str| {
        json!({"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": signature},
            {"type": "tool_use", "id": "c1", "name": "f", "input": {}},
        ]})
    };
    let result = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "r"}]});
    let facts = Facts::of(Provider::OpenAICompatible, "m");
    let rows = [
        (Manners::of(Server::DeepSeek), "", json!("hm")),
        (Manners::of(Server::DeepSeek), "signed", Value::Null),
        (Manners::UNKNOWN, "", Value::Null),
    ];
    for (manners, signature, thought) in rows {
        let body = json!({"model": "m", "max_tokens": 9, "messages": [turn(signature), result]}).to_string();
        let target = Target { dialect: Dialect::OpenAI, model: "m", facts: facts.at(&manners), ask_for_usage: false };
        let emitted = translate::request(Dialect::Anthropic, body.as_bytes(), &target).expect("must be translated");
        let sent: Value = serde_json::from_slice(&emitted.body).expect("must be JSON");
        assert_eq!(
            (&sent["messages"][0]["reasoning_content"], &sent["messages"][1]["content"]),
            (&thought, &json!("r"))
        );
        assert_eq!(sent["messages"][0]["tool_calls"][0]["id"], "c1");
    }
}

fn sent_to(dialect: Dialect, provider: Provider, body: &[u8], model: &str) -> Result<Vec<u8>, Error> {
    let target = Target { dialect, model, facts: Facts::of(provider, model), ask_for_usage: false };
    translate::request(Dialect::OpenAI, body, &target).map(|emitted| emitted.body)
}

fn for_anthropic(body: &[u8], model: &str) -> Result<Vec<u8>, Error> {
    sent_to(Dialect::Anthropic, Provider::Anthropic, body, model)
}

fn for_gemini(body: &[u8], model: &str) -> Result<Vec<u8>, Error> {
    sent_to(Dialect::Gemini, Provider::Gemini, body, model)
}

/// A piece of a conversation, likely or not.
fn message() -> impl Strategy<Value = Value> {
    let words = prop_oneof![
        Just(json!("a")),
        Just(json!(" ")),
        Just(json!("")),
        Just(Value::Null),
        Just(json!([])),
        Just(json!([{"type": "text", "text": "b "}, {"type": "text", "text": ""}]))
    ];
    let id = prop_oneof![Just("c1"), Just("c:2"), Just("")];
    (prop_oneof![Just("system"), Just("developer"), Just("user"), Just("assistant"), Just("tool"), Just("call")], words, id).prop_map(
        |(role, content, id)| match role {
            "call" => json!({"role": "assistant", "content": content, "thinking_blocks": [{"type": "thinking", "thinking": "t", "signature": "s"}],
                "tool_calls": [{"id": id, "type": "function", "function": {"name": "f.g", "arguments": ""}}]}),
            "tool" => json!({"role": role, "content": content, "tool_call_id": id}),
            role => json!({"role": role, "content": content}),
        },
    )
}

proptest! {
    #[test]
    fn any_conversation_gives_turns_that_alternate_and_begin_with_the_user(
        messages in proptest::collection::vec(message(), 0..8), effort in any::<bool>(),
        model in prop_oneof![Just("claude-sonnet-4"), Just("claude-opus-4-6"), Just("claude-opus-4-8"), Just("claude-opus-5-5"), Just("claude-3-opus")],
    ) {
        let request = json!({"model": "m", "messages": messages, "reasoning_effort": if effort { "high" } else { "none" }});
        let Ok(body) = for_anthropic(request.to_string().as_bytes(), model) else {
            let has_results = messages.iter().any(|message| message["role"] == "tool");
            prop_assert!(has_results, "only a result without its call is refused: {}", request);
            return Ok(());
        };
        let body: Value = serde_json::from_slice(&body).expect("must be JSON");
        let turns = body["messages"].as_array().expect("must be a list");
        prop_assert_eq!(&turns[0]["role"], "user");
        for pair in turns.windows(2) {
            prop_assert_ne!(&pair[0]["role"], &pair[1]["role"], "{}", body);
        }
        for turn in turns {
            let blocks = turn["content"].as_array().map_or(1, Vec::len);
            prop_assert!(blocks > 0, "{}", body);
            for block in turn["content"].as_array().into_iter().flatten().filter(|block| block["type"] == "text") {
                prop_assert!(!block["text"].as_str().expect("must be text").trim().is_empty(), "{}", body);
            }
        }
    }

    #[test]
    fn any_conversation_gives_contents_for_gemini_that_alternate_between_user_and_user(
        messages in proptest::collection::vec(message(), 0..8),
    ) {
        let request = json!({"model": "m", "messages": messages});
        let Ok(body) = for_gemini(request.to_string().as_bytes(), "gemini-3.1-pro-preview") else {
            let has_results = messages.iter().any(|message| message["role"] == "tool");
            prop_assert!(has_results, "only a result without its call is refused: {}", request);
            return Ok(());
        };
        let body: Value = serde_json::from_slice(&body).expect("must be JSON");
        let turns = body["contents"].as_array().expect("must be a list");
        for (index, turn) in turns.iter().enumerate() {
            prop_assert_eq!(&turn["role"], if index % 2 == 0 { "user" } else { "model" }, "{}", &body);
            prop_assert!(!turn["parts"].as_array().expect("must be a list").is_empty(), "{}", &body);
        }
        prop_assert_eq!(turns.len() % 2, 1, "the user has the last word: {}", &body);
    }

    #[test]
    fn one_wrong_byte_never_panics_and_what_is_emitted_is_json(fixture in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let all = fixtures();
        let mut body = fixture.get(&all).to_string().into_bytes();
        let at = at.index(body.len());
        body[at] = byte;
        for emitted in [back(&body), for_anthropic(&body, "claude-haiku-4-5"), for_anthropic(&body, "claude-opus-5-5"),
            for_gemini(&body, "gemini-2.0-flash"), for_gemini(&body, "gemini-4-argon"),
            sent_to(Dialect::Mistral, Provider::Mistral, &body, "mistral-small-latest"),
            sent_to(Dialect::Ollama, Provider::Ollama, &body, "qwen3")].into_iter().flatten() {
            prop_assert!(serde_json::from_slice::<Value>(&emitted).is_ok(), "{}", String::from_utf8_lossy(&emitted));
        }
    }

    #[test]
    fn any_bytes_at_all_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(back(&bytes).is_err());
        let names = translate::Names::default();
        let _: bool = anthropic::parse_response(&bytes, &names).is_ok();
        let _: bool = super::chunk(&bytes).is_ok();
        let _: bool = super::observe_answer(&bytes).is_ok();
        let _: u16 = crate::classify::classify(Dialect::OpenAI, 400, None, &bytes).status;
    }
}
